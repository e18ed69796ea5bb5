"""What a refresh does with one image, as far as can be said without making anything; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, How
from ropewalk.refresh.owners import Newer

_NAMED = 3


class Way(StrEnum):
    """What happens to an image in a refresh."""

    REBUILT = "rebuilt"
    REBASED = "rebased"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Intent:
    """What shall happen to an image, and why.

    Attributes:
        way: Rebuilt, rebased (if the rules allow it, which needs the new parent's tree), or unchanged.
        reason: Why, in one line.
    """

    way: Way
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Parents of an image that are, or will be, other images than those it was made from.

    Attributes:
        final: The final parent's name; empty where it stays.
        build: Names of build parents.
    """

    final: str = ""
    build: tuple[str, ...] = ()


def intend(recipe: Recipe, record: BuildRecord, newer: Sequence[Newer], moved: Moved) -> Intent:
    """Decide what happens to an image.

    Args:
        recipe: Its recipe.
        record: The record of its current image.
        newer: Packages of its own layers that the view has newer.
        moved: Which of its parents are other images now, or will be.

    Returns:
        Way and reason; whatever says "rebased" may still become a rebuild when the trees are compared.
    """
    if recipe.digest != record.recipe_digest:
        return Intent(Way.UNCHANGED, "its recipe changed since it was built: run `ropewalk plan`")
    if newer:
        return Intent(Way.REBUILT, told(newer))
    if moved.build:
        return Intent(Way.REBUILT, f"build parent {', '.join(moved.build)} renewed (rule 4)")
    if not moved.final:
        return Intent(Way.UNCHANGED, "neither its parents nor its packages changed")
    never = _never_rebased(recipe, record)
    if never:
        return Intent(Way.REBUILT, f"parent {moved.final} renewed; {never}")
    return Intent(Way.REBASED, f"parent {moved.final} renewed")


def _never_rebased(recipe: Recipe, record: BuildRecord) -> str:
    if record.how is How.ADOPTED:
        return "it was adopted: what a rebuild would give is not known"
    return "" if recipe.rebase else "the recipe says never to rebase (rule 5)"


def told(newer: Collection[Newer]) -> str:
    """Name some of the packages and count the others.

    Args:
        newer: At least one package.
    """
    names = [str(one) for one in newer]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
