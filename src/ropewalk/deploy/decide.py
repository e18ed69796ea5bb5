"""What becomes of each version in a deployment repository: pure.

A version is ours to change when it names an older build of the line than the newest that is published, and nobody holds it:
no comment pins it, nobody put it back, and we did not have to roll the new one back ourselves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from ropewalk.deploy.values import Place
from ropewalk.plan.known import LATEST, age, split_tag
from ropewalk.recipe.record import Proven


class State(StrEnum):
    """How a version stands."""

    CURRENT = "current"
    CHANGE = "change"
    WAITS = "waits"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a line.

    Attributes:
        repository: ``registry/namespace/name``, with the registry's own name.
        version: The line's version.
        build: N of ``-rN``; 1 for the first.
        digest: The manifest's.
        proven: What full rebuilds say of it.
        reason: Why it was made; may be empty.
    """

    repository: str
    version: str
    build: int
    digest: str
    proven: Proven = Proven.BUILT
    reason: str = ""

    @property
    def tag(self) -> str:
        """The version tag."""
        return tag_of(self.version, self.build)

    @property
    def reference(self) -> str:
        """``registry/namespace/name:tag``."""
        return f"{self.repository}:{self.tag}"

    @property
    def pinned(self) -> str:
        """``registry/namespace/name:tag@digest``."""
        return f"{self.reference}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Step:
    """A version that once stood at a place.

    Attributes:
        version: The line's version and N of ``-rN``; None where that is not known.
        commit: The commit that set it.
        who: Its author.
        day: Its date.
    """

    version: tuple[str, int] | None
    commit: str
    who: str
    day: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a place.

    Attributes:
        stands: The line's version and N of ``-rN`` that it names; None where its digest is of no known build.
        mismatch: Its digest is another image than its tag names.
        target: The newest published build of that line; None where there is none.
        steps: What stood there, the present version first; empty where nobody looked.
        rolled_back: Versions of the image that a failed health command rolled back here, and that nobody set again since.
    """

    stands: tuple[str, int] | None
    mismatch: bool = False
    target: Build | None = None
    steps: tuple[Step, ...] = ()
    rolled_back: Collection[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say.

    Attributes:
        wait: A build that needs a proof waits for it.
        again: What was put back or rolled back may be set again.
    """

    wait: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a version.

    Attributes:
        place: Where it stands.
        state: What becomes of it.
        reason: Why it is left or waits; empty otherwise.
        target: The build that it should name; None where none is known.
    """

    place: Place
    state: State
    reason: str = ""
    target: Build | None = None


def tag_of(version: str, build: int) -> str:
    """Return a build's version tag: ``1.0-1``, ``1.0-1-r2``."""
    return version if build == 1 else f"{version}-r{build}"


def named(tag: str) -> tuple[str, int]:
    """Return the line's version and N of ``-rN`` that a tag names."""
    version, build = split_tag(tag)
    return version, build or 1


def judge(place: Place, facts: Facts, policy: Policy) -> Verdict:
    """Say what becomes of a version.

    Args:
        place: Where it stands.
        facts: What is known.
        policy: What the settings say.

    Returns:
        The verdict, with the reason of everything that is left alone.
    """
    target, stands = facts.target, facts.stands
    if target is not None and stands == (target.version, target.build) and not facts.mismatch:
        return Verdict(place, State.CURRENT, target=target)
    left = _left(place, facts, target)
    if left or target is None:
        return Verdict(place, State.LEFT, left, target)
    held = "" if policy.again else _held(facts, target)
    if held:
        return Verdict(place, State.LEFT, held, target)
    if policy.wait and not target.proven.ok:
        return Verdict(
            place, State.WAITS, f"{target.tag} waits for its proof: ropewalk prove {target.reference}", target
        )
    return Verdict(place, State.CHANGE, target=target)


def _left(place: Place, facts: Facts, target: Build | None) -> str:
    """Say why a version is not ours to change, whatever was there before; empty where it is."""
    if facts.stands is None or target is None:
        return place.obstacle or _unknown(place, facts)
    reasons = (
        (place.obstacle, place.obstacle),
        (place.pin, place.pin if place.pin.startswith("pinned") else f"pinned: {place.pin}"),
        (facts.mismatch, f"its digest is not the image of its tag {place.tag}"),
        (facts.stands[1] > target.build, f"is newer than {target.tag}, the newest that is published and verified"),
        (
            target.proven is Proven.WITHDRAWN,
            f"{target.tag} differs from a full rebuild: it is withdrawn",
        ),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _unknown(place: Place, facts: Facts) -> str:
    """Say why nothing is known that a place could name."""
    if place.tag == LATEST and not place.digest:
        return "names `latest`, which says no version"
    if facts.stands is None:
        return "its digest is of no build that is known"
    return f"nothing of {place.name.rpartition('/')[2]}:{facts.stands[0]} is published and verified"


def _held(facts: Facts, target: Build) -> str:
    """Say who holds a version back; empty where nobody does."""
    if (target.version, target.build) in facts.rolled_back:
        return f"{target.tag} was rolled back here; --again sets it once more"
    put = put_back(facts.steps, facts.rolled_back)
    if put is None:
        return ""
    now, before = put
    was = tag_of(*before.version) if before.version else "another"
    return f"put back from {was} by {now.who} on {now.day} ({now.commit[:10]}); --again moves it on"


def put_back(steps: Sequence[Step], rolled_back: Collection[tuple[str, int]] = ()) -> tuple[Step, Step] | None:
    """Find out whether a version was put back by hand.

    Args:
        steps: What stood at a place, the present version first.
        rolled_back: Versions that we rolled back ourselves.

    Returns:
        The step that put it back and the one before it; None where the present version is the newest of its line that
        stood there, and the last change did not go back to an older line.
    """
    if not steps or (now := steps[0].version) is None:
        return None
    for newer, older in pairwise(steps):
        then = older.version
        if then is None or then in rolled_back:
            continue
        if _newer_build(then, now) or (newer is steps[0] and _newer_line(then, now)):
            return newer, older
    return None


def _newer_build(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one[0] == other[0] and one[1] > other[1]


def _newer_line(one: tuple[str, int], other: tuple[str, int]) -> bool:
    ages = age(one[0]), age(other[0])
    return ages[0] is not None and ages[1] is not None and ages[0] > ages[1]
