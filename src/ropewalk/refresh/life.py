"""The life of an image's line, from records, proofs and history; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.recipe.record import BuildRecord, How, Proof, Published, Withdrawn
from ropewalk.refresh.history import Approved, Deployed, Due, Happening, Patched, Update

_NAMED = 3


class Step(StrEnum):
    """What happened."""

    BUILT = "built"
    REBUILT = "rebuilt"
    REBASED = "rebased"
    ADOPTED = "adopted"
    PROVEN = "proven"
    DIFFERS = "differs"
    """A full rebuild gave another image."""
    WITHDRAWN = "withdrawn"
    PUBLISHED = "published"
    DUE = "due"
    """A view has newer packages."""
    PATCHED = "patched"
    """What was due is in a published image."""
    DEPLOYED = "deployed"


_MADE = {How.BUILT: Step.BUILT, How.REBUILT: Step.REBUILT, How.REBASED: Step.REBASED, How.ADOPTED: Step.ADOPTED}
_ORDER = {step: number for number, step in enumerate(Step)}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to a line.

    Attributes:
        at: When, in seconds since 1970.
        step: What.
        reference: The image that it happened to; for what became due, the one that lacked it.
        digest: Its digest.
        detail: More, in a line; may be empty.
    """

    at: int
    step: Step
    reference: str
    digest: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Papers:
    """What the records say of one image.

    Attributes:
        record: Its build record.
        published: When and where it was published.
        proof: What a full rebuild said.
        withdrawn: Why it is no longer vouched for.
        seconds: How long it took to make.
        registry: The registry that attests it, where this state directory did not publish it.
    """

    record: BuildRecord
    published: Published | None = None
    proof: Proof | None = None
    withdrawn: Withdrawn | None = None
    seconds: float | None = None
    registry: str = ""


def life(papers: Sequence[Papers], history: Iterable[Happening]) -> tuple[Moment, ...]:
    """Put in order what happened to a repository's images.

    Args:
        papers: What the records say of each build that is known, in any order.
        history: All that happened; what concerns other images is left out. Images whose records were pruned stay in it.
    """
    names = {one.record.digest: one.record.reference for one in papers}
    repositories = {one.record.repository for one in papers}
    past = tuple(history)
    names |= {one.digest: one.reference for one in past if isinstance(one, Patched) and one.repository in repositories}
    found = [moment for one in papers for moment in _recorded(one)]
    published = {moment.digest for moment in found if moment.step is Step.PUBLISHED}
    for one in past:
        found += _happened(one, names, repositories, published)
    return tuple(sorted(found, key=lambda moment: (moment.at, _ORDER[moment.step])))


def _recorded(papers: Papers) -> list[Moment]:
    record = papers.record
    image = record.reference, record.digest
    took = f"{papers.seconds:.0f} s" if papers.seconds is not None else ""
    tested = "tested" if record.tested else ""
    made = "; ".join(filter(None, (", ".join(record.reasons), f"view {record.view}", tested, took)))
    found = [Moment(record.made, _MADE[record.how], *image, made)]
    if papers.published is not None:
        found.append(Moment(papers.published.at, Step.PUBLISHED, *image, papers.published.registry))
    elif papers.registry:
        found.append(
            Moment(record.made, Step.PUBLISHED, *image, f"{papers.registry} attests it; the hour is not known")
        )
    if papers.proof is not None:
        what = "equal to a full rebuild" if papers.proof.equal else papers.proof.differences[0]
        step = Step.PROVEN if papers.proof.equal else Step.DIFFERS
        found.append(Moment(papers.proof.at, step, *image, f"{what}; {papers.proof.seconds:.0f} s"))
    if papers.withdrawn is not None:
        found.append(
            Moment(papers.withdrawn.at, Step.WITHDRAWN, *image, f"{papers.withdrawn.reason}; now {papers.withdrawn.by}")
        )
    return found


def _happened(one: Happening, names: Mapping[str, str], repositories: set[str], published: set[str]) -> list[Moment]:
    if isinstance(one, Approved):
        return []
    reference = names.get(one.digest, "")
    if isinstance(one, Deployed):
        return [Moment(one.at, Step.DEPLOYED, reference, one.digest, one.where)] if reference else []
    if one.repository not in repositories:
        return []
    if isinstance(one, Due):
        return [Moment(one.at, Step.DUE, reference, one.digest, f"{told(one.updates)}; view {one.view}")]
    lost = [] if one.digest in published else [Moment(one.at, Step.PUBLISHED, one.reference, one.digest)]
    return [*lost, Moment(one.at, Step.PATCHED, one.reference, one.digest, told(one.updates))]


def told(updates: Sequence[Update]) -> str:
    """Name some updates, security updates first and marked, and count the others.

    Args:
        updates: At least one.
    """
    ordered = sorted(updates, key=lambda one: (not one.security, one.package))
    names = [f"{one}{' (security)' if one.security else ''}" for one in ordered[:_NAMED]]
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return ", ".join(names) + more
