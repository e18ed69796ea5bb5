"""Which images are renewed without being asked, and which wait for a person's word; pure."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.plan import Edges, ancestors
from ropewalk.recipe.renewal import Consent, Renewal
from ropewalk.refresh.history import Update


class Kind(StrEnum):
    """What an update is."""

    SECURITY = "security"
    """A security suite has a newer version of a package."""
    UPDATE = "update"
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A line that a refresh would renew.

    Attributes:
        reference: The line, ``registry/namespace/name:version``.
        digest: Its current image.
        reason: Why, in the words of the refresh.
        updates: The packages in it that the view has newer, inherited ones too.
    """

    reference: str
    digest: str
    reason: str
    updates: tuple[Update, ...] = ()

    @property
    def kind(self) -> Kind:
        """What its update is."""
        return Kind.SECURITY if any(update.security for update in self.updates) else Kind.UPDATE


@dataclass(frozen=True, slots=True)
class Waiting:
    """Updates of one kind that wait for approval together.

    Attributes:
        id: Says which: another one when images or versions are others.
        kind: Security or not.
        pending: The lines, parents before children.
    """

    id: str
    kind: Kind
    pending: tuple[Pending, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What happens now.

    Attributes:
        renew: Lines that are renewed: those that the policy or an approval lets go, and what stands on them.
        waiting: What waits, by kind.
    """

    renew: frozenset[str]
    waiting: tuple[Waiting, ...]


def waiting_id(kind: Kind, pending: Sequence[Pending]) -> str:
    """Name what waits: the same images with the same newer versions have the same id, on any day."""
    what = [
        [one.reference, one.digest, [[update.package, update.architecture, update.candidate] for update in one.updates]]
        for one in pending
    ]
    return f"{kind}-{hashlib.sha256(json.dumps(sorted(what)).encode()).hexdigest()[:8]}"


def rule(pending: Sequence[Pending], policy: Renewal, approved: Collection[str], links: Edges) -> Ruling:
    """Decide what is renewed now.

    Args:
        pending: What a refresh would renew, parents before children.
        policy: What each kind of update needs.
        approved: Ids of what was approved.
        links: Who stands on whom: a renewed image's descendants are renewed with it, whatever they would need alone.
    """
    consent: Mapping[Kind, Consent] = {Kind.SECURITY: policy.security, Kind.UPDATE: policy.updates}
    going: set[str] = set()
    groups = []
    for kind in Kind:
        group = tuple(one for one in pending if one.kind is kind)
        if not group:
            continue
        groups.append(Waiting(waiting_id(kind, group), kind, group))
        if consent[kind] is Consent.AUTOMATIC or groups[-1].id in approved:
            going |= {one.reference for one in group}
    renew = frozenset(one.reference for one in pending if {one.reference, *ancestors(one.reference, links)} & going)
    waiting = (
        Waiting(group.id, group.kind, left)
        for group in groups
        if (left := tuple(one for one in group.pending if one.reference not in renew))
    )
    return Ruling(renew, tuple(waiting))


def pause(every: int, failures: int) -> int:
    """Return the seconds until the next look: twice as long after each failure, at most half an hour unless set so.

    Args:
        every: Seconds between two looks.
        failures: How many rounds failed one after the other.
    """
    return min(every << min(failures, 16), max(every, 1800))
