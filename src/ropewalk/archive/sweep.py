"""What may leave views and pool: never what is needed, then by age, then by size; this only says what, and why."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ropewalk.archive.pool import Pool
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import View


class Why(StrEnum):
    """Why a file may leave the pool."""

    AGE = "not used for long"
    SIZE = "the pool is too large"
    BROKEN_OFF = "its fetching broke off"


@dataclass(frozen=True, slots=True)
class PoolFile:
    """A file of the pool.

    Attributes:
        path: Where it is.
        size: In bytes.
        used: When it was last used, in seconds since 1970.
    """

    path: Path
    size: int
    used: int

    @property
    def sha256(self) -> str:
        """Its name, which is what its content should have."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What may leave a pool.

    Attributes:
        remove: The files, each with the reason, the least recently used first.
        kept: The files that stay.
        needed: How many of those that stay are needed.
        over: Bytes by which the pool is still too large; what is left is needed.
    """

    remove: tuple[tuple[PoolFile, Why], ...]
    kept: tuple[PoolFile, ...]
    needed: int
    over: int


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """What may leave the views.

    Attributes:
        views: Views that nothing needs.
        files: Files that only those name, and what is named by none.
        size: Their bytes.
    """

    views: tuple[View, ...]
    files: tuple[Path, ...]
    size: int


def _files(paths: Collection[Path]) -> list[PoolFile]:
    found = []
    for path in paths:
        state = path.stat()
        found.append(PoolFile(path, state.st_size, int(state.st_mtime)))
    return sorted(found, key=lambda file: (file.used, file.sha256))


def plan_pool(pool: Pool, needed: Collection[str], before: int, most: int | None) -> PoolPlan:
    """Say what may leave a pool; changes nothing.

    Args:
        pool: The pool; nobody uses it.
        needed: The sha256 of each file that stays in any case.
        before: What is not needed goes when it was last used before this time, in seconds since 1970.
        most: Bytes that the pool may have; None for no bound.
    """
    remove = [(file, Why.BROKEN_OFF) for file in _files(pool.beginnings())]
    kept: list[PoolFile] = []
    for file in _files(tuple(pool.files())):
        if file.sha256 not in needed and file.used < before:
            remove.append((file, Why.AGE))
        else:
            kept.append(file)
    over = 0 if most is None else sum(file.size for file in kept) - most
    for file in tuple(kept):
        if over > 0 and file.sha256 not in needed:
            over -= file.size
            kept.remove(file)
            remove.append((file, Why.SIZE))
    return PoolPlan(tuple(remove), tuple(kept), sum(file.sha256 in needed for file in kept), max(over, 0))


def sweep_pool(plan: PoolPlan) -> None:
    """Remove what a plan names; the caller holds `Pool.alone`."""
    for file, _ in plan.remove:
        file.path.unlink(missing_ok=True)


def plan_views(shelf: ViewShelf, needed: Collection[str], before: int) -> ViewPlan:
    """Say which views may go; changes nothing. The newest view stays.

    Args:
        shelf: The views.
        needed: Ids of views that stay in any case.
        before: Others go when they were last made before this time, in seconds since 1970.
    """
    views = list(shelf)
    gone = [view for view in views[:-1] if view.id not in needed and shelf.made(view.id) < before]
    named = {sha256 for view in views if view not in gone for sha256 in _named(view)}
    files = tuple(path for path in shelf.files() if path.name.partition(".")[0] not in named)
    return ViewPlan(tuple(gone), files, sum(path.stat().st_size for path in files))


def _named(view: View) -> Iterator[str]:
    for suite in view.suites:
        yield from (suite.inrelease, suite.keyring)
        yield from (index.sha256 for index in (*suite.indexes, *suite.sources))


def sweep_views(shelf: ViewShelf, plan: ViewPlan) -> None:
    """Remove what a plan names, views before their files; the caller holds the lock of the views and `Pool.alone`."""
    for view in plan.views:
        shelf.remove(view.id)
    for path in plan.files:
        path.unlink(missing_ok=True)
