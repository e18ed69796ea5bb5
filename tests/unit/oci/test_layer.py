import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.hostile_tars import END, HOSTILE, pax, raw
from kit.layers import directory, entries_of, file, hardlink, opaque, read_all, symlink, tar_of, whiteout
from ropewalk.errors import InputError
from ropewalk.oci import tar
from ropewalk.oci.layer import TarItem, open_blob, read_tar, write_tar
from ropewalk.oci.model import DOCKER_LAYER_GZIP, LAYER_GZIP, LAYER_TAR, Entry, EntryType
from ropewalk.oci.stream import Limits
from ropewalk.oci.tar import LayerError

CAPABILITY = bytes.fromhex("0100000200240000000000000000000000000000")


def members(data: bytes) -> list[tarfile.TarInfo]:
    """What Python's tarfile finds."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def consume(data: bytes, limits: Limits | None = None) -> list[Entry]:
    found = []
    for entry, content in read_tar(io.BytesIO(data), limits or Limits()):
        while content is not None and content.read(1 << 16):
            pass
        found.append(entry)
    return found


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.__name__)
def test_refuses(hostile: Callable[[], bytes]) -> None:
    with pytest.raises(LayerError) as caught:
        consume(hostile())
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.__name__)
def test_refuses_without_reading_contents(hostile: Callable[[], bytes]) -> None:
    with pytest.raises(LayerError):
        list(read_tar(io.BytesIO(hostile())))


def test_writes_in_one_order() -> None:
    items = [
        file("b/z"),
        hardlink("a", "b/z"),
        directory("b"),
        whiteout("b/old"),
        opaque("b"),
        file("b-c"),
        directory(""),
        whiteout("gone"),
        file("b/a"),
    ]
    names = [info.name for info in members(tar_of(*items))]
    assert names == [".", ".wh.gone", "b", "b/.wh..wh..opq", "b/.wh.old", "b/a", "b/z", "b-c", "a"]
    assert tar_of(*items) == tar_of(*reversed(items))


def test_fills_size_and_digest() -> None:
    content = b"hello" * 1000
    (entry,) = entries_of(TarItem(Entry("x", EntryType.FILE, 0o644), lambda: io.BytesIO(content)))
    assert (entry.size, entry.sha256) == (5000, hashlib.sha256(content).hexdigest())


def test_other_programs_find_owner_mode_and_link() -> None:
    items = (
        file("x", b"1", 0o4755, uid=33, gid=44, mtime=7),
        symlink("l", "../x"),
        TarItem(Entry("null", EntryType.CHARACTER, 0o666, device=(1, 3))),
    )
    found = {info.name: info for info in members(tar_of(*items))}
    x = found["x"]
    assert (x.mode, x.uid, x.gid, x.mtime, x.uname, x.gname) == (0o4755, 33, 44, 7, "", "")
    assert found["l"].linkname == "../x"
    assert (found["null"].type, found["null"].devmajor, found["null"].devminor) == (tarfile.CHRTYPE, 1, 3)


def test_file_capabilities_survive() -> None:
    entry = Entry("ping", EntryType.FILE, 0o755, xattrs=(("security.capability", CAPABILITY),))
    data = tar_of(TarItem(entry))
    assert read_all(data)[0][0].xattrs == (("security.capability", CAPABILITY),)
    (info,) = members(data)
    assert info.pax_headers["SCHILY.xattr.security.capability"].encode(errors="surrogateescape") == CAPABILITY


def test_names_that_are_no_utf8_survive() -> None:
    name = b"caf\xe9".decode(errors="surrogateescape")
    assert read_all(tar_of(file(name, b"x")))[0][0].path == name


def test_hard_links_to_links_lead_to_the_file() -> None:
    data = raw(b"a", content=b"x") + raw(b"b", tar.HARDLINK, link=b"a") + raw(b"c", tar.HARDLINK, link=b"./b") + END
    assert [entry.link for entry in consume(data)] == ["", "a", "a"]


def test_a_path_that_stands_twice_is_read_twice_and_written_once() -> None:
    data = raw(b"a", content=b"1") + raw(b"a", content=b"2") + END
    assert [content for _, content in read_all(data)] == [b"1", b"2"]
    assert [content for _, content in read_all(tar_of(file("a", b"1"), file("a", b"2")))] == [b"2"]


def test_reads_what_others_write_loosely() -> None:
    data = raw(b"./d/") + raw(b"./d//./x", content=b"x") + raw(b"old", b"\0") + END
    assert [(entry.path, entry.type) for entry in consume(data)] == [
        ("d", EntryType.DIRECTORY),
        ("d/x", EntryType.FILE),
        ("old", EntryType.FILE),
    ]


def test_what_aufs_left_is_passed_over() -> None:
    data = raw(b".wh..wh.plnk/", tar.DIRECTORY) + raw(b".wh..wh.aufs", content=b"x" * 600) + raw(b"a") + END
    assert [entry.path for entry in consume(data)] == ["a"]


def test_a_harmless_global_header_is_passed_over() -> None:
    data = pax(b"17 comment=12345\n", tar.PAX_GLOBAL) + raw(b"a") + END
    assert [entry.path for entry in consume(data)] == ["a"]


def test_long_names_of_gnu_tar_are_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("/".join(["n" * 60] * 4))
        info.type, info.linkname = tarfile.SYMTYPE, "/".join(["t" * 60] * 4)
        archive.addfile(info)
    (entry,) = consume(out.getvalue())
    assert (entry.path, entry.link) == (info.name, info.linkname)


def test_bytes_after_the_end_mark_do_not_matter() -> None:
    assert [entry.path for entry in consume(raw(b"a") + END + raw(b"b") + b"rubbish")] == ["a"]


@pytest.mark.parametrize(
    "limits", [Limits(entries=3), Limits(bytes=5000), Limits(path=4)], ids=["entries", "bytes", "path"]
)
def test_limits_hold(limits: Limits) -> None:
    data = tar_of(*(file(f"name{n}", b"x" * 600) for n in range(5)))
    with pytest.raises(LayerError):
        consume(data, limits)
    assert len(consume(data)) == 5


def test_content_is_not_there_any_more_after_the_next_entry() -> None:
    reader = read_tar(io.BytesIO(tar_of(file("a", b"x" * 5000), file("b"))))
    _, content = next(reader)
    assert content is not None
    assert content.read(3) == b"xxx"
    assert next(reader)[0].path == "b"
    with pytest.raises(ValueError, match="too late"):
        content.read()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([file("/etc/x")], "absolute"),
        ([file("a/../b")], "leaves the root"),
        ([file("a//b")], "plain form"),
        ([file(".wh.x")], "whiteout"),
        ([file("n" * 256)], "too long"),
        ([whiteout("n" * 252)], "too long"),
        ([symlink("x", "")], "no target"),
        ([hardlink("x", "y")], "not before it"),
        ([hardlink("x", "d"), directory("d")], "not before it"),
        ([file("a"), file("a/b")], "below a file"),
        ([symlink("a", "b"), file("a/b")], "goes through a link"),
        ([TarItem(Entry("x", EntryType.FILE, size=5))], "no content"),
    ],
)
def test_writes_only_what_it_would_read(items: list[TarItem], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        tar_of(*items)


class Piped(io.BytesIO):
    """A content that cannot be sought."""

    def seekable(self) -> bool:
        return False


def test_a_pipe_gives_as_much_as_its_entry_says() -> None:
    entry = Entry("x", EntryType.FILE, size=3)
    assert read_all(tar_of(TarItem(entry, lambda: Piped(b"abc"))))[0][1] == b"abc"
    for wrong in (2, 4):
        with pytest.raises(LayerError, match="changed while"):
            tar_of(TarItem(replace(entry, size=wrong), lambda: Piped(b"abc")))


class Endless(io.RawIOBase):
    """A content of nine gigabytes that is never made."""

    def read(self, size: int = -1) -> bytes:
        raise OSError(f"asked for {size}")

    def seekable(self) -> bool:
        return False


def test_a_big_file_is_read_in_pieces() -> None:
    out = io.BytesIO()
    with pytest.raises(OSError, match="asked for 1048576"):
        write_tar([TarItem(Entry("big", EntryType.FILE, size=9 << 30), lambda: cast("BinaryIO", Endless()))], out)
    out.seek(0)
    with tarfile.open(fileobj=out, mode="r:") as archive:
        info = archive.next()
    assert info is not None
    assert info.size == 9 << 30


names = st.sampled_from(["a", "b", "c", "d.e", "f g", "ü", "n" * 120, "\udce9", ".hidden"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@st.composite
def layers(draw: st.DrawFn) -> list[tuple[Entry, bytes]]:
    """A layer that makes sense: directories above everything, links to files, no path twice."""
    chosen = draw(st.lists(paths, max_size=12, unique=True))
    inner = {parent for path in chosen for parent in above(path)}
    result: list[tuple[Entry, bytes]] = []
    known: list[str] = []
    times = st.integers(0, 2**33)
    for path in sorted(inner | set(chosen)):
        base = Entry(
            path, EntryType.DIRECTORY, draw(st.integers(0, 0o7777)), draw(st.integers(0, 2**31)), mtime=draw(times)
        )
        kind = EntryType.DIRECTORY if path in inner else draw(st.sampled_from(sorted(EntryType)))
        content = b""
        if kind is EntryType.HARDLINK and not known:
            kind = EntryType.FIFO
        base = replace(base, type=EntryType(kind))
        if kind is EntryType.FILE:
            content = draw(st.binary(max_size=1500))
            base = replace(base, size=len(content), sha256=hashlib.sha256(content).hexdigest())
            known.append(path)
        elif kind is EntryType.SYMLINK:
            base = replace(base, link=draw(paths))
        elif kind is EntryType.HARDLINK:
            base = replace(base, link=draw(st.sampled_from(known)))
        elif kind in (EntryType.CHARACTER, EntryType.BLOCK):
            base = replace(base, device=(draw(st.integers(0, 4095)), draw(st.integers(0, 2**20))))
        if draw(st.booleans()):
            base = replace(base, xattrs=(("security.capability", CAPABILITY), ("user.x", draw(st.binary(max_size=9)))))
        result.append((base, content))
    return result


def above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


@given(layers(), st.randoms(use_true_random=False))
def test_what_is_written_is_read_back(layer: list[tuple[Entry, bytes]], random: Random) -> None:
    items = [TarItem(entry, partial(io.BytesIO, content)) for entry, content in layer]
    data = tar_of(*items)
    random.shuffle(items)
    out = io.BytesIO()
    index = write_tar(items, out)
    assert out.getvalue() == data
    found = read_all(data)
    hashed = [replace(e, sha256="" if c is None else hashlib.sha256(c).hexdigest()) for e, c in found]
    assert tuple(hashed) == index
    assert sorted(hashed, key=repr) == sorted((entry for entry, _ in layer), key=repr)


@given(st.binary(max_size=2000), st.integers(0, 2047))
def test_damage_is_a_layer_error(noise: bytes, position: int) -> None:
    data = bytearray(tar_of(directory("d"), file("d/x", b"content" * 50), symlink("l", "d"), hardlink("h", "d/x")))
    data[position : position + len(noise)] = noise
    try:
        consume(bytes(data))
    except LayerError:
        return


def test_opens_gzip_and_plain_blobs(tmp_path: Path) -> None:
    data = tar_of(file("a", b"x" * 3000))
    for media_type, blob in (
        (LAYER_TAR, data),
        (LAYER_GZIP, gzip.compress(data)),
        (DOCKER_LAYER_GZIP, gzip.compress(data)),
    ):
        path = tmp_path / "blob"
        path.write_bytes(blob)
        with open_blob(path, media_type) as stream:
            assert stream.read() == data


def test_gzip_in_several_members_is_read(tmp_path: Path) -> None:
    data = tar_of(file("a", b"x" * 3000))
    path = tmp_path / "blob"
    path.write_bytes(gzip.compress(data[:700]) + gzip.compress(data[700:]))
    with open_blob(path, LAYER_GZIP) as stream:
        assert stream.read() == data


def test_zstd_is_told_to_be_another_compression(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="zstd are not read"):
        open_blob(tmp_path / "blob", "application/vnd.oci.image.layer.v1.tar+zstd")


def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(50 << 20)))
    with open_blob(path, LAYER_GZIP, Limits(bytes=1 << 20)) as stream:
        assert stream.read(1 << 19) == bytes(1 << 19)
        with pytest.raises(LayerError, match="more than"):
            stream.read()


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_a_damaged_blob_is_a_layer_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "blob"
    blob = bytearray(gzip.compress(bytes(range(256)) * 100))
    if damage == "cut":
        del blob[-20:]
    elif damage == "flipped":
        blob[len(blob) // 2] ^= 0xFF
    else:
        blob = bytearray(b"no gzip at all")
    path.write_bytes(blob)
    with open_blob(path, LAYER_GZIP) as stream, pytest.raises(LayerError, match="decompressed"):
        stream.read()
