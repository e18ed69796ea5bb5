"""What changed between two views: suites, and packages by version."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.archive.index import ArchivePackage, packages
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import SuiteView, View
from ropewalk.debian import sort_key


class Change(StrEnum):
    """What happened to a package."""

    ADDED = "added"
    REMOVED = "removed"
    NEWER = "newer"
    OLDER = "older"
    OTHER = "other content"
    """The same version has another file: an archive must not do that."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A package that two views offer differently.

    Attributes:
        package: Its name.
        architecture: Its architecture.
        suite: Archive and suite.
        change: What happened.
        old: The newest version in the first view; empty where there is none.
        new: Likewise in the second.
    """

    package: str
    architecture: str
    suite: str
    change: Change
    old: str
    new: str


def changed_packages(shelf: ViewShelf, old: View, new: View) -> tuple[Changed, ...]:
    """Compare what two views offer; a suite that only one of them holds counts with all its packages.

    Args:
        shelf: Where their files are.
        old: The first view.
        new: The second.

    Returns:
        By suite, package and architecture.

    Raises:
        InputError, TrustError: A recorded file is missing or damaged.
    """
    before = {suite.name: suite for suite in old.suites}
    after = {suite.name: suite for suite in new.suites}
    found: list[Changed] = []
    for name in sorted({*before, *after}):
        first, second = _rows(shelf, before.get(name)), _rows(shelf, after.get(name))
        suite = after.get(name) or before[name]
        found += _changes(_newest(first - second, suite), _newest(second - first, suite), name)
    return tuple(found)


def _rows(shelf: ViewShelf, suite: SuiteView | None) -> set[str]:
    return {row for index in suite.indexes for row in shelf.rows(index)} if suite else set()


def _newest(rows: Iterable[str], suite: SuiteView) -> dict[tuple[str, str], ArchivePackage]:
    newest: dict[tuple[str, str], ArchivePackage] = {}
    for one in packages(rows, suite.suite, suite.uri):
        key = (one.package, one.architecture)
        if key not in newest or sort_key(newest[key].version) < sort_key(one.version):
            newest[key] = one
    return newest


def _changes(
    old: dict[tuple[str, str], ArchivePackage], new: dict[tuple[str, str], ArchivePackage], suite: str
) -> list[Changed]:
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        change = _change(before, after)
        if change is not None:
            versions = (before.version if before else "", after.version if after else "")
            found.append(Changed(*key, suite, change, *versions))
    return found


def _change(old: ArchivePackage | None, new: ArchivePackage | None) -> Change | None:
    if old is None or new is None:
        return Change.ADDED if old is None else Change.REMOVED
    if old.version == new.version:
        return Change.OTHER if old.sha256 != new.sha256 else None
    return Change.NEWER if sort_key(old.version) < sort_key(new.version) else Change.OLDER
