"""From layers to the tree that a container sees (image-spec, layer.md, "Applying Changesets"), and how two trees differ."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tar import LayerError

Tree = Mapping[str, Entry]
"""Path to entry: files, directories, symlinks, devices; no whiteouts, no hard links, no root."""

_MARKS = (EntryType.WHITEOUT, EntryType.OPAQUE)
_MAX_LINKS = 40
_COMPARED = ("type", "mode", "uid", "gid", "link", "sha256", "device", "xattrs")


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry of a tree comes from.

    Attributes:
        entry: As the tree holds it.
        layer: The layer's number, the lowest is 0.
        path: The entry of that layer that carries the content.
    """

    entry: Entry
    layer: int
    path: str


def ancestors(path: str) -> Iterator[str]:
    """Go through the directories above a path, the nearest first, without the root."""
    while slash := path.rpartition("/")[0]:
        yield slash
        path = slash


def _follow(path: str, tree: Mapping[str, Source]) -> str:
    """Return where a path leads when an unpacker follows its symlinks inside the root."""
    done: list[str] = []
    waiting = path.split("/")[::-1]
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            done = done[:-1]
        if part in ("", ".", ".."):
            continue
        here = tree.get("/".join((*done, part)))
        if here is None or here.entry.type is not EntryType.SYMLINK:
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise LayerError("its directory is a loop of symlinks", path)
        done = [] if here.entry.link.startswith("/") else done
        waiting.extend(here.entry.link.split("/")[::-1])
    return "/".join(done)


class _Placer:
    """Finds where a layer's paths stand on a tree whose directories may be symlinks."""

    def __init__(self, tree: Mapping[str, Source], layer: Iterable[Entry]) -> None:
        self._tree = tree
        # A directory of the layer itself takes the place of a symlink below it.
        self._own = {entry.path for entry in layer if entry.type is EntryType.DIRECTORY} if tree else set()
        self._known = {"": ""}

    def __call__(self, path: str) -> str:
        """Return the path in the tree."""
        parent, slash, name = path.rpartition("/")
        place = self._directory(parent) if slash and self._tree else parent
        return path if place == parent else f"{place}/{name}".removeprefix("/")

    def _directory(self, path: str) -> str:
        if path in self._known:
            return self._known[path]
        place = self(path)
        if path not in self._own:
            here = self._tree.get(place)
            if here is not None and here.entry.type is EntryType.SYMLINK:
                place = _follow(place, self._tree)
        self._known[path] = place
        return place


def _hide(tree: dict[str, Source], layer: list[tuple[str, Entry]]) -> None:
    """Take from a tree what a layer hides: whiteouts, opaque directories, what a file replaces."""
    gone = {path for path, entry in layer if entry.type is EntryType.WHITEOUT}
    emptied = {path for path, entry in layer if entry.type is EntryType.OPAQUE}
    for path, entry in layer:
        below = tree.get(path)
        if below is not None and below.entry.type is EntryType.DIRECTORY is not entry.type:
            emptied.add(path)
    if not tree or not (gone or emptied):
        return
    if "" in emptied:
        tree.clear()
        return
    hidden = gone | emptied
    for path in [path for path in tree if path in gone or not hidden.isdisjoint(ancestors(path))]:
        del tree[path]


def _apply(tree: dict[str, Source], entries: Iterable[Entry], number: int) -> None:
    layer = [entry for entry in entries if entry.path or entry.type is EntryType.OPAQUE]
    place = _Placer(tree, layer)
    placed = [(place(entry.path), entry) for entry in layer]
    _hide(tree, placed)
    by_path: dict[str, Source] = {}
    for path, entry in placed:
        if entry.type in _MARKS:
            continue
        if entry.type is EntryType.HARDLINK:
            target = by_path.get(entry.link)
            if target is None:
                raise LayerError(f"its hard link's target {entry.link!r} is not before it in the layer", path)
            source = Source(replace(target.entry, path=path), number, target.path)
        else:
            source = Source(entry if entry.path == path else replace(entry, path=path), number, entry.path)
        by_path[entry.path] = source
        tree[path] = source
        _make_room(tree, path)


def _make_room(tree: dict[str, Source], path: str) -> None:
    """Take away what stands in the place of a new entry's directory and is none."""
    for parent in ancestors(path):
        known = tree.get(parent)
        if known is not None and known.entry.type is EntryType.DIRECTORY:
            return
        if known is not None:
            del tree[parent]


def sources(indexes: Iterable[Iterable[Entry]]) -> dict[str, Source]:
    """Flatten layers and keep where each entry comes from.

    Args:
        indexes: The layers' entries, the lowest layer first.

    Returns:
        Path to entry with its origin.

    Raises:
        LayerError: A hard link leads out of its layer, or directories are a loop of symlinks.
    """
    tree: dict[str, Source] = {}
    for number, entries in enumerate(indexes):
        _apply(tree, entries, number)
    return tree


def flatten(indexes: Iterable[Iterable[Entry]]) -> dict[str, Entry]:
    """Return the tree that layers make together.

    Whiteouts hide what lower layers hold, never their own layer. Hard links become entries of their own with what
    they name. An entry below a symlink of a lower layer (``lib/x`` on a merged ``/usr``) stands where it leads.

    Args:
        indexes: The layers' entries, the lowest layer first.

    Returns:
        Path to entry, without the root.

    Raises:
        LayerError: A hard link leads out of its layer, or directories are a loop of symlinks.
    """
    return {path: source.entry for path, source in sources(indexes).items()}


def _seen_mode(entry: Entry) -> int:
    # A symlink's mode says nothing, and programs write different ones.
    return 0 if entry.type is EntryType.SYMLINK else entry.mode


def same(a: Entry, b: Entry) -> bool:
    """Say whether two entries are equal but for path, size and time (and a symlink's mode, which means nothing)."""
    return (
        a.sha256 == b.sha256
        and a.type is b.type
        and _seen_mode(a) == _seen_mode(b)
        and (a.uid, a.gid, a.link, a.device, a.xattrs) == (b.uid, b.gid, b.link, b.device, b.xattrs)
    )


def changed(old: Tree, new: Tree) -> tuple[str, ...]:
    """Return the paths that differ between two trees or are in one only, sorted; times do not count."""
    both = {path for path, entry in old.items() if path in new and not same(entry, new[path])}
    return tuple(sorted(both | (old.keys() ^ new.keys())))


def _value(entry: Entry, name: str) -> str:
    value = getattr(entry, name)
    if name == "mode":
        return f"{value:04o}"
    if name == "xattrs":
        return ",".join(f"{key}={data.hex()}" for key, data in value) or "none"
    if name == "device":
        return ":".join(map(str, value))
    return str(value) or "none"


def describe(path: str, old: Entry | None, new: Entry | None) -> str:
    """Say in one line what differs at a path.

    Args:
        path: Where.
        old: The entry before; None where there was none.
        new: The entry after; None where there is none.

    Returns:
        Such as ``usr/bin/x: mode 4755 -> 0755, content differs (10 -> 12 bytes)``.
    """
    if old is None or new is None:
        state = "in neither" if old is new else f"only in the {'old' if new is None else 'new'}"
        entry = old or new
        return f"{path}: {state}" + (f" ({entry.type})" if entry else "")
    found = []
    for name in _COMPARED:
        if getattr(old, name) == getattr(new, name) or (name == "mode" and _seen_mode(old) == _seen_mode(new)):
            continue
        if name == "sha256":
            found.append(f"content differs ({old.size} -> {new.size} bytes)")
        else:
            found.append(f"{name} {_value(old, name)} -> {_value(new, name)}")
    return f"{path}: {', '.join(found) or 'equal'}"
