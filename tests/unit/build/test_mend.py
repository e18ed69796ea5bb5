"""Contents that are made equal: .pyc, keystores, ls-R."""

import hashlib
import struct

import pytest

from ropewalk.build.mend import Mend, emptied, keystore, ls_r, mend_for, pyc

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


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("usr/lib/python3/dist-packages/__pycache__/six.cpython-311.pyc", pyc),
        ("etc/ssl/certs/java/cacerts", keystore),
        ("etc/machine-id", emptied),
        ("var/lib/texmf/ls-R", ls_r),
        ("etc/ssl/certs/ca-certificates.crt", None),
        ("usr/bin/python3", None),
    ],
)
def test_only_known_paths_are_mended(path: str, mend: Mend | None) -> None:
    assert mend_for(path) is mend
