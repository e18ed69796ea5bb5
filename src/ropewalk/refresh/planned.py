"""What a refresh would do, without making anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ropewalk.archive import Tracker, Urgency, View, ViewBook
from ropewalk.oci.store import Store
from ropewalk.plan import Edges, Observed, ancestors, edges
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, LayerKind, RecordBook
from ropewalk.refresh.expect import Costs, Expected, expect
from ropewalk.refresh.intent import Intent, Way, intend
from ropewalk.refresh.lines import AWAY, Line, Lost, lines_of, moved, pins_of
from ropewalk.refresh.owners import Newer, newer_packages
from ropewalk.refresh.rebase import origin
from ropewalk.refresh.report import RefreshRow
from ropewalk.refresh.scope import Ask, Scope, Severity, severities, work_order

EVERYTHING = Scope(Ask())
"""The scope of a campaign that is limited by nothing."""
Measure = Callable[[Line, Way], Expected]
"""Says what renewing a line in some way will take."""


def unmeasured(_line: Line, _way: Way) -> Expected:
    """Expect nothing."""
    return Expected()


def measured(book: RecordBook, store: Store, costs: Costs) -> Measure:
    """Return what says what renewing a line takes, by records and earlier campaigns.

    Args:
        book: The build records.
        store: Where the images are.
        costs: What earlier campaigns took.
    """

    def measure(line: Line, way: Way) -> Expected:
        made = origin(book, line.record)
        built = book.seconds(made.digest) if made is not None else None
        return expect(line.recipe.path, way, costs, built=built, own_bytes=own_bytes(store, line.record))

    return measure


def own_bytes(store: Store, record: BuildRecord) -> int | None:
    """Return the compressed size of an image's own layers; None where one is not in the store.

    Args:
        store: Where they are.
        record: The image's record.
    """
    own = [store.layer(x.diff_id) for x in record.layers if (x.owner, x.kind) == (record.name, LayerKind.OWN)]
    return None if None in own else sum(layer.blob.size for layer in own if layer is not None)


def asked_of(tracker: Tracker | None) -> Callable[[Newer], Urgency | None]:
    """Return what asks the tracker how urgent an upgrade is; without a tracker nothing is known.

    Args:
        tracker: What it says.
    """
    known: dict[tuple[str, ...], Urgency | None] = {}

    def urgency(newer: Newer) -> Urgency | None:
        key = (newer.source, newer.codename, newer.source_installed, newer.source_candidate)
        if tracker is None or not newer.source_candidate:
            return None
        if key not in known:
            known[key] = tracker.urgency(*key)
        return known[key]

    return urgency


@dataclass(frozen=True, slots=True)
class Work:
    """The lines of a refresh in the order of work, with what is newer in each.

    Attributes:
        lines: The lines.
        newer: Line -> its own packages that are newer in the view.
        own: Line -> how much they matter.
        places: Line -> (severity's rank, depth), by which the lines are sorted.
    """

    lines: tuple[Line, ...]
    newer: Mapping[str, tuple[Newer, ...]]
    own: Mapping[str, Severity]
    places: Mapping[str, tuple[int, int]]

    def severity(self, line: str) -> str:
        """Return how much a line matters."""
        return str(tuple(Severity)[self.places[line][0]])


def work_of(
    lines: Sequence[Line],
    links: Edges,
    view: View,
    views: ViewBook,
    store: Store,
    *,
    tracker: Tracker | None = None,
) -> Work:
    """Say what is newer in each line, and order the lines by severity, then by depth in the tree.

    Args:
        lines: Lines with an image, parents before children.
        links: Line -> the lines it needs.
        view: The archive view.
        views: Reads its packages.
        store: Where the images are.
        tracker: What the security tracker says; None where it was not asked.
    """
    newer = newer_packages(view, views, store, [(line.recipe, line.record) for line in lines if line.here])
    own = severities(newer, asked_of(tracker))
    places = work_order(links, own)
    ordered = sorted(lines, key=lambda line: places[line.recipe.reference])
    return Work(tuple(ordered), newer, own, places)


def plan_refresh(
    recipes: Sequence[Recipe],
    view: View,
    *,
    observed: Observed,
    store: Store,
    views: ViewBook,
    scope: Scope = EVERYTHING,
    tracker: Tracker | None = None,
    measure: Measure = unmeasured,
) -> tuple[RefreshRow, ...]:
    """Say what `refresh` would do, without making anything.

    Args:
        recipes: The tree.
        view: The archive view.
        observed: What store, records and registry know.
        store: The local store.
        views: Reads the view's packages.
        scope: Which lines may be touched.
        tracker: What the security tracker says, for the severity.
        measure: Says what the work will take.

    Returns:
        One row a line, in the order of work; a rebase is told as such although the new parent's tree may still forbid it.
        A line of which nothing can be said has its reason as error, and so have those that need it.

    Raises:
        InputError: Recipes need each other.
    """
    records = tuple(known.record for known in observed.known)
    links = edges(recipes)
    work = work_of(lines_of(recipes, observed, store), links, view, views, store, tracker=tracker)
    renewed: set[str] = set()
    failed: set[str] = set()
    rows = []
    for line in work.lines:
        reference = line.recipe.reference
        broken = sorted(failed & ancestors(reference, links))
        pins = (
            Lost(f"needs {broken[0]}", f"mend {broken[0]} first")
            if broken
            else pins_of(line, recipes, records, observed)
        )
        if isinstance(pins, Lost):
            failed.add(reference)
            old = line.record.reference
            rows.append(RefreshRow(line.recipe.path, old, old, Way.UNCHANGED, pins.reason, error=str(pins)))
            continue
        intent = intend(line.recipe, line.record, work.newer.get(reference, ()), moved(line, pins, renewed))
        intent = limited(intent, line, scope)
        row = replace(
            _row(line, intent), severity=work.severity(reference), packages=packages_of(reference, work, scope)
        )
        rows.append(replace(row, expected=measure(line, intent.way)))
        if intent.way is not Way.UNCHANGED:
            renewed.add(line.record.digest)
    return tuple(rows)


def limited(intent: Intent, line: Line, scope: Scope) -> Intent:
    """Say what a limited campaign does with a line.

    Args:
        intent: What an unlimited one would do.
        line: The line.
        scope: Which lines may be touched.
    """
    reference = line.recipe.reference
    if reference not in scope:
        return Intent(Way.UNCHANGED, scope.outside)
    held = scope.holds.get(reference, ())
    if intent.way is Way.UNCHANGED and held and line.recipe.digest == line.record.recipe_digest:
        return Intent(Way.UNCHANGED, f"{held[0]}: it is of {held[0].owner}, which is not renewed here")
    return intent


def packages_of(line: str, work: Work, scope: Scope) -> tuple[Newer, ...]:
    """Return what the archive has newer of a line: of its own layers, and what a limited campaign is about.

    Args:
        line: The line.
        work: What is newer in each.
        scope: Which lines hold what the campaign is about.
    """
    return tuple(dict.fromkeys((*scope.holds.get(line, ()), *work.newer.get(line, ()))))


def _row(line: Line, intent: Intent) -> RefreshRow:
    old = line.record.reference
    if intent.way is Way.UNCHANGED:
        reason = intent.reason if line.here else AWAY
        return RefreshRow(line.recipe.path, old, old, intent.way, reason)
    reason = f"{intent.reason}: rebase if rules allow" if intent.way is Way.REBASED else intent.reason
    return RefreshRow(line.recipe.path, old, line.following_reference, intent.way, reason)
