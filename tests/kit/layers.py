"""Small layers and images, as a test or the demo needs them."""

import io
from collections.abc import Iterable, Mapping

from ropewalk.oci.layer import TarItem, read_tar, write_tar
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Platform
from ropewalk.oci.store import Store

AMD64 = Platform("linux", "amd64")


def file(path: str, content: bytes = b"", mode: int = 0o644, *, uid: int = 0, gid: int = 0, mtime: int = 0) -> TarItem:
    """A file."""
    entry = Entry(path, EntryType.FILE, mode, uid, gid, len(content), mtime=mtime)
    return TarItem(entry, lambda: io.BytesIO(content))


def directory(path: str, mode: int = 0o755, *, uid: int = 0, gid: int = 0, mtime: int = 0) -> TarItem:
    """A directory."""
    return TarItem(Entry(path, EntryType.DIRECTORY, mode, uid, gid, mtime=mtime))


def symlink(path: str, target: str) -> TarItem:
    """A symlink with its target as written."""
    return TarItem(Entry(path, EntryType.SYMLINK, 0o777, link=target))


def hardlink(path: str, target: str) -> TarItem:
    """A hard link to a path of the same layer."""
    return TarItem(Entry(path, EntryType.HARDLINK, 0o644, link=target))


def whiteout(path: str) -> TarItem:
    """The path is gone."""
    return TarItem(Entry(path, EntryType.WHITEOUT))


def opaque(path: str) -> TarItem:
    """What lower layers hold below the directory is hidden."""
    return TarItem(Entry(path, EntryType.OPAQUE))


def files(contents: Mapping[str, bytes]) -> tuple[TarItem, ...]:
    """Files with the directories above them."""
    parents = {parent for path in contents for parent in _above(path)}
    return (*map(directory, sorted(parents)), *(file(path, data) for path, data in contents.items()))


def _above(path: str) -> Iterable[str]:
    parts = path.split("/")[:-1]
    return ("/".join(parts[: end + 1]) for end in range(len(parts)))


def tar_of(*items: TarItem) -> bytes:
    """The layer's tar."""
    out = io.BytesIO()
    write_tar(items, out)
    return out.getvalue()


def entries_of(*items: TarItem) -> tuple[Entry, ...]:
    """The layer's index."""
    return write_tar(items, io.BytesIO())


def read_all(data: bytes) -> list[tuple[Entry, bytes | None]]:
    """The entries of a tar with their contents."""
    return [(entry, None if content is None else content.read()) for entry, content in read_tar(io.BytesIO(data))]


def image_of(
    store: Store, *layers: Iterable[TarItem], config: ImageConfig | None = None, created: int = 0, reference: str = ""
) -> Image:
    """An image in a store, made of layers, the lowest first; tagged where a reference is given."""
    made = [store.add_layer(items) for items in layers]
    image = store.add_image(config or ImageConfig(), made, AMD64, created)
    if reference:
        store.tag(reference, image.digest)
    return image


def lines(entries: Iterable[Entry]) -> tuple[str, ...]:
    """A tree as short lines to compare: ``path type mode [-> link] [sha256's first 8 digits]``."""
    return tuple(
        f"{e.path} {e.type} {e.mode:04o}"
        + (f" -> {e.link}" if e.link else "")
        + (f" {e.sha256[:8]}" if e.sha256 else "")
        for e in sorted(entries, key=lambda entry: entry.path)
    )
