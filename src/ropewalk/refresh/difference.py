"""Where two builds of one image differ, and why: layers with their times, trees without, configurations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from ropewalk.build.causes import cause_of
from ropewalk.build.known import Cause, Why
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Layer
from ropewalk.oci.store import Store
from ropewalk.oci.tree import Tree, changed, describe

_READ = 4 << 20
"""Bytes up to which two contents are looked at."""
_MOST_READ = 64
"""Files whose contents are looked at."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where the rebuilt image is another.

    Attributes:
        path: Relative to the root; ``configuration`` for what is no file.
        what: What differs: type, mode, owner, content, time.
        cause: The class.
        reason: What makes it.
        fix: What the recipe can do; empty where nothing is known.
        report: What diffoscope says of the contents; empty where it was not asked.
    """

    path: str
    what: str
    cause: Cause
    reason: str
    fix: str = ""
    report: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two images.

    Attributes:
        store: Where it is.
        image: The image.
        layers: Those of its layers that are compared.
    """

    store: Store
    image: Image
    layers: tuple[Layer, ...]

    def entries(self) -> dict[str, Entry]:
        """Return what the layers hold; a mark on a directory has a path of its own."""
        found = (entry for layer in self.layers for entry in self.store.entries(layer.diff_id))
        return {entry.path + ("/.wh..wh..opq" if entry.type is EntryType.OPAQUE else ""): entry for entry in found}

    def tree(self) -> Tree:
        """Return what a container sees of the layers."""
        return self.store.tree(replace(self.image, layers=self.layers))

    def contents(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return contents of files, verified."""
        return self.store.read_files(self.layers, set(paths))


def compare(old: Side, new: Side, *, dockerfile: str, now: int, times: bool) -> tuple[Difference, ...]:
    """Say where two images differ and why.

    Args:
        old: The image as it was.
        new: As it was rebuilt.
        dockerfile: The rendered Dockerfile.
        now: About when they were made, in seconds since 1970.
        times: Compare the layers entry by entry, with times; otherwise what containers see of them.

    Returns:
        The differences, the configuration's first, then by path.
    """
    before, after = (old.entries(), new.entries()) if times else (old.tree(), new.tree())
    paths = _differing(before, after) if times else changed(before, after)
    contents = read_both(old, new, paths)
    found = [_difference(path, before, after, contents.get(path), (dockerfile, now)) for path in paths]
    if times and not found and [layer.diff_id for layer in old.layers] != [layer.diff_id for layer in new.layers]:
        what = "the layer holds the same entries in another form of tar"
        found.append(Difference("layer", what, Cause.UNKNOWN, "written by another version of Ropewalk"))
    return (*_configuration(old.image.config, new.image.config), *found)


def read_both(old: Side, new: Side, paths: Sequence[str]) -> dict[str, tuple[bytes, bytes]]:
    """Return both contents of the paths that are files of bounded size on both sides and differ in content.

    Args:
        old: One image.
        new: The other.
        paths: Paths that differ.
    """
    before, after = old.tree(), new.tree()

    def readable(path: str) -> bool:
        one, other = before.get(path), after.get(path)
        return (
            one is not None
            and other is not None
            and (one.type, other.type) == (EntryType.FILE, EntryType.FILE)
            and one.sha256 != other.sha256
            and max(one.size, other.size) <= _READ
        )

    wanted = [path for path in paths if readable(path)][:_MOST_READ]
    one, other = old.contents(wanted), new.contents(wanted)
    return {path: (one[path], other[path]) for path in wanted}


def _differing(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return the paths whose entries are not equal in everything, times too."""
    times = {path for path, entry in old.items() if path in new and new[path].mtime != entry.mtime}
    return tuple(sorted({*changed(old, new), *times}))


def _difference(
    path: str,
    before: Mapping[str, Entry],
    after: Mapping[str, Entry],
    contents: tuple[bytes, bytes] | None,
    made: tuple[str, int],
) -> Difference:
    old, new = before.get(path), after.get(path)
    what = describe(path, old, new).removeprefix(f"{path}: ")
    if old is not None and new is not None and old.mtime != new.mtime:
        moved = f"time {old.mtime} -> {new.mtime}"
        if what == "equal":
            return Difference(path, moved, Cause.TIME, "its time is not clamped", "")
        what = f"{what}, {moved}"
    why = cause_of(path, contents, *made)
    return Difference(path, what, why.cause, why.reason, why.fix)


def _configuration(old: ImageConfig, new: ImageConfig) -> tuple[Difference, ...]:
    # The order of variables says nothing, since each name stands once.
    one, other = (replace(config, env=tuple(sorted(config.env))) for config in (old, new))
    why = Why(Cause.UNKNOWN, "the configuration comes from recipe and parent alone")
    return tuple(
        Difference(
            "configuration",
            f"{name} {getattr(one, name)!r} -> {getattr(other, name)!r}",
            why.cause,
            why.reason,
        )
        for name in (field.name for field in fields(ImageConfig))
        if getattr(one, name) != getattr(other, name)
    )
