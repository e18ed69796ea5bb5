"""Read what a build left on disk: an unpacked root, or the directory that overlayfs wrote changes to.

buildah recompresses a parent's layers when it exports, so the added layer is read where overlayfs keeps it: a deleted
path is a character device 0:0, a directory that hides the lower one has the attribute ``trusted.overlay.opaque``.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_PERMISSIONS = 0o7777
_KEPT_XATTRS = ("security.capability", "user.")
_OVERLAYS = "user.overlay."
"""What overlayfs keeps for itself where an ordinary user mounted it (its documentation, "User xattr")."""
_FORMATS = {
    stat.S_IFDIR: EntryType.DIRECTORY,
    stat.S_IFREG: EntryType.FILE,
    stat.S_IFLNK: EntryType.SYMLINK,
    stat.S_IFCHR: EntryType.CHARACTER,
    stat.S_IFBLK: EntryType.BLOCK,
    stat.S_IFIFO: EntryType.FIFO,
}


def scan(root: Path) -> Iterator[TarItem]:
    """Go through a directory tree as the items of a layer, sorted by path; the root itself is left out.

    Args:
        root: An unpacked root, or an overlay's upper directory.

    Yields:
        An item a path; a file's ``sha256`` is empty, its content is read when it is asked for. Of the names of one
        file the first in the order of paths is the file, the others are hard links to it. Sockets are left out.
    """
    first: dict[tuple[int, int], str] = {}
    for path, status in _walk(root, ""):
        yield from _items(root, path, status, first)


def _walk(root: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(root / below) as listing:
        found = sorted(listing, key=lambda item: item.name)
    for item in found:
        path = f"{below}/{item.name}" if below else item.name
        status = item.stat(follow_symlinks=False)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(root, path)


def _items(root: Path, path: str, status: os.stat_result, first: dict[tuple[int, int], str]) -> Iterator[TarItem]:
    kind = _FORMATS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return
    if kind is EntryType.CHARACTER and status.st_rdev == 0:
        yield TarItem(Entry(path, EntryType.WHITEOUT), None)
        return
    source = root / path
    if kind is EntryType.FILE and status.st_nlink > 1:
        target = first.setdefault((status.st_dev, status.st_ino), path)
        if target != path:
            yield TarItem(_entry(source, path, EntryType.HARDLINK, status, target), None)
            return
    content = partial(_open, source) if kind is EntryType.FILE else None
    yield TarItem(_entry(source, path, kind, status), content)
    if kind is EntryType.DIRECTORY and _is_opaque(source):
        yield TarItem(Entry(path, EntryType.OPAQUE), None)


def _open(source: Path) -> BinaryIO:
    return source.open("rb")


def _entry(source: Path, path: str, kind: EntryType, status: os.stat_result, link: str = "") -> Entry:
    device = kind in {EntryType.CHARACTER, EntryType.BLOCK}
    return Entry(
        path=path,
        type=kind,
        mode=status.st_mode & _PERMISSIONS,
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if kind is EntryType.FILE else 0,
        link=os.readlink(source) if kind is EntryType.SYMLINK else link,  # noqa: PTH115  Path would rewrite "./x"
        mtime=int(status.st_mtime),
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0),
        xattrs=_xattrs(source) if kind in {EntryType.FILE, EntryType.DIRECTORY} else (),
    )


def kept_attributes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the extended attributes that go into a layer, in order.

    Args:
        names: Those that a file has.
    """
    return tuple(sorted(name for name in names if name.startswith(_KEPT_XATTRS) and not name.startswith(_OVERLAYS)))


def _xattrs(source: Path) -> tuple[tuple[str, bytes], ...]:
    names = kept_attributes(os.listxattr(source, follow_symlinks=False))
    return tuple((name, os.getxattr(source, name, follow_symlinks=False)) for name in names)


def _is_opaque(source: Path) -> bool:
    names = os.listxattr(source, follow_symlinks=False)
    return any(os.getxattr(source, name, follow_symlinks=False) == b"y" for name in _OPAQUE if name in names)


def merged(layers: Sequence[Iterable[TarItem]]) -> tuple[TarItem, ...]:
    """Make one layer of several that a build added (a stage built on another stage adds one each).

    Args:
        layers: Their items, the lowest layer first.

    Returns:
        What they change together.
    """
    result: dict[str, TarItem] = {}
    opaque: set[str] = set()
    for layer in layers:
        items = tuple(layer)
        hiding = {item.entry.path for item in items if item.entry.type is not EntryType.DIRECTORY}
        result = _unlinked(result, {item.entry.path for item in items})
        result = {path: item for path, item in result.items() if not _is_below(path, hiding)}
        opaque |= {item.entry.path for item in items if item.entry.type is EntryType.OPAQUE}
        result |= {item.entry.path: item for item in items if item.entry.type is not EntryType.OPAQUE}
    marks = [TarItem(Entry(path, EntryType.OPAQUE), None) for path in opaque if path in result]
    return tuple(
        sorted([*result.values(), *marks], key=lambda item: (item.entry.path, item.entry.type is EntryType.OPAQUE))
    )


def _is_below(path: str, above: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:count]) in above for count in range(1, len(parts)))


def _unlinked(items: dict[str, TarItem], replaced: set[str]) -> dict[str, TarItem]:
    """Make hard links to files that a higher layer replaces files of their own."""
    return {
        path: TarItem(replace(items[item.entry.link].entry, path=path), items[item.entry.link].content)
        if item.entry.type is EntryType.HARDLINK
        and (item.entry.link in replaced or _is_below(item.entry.link, replaced))
        else item
        for path, item in items.items()
    }
