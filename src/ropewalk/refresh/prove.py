"""Does a full rebuild give the same image? Compared path by path, with nothing left out."""

from dataclasses import fields, replace

from ropewalk.archive import View
from ropewalk.build import Made, Workshop, make_image
from ropewalk.errors import InputError
from ropewalk.events import step
from ropewalk.oci.model import ImageConfig
from ropewalk.oci.tree import Tree, changed, describe
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, How, Proof
from ropewalk.refresh.reproduce import kept_lock

_KEPT_DIFFERENCES = 50


def prove(shop: Workshop, record: BuildRecord, recipe: Recipe, view: View) -> Proof:
    """Rebuild an image in full from its recorded inputs and compare; the answer is kept with its record.

    Args:
        shop: The workshop.
        record: The image's build record: parents by digest, SOURCE_DATE_EPOCH.
        recipe: Its recipe, as it was.
        view: The archive view of the record.

    Returns:
        Whether trees and configurations are equal, and where not.

    Raises:
        InputError: The recipe changed since, the view is another one, or the image is not in the store.
        RopewalkError: The rebuild failed.
    """
    proof = compare_rebuilt(shop, record, recipe, view)
    shop.book.mark_proven(record.digest, proof)
    return proof


def compare_rebuilt(shop: Workshop, record: BuildRecord, recipe: Recipe, view: View) -> Proof:
    """Do what `prove` does, but keep nothing: the record need not be saved yet."""
    return rebuilt(shop, record, recipe, view)[0]


def rebuilt(shop: Workshop, record: BuildRecord, recipe: Recipe, view: View) -> tuple[Proof, Made]:
    """Do what `prove` does, but keep nothing; return what was rebuilt too, which is in the store."""
    if recipe.digest != record.recipe_digest:
        raise InputError(
            "its recipe changed since it was made", where=record.reference, hint="check out the recipe as it was"
        )
    if record.how is How.ADOPTED:
        message = "was adopted: it was not made from this recipe here, so there is nothing to prove"
        raise InputError(message, where=record.reference, hint="build it anew with `ropewalk build --force`")
    if view.id != record.view:
        raise InputError(f"was made from view {record.view}", where=record.reference, hint="prove it on that view")
    image = shop.store.load(record.digest)
    if image is None:
        raise InputError("is not in the store", where=record.reference, hint="build it, or fetch it from the registry")
    with step(shop.listener, record.reference, "prove"):
        start = shop.clock()
        lock = kept_lock(shop, record)
        made = make_image(shop, recipe, record.parents, view, record.epoch, lock=lock, build=record.build)
        seconds = shop.clock() - start
    found = differences(shop.store.tree(image), shop.store.tree(made.image))
    found = (*_config_differences(image.config, made.image.config), *found)
    return Proof(not found, found[:_KEPT_DIFFERENCES], seconds, int(shop.clock())), made


def differences(image: Tree, rebuilt: Tree) -> tuple[str, ...]:
    """Say where two flattened trees differ: type, mode, owner, content, link.

    Args:
        image: The image to be proven.
        rebuilt: What the rebuild gave.

    Returns:
        One line a path, sorted by path; times do not count.
    """
    return tuple(describe(path, image.get(path), rebuilt.get(path)) for path in changed(image, rebuilt))


def _config_differences(image: ImageConfig, rebuilt: ImageConfig) -> tuple[str, ...]:
    # The order of variables says nothing, since each name stands once.
    one, other = (replace(config, env=tuple(sorted(config.env))) for config in (image, rebuilt))
    return tuple(
        f"configuration: {name} {getattr(one, name)!r} -> {getattr(other, name)!r}"
        for name in (field.name for field in fields(ImageConfig))
        if getattr(one, name) != getattr(other, name)
    )
