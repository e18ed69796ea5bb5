"""Which recipes need a new version when one of them gets one. Pure but for the names that ``control`` gives."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from ropewalk.errors import InputError
from ropewalk.plan.graph import descendants, edges, order
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.production import read_control
from ropewalk.recipe.recipe import Generation, Recipe
from ropewalk.recipe.yamlfile import nearest


def to_update(recipes: Sequence[Recipe], name: str) -> tuple[Recipe, ...]:
    """Return a recipe and all that need it, directly or not, parents first.

    Args:
        recipes: The tree.
        name: The line's name, with or without registry and namespace.

    Raises:
        InputError: No recipe has that name, it has no changelog, or recipes need each other.
    """
    chosen = next((recipe for recipe in recipes if name in (recipe.name, recipe.path, recipe.repository)), None)
    if chosen is None:
        raise InputError("no recipe has this name", where=name, hint=nearest(name, [recipe.name for recipe in recipes]))
    if chosen.generation is Generation.BASE:
        hint = (
            f"raise `version` in {chosen.directory / 'base.yaml'}; `ropewalk build --refresh` renews what stands on it"
        )
        raise InputError("a base image has no changelog", where=name, hint=hint)
    links = edges(recipes)
    lines = {chosen.reference} | descendants(chosen.reference, links)
    return tuple(recipe for recipe in order(recipes, links) if recipe.reference in lines)


def check_control(recipes: Sequence[Recipe], config: TreeConfig) -> None:
    """Refuse a ``control`` that names what is neither a recipe nor a base image: an update could miss a child.

    Args:
        recipes: The tree.
        config: Names the base images.

    Raises:
        InputError: One does; names the file.
    """
    known = {recipe.repository for recipe in recipes}
    known |= {entry.rpartition(":")[0] if ":" in entry.rpartition("/")[2] else entry for entry in config.base_images}
    for recipe in recipes:
        path = recipe.directory / "control"
        for name in read_control(path).depends:
            if config.full_name(name) not in known:
                near = nearest(name, [recipe.name for recipe in recipes])
                hint = f"mend the name, or give the directory of its recipe too; {near}"
                raise InputError(f"`{name}` is no recipe and no base image", where=str(path), hint=hint)


def renewable(recipes: Sequence[Recipe], exclude: Sequence[str]) -> tuple[tuple[Recipe, str], ...]:
    """Return every recipe with why it is left out of a renewal of all; empty where it is not.

    Args:
        recipes: The tree.
        exclude: Globs against name, ``registry/name:version`` and directory.
    """

    def why_not(recipe: Recipe) -> str:
        if recipe.generation is Generation.BASE:
            return "a base image has no changelog"
        texts = (recipe.name, recipe.reference, str(recipe.directory))
        left_out = next((glob for glob in exclude if any(fnmatchcase(text, glob) for text in texts)), None)
        return f"--exclude {left_out}" if left_out is not None else ""

    return tuple((recipe, why_not(recipe)) for recipe in recipes)
