"""Time to patch: from an archive's release of an update to the published image that holds it, and to its deployment; pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ropewalk.debian import sort_key
from ropewalk.refresh.history import Deployed, Due, Happening, Patched, Update

Held = Mapping[tuple[str, str], str]
"""The packages of an image: name and architecture -> version."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One renewal of one image, and how long it took.

    Attributes:
        name: ``registry/namespace/name``.
        reference: The image that has the updates.
        digest: Its digest.
        how: Rebased, rebuilt or built.
        security: One of the updates is a security update.
        updates: What it updates.
        released: When the archive released the first of them (of the security updates, where there are some).
        noticed: When the first of them was seen.
        published: When the image was published.
        deployed: When it was deployed first; None where it was not.
    """

    name: str
    reference: str
    digest: str
    how: str
    security: bool
    updates: tuple[Update, ...]
    released: int
    noticed: int
    published: int
    deployed: int | None

    @property
    def to_published(self) -> int:
        """Seconds from release to publication; a clock that is behind the archive's gives 0."""
        return max(self.published - self.released, 0)

    @property
    def to_deployed(self) -> int | None:
        """Seconds from release to deployment."""
        return None if self.deployed is None else max(self.deployed - self.released, 0)


@dataclass(frozen=True, slots=True)
class Spread:
    """How values spread: percentiles by the nearest rank, so each is a value that was measured.

    Attributes:
        count: How many there are.
        p50: The median.
        p90: Nine of ten are no larger.
        p99: Ninety-nine of a hundred are no larger.
        longest: The largest.
    """

    count: int
    p50: int
    p90: int
    p99: int
    longest: int


def percentile(values: Sequence[int], share: int) -> int:
    """Return the smallest value that at least a share of all does not exceed (nearest rank).

    Args:
        values: At least one.
        share: In per cent, 1 to 100.
    """
    return sorted(values)[math.ceil(len(values) * share / 100) - 1]


def spread(values: Sequence[int]) -> Spread | None:
    """Summarise values; None where there are none."""
    if not values:
        return None
    p50, p90, p99 = (percentile(values, share) for share in (50, 90, 99))
    return Spread(len(values), p50, p90, p99, max(values))


def first_released(updates: Iterable[Update]) -> int:
    """Return when the first of some updates was released; with security updates among them, the first of those.

    Args:
        updates: At least one.
    """
    found = tuple(updates)
    return min(update.released for update in tuple(update for update in found if update.security) or found)


def patches(history: Iterable[Happening]) -> tuple[Patch, ...]:
    """Return all renewals, in the order of their publication.

    Args:
        history: All that happened.
    """
    found: list[Patched] = []
    deployed: dict[str, int] = {}
    for one in history:
        if isinstance(one, Patched):
            found.append(one)
        elif isinstance(one, Deployed):
            deployed[one.digest] = min(one.at, deployed.get(one.digest, one.at))
    return tuple(_patch(one, deployed) for one in sorted(found, key=lambda one: one.at))


def _patch(one: Patched, deployed: Mapping[str, int]) -> Patch:
    return Patch(
        name=one.repository,
        reference=one.reference,
        digest=one.digest,
        how=one.how,
        security=any(update.security for update in one.updates),
        updates=one.updates,
        released=first_released(one.updates),
        noticed=one.noticed,
        published=one.at,
        deployed=deployed.get(one.digest),
    )


def open_dues(history: Iterable[Happening]) -> dict[str, tuple[Due, ...]]:
    """Return by repository what became due and is in no published image yet.

    Args:
        history: All that happened, the oldest first.
    """
    found: dict[str, tuple[Due, ...]] = {}
    for one in history:
        if isinstance(one, Due):
            found[one.repository] = (*found.get(one.repository, ()), one)
        elif isinstance(one, Patched):
            done = {_key(update) for update in one.updates}
            left = tuple(_without(due, done) for due in found.get(one.repository, ()))
            found[one.repository] = tuple(due for due in left if due.updates)
    return {name: dues for name, dues in found.items() if dues}


def _key(update: Update) -> tuple[str, str, str]:
    return update.package, update.architecture, update.candidate


def _without(due: Due, done: set[tuple[str, str, str]]) -> Due:
    return Due(
        due.repository,
        due.digest,
        due.view,
        due.at,
        tuple(update for update in due.updates if _key(update) not in done),
    )


def not_noted(updates: Iterable[Update], dues: Iterable[Due]) -> tuple[Update, ...]:
    """Return the updates that open dues of the same repository do not name yet."""
    known = {_key(update) for due in dues for update in due.updates}
    return tuple(update for update in updates if _key(update) not in known)


def fixed(dues: Iterable[Due], held: Held) -> tuple[Update, ...]:
    """Return the updates that an image has: the package at that version or a newer one, or not at all any more.

    Args:
        dues: What was due.
        held: The image's packages. Between ``all`` and a machine's own a package may change its architecture.
    """
    names = {name for name, _ in held}
    found = []
    for update in (update for due in dues for update in due.updates):
        version = held.get((update.package, update.architecture))
        if version is None and update.package in names:
            version = next(held[key] for key in held if key[0] == update.package)
        if version is None or sort_key(version) >= sort_key(update.candidate):
            found.append(update)
    return tuple(found)
