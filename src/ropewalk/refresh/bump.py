"""A campaign that gives new versions: changelog entries for what would be renewed, one commit, then builds. Pure.

Base images have no changelog: they are renewed as ``-rN`` before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ropewalk.plan import descendants, edges, order
from ropewalk.recipe.recipe import Generation, Recipe
from ropewalk.recipe.update import counted
from ropewalk.refresh.intent import Way
from ropewalk.refresh.report import RefreshRow
from ropewalk.refresh.scope import Ask, Severity

TRAILER = "Ropewalk-Campaign: "
_URGENCIES = {Severity.HIGH: "high", Severity.SECURITY: "high", Severity.MEDIUM: "medium"}


@dataclass(frozen=True, slots=True)
class Bump:
    """A new version that a recipe gets.

    Attributes:
        recipe: The recipe.
        version: The new version.
        reason: What the changelog says.
        urgency: The entry's urgency.
    """

    recipe: Recipe
    version: str
    reason: str
    urgency: str


def bases_of(recipes: Sequence[Recipe]) -> frozenset[str]:
    """Return the lines that have no changelog.

    Args:
        recipes: The tree.
    """
    return frozenset(recipe.reference for recipe in recipes if recipe.generation is Generation.BASE)


def bumps_of(recipes: Sequence[Recipe], rows: Sequence[RefreshRow], ask: Ask, letter: str) -> tuple[Bump, ...]:
    """Say which recipes get a new version.

    Args:
        recipes: The tree.
        rows: What `plan_refresh` said.
        ask: What the campaign is asked for.
        letter: docker-pkg's ``update_id``.

    Returns:
        One for each line that would be renewed, and for what stands on it, since that names its parent's version; parents
        first. Base images are left out.

    Raises:
        InputError: Recipes need each other.
    """
    links = edges(recipes)
    renewed = {row.name: row for row in rows if row.how is not Way.UNCHANGED and not row.error}
    chosen = [one for one in recipes if one.path in renewed and one.generation is not Generation.BASE]
    lines = {one.reference for one in chosen}.union(*(descendants(one.reference, links) for one in chosen))
    return tuple(
        _bump(recipe, renewed.get(recipe.path), ask, letter)
        for recipe in order(recipes, links)
        if recipe.reference in lines
    )


def _bump(recipe: Recipe, row: RefreshRow | None, ask: Ask, letter: str) -> Bump:
    title = f"Security update for {ask.advisory}" if ask.advisory else "Refresh"
    # The plan's words for a rebase end in what does not come to pass here.
    why = row.reason.partition(": rebase if")[0] if row else "a parent gets a new version"
    urgency = _URGENCIES.get(Severity(row.severity), "low") if row and row.severity else "low"
    return Bump(recipe, counted(recipe.version, letter), f"{title}: {why}", urgency)


def message_of(ask: Ask, view: str, bumps: Sequence[Bump]) -> str:
    """Return what the campaign's commit says.

    Args:
        ask: What the campaign is asked for.
        view: Id of the archive view.
        bumps: The new versions.
    """
    about = ask.advisory or (f"a newer {ask.package}" if ask.package else "newer packages")
    names = [f"{one.recipe.path} {one.version}" for one in bumps]
    title = f"New versions of {len(names)} images for {about}"
    listed = "\n".join(f"- {name}" for name in names)
    return f"{title}\n\nArchive view {view}.\n\n{listed}\n\n{TRAILER}{ask.campaign(view)}\n"
