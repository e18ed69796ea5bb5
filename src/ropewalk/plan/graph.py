"""Which recipe needs which: edges, order, and the line that a parent's reference stands for."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from ropewalk.debian import parts_key
from ropewalk.errors import InputError
from ropewalk.plan.known import LATEST, split_tag
from ropewalk.recipe.recipe import Parent, Recipe
from ropewalk.recipe.record import BuildRecord

Edges = Mapping[str, tuple[str, ...]]
"""Line (``registry/name:version``) -> the lines it needs that are recipes here."""


def edges(recipes: Iterable[Recipe]) -> dict[str, tuple[str, ...]]:
    """Say which recipes each recipe needs.

    Args:
        recipes: The tree.

    Returns:
        Its line -> the lines of its parents that are recipes here, the final one first.
    """
    by_repository = {recipe.repository: recipe for recipe in recipes}
    found = {}
    for recipe in by_repository.values():
        needed = (recipe_of(parent, by_repository) for parent in recipe.parents)
        found[recipe.reference] = tuple(dict.fromkeys(other.reference for other in needed if other is not None))
    return found


def recipe_of(parent: Parent, recipes: Mapping[str, Recipe]) -> Recipe | None:
    """Return the recipe whose line a parent's reference stands for; None where no recipe here makes it.

    Args:
        parent: What a recipe names; ``latest`` is the recipe's line, another tag only its own version's.
        recipes: Recipes by repository.
    """
    recipe = recipes.get(parent.repository) if parent.name is not None else None
    return recipe if recipe is not None and parent.tag in (LATEST, recipe.version) else None


def order(recipes: Sequence[Recipe], links: Edges) -> tuple[Recipe, ...]:
    """Sort recipes so that each comes after those it needs; otherwise they keep their order.

    Args:
        recipes: The tree.
        links: What `edges` says of it.

    Raises:
        InputError: Some need each other; the message names the loop.
    """
    place = {recipe.reference: index for index, recipe in enumerate(recipes)}
    waiting = {line: len(links.get(line, ())) for line in place}
    users: dict[str, list[str]] = {line: [] for line in place}
    for line in place:
        for needed in links.get(line, ()):
            users[needed].append(line)
    ready = [place[line] for line, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    done: list[Recipe] = []
    while ready:
        done.append(recipes[heapq.heappop(ready)])
        for user in users[done[-1].reference]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, place[user])
    if len(done) < len(recipes):
        _refuse_loop(recipes, links, {recipe.reference for recipe in done})
    return tuple(done)


def _refuse_loop(recipes: Sequence[Recipe], links: Edges, done: set[str]) -> None:
    """Walk from any recipe that is left to one that it needs and is left too, until one comes twice."""
    line = next(recipe.reference for recipe in recipes if recipe.reference not in done)
    walked: list[str] = []
    while line not in walked:
        walked.append(line)
        line = next(needed for needed in links[line] if needed not in done)
    loop = [*walked[walked.index(line) :], line]
    where = next(str(recipe.directory) for recipe in recipes if recipe.reference == line)
    raise InputError("images need each other: " + " -> ".join(loop), where=where, hint="take one of these parents out")


def ancestors(line: str, links: Edges) -> frozenset[str]:
    """Return every line that ``line`` needs, directly or not, without itself."""
    found: set[str] = set()
    todo = list(links.get(line, ()))
    while todo:
        needed = todo.pop()
        if needed not in found:
            found.add(needed)
            todo.extend(links.get(needed, ()))
    return frozenset(found)


def descendants(line: str, links: Edges) -> frozenset[str]:
    """Return every line that needs ``line``, directly or not, without itself."""
    return frozenset(other for other in links if line in ancestors(other, links))


def resolve(parent: Parent, recipes: Iterable[Recipe], records: Iterable[BuildRecord]) -> BuildRecord | None:
    """Find the image that stands for a parent now.

    Args:
        parent: What a recipe names. ``latest`` is the line of the recipe here, without one the newest version known; a
            version is its line's newest build; ``-rN`` is that very build.
        recipes: The tree.
        records: Known builds, of each line the oldest first (a `RecordBook`, or what was observed).

    Returns:
        Its build record; None for a foreign image, or where nothing is known of it.
    """
    if parent.name is None:
        return None
    builds = [record for record in records if record.repository == parent.repository]
    recipe = next((recipe for recipe in recipes if recipe.repository == parent.repository), None)
    return pick(parent.tag, recipe, builds)


def pick(tag: str, recipe: Recipe | None, builds: Sequence[BuildRecord]) -> BuildRecord | None:
    """Choose among the builds of one repository; see `resolve`.

    Args:
        tag: The parent's tag.
        recipe: The recipe of that repository; None where there is none here.
        builds: The repository's builds, of each line the oldest first.
    """
    if tag == LATEST and recipe is None:
        return max(builds, key=lambda record: (parts_key(record.version), record.build, record.made), default=None)
    version, build = split_tag(recipe.version if tag == LATEST and recipe is not None else tag)
    return next((r for r in reversed(builds) if r.version == version and build in (None, r.build)), None)
