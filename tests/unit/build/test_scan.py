"""What is read from an unpacked root; marks of overlayfs need root and are shown by the system tests."""

import io
import os
import socket
from functools import partial
from pathlib import Path

from ropewalk.build.scan import kept_attributes, merged, scan
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType


def item(path: str, kind: EntryType = EntryType.FILE, link: str = "", data: bytes = b"x") -> TarItem:
    return TarItem(Entry(path, kind, link=link), partial(io.BytesIO, data) if kind is EntryType.FILE else None)


def listed(items: tuple[TarItem, ...]) -> list[str]:
    return [f"{found.entry.path} {found.entry.type} {found.entry.link}".strip() for found in items]


def test_a_tree_is_read_by_path_with_links_modes_and_times(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir(mode=0o750)
    (tmp_path / "b/file").write_bytes(b"12345")
    (tmp_path / "b/file").chmod(0o4711)
    os.utime(tmp_path / "b/file", (7, 7))
    os.link(tmp_path / "b/file", tmp_path / "b/twin")
    (tmp_path / "a").symlink_to("./b/../b")
    os.mkfifo(tmp_path / "c")
    found = tuple(scan(tmp_path))
    assert listed(found) == ["a symlink ./b/../b", "b dir", "b/file file", "b/twin hardlink b/file", "c fifo"]
    file = found[2]
    assert (file.entry.mode, file.entry.size, file.entry.mtime, file.entry.sha256) == (0o4711, 5, 7, "")
    assert file.content is not None
    with file.content() as stream:
        assert stream.read() == b"12345"


def test_what_overlayfs_keeps_for_itself_is_left_out() -> None:
    names = ("user.overlay.origin", "user.kept", "security.selinux", "security.capability", "user.overlay.impure")
    assert kept_attributes(names) == ("security.capability", "user.kept")


def test_a_socket_is_left_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert list(scan(tmp_path)) == []


def test_of_two_layers_the_higher_wins() -> None:
    low = [item("d", EntryType.DIRECTORY), item("d/a", data=b"1"), item("d/b"), item("e")]
    high = [item("d/a", data=b"2"), item("d/b", EntryType.WHITEOUT), item("f")]
    found = merged([low, high])
    assert listed(found) == ["d dir", "d/a file", "d/b whiteout", "e file", "f file"]
    assert found[1] is high[0]


def test_a_whiteout_or_a_file_hides_what_was_below_the_directory() -> None:
    low = [item("d", EntryType.DIRECTORY), item("d/a"), item("e", EntryType.DIRECTORY), item("e/a")]
    assert listed(merged([low, [item("d", EntryType.WHITEOUT), item("e")]])) == ["d whiteout", "e file"]


def test_an_opaque_directory_hides_the_lower_layers_files() -> None:
    low = [item("d", EntryType.DIRECTORY), item("d/a")]
    high = [item("d", EntryType.DIRECTORY), item("d", EntryType.OPAQUE), item("d/b")]
    assert listed(merged([low, high])) == ["d dir", "d opaque", "d/b file"]


def test_a_hard_link_whose_file_is_replaced_keeps_the_content() -> None:
    low = [item("a", data=b"old"), item("b", EntryType.HARDLINK, "a")]
    found = merged([low, [item("a", data=b"new")]])
    assert listed(found) == ["a file", "b file"]
    assert found[1].content is low[0].content
