"""The lock of an image: what its own build took from elsewhere, so that it can be built again from the very same.

A lock holds what the archive proxy *served* to a build, not what is installed at its end. A rebuild needs what was
installed and removed on the way (a compiler, another stage's packages) as well, and what a parent has is the parent's own
lock's affair; docs/decisions/0009-locks-hold-what-was-served.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LOCK_FILE = "ropewalk.lock"
"""A lock's name beside its recipe."""


@dataclass(frozen=True, slots=True, order=True)
class LockedDeb:
    """A .deb, exactly.

    Attributes:
        name: The package.
        version: Its version.
        architecture: Its architecture; may be ``all``.
        sha256: Of the file.
    """

    name: str
    version: str
    architecture: str
    sha256: str

    def __str__(self) -> str:
        """Name it as people do: ``hello 2.10-3 (amd64)``."""
        return f"{self.name} {self.version} ({self.architecture})"


@dataclass(frozen=True, slots=True)
class Lock:
    """What one image's own build took from elsewhere.

    Attributes:
        view: Id of the archive view that the .debs came from. A rebased image keeps the lock, and so the view, of the
            build that made its own layer.
        debs: All .debs that the build was given, sorted.
        test: Those that only its test variant was given, sorted.
        unpinned: What the build took from elsewhere without a hash, each with its place; empty where all is pinned.
    """

    view: str
    debs: tuple[LockedDeb, ...]
    test: tuple[LockedDeb, ...] = ()
    unpinned: tuple[str, ...] = ()

    @property
    def allowed(self) -> frozenset[str]:
        """The sha256 of every .deb that a build from this lock may take, its test's among them."""
        return frozenset(deb.sha256 for deb in (*self.debs, *self.test))


def lock_from_json(data: dict[str, Any]) -> Lock:
    """Make a lock of its JSON-ready values, as `dataclasses.asdict` gives them.

    Raises:
        KeyError, TypeError: The data is not a lock's.
    """
    return Lock(
        view=data["view"],
        debs=_debs(data["debs"]),
        test=_debs(data["test"]),
        unpinned=tuple(data["unpinned"]),
    )


def _debs(rows: Iterable[dict[str, str]]) -> tuple[LockedDeb, ...]:
    return tuple(LockedDeb(**row) for row in rows)
