"""Rules on recipes together: names, loops, parents that are nowhere, changes without a new version."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ropewalk.oci import reference
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.lint.places import template_lines
from ropewalk.recipe.lint.rules import Finding, Level, Rule
from ropewalk.recipe.recipe import Generation, Parent, Recipe

_LATEST = "latest"
_SHOWN = 3
_FILES = {Generation.BASE: Kind.BASE, Generation.PRODUCTION: Kind.PRODUCTION, Generation.SERVICE: Kind.SERVICE}

Held = Callable[[Parent], bool | None]
"""Says whether a parent is in store or registry; None where nobody was asked."""


def _needed(recipes: Sequence[Recipe]) -> dict[str, tuple[str, ...]]:
    """Return each repository's parents that are recipes here."""
    here = {recipe.repository: recipe for recipe in recipes}
    return {
        recipe.repository: tuple(
            dict.fromkeys(parent.repository for parent in recipe.parents if _is_here(parent, here))
        )
        for recipe in recipes
    }


def _is_here(parent: Parent, here: Mapping[str, Recipe]) -> bool:
    recipe = here.get(parent.repository) if parent.name is not None else None
    return recipe is not None and parent.tag in (_LATEST, recipe.version)


def loops(recipes: Sequence[Recipe]) -> tuple[Finding, ...]:
    """Find images that need each other; each loop once.

    Args:
        recipes: The tree.
    """
    needed = _needed(recipes)
    places = {recipe.repository: recipe for recipe in recipes}
    found: list[Finding] = []
    while True:
        needed = _without_leaves(needed)
        if not needed:
            return tuple(found)
        loop = _walk(needed)
        recipe = places[loop[0]]
        names = " -> ".join(places[name].name for name in (*loop, loop[0]))
        hint = "take one of these parents out"
        path, line = place(recipe, next(p for p in recipe.parents if p.repository == (*loop, loop[0])[1]))
        found.append(Finding(Rule.LOOP, path, line, f"images need each other: {names}", hint))
        needed = {name: parents for name, parents in needed.items() if name not in loop}


def _without_leaves(needed: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Drop every image whose parents can be built, until only loops and what needs them is left."""
    left = dict(needed)
    while True:
        kept = {name: tuple(other for other in parents if other in left) for name, parents in left.items()}
        kept = {name: parents for name, parents in kept.items() if parents}
        if len(kept) == len(left):
            return kept
        left = kept


def _walk(needed: Mapping[str, tuple[str, ...]]) -> list[str]:
    walked = [min(needed)]
    while (following := needed[walked[-1]][0]) not in walked:
        walked.append(following)
    return walked[walked.index(following) :]


def nowhere(recipes: Sequence[Recipe], config: TreeConfig, held: Held) -> tuple[Finding, ...]:
    """Find parents of ours that no recipe here makes and that are neither base images nor published.

    Args:
        recipes: The tree.
        config: Its ``base_images`` count as there.
        held: Whether store or registry have one.
    """
    here = {recipe.repository: recipe for recipe in recipes}
    bases = {reference.parse(entry).name for entry in config.base_images}
    found = []
    for recipe in recipes:
        for parent in recipe.parents:
            if parent.name is None or parent.repository in bases or _is_here(parent, here):
                continue
            answer = held(parent)
            if answer:
                continue
            asked = "and nobody was asked for it" if answer is None else "and is neither in the store nor published"
            message = f"the parent {parent.repository}:{parent.tag} is no recipe here {asked}"
            hint = "check its name, give its recipe's directory too, or name it in `base_images`"
            weight = Level.NOTE if answer is None else None
            found.append(Finding(Rule.PARENT_NOWHERE, *place(recipe, parent), message, hint, weight))
    return tuple(dict.fromkeys(found))


def place(recipe: Recipe, parent: Parent) -> tuple[str, int]:
    """Find where a recipe names a parent.

    Args:
        recipe: The recipe.
        parent: One of its parents.

    Returns:
        The file and the line; 0 where the name is put together.
    """
    path = recipe.directory / _FILES[recipe.generation]
    names = (parent.reference, parent.reference.removesuffix(f":{_LATEST}"))
    rendered = recipe.dockerfile.split("\n")
    number = next((n for n, line in enumerate(rendered) if any(name in line.split() for name in names)), None)
    number = number if number is not None else next((n for n, x in enumerate(rendered) if names[1] in x), None)
    if number is None or recipe.generation is not Generation.PRODUCTION:
        return str(path), 0
    return str(path), template_lines(path.read_text("utf-8"), recipe.dockerfile)[number]


def unversioned(new: Sequence[Recipe], old: Sequence[Recipe], since: str) -> tuple[Finding, ...]:
    """Find recipes that changed, by content, and still have their version.

    Args:
        new: The tree.
        old: The tree as it was.
        since: What to call that time.

    Returns:
        Errors; warnings where only what a template puts in changed, which some trees leave to the next change.
    """
    before = {recipe.repository: recipe for recipe in old}
    found = []
    for recipe in new:
        was = before.get(recipe.repository)
        if was is None or was.version != recipe.version or was.digest == recipe.digest:
            continue
        paths = _differing(recipe, was)
        what = _listed(paths) if paths else "the recipe"
        weight = None
        if not paths and recipe.dockerfile != was.dockerfile:
            what, weight = "what its template puts in (parents' versions, config)", Level.WARNING
        message = f"{what} changed since {since}, the version is still {recipe.version}"
        found.append(Finding(Rule.VERSION, *version_place(recipe), message, recipe.new_version, weight))
    return tuple(found)


def version_place(recipe: Recipe) -> tuple[str, int]:
    """Return the file and the line that say a recipe's version.

    Args:
        recipe: The recipe.
    """
    if recipe.generation is not Generation.BASE:
        return str(recipe.directory / "changelog"), 1
    path = recipe.directory / Kind.BASE
    lines = path.read_text("utf-8").splitlines()
    return str(path), next((number for number, text in enumerate(lines, 1) if text.startswith("version")), 1)


def _differing(recipe: Recipe, was: Recipe) -> list[str]:
    """Return the files that differ between two states of a recipe."""
    now, then = ({file.path: (file.sha256, file.mode) for file in one.context} for one in (recipe, was))
    return sorted(path for path in now.keys() | then.keys() if now.get(path) != then.get(path))


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def changed(new: Sequence[Recipe], old: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the recipes that are new or differ by content, and all that are built on them.

    Args:
        new: The tree.
        old: The tree as it was.
    """
    before = {recipe.repository: recipe.digest for recipe in old}
    touched = {recipe.repository for recipe in new if before.get(recipe.repository) != recipe.digest}
    needed = _needed(new)
    while more := {name for name, parents in needed.items() if name not in touched and touched & set(parents)}:
        touched |= more
    return tuple(recipe for recipe in new if recipe.repository in touched)


def twice(named: Sequence[tuple[str, Path]]) -> Iterator[Finding]:
    """Find names that stand for two recipes.

    Args:
        named: Names with the directories of their recipes.
    """
    seen: dict[str, Path] = {}
    for name, directory in named:
        if name in seen:
            message = f"`{name}` is also the name of {seen[name]}"
            yield Finding(Rule.NAME_TWICE, str(directory), 0, message, "rename one of them in its changelog")
        seen.setdefault(name, directory)
