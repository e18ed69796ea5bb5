"""Headers, compared with Python's tarfile as another reader and writer."""

import io
import tarfile
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.oci import tar

names = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name and not name.endswith(b"/"))
headers = st.builds(
    tar.Header,
    name=names,
    kind=st.sampled_from((tar.FILE, tar.SYMLINK, tar.HARDLINK, tar.DIRECTORY, tar.FIFO)),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**40),
    mtime=st.integers(-(2**33), 2**36),
    link=names,
    xattrs=st.dictionaries(
        st.from_regex(rb"(user|security)\.[a-z.]{1,20}", fullmatch=True), st.binary(max_size=40), max_size=3
    ).map(lambda found: tuple(sorted(found.items()))),
)


def decoded(data: bytes) -> tar.Header:
    records: dict[bytes, bytes] = {}
    if data[156:157] == tar.PAX:
        size = tar.decode(data[:512], {}).size
        records = tar.pax_records(data[512 : 512 + size])
        data = data[512 + size + tar.padding(size) :]
    assert len(data) == tar.BLOCK
    return tar.decode(data, records)


@given(headers)
def test_what_is_encoded_is_decoded(header: tar.Header) -> None:
    assert decoded(tar.encode(header)) == header


@given(headers)
def test_tarfile_reads_what_is_encoded(header: tar.Header) -> None:
    stream = io.BytesIO(tar.encode(header) + bytes(1024))
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        info = archive.next()
    assert info is not None
    assert info.name.encode(errors="surrogateescape") == header.name
    assert info.linkname.encode(errors="surrogateescape") == header.link
    assert (info.type, info.mode, info.uid, info.gid) == (header.kind, header.mode, header.uid, header.gid)
    assert (info.size, info.mtime) == (header.size, header.mtime)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("size", [0, 77, 8**11 - 1])
def test_reads_what_tarfile_encodes(form: Literal[0, 1, 2], size: int) -> None:
    info = tarfile.TarInfo("usr/bin/x")
    info.size, info.mode, info.uid, info.gid, info.mtime = size, 0o4755, 33, 44, 1_700_000_000
    header = decoded(info.tobuf(form))
    assert header == tar.Header(b"usr/bin/x", tar.FILE, 0o4755, 33, 44, size, 1_700_000_000)


def test_reads_base_256_numbers() -> None:
    info = tarfile.TarInfo("x")
    info.size, info.uid, info.mtime = 8**12 + 5, 2**31, -7
    header = decoded(info.tobuf(tarfile.GNU_FORMAT))
    assert (header.size, header.uid, header.mtime) == (8**12 + 5, 2**31, -7)


def test_a_long_ustar_name_uses_the_prefix() -> None:
    name = "/".join(["directory"] * 20)
    assert decoded(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)).name == name.encode()


@pytest.mark.parametrize(("text", "seconds"), [(b"5", 5), (b"5.75", 5), (b"-5", -5), (b"-0.5", -1), (b"-5.0", -5)])
def test_times_are_rounded_down(text: bytes, seconds: int) -> None:
    block = tar.encode(tar.Header(b"x", tar.FILE))
    assert tar.decode(block, {b"mtime": text}).mtime == seconds


def test_a_record_counts_its_own_length() -> None:
    for length in (*range(80, 120), 985, 992, 993, 994, 10_000):
        value = b"v" * length
        data = tar.encode(tar.Header(b"x", tar.FILE, xattrs=((b"user.a", value),)))
        assert decoded(data).xattrs == ((b"user.a", value),)


def test_equal_headers_give_equal_bytes() -> None:
    first = tar.Header(b"\xff" * 120, tar.FILE, uid=2**31, xattrs=((b"b", b"1"), (b"c", b"2")))
    assert tar.encode(first) == tar.encode(first)
    assert b"hdrcharset=BINARY" in tar.encode(first)
