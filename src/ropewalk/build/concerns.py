"""What a build says of keys, databases and the like that packages made when they were installed; or refuses."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from ropewalk.build.known import Known
from ropewalk.build.workshop import Workshop
from ropewalk.errors import Exit, RopewalkError
from ropewalk.events import Event, EventKind
from ropewalk.recipe.recipe import Recipe

Found = tuple[Known, tuple[str, ...]]
"""A row of the table, and the paths that it is about."""
_SHOWN = 2


class NotForAnImage(RopewalkError):
    """A build made what the tree's config refuses."""

    exit_code: ClassVar[Exit] = Exit.REFUSED


def places(paths: Sequence[str]) -> str:
    """Name the first of some paths and count the others.

    Args:
        paths: Relative to the root.
    """
    named = ", ".join(f"/{path}" for path in paths[:_SHOWN])
    return f"{named} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else named


def refused(found: Iterable[Found], recipe: Recipe) -> Found | None:
    """Return the first thing found that the recipe's tree refuses; None where there is none.

    Args:
        found: What the build made.
        recipe: The recipe, with what its tree refuses.
    """
    return next((one for one in found if one[0].concern in recipe.refuse), None)


def tell(shop: Workshop, recipe: Recipe, found: Sequence[Found]) -> None:
    """Warn of each thing with what the recipe can do about it.

    Args:
        shop: The workshop, whose listener is told.
        recipe: The recipe.
        found: What the build made.

    Raises:
        NotForAnImage: The tree's config refuses one of them (``ropewalk.refuse``).
    """
    no = refused(found, recipe)
    if no is not None:
        row, paths = no
        hint = f"{row.why.fix}; or take `{row.concern}` out of `ropewalk.refuse`"
        raise NotForAnImage(f"refused: {row.why.reason}: {places(paths)}", where=recipe.reference, hint=hint)
    for row, paths in found:
        said = f"{row.treatment}: {row.why.reason}"
        shop.listener(Event(EventKind.WARNING, recipe.reference, said, f"{places(paths)}: {row.why.fix}"))
