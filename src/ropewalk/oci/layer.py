"""Layers as tars: read with distrust, written the same way every time (image-spec, layer.md).

Reading refuses what unpackers disagree about: paths that leave the root, go through a link of the same layer or stand
below a file, hard links to what the layer does not hold, sparse files, unknown types. Of a path that stands twice the
last wins.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from ropewalk.errors import InputError
from ropewalk.oci import tar
from ropewalk.oci.model import DOCKER_LAYER_GZIP, LAYER_GZIP, LAYER_TAR, Entry, EntryType
from ropewalk.oci.stream import CHUNK, LIMITS, Limits, Member, Source, headers
from ropewalk.oci.tar import LayerError

_NAME_LIMIT = 255
_PREFIX = ".wh."
_OPAQUE = ".wh..wh..opq"
_KIND_OF = {
    EntryType.FILE: tar.FILE,
    EntryType.DIRECTORY: tar.DIRECTORY,
    EntryType.SYMLINK: tar.SYMLINK,
    EntryType.HARDLINK: tar.HARDLINK,
    EntryType.CHARACTER: tar.CHARACTER,
    EntryType.BLOCK: tar.BLOCK_DEVICE,
    EntryType.FIFO: tar.FIFO,
    EntryType.WHITEOUT: tar.FILE,
    EntryType.OPAQUE: tar.FILE,
}
_TYPE_OF = {kind: type_ for type_, kind in reversed(_KIND_OF.items())}
_DAMAGED = cast("type[Exception]", isal_zlib.error)
_MARKS = (EntryType.WHITEOUT, EntryType.OPAQUE)

Content = Callable[[], BinaryIO]
"""Opens a file's content from its start; called once, when the file is written."""


@dataclass(frozen=True, slots=True)
class TarItem:
    """What `write_tar` writes.

    Attributes:
        entry: The path; size and sha256 need not be known.
        content: A file's content; None for anything else (and for an empty file).
    """

    entry: Entry
    content: Content | None = None


@dataclass(slots=True)
class _Seen:
    """The paths of a layer so far, to refuse entries that only make sense together with a trick."""

    types: dict[str, EntryType] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    parents: set[str] = field(default_factory=lambda: {""})
    linked: set[str] = field(default_factory=set)

    def check(self, entry: Entry) -> Entry:
        """Refuse an entry that does not go with those before it.

        Returns:
            The entry; a hard link to a hard link leads to the file itself.
        """
        path = entry.path
        self._check_parents(path)
        if entry.type in _MARKS:
            return entry
        if path in self.parents and entry.type is not EntryType.DIRECTORY:
            raise LayerError("it takes the place of a directory of the same layer", path)
        if path in self.linked:
            raise LayerError("it takes the place of a file that a hard link names", path)
        if entry.type is EntryType.HARDLINK:
            entry = self._resolved(entry)
        self.types[path] = entry.type
        return entry

    def _resolved(self, entry: Entry) -> Entry:
        link = self.targets.get(entry.link, entry.link)
        if self.types.get(link, EntryType.DIRECTORY) is EntryType.DIRECTORY or link == entry.path:
            raise LayerError(f"its hard link's target {entry.link!r} is not before it in the layer", entry.path)
        self.linked.add(link)
        self.targets[entry.path] = link
        return entry if link == entry.link else replace(entry, link=link)

    def _check_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        while parent not in self.parents:
            if self.types.get(parent, EntryType.DIRECTORY) is not EntryType.DIRECTORY:
                raise LayerError("it stands below a file or goes through a link of the same layer", path)
            self.parents.add(parent)
            parent = parent.rpartition("/")[0]


def clean_path(name: str, limits: Limits = LIMITS) -> str:
    """Return a tar's path without ``./``, doubled and trailing slashes.

    Args:
        name: The path as written.
        limits: Its length is bounded.

    Returns:
        The path as `Entry` holds it; ``""`` for the root.

    Raises:
        LayerError: It is empty, absolute, too long, holds a NUL, or leaves the root.
    """
    if not name or name.startswith("/"):
        raise LayerError("its path is absolute" if name else "its path is empty", name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise LayerError("its path leaves the root", name)
    if "\0" in name:
        raise LayerError("its path holds a NUL", name)
    path = "/".join(parts)
    encoded = _encode(path)
    too_long = len(encoded) > _NAME_LIMIT and max(len(_encode(part)) for part in parts) > _NAME_LIMIT
    if len(encoded) > limits.path or too_long:
        raise LayerError("its path is too long", name)
    return path


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _decode(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def _place(path: str) -> tuple[str, EntryType | None] | None:
    """Tell whiteouts by their names: (path meant, type), type None for a plain entry; None for what aufs left."""
    if _PREFIX not in path:
        return path, None
    parent, slash, name = path.rpartition("/")
    if any(part.startswith(_PREFIX) for part in parent.split("/")):
        raise LayerError("a whiteout's name stands inside its path", path)
    if not name.startswith(_PREFIX):
        return path, None
    if name == _OPAQUE:
        return parent, EntryType.OPAQUE
    if name.startswith(_PREFIX * 2):
        return None
    gone = name.removeprefix(_PREFIX)
    if gone in ("", ".", ".."):
        raise LayerError("it is a whiteout of nothing or of its parent", path)
    return f"{parent}{slash}{gone}", EntryType.WHITEOUT


def _entry(header: tar.Header, limits: Limits) -> Entry | None:
    """Make an entry of a header; None for what aufs left."""
    name = _decode(header.name)
    place = _place(clean_path(name, limits))
    if place is None:
        return None
    path, mark = place
    type_ = mark or _TYPE_OF.get(header.kind)
    if type_ is None:
        raise LayerError(f"its type {header.kind!r} is unknown", name)
    if not path and type_ not in (EntryType.DIRECTORY, EntryType.OPAQUE):
        raise LayerError("the root is no directory", name)
    link = _decode(header.link) if type_ in (EntryType.SYMLINK, EntryType.HARDLINK) else ""
    if type_ is EntryType.HARDLINK:
        link = clean_path(link, limits)
    elif type_ is EntryType.SYMLINK and not (0 < len(header.link) <= limits.path):
        raise LayerError("its target is empty or too long", name)
    return Entry(
        path=path,
        type=type_,
        mode=header.mode,
        uid=header.uid,
        gid=header.gid,
        size=header.size if type_ is EntryType.FILE else 0,
        link=link,
        mtime=header.mtime,
        device=header.device,
        xattrs=tuple((_decode(key), value) for key, value in header.xattrs),
    )


def read_tar(stream: BinaryIO, limits: Limits = LIMITS) -> Iterator[tuple[Entry, BinaryIO | None]]:
    """Read an uncompressed layer, entry by entry; never trust it.

    Args:
        stream: The tar; read to its end mark.
        limits: What it may hold at most.

    Yields:
        Each entry and, for a file, its content, which must be read before the next entry is asked for (what is left
        is passed over). ``sha256`` is empty: hash what you read.

    Raises:
        LayerError: The tar is damaged, hostile, or beyond the limits.
    """
    source = Source(stream, limits)
    seen = _Seen()
    for header in headers(source, limits):
        entry = _entry(header, limits)
        # As in every unpacker, only files carry content, whatever the header's size says.
        size = header.size if header.kind == tar.FILE else 0
        member = Member(source, size)
        if entry is not None:
            entry = seen.check(entry)
            yield entry, cast("BinaryIO", member) if entry.type is EntryType.FILE else None
        member.finish()
        source.skip(tar.padding(size))


def _name(entry: Entry) -> str:
    """Return the path that stands in the tar."""
    if entry.type is EntryType.DIRECTORY:
        return f"{entry.path}/" if entry.path else "./"
    if entry.type is EntryType.OPAQUE:
        return f"{entry.path}/{_OPAQUE}" if entry.path else _OPAQUE
    if entry.type is EntryType.WHITEOUT:
        parent, slash, name = entry.path.rpartition("/")
        return f"{parent}{slash}{_PREFIX}{name}"
    return entry.path


def _order(entry: Entry) -> tuple[bool, list[str]]:
    """Sort key: a directory, its whiteouts, its children; hard links at the end, after what they name."""
    parts = entry.path.split("/") if entry.path else []
    if entry.type is EntryType.OPAQUE:
        return False, [*parts, "", ""]
    if entry.type is EntryType.WHITEOUT:
        return False, [*parts[:-1], "", parts[-1]]
    return entry.type is EntryType.HARDLINK, parts


def _ordered(items: Iterable[TarItem]) -> list[TarItem]:
    by_place = {(item.entry.path, item.entry.type if item.entry.type in _MARKS else None): item for item in items}
    return sorted(by_place.values(), key=lambda item: _order(item.entry))


def _check_writable(item: TarItem) -> None:
    """Refuse an item that `read_tar` would refuse or read as another."""
    entry, name = item.entry, _name(item.entry)
    if entry.path and clean_path(name) != name.removesuffix("/"):
        raise LayerError("its path is not in the plain form", entry.path)
    if _PREFIX in entry.path and _place(entry.path) != (entry.path, None):
        raise LayerError("its name is a whiteout's", entry.path)
    if entry.type is EntryType.SYMLINK and not entry.link:
        raise LayerError("a symlink has no target", entry.path)
    if entry.type is EntryType.FILE and item.content is None and entry.size:
        raise LayerError("a file has no content", entry.path)


def _length(stream: BinaryIO, entry: Entry) -> int:
    """Return how many bytes a content has; the entry's size counts where it cannot be asked."""
    if not stream.seekable():
        return entry.size
    start = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    return end - start


def _copy(stream: BinaryIO, size: int, out: BinaryIO) -> str:
    """Write ``size`` bytes and return their sha256; "" where the content has another length."""
    digest = hashlib.sha256()
    left = size
    while data := stream.read(min(CHUNK, left + 1)):
        left -= len(data)
        if left < 0:
            return ""
        digest.update(data)
        out.write(data)
    return "" if left else digest.hexdigest()


def _header(entry: Entry) -> bytes:
    xattrs = tuple((_encode(key), value) for key, value in sorted(entry.xattrs))
    header = tar.Header(
        name=_encode(_name(entry)),
        kind=_KIND_OF[entry.type],
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        mtime=entry.mtime,
        link=_encode(entry.link),
        device=entry.device,
        xattrs=xattrs,
    )
    return tar.encode(header)


def _write(item: TarItem, out: BinaryIO) -> Entry:
    entry = item.entry
    if entry.type is not EntryType.FILE:
        entry = replace(entry, size=0, sha256="") if entry.size or entry.sha256 else entry
        out.write(_header(entry))
        return entry
    with item.content() if item.content else io.BytesIO() as stream:
        entry = replace(entry, size=_length(stream, entry))
        out.write(_header(entry))
        sha256 = _copy(stream, entry.size, out)
    if not sha256:
        raise LayerError("its content changed while it was read, or its size is wrong", entry.path)
    out.write(bytes(tar.padding(entry.size)))
    return replace(entry, sha256=sha256)


def write_tar(items: Iterable[TarItem], out: BinaryIO) -> tuple[Entry, ...]:
    """Write a layer: the same items give the same bytes, in whatever order they come.

    Sorted by path, hard links at the end, owners as numbers only; of a path that comes twice the last wins.

    Args:
        items: What the layer holds. A content is opened once, when its turn comes.
        out: Takes the tar.

    Returns:
        The layer's index: the entries as written, with size and sha256.

    Raises:
        LayerError: An item cannot stand in a layer, or a content changed while it was read.
    """
    ordered = _ordered(items)
    seen = _Seen()
    for item in ordered:
        _check_writable(item)
        seen.check(item.entry)
    entries = tuple(_write(item, out) for item in ordered)
    out.write(bytes(2 * tar.BLOCK))
    return entries


class _Bounded(io.RawIOBase):
    """A decompressed blob of at most so many bytes; damage is a `LayerError`."""

    def __init__(self, stream: BinaryIO, limit: int, where: str) -> None:
        self._stream = stream
        self._left = limit
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # Buffer has no len()
        try:
            data = self._stream.read(len(buffer))
        except (EOFError, OSError, _DAMAGED) as error:
            raise LayerError(f"the blob cannot be decompressed: {error}", self._where) from error
        self._left -= len(data)
        if self._left < 0:
            raise LayerError("the blob holds more than a layer may", self._where)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_blob(path: Path, media_type: str, limits: Limits = LIMITS) -> BinaryIO:
    """Open a layer's blob as a tar.

    Args:
        path: The blob.
        media_type: Gzip or plain tar, as OCI or Docker name it.
        limits: How many bytes may come out.

    Returns:
        The uncompressed tar; reading it raises `LayerError` where the blob is damaged or too large.

    Raises:
        InputError: The compression is not one that Ropewalk reads.
    """
    if media_type in (LAYER_GZIP, DOCKER_LAYER_GZIP):
        stream = cast("BinaryIO", igzip.open(path, "rb"))  # type: ignore[no-untyped-call]  # isal has no types here
    elif media_type == LAYER_TAR:
        stream = path.open("rb")
    else:
        raise InputError(
            f"layers of type {media_type} are not read",
            where=str(path),
            hint="push the image with gzip layers (skopeo copy --dest-compress-format gzip)",
        )
    return io.BufferedReader(_Bounded(stream, limits.bytes, path.name), CHUNK)
