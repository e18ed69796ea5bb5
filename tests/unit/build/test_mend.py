"""Contents that are made equal: .pyc, keystores, ls-R."""

import hashlib
import struct

import pytest

from ropewalk.build.known import known
from ropewalk.build.mend import Mend, emptied, extension, initiator, keystore, ls_r, pyc

EPOCH = 1_700_000_000


def compiled(flags: int, mtime: int) -> bytes:
    return b"\xa7\r\r\n" + struct.pack("<III", flags, mtime, 7) + b"code"


def jks(*entries: tuple[int, str, int, bytes]) -> bytes:
    body = struct.pack(">III", 0xFEEDFEED, 2, len(entries))
    for tag, alias, date, data in entries:
        body += struct.pack(">IH", tag, len(alias)) + alias.encode() + struct.pack(">Q", date)
        body += struct.pack(">H", 5) + b"X.509" + struct.pack(">I", len(data)) + data
    return body + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()  # noqa: S324  the format's


@pytest.mark.parametrize(
    ("flags", "mtime", "expected"),
    [(0, EPOCH + 5, EPOCH), (0, EPOCH - 5, EPOCH - 5), (3, EPOCH + 5, EPOCH + 5), (1, EPOCH + 5, EPOCH + 5)],
)
def test_a_pyc_keeps_the_time_that_its_source_gets(flags: int, mtime: int, expected: int) -> None:
    assert pyc(compiled(flags, mtime), EPOCH) == compiled(flags, expected)


@pytest.mark.parametrize("data", [b"", b"short", b"\xa7\r\r\n\x00\x00\x00\x00\xff"])
def test_what_is_no_pyc_stays(data: bytes) -> None:
    assert pyc(data, EPOCH) == data


def test_a_keystores_dates_are_the_epoch_and_its_seal_holds() -> None:
    found = keystore(jks((2, "a", 1, b"cert"), (2, "bb", 2, b"other")), EPOCH)
    assert found == jks((2, "a", EPOCH * 1000, b"cert"), (2, "bb", EPOCH * 1000, b"other"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 zip",
        jks((1, "key", 5, b"private")),
        jks((2, "a", 1, b"cert"))[:-1] + b"\0",
    ],
)
def test_another_keystore_stays(data: bytes) -> None:
    assert keystore(data, EPOCH) == data


def test_ls_r_is_sorted_within_and_across_directories() -> None:
    assert ls_r(b"% head\n\n./b:\nz\na\n\n./a:\nx\n", 0) == b"% head\n\n./a:\nx\n\n./b:\na\nz\n"


def library(place: bytes, build_id: bytes) -> bytes:
    return b"\x7fELF..\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + build_id + b"code\0" + place + b"\0more"


def test_an_extensions_temporary_directory_gets_one_name_and_its_id_follows() -> None:
    one = library(b"/tmp/pip-install-v0u61i93/markupsafe_efa54cc811ee40e9bc1f4a035ed6916c/src", b"1" * 20)
    two = library(b"/tmp/pip-install-o5jl7qu2/markupsafe_225f6efe99c541bf9f210e2ee97939de/src", b"2" * 20)
    found = extension(one, EPOCH)
    assert found == extension(two, EPOCH)
    assert len(found) == len(one)
    assert b"/tmp/pip-install-00000000/markupsafe_" + b"0" * 32 + b"/src" in found
    assert b"1" * 20 not in found
    assert extension(library(b"/build/pip", b"1" * 20), EPOCH) == library(b"/build/pip", b"1" * 20)


def test_a_made_initiators_name_is_made_again_at_the_start_and_a_chosen_one_stays() -> None:
    made = b"## If you change it\nInitiatorName=iqn.1993-08.org.debian:01:b2507814de8\n"
    assert initiator(made, EPOCH) == b"GenerateName=yes\n"
    chosen = b"InitiatorName=iqn.2026-01.org.example:db1\n"
    assert initiator(chosen, EPOCH) == chosen


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("usr/lib/python3/dist-packages/__pycache__/six.cpython-311.pyc", pyc),
        ("etc/ssl/certs/java/cacerts", keystore),
        ("etc/machine-id", emptied),
        ("usr/local/lib/python3.11/dist-packages/a/b.cpython-311-x86_64-linux-gnu.so", extension),
        ("srv/venv/lib/python3.11/site-packages/a.abi3.so", extension),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", None),
        ("etc/iscsi/initiatorname.iscsi", initiator),
        ("var/lib/texmf/ls-R", ls_r),
        ("etc/ssl/certs/ca-certificates.crt", None),
        ("usr/bin/python3", None),
    ],
)
def test_only_known_paths_are_mended(path: str, mend: Mend | None) -> None:
    row = known(path)
    assert (row.mend if row is not None else None) is mend
