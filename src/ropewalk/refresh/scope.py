"""What a campaign is asked for, which images that concerns, and in which order they are worked on; pure but for `scope_of`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ropewalk.archive import Advisory, Fix, Status, Tracker, Urgency, View, ViewBook
from ropewalk.inventory import InstalledPackage
from ropewalk.oci.store import Store
from ropewalk.plan import Edges, ancestors
from ropewalk.recipe.recipe import ParentRole
from ropewalk.refresh.lines import Line
from ropewalk.refresh.owners import Newer, Wanted, held_packages


class Severity(StrEnum):
    """How much a renewal matters, the most urgent first."""

    HIGH = "high"
    SECURITY = "security"
    """From a security suite; the tracker says nothing of it, or was not asked. It may be as bad as any."""
    MEDIUM = "medium"
    LOW = "low"
    UNIMPORTANT = "unimportant"
    ORDINARY = "ordinary"
    """A newer version that mends no known issue."""

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a campaign is asked for; everything where nothing is given.

    Attributes:
        advisory: An issue of the security tracker.
        package: A binary or source package.
        lines: The very lines that `ropewalk watch` lets go.
    """

    advisory: str = ""
    package: str = ""
    lines: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """It is limited by nothing."""
        return not (self.advisory or self.package) and self.lines is None

    def __str__(self) -> str:
        """Return what people call it."""
        if self.lines is not None:
            return "watch"
        return self.advisory or (f"package {self.package}" if self.package else "all")

    def campaign(self, view: str) -> str:
        """Return the id of the campaign: the same question on the same view is the same campaign.

        Args:
            view: Id of the archive view.
        """
        return f"{str(self).replace(' ', '-').replace('/', '-')}-{view}"


@dataclass(frozen=True, slots=True)
class Helpless:
    """A package of interest that this view does not mend.

    Attributes:
        line: The line whose image holds it.
        package: What is held.
        reason: Why nothing is done.
    """

    line: str
    package: Newer
    reason: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Which lines a campaign may touch.

    Attributes:
        ask: What it is asked for.
        holds: Line -> packages of interest that the view has mended.
        carried: Lines that hold none, but were made with a build parent that does, or stand on such a line.
        helpless: What cannot be mended with this view.
        only: Lines beyond which nothing is touched; None for no such bound.
    """

    ask: Ask
    holds: Mapping[str, tuple[Newer, ...]] = field(default_factory=dict)
    carried: frozenset[str] = frozenset()
    helpless: tuple[Helpless, ...] = ()
    only: frozenset[str] | None = None

    def __contains__(self, line: object) -> bool:
        """Say whether the campaign may touch a line."""
        if self.only is not None and line not in self.only:
            return False
        return self.ask.everything or line in self.holds or line in self.carried

    @property
    def outside(self) -> str:
        """Why a line is not touched."""
        if self.ask.lines is not None:
            return "it waits for approval, or nothing in it is due"
        if self.ask.everything:
            return "it gets a new version instead"
        wanted = self.ask.package or f"what {self.ask.advisory} is about"
        return f"holds nothing older of {wanted}"


def scope_of(
    ask: Ask,
    lines: Sequence[Line],
    view: View,
    views: ViewBook,
    store: Store,
    *,
    tracker: Tracker | None = None,
    begun: Collection[str] = (),
) -> Scope:
    """Find the images that a campaign concerns.

    Args:
        ask: What it is asked for.
        lines: Lines with an image, parents before children.
        view: The archive view.
        views: Reads its packages.
        store: Where the images are.
        tracker: What the security tracker says; needed for an advisory.
        begun: Lines that the campaign concerned when it began.

    Returns:
        The scope; everything where the campaign is limited by nothing.

    Raises:
        InputError: The tracker does not know the advisory.
    """
    if ask.everything:
        return Scope(ask)
    if ask.lines is not None:
        return Scope(ask, carried=ask.lines)
    issues = {one.source: one for one in tracker.named(ask.advisory)} if tracker and ask.advisory else {}
    current = [(line.recipe, line.record) for line in lines if line.here]
    found = held_packages(view, views, store, current, _wanted(ask, issues))
    holds: dict[str, tuple[Newer, ...]] = {}
    helpless: list[Helpless] = []
    for line, held in found.items():
        judged = [(one, why_helpless(one, issues.get(one.source), view.id)) for one in held]
        mended = tuple(one for one, reason in judged if not reason)
        if mended:
            holds[line] = mended
        if ask.advisory:
            helpless += [Helpless(line, one, reason) for one, reason in judged if reason]
    return Scope(ask, holds, _carried(lines, holds, begun), tuple(helpless))


def _wanted(ask: Ask, issues: Mapping[str, Advisory]) -> Wanted:
    def affected(package: InstalledPackage, codename: str) -> bool:
        issue = issues.get(package.source)
        fix = issue.releases.get(codename) if issue else None
        return fix is not None and fix.affects(package.source_version) is not False

    def named(package: InstalledPackage, _codename: str) -> bool:
        return ask.package in {package.name, package.source}

    return affected if ask.advisory else named


def why_helpless(held: Newer, issue: Advisory | None, view: str) -> str:
    """Say why a package of interest is not mended by a view; empty where it is.

    Args:
        held: The package.
        issue: The issue of its source package; None where the campaign is for a package.
        view: Id of the view.
    """
    fix = issue.releases.get(held.codename) if issue else None
    if fix is None:
        return "" if held.candidate else f"view {view} has nothing newer"
    if fix.status is not Status.RESOLVED:
        return _unmended(fix, held.codename)
    if held.candidate and fix.affects(held.source_candidate) is False:
        return ""
    return f"{held.codename} has it fixed in {held.source} {fix.version}, which view {view} lacks: make a new view"


def _unmended(fix: Fix, codename: str) -> str:
    if fix.status is Status.UNDETERMINED:
        return f"the tracker has not determined whether {codename} is affected"
    note = f"; {fix.note}" if fix.note else ""
    return f"{codename} has no fix yet (urgency {fix.urgency}{note})"


def _carried(lines: Sequence[Line], holds: Collection[str], begun: Collection[str]) -> frozenset[str]:
    """Add what was made with a build parent that is renewed: it may hold the package's code without the package."""
    by_repository = {line.recipe.repository: line.recipe.reference for line in lines}
    carried: set[str] = set()
    for line in lines:
        for parent in line.recipe.parents:
            below = by_repository.get(parent.repository)
            if below in carried or (parent.role is ParentRole.BUILD and below in holds):
                carried.add(line.recipe.reference)
    again = {line.recipe.reference for line in lines if line.recipe.reference in begun}
    return frozenset((carried | again) - {*holds})


def severity_of(newer: Newer, urgency: Urgency | None) -> Severity:
    """Say how much one package matters.

    Args:
        newer: The package.
        urgency: What the tracker says of the versions between the installed one and the candidate.
    """
    told = str(urgency) if urgency is not None else ""
    if told in list(Severity):
        return Severity(told)
    return Severity.SECURITY if newer.security or urgency is not None else Severity.ORDINARY


def severities(newer: Mapping[str, Iterable[Newer]], urgency: Callable[[Newer], Urgency | None]) -> dict[str, Severity]:
    """Say how much each line matters: as its worst package.

    Args:
        newer: Line -> packages that are newer in the view.
        urgency: What the tracker says of a package.
    """
    found = {line: [severity_of(one, urgency(one)) for one in every] for line, every in newer.items()}
    return {line: min(every, key=lambda one: one.rank) for line, every in found.items() if every}


def work_order(links: Edges, own: Mapping[str, Severity]) -> dict[str, tuple[int, int]]:
    """Say in which order lines are worked on: by severity, then by depth in the tree.

    A line matters as much as the worst of its own, of what it stands on, and of what waits for it.

    Args:
        links: Line -> the lines it needs.
        own: Line -> how much its own packages matter.

    Returns:
        Line -> (severity's rank, depth), to be sorted by; a line never comes before one that it needs.
    """
    above = {line: ancestors(line, links) for line in links}
    least = Severity.ORDINARY.rank
    mine = {line: own[line].rank if line in own else least for line in links}
    inherited = {line: min((mine[one] for one in (line, *above[line])), default=least) for line in links}
    ranks = dict(inherited)
    for line, needed in above.items():
        for one in needed:
            ranks[one] = min(ranks[one], inherited[line])
    depths: dict[str, int] = {}
    for line in sorted(links, key=lambda one: len(above[one])):
        depths[line] = 1 + max((depths[one] for one in links[line]), default=-1)
    return {line: (ranks[line], depths[line]) for line in links}
