"""Three-way merges of what a new parent and a child both changed: a path, dpkg's status, the image's configuration.

``old`` is the parent that the child was built on, ``new`` the parent that it shall stand on. All functions are pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ropewalk.oci.model import Entry, EntryType, ImageConfig
from ropewalk.refresh.inputs import STATUS, Packages, equal
from ropewalk.refresh.refusal import Refusal

T = TypeVar("T")
K = TypeVar("K")

_ATTRIBUTES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mode", ("mode",)),
    ("owner", ("uid",)),
    ("group", ("gid",)),
    ("content", ("sha256", "size", "link", "device")),
    ("extended attributes", ("xattrs",)),
)
"""What of an entry is merged by itself: its name for people, and the fields that belong together."""


def merge_entry(path: str, old: Entry | None, new: Entry | None, child: Entry | None) -> Entry | Refusal | None:
    """Merge one path, attribute by attribute.

    Args:
        path: The path.
        old: The path in the old parent; None where it is absent.
        new: In the new parent.
        child: In the child.

    Returns:
        The path as a rebuilt child would have it, None if it would be absent, or why that is not known.
    """
    if equal(child, new) or equal(new, old):
        return child
    if equal(child, old):
        return new
    if old is None or new is None or child is None or not old.type == new.type == child.type:
        return Refusal(1, path, _presence(old, new, child))
    merged: dict[str, Any] = {}
    for name, fields in _ATTRIBUTES:
        was, there, here = (tuple(getattr(entry, field) for field in fields) for entry in (old, new, child))
        if here != there and was not in (here, there) and not (name == "mode" and old.type is EntryType.SYMLINK):
            return Refusal(1, path, f"parent and child both changed its {name}")
        merged |= zip(fields, there if here == was else here, strict=True)
    return replace(new, **merged)


def _presence(old: Entry | None, new: Entry | None, child: Entry | None) -> str:
    if child is None:
        return "the child deleted what the parent changed"
    if new is None:
        return "the parent deleted what the child changed"
    if old is None:
        return "parent and child both added it, each in its own way"
    return "parent or child made it a thing of another type"


def merge_mapping(
    old: Mapping[K, T], new: Mapping[K, T], child: Mapping[K, T], conflict: Callable[[K], Refusal]
) -> dict[K, T] | Refusal:
    """Merge three mappings key by key; the order is the new parent's, then the child's.

    Args:
        old: The old parent's.
        new: The new parent's.
        child: The child's.
        conflict: Makes the refusal for a key that both changed, each in its own way.
    """
    merged: dict[K, T] = {}
    for key in (*new, *(key for key in child if key not in new)):
        was, there, here = old.get(key), new.get(key), child.get(key)
        if here != there and was not in (here, there):
            return conflict(key)
        chosen = there if here == was else here
        if chosen is not None:
            merged[key] = chosen
    return merged


def merge_status(old: Packages, new: Packages, child: Packages) -> bytes | Refusal:
    """Merge dpkg's status by paragraph, as dpkg itself would write it: sorted by package and architecture.

    Args:
        old: The paragraphs of the old parent's ``var/lib/dpkg/status``.
        new: The new parent's.
        child: The child's.

    Returns:
        The merged file, or which package both changed.
    """

    def conflict(key: tuple[str, str]) -> Refusal:
        return Refusal(1, STATUS, f"parent and child both changed package {key[0]}")

    merged = merge_mapping(old, new, child, conflict)
    if isinstance(merged, Refusal):
        return merged
    text = "".join(f"{merged[key]}\n" for key in sorted(merged))
    return text.encode(errors="surrogateescape")


def merge_config(old: ImageConfig, new: ImageConfig, child: ImageConfig) -> ImageConfig | Refusal:
    """Merge how an image runs: environment and labels by name, everything else as a whole.

    Args:
        old: The old parent's configuration.
        new: The new parent's.
        child: The child's.

    Returns:
        The configuration that a rebuild on the new parent would give, or what both changed.
    """
    merged: dict[str, Any] = {}
    for name in ("user", "entrypoint", "cmd", "working_dir", "exposed_ports", "volumes", "stop_signal"):
        was, there, here = (getattr(config, name) for config in (old, new, child))
        if here != there and was not in (here, there):
            return Refusal(1, "configuration", f"parent and child both changed its {name}")
        merged[name] = there if here == was else here
    for name in ("env", "labels"):
        was, there, here = (dict(getattr(config, name)) for config in (old, new, child))
        both = merge_mapping(was, there, here, _both_set)
        if isinstance(both, Refusal):
            return both
        names = sorted(both) if name == "labels" else _in_order(was, there, here)
        merged[name] = tuple((key, both[key]) for key in names if key in both)
    return ImageConfig(**merged)


def _in_order(old: Mapping[str, str], new: Mapping[str, str], child: Mapping[str, str]) -> list[str]:
    """Return variables as a build leaves them: what is inherited first, then what the child set, in its order."""
    if list(old.items()) == list(new.items()):
        return list(child)
    own = [name for name in child if name not in new or child[name] != old.get(name)]
    return [*(name for name in new if name not in own), *own]


def _both_set(key: str) -> Refusal:
    return Refusal(1, "configuration", f"parent and child both set {key}")
