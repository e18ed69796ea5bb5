"""Which local images may go: versions of a recipe that it no longer has, unless what stays needs them. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a prune does.

    Attributes:
        remove: Images to remove, children before what they stand on.
        needed: Old images that stay, each with the kept image that needs it.
    """

    remove: tuple[BuildRecord, ...]
    needed: tuple[tuple[BuildRecord, BuildRecord], ...]


def to_prune(
    recipes: Iterable[Recipe], records: Sequence[BuildRecord], here: Collection[str], select: Sequence[str] = ()
) -> Pruning:
    """Choose the images of other versions than the recipes' own.

    Args:
        recipes: The tree; only their names are pruned.
        records: All build records.
        here: Digests of the images in the store.
        select: Globs against a recipe's ``registry/name:version``: only these; all where empty.

    Returns:
        What goes and what stays. Every build of a recipe's own version stays, and so does each parent, final or build,
        of an image that stays.
    """
    versions = {
        recipe.repository: recipe.version
        for recipe in recipes
        if not select or any(fnmatchcase(recipe.reference, glob) for glob in select)
    }
    local = {record.digest: record for record in records if record.digest in here}
    old = {digest: r for digest, r in local.items() if versions.get(r.repository, r.version) != r.version}
    needed: dict[str, BuildRecord] = {}
    todo = [record for digest, record in local.items() if digest not in old]
    while todo:
        child = todo.pop()
        for pin in child.parents:
            if pin.digest in old and pin.digest not in needed:
                needed[pin.digest] = child
                todo.append(old[pin.digest])
    remove = _children_first([record for digest, record in old.items() if digest not in needed])
    return Pruning(remove, tuple((old[digest], child) for digest, child in needed.items()))


def _children_first(records: Sequence[BuildRecord]) -> tuple[BuildRecord, ...]:
    ordered: list[BuildRecord] = []
    rest = list(records)
    while rest:
        pinned = {pin.digest for record in rest for pin in record.parents}
        free = [record for record in rest if record.digest not in pinned] or rest
        ordered += free
        rest = [record for record in rest if record not in free]
    return tuple(ordered)
