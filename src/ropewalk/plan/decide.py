"""What to do with every recipe, and why. Pure: all it knows are the values it is given."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from ropewalk.plan.graph import ancestors, edges, order, pick, recipe_of
from ropewalk.plan.known import Known, Observed, Unverified, next_build, split_tag
from ropewalk.recipe.recipe import Generation, Parent, Recipe
from ropewalk.recipe.record import BuildRecord

_INSTALLS = re.compile(
    r"\b(?:apt|apt-get|aptitude)\s(?:[^\n;&|]|\\\n)*?\b(?:install|upgrade|dist-upgrade|full-upgrade|build-dep)\b"
    r"|\b(?:mmdebstrap|debootstrap)\s"
)
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)
_DATE = 8
"""Length of the date that a view's id begins with: the newest date of its InReleases."""


class Action(StrEnum):
    """What a plan does with a recipe."""

    BUILD = "build"
    """Build it: there is no image of it that may be published as it stands."""
    PUBLISH = "publish"
    """Its image is current and waits to be published."""
    REFRESH = "refresh"
    """Its published image is out of date through no change of its own: the next ``-rN``."""
    REFUSED = "refused"
    """It may not be built as it stands; the hint says what to do."""
    NONE = "none"
    """Its image is current."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What happens to one recipe.

    Attributes:
        recipe: The recipe.
        action: What to do.
        reasons: Why, in plain words; empty where there is nothing to do.
        hint: What the user can do about a refusal or a parent that is nowhere; empty otherwise.
        current: The line's newest usable build; None where there is none.
        build: The number that a build made now gets: 1 for the line itself, N for ``-rN``.
        unresolved: Parents of ours that are no recipes here and that neither store nor registry has.
        fetch: Images that the work needs and that only the registry has: parents as they are now, and for a refresh the
            line's own.
    """

    recipe: Recipe
    action: Action
    reasons: tuple[str, ...] = ()
    hint: str = ""
    current: BuildRecord | None = None
    build: int = 1
    fetch: tuple[BuildRecord, ...] = ()
    unresolved: tuple[Parent, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An entry for each recipe, in build order."""

    entries: tuple[PlanEntry, ...]

    def of(self, *actions: Action) -> tuple[PlanEntry, ...]:
        """Return the entries with one of these actions, in build order."""
        return tuple(entry for entry in self.entries if entry.action in actions)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What all decisions of one plan look at."""

    recipes: Mapping[str, Recipe]
    known: Mapping[str, tuple[Known, ...]]
    away: frozenset[str]
    observed: Observed
    view: str
    force: tuple[str, ...]

    def line(self, recipe: Recipe) -> tuple[Known, ...]:
        """Return a recipe's builds, the oldest first."""
        return tuple(k for k in self.known.get(recipe.repository, ()) if k.record.version == recipe.version)

    def unverified(self, recipe: Recipe) -> Unverified | None:
        """Return the registry's tag of a recipe's line that nobody may build on."""
        tags = (tag for tag in self.observed.unverified if tag.repository == recipe.repository)
        return next((tag for tag in tags if split_tag(tag.tag)[0] == recipe.version), None)

    def parent(self, parent: Parent) -> BuildRecord | None:
        """Return the image that stands for a parent now; None for a foreign or unknown one."""
        if parent.name is None:
            return None
        builds = tuple(known.record for known in self.known.get(parent.repository, ()))
        return pick(parent.tag, self.recipes.get(parent.repository), builds)


def decide(recipes: Sequence[Recipe], observed: Observed, view: str | None = None, force: Sequence[str] = ()) -> Plan:
    """Decide for each recipe.

    Args:
        recipes: The tree, in any order.
        observed: What store, records and registry know.
        view: Id of the archive view that builds would use; None where there is none yet.
        force: Globs against ``registry/name:version``: build these in any case.

    Returns:
        One entry a recipe, parents before those that need them.

    Raises:
        InputError: Recipes need each other.
    """
    known: dict[str, tuple[Known, ...]] = {}
    for one in observed.known:
        known[one.record.repository] = (*known.get(one.record.repository, ()), one)
    away = frozenset(one.record.digest for one in observed.known if not one.here)
    facts = _Facts({r.repository: r for r in recipes}, known, away, observed, view or "", tuple(force))
    entries: dict[str, PlanEntry] = {}
    for recipe in order(recipes, edges(recipes)):
        entries[recipe.reference] = _decide_one(recipe, facts, entries)
    return Plan(tuple(entries.values()))


def selected(plan: Plan, patterns: Sequence[str]) -> Plan:
    """Cut a plan to some recipes and to those parents that must be built for them.

    Args:
        plan: The whole plan.
        patterns: Globs against ``registry/name:version``; one that matches is enough.
    """
    links = edges([entry.recipe for entry in plan.entries])
    chosen = {line for line in links if any(fnmatchcase(line, pattern) for pattern in patterns)}
    needed = {ancestor for line in chosen for ancestor in ancestors(line, links)}
    kept = (
        entry
        for entry in plan.entries
        if entry.recipe.reference in chosen or (entry.recipe.reference in needed and entry.action is Action.BUILD)
    )
    return Plan(tuple(kept))


def _decide_one(recipe: Recipe, facts: _Facts, entries: Mapping[str, PlanEntry]) -> PlanEntry:
    builds = facts.line(recipe)
    current = builds[-1].record if builds else None
    unresolved = _unresolved(recipe, facts)
    refusal = _refusal(recipe, builds, facts, entries)
    if refusal is not None:
        return PlanEntry(recipe, Action.REFUSED, (refusal.reason,), refusal.hint, current, unresolved=unresolved)
    action, reasons = _work(recipe, builds, facts, entries)
    if action in {Action.PUBLISH, Action.NONE}:
        number = current.build if current else 1
        return PlanEntry(recipe, action, reasons, "", current, number, unresolved=unresolved)
    fresh = current is None or builds[-1].published
    number = (
        next_build(recipe.repository, recipe.version, facts.observed) if fresh or current is None else current.build
    )
    needed = [current] if current is not None and action is Action.REFRESH else []
    needed += [record for parent in recipe.parents if (record := facts.parent(parent)) is not None]
    fetch = tuple(dict.fromkeys(record for record in needed if record.digest in facts.away))
    return PlanEntry(recipe, action, reasons, _missing(unresolved, facts), current, number, fetch, unresolved)


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    hint: str


def _refusal(
    recipe: Recipe, builds: Sequence[Known], facts: _Facts, entries: Mapping[str, PlanEntry]
) -> _Refusal | None:
    """Say why a recipe may not be built as it stands; None where it may."""
    forbidden = [parent.forbidden for parent in recipe.parents if parent.forbidden is not None]
    if forbidden:
        hints = dict.fromkeys(one.hint for one in forbidden)
        return _Refusal(f"foreign parent: {'; '.join(one.reason for one in forbidden)}", "; ".join(hints))
    if recipe.lacks is not None:
        return _Refusal(recipe.lacks.reason, recipe.lacks.hint)
    published = next((build.record for build in reversed(builds) if build.published), None)
    if published is not None and published.recipe_digest != recipe.digest:
        reason = ", ".join((f"changed under a published version: {published.reference}", *_moved(recipe, published)))
        return _Refusal(reason, recipe.new_version)
    tag = facts.unverified(recipe)
    if tag is not None:
        return _Refusal(f"the registry's {tag.tag} is not ours: {tag.reason}", recipe.new_version)
    for parent in recipe.parents:
        entry = _entry(parent, facts, entries)
        if entry is not None and entry.action is Action.REFUSED and entry.current is None:
            return _Refusal(f"parent refused: {parent.name}", f"put {parent.name} right first")
    return None


def _moved(recipe: Recipe, built: BuildRecord) -> Iterator[str]:
    """Name the parents whose version in the recipe is another one: often all that changed."""
    was = {pin.reference.rpartition(":")[0]: pin.reference for pin in built.parents}
    for parent in recipe.parents:
        before = was.get(parent.reference.rpartition(":")[0])
        if parent.name is not None and before is not None and before != parent.reference:
            yield f"parent {parent.name} is now {parent.tag}"


def _work(
    recipe: Recipe, builds: Sequence[Known], facts: _Facts, entries: Mapping[str, PlanEntry]
) -> tuple[Action, tuple[str, ...]]:
    """Choose the action of a recipe that is not refused, with its reasons."""
    forced = ("forced",) if any(fnmatchcase(recipe.reference, glob) for glob in facts.force) else ()
    if not builds:
        return Action.BUILD, ("never built", *forced)
    current = builds[-1].record
    changed = ("recipe changed",) if recipe.digest != current.recipe_digest else ()
    stale = _names(recipe, lambda parent: _is_stale(parent, current, facts, entries))
    renewed = _names(recipe, lambda parent: _will_be_renewed(parent, facts, entries))
    newer = ("view newer",) if _view_counts(recipe, builds[-1].seen or current.view, facts.view) else ()
    if not builds[-1].published:
        must = (*forced, *changed, *stale)
        later = tuple(reason for reason in (*renewed, *newer) if reason not in must)
        return (Action.BUILD, (*must, *later)) if must else (Action.PUBLISH, ("not published", *later))
    reasons = tuple(dict.fromkeys((*forced, *changed, *stale, *renewed, *newer)))
    if forced or changed:
        return Action.BUILD, reasons
    return (Action.REFRESH, reasons) if reasons else (Action.NONE, ())


def _names(recipe: Recipe, holds: Callable[[Parent], bool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"parent rebuilt: {parent.name}" for parent in recipe.parents if holds(parent)))


def _entry(parent: Parent, facts: _Facts, entries: Mapping[str, PlanEntry]) -> PlanEntry | None:
    recipe = recipe_of(parent, facts.recipes)
    return None if recipe is None else entries.get(recipe.reference)


def _is_stale(parent: Parent, current: BuildRecord, facts: _Facts, entries: Mapping[str, PlanEntry]) -> bool:
    """Say whether an image's parent is another image by now, or will be after the build."""
    entry = _entry(parent, facts, entries)
    if entry is not None and entry.action is Action.BUILD:
        return True
    pin = next((pin for pin in current.parents if pin.reference == parent.reference), None)
    now = facts.parent(parent)
    return pin is not None and now is not None and now.digest != pin.digest


def _will_be_renewed(parent: Parent, facts: _Facts, entries: Mapping[str, PlanEntry]) -> bool:
    entry = _entry(parent, facts, entries)
    return entry is not None and entry.action is Action.REFRESH


def _unresolved(recipe: Recipe, facts: _Facts) -> tuple[Parent, ...]:
    """Return the parents of ours that are nowhere."""
    ours = (parent for parent in recipe.parents if parent.name is not None)
    elsewhere = (parent for parent in ours if recipe_of(parent, facts.recipes) is None)
    return tuple(parent for parent in elsewhere if facts.parent(parent) is None)


def _missing(unresolved: Sequence[Parent], facts: _Facts) -> str:
    """Return a hint for the first parent that is nowhere; empty where there is none."""
    if not unresolved:
        return ""
    where = "store or registry" if facts.observed.asked else "store, and no registry was asked"
    return f"parent {unresolved[0].repository}:{unresolved[0].tag} is no recipe here and in no {where}"


def _view_counts(recipe: Recipe, known: str, view: str) -> bool:
    """Say whether a view is another one, not older than the image's, and reaches the image by packages of its own.

    An image that was adopted before there was any view has none: only its packages tell whether a view is newer.
    """
    if not view or not known or view == known or view[:_DATE] < known[:_DATE]:
        return False
    return recipe.generation is Generation.BASE or installs_packages(recipe.dockerfile)


def installs_packages(dockerfile: str) -> bool:
    """Say whether a rendered Dockerfile installs packages from the archive."""
    return _INSTALLS.search(_COMMENT.sub("", dockerfile)) is not None
