"""Two images side by side: packages, files with whose layers brought them, configuration. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ropewalk.debian import sort_key
from ropewalk.inventory.read import InstalledPackage
from ropewalk.oci.model import ImageConfig
from ropewalk.oci.tree import Source, changed, describe

_PAIRS = ("env", "labels")
"""Fields of the configuration that hold names and values."""


class Change(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package that differs.

    Attributes:
        name: The package.
        architecture: Its architecture.
        change: What became of it.
        old: Its version before; empty where it is new.
        new: Its version after; empty where it is gone.
        owner: The line whose layer brought it in; of one that is gone, the line that had.
    """

    name: str
    architecture: str
    change: Change
    old: str
    new: str
    owner: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs.

    Attributes:
        path: Where.
        change: What became of it.
        what: What differs, in words.
        old: The line whose layer it was in; empty where it is new.
        new: The line whose layer it is in; empty where it is gone.
    """

    path: str
    change: Change
    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A value of the configuration that differs.

    Attributes:
        field: Such as ``user`` or ``env.PATH``.
        old: Before; empty where it was not set.
        new: After; empty where it is not set.
    """

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is compared of an image.

    Attributes:
        tree: Its flattened tree with the layers' numbers.
        owners: The owner of each layer, the lowest first.
        packages: Its packages.
        config: How it runs.
    """

    tree: Mapping[str, Source]
    owners: tuple[str, ...]
    packages: tuple[InstalledPackage, ...]
    config: ImageConfig

    def owner(self, path: str) -> str:
        """Return the line whose layer holds a path; empty where none does."""
        source = self.tree.get(path)
        return "" if source is None else self.owners[source.layer]


def compare_packages(old: Sequence[InstalledPackage], new: Sequence[InstalledPackage]) -> tuple[PackageChange, ...]:
    """Say which packages differ, by name and architecture.

    Args:
        old: The packages before.
        new: The packages after.
    """
    before = {(package.name, package.architecture): package for package in old}
    after = {(package.name, package.architecture): package for package in new}
    keys = sorted(key for key in before.keys() | after.keys() if _version(before, key) != _version(after, key))
    return tuple(_package(key, before.get(key), after.get(key)) for key in keys)


def _version(packages: Mapping[tuple[str, str], InstalledPackage], key: tuple[str, str]) -> str:
    package = packages.get(key)
    return "" if package is None else package.version


def _package(key: tuple[str, str], old: InstalledPackage | None, new: InstalledPackage | None) -> PackageChange:
    if old is None or new is None:
        change = Change.ADDED if old is None else Change.REMOVED
    else:
        newer = sort_key(new.version) > sort_key(old.version)
        change = Change.UPGRADED if newer else Change.DOWNGRADED
    there = new or old
    versions = ("" if old is None else old.version, "" if new is None else new.version)
    return PackageChange(*key, change, *versions, there.owner if there else "")


def compare_files(old: Content, new: Content) -> tuple[FileChange, ...]:
    """Say which paths differ, sorted; times do not count."""
    before = {path: source.entry for path, source in old.tree.items()}
    after = {path: source.entry for path, source in new.tree.items()}
    found = []
    for path in changed(before, after):
        change = Change.ADDED if path not in before else Change.CHANGED if path in after else Change.REMOVED
        what = describe(path, before.get(path), after.get(path)).removeprefix(f"{path}: ")
        found.append(FileChange(path, change, what, old.owner(path), new.owner(path)))
    return tuple(found)


def compare_config(old: ImageConfig, new: ImageConfig) -> tuple[ConfigChange, ...]:
    """Say which values of the configuration differ; variables and labels each for itself."""
    before, after = _values(old), _values(new)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return tuple(ConfigChange(name, before.get(name, ""), after.get(name, "")) for name in names)


def _values(config: ImageConfig) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in (field.name for field in fields(ImageConfig)):
        value: Any = getattr(config, name)
        if name in _PAIRS:
            found |= {f"{name}.{key}": text for key, text in value}
        elif value:
            found[name] = value if isinstance(value, str) else " ".join(value)
    return found
