"""Make one image: build it on its parents, test it, tag it in the store, and record what went into it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ropewalk.archive import View
from ropewalk.build.bootstrap import base_config, bootstrapped
from ropewalk.build.concerns import tell
from ropewalk.build.containers import unload
from ropewalk.build.dockerfile import Added, run_dockerfile
from ropewalk.build.imagetest import TestFailed, check_testable, run_test
from ropewalk.build.locked import supplied, taken
from ropewalk.build.site import Order
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError
from ropewalk.events import step
from ropewalk.oci import Image, Platform
from ropewalk.oci.annotations import annotations, base_name, numbered_digest, own_config
from ropewalk.plan import resolve
from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.head import older_versions
from ropewalk.recipe.lock import Lock, LockedDeb
from ropewalk.recipe.pins import outside_of
from ropewalk.recipe.recipe import Parent, ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, How, LayerKind, OwnedLayer, ParentPin
from ropewalk.recipe.revision import standing


@dataclass(frozen=True, slots=True)
class Made:
    """An image in the store that is neither tagged nor recorded.

    Attributes:
        image: The image.
        layers: Its layers, the lowest first, with their owners.
        epoch: SOURCE_DATE_EPOCH in seconds.
        lock: What its build took from the archive.
        order: What a Dockerfile was built from; None for a base image.
    """

    image: Image
    layers: tuple[OwnedLayer, ...]
    epoch: int
    lock: Lock | None
    order: Order | None = None


def log_of(shop: Workshop, recipe: Recipe) -> Path:
    """Return the log file of a recipe's builds; each build starts it anew."""
    return shop.settings.logs / recipe.repository.replace("/", "_") / f"{recipe.version}.log"


def make_image(
    shop: Workshop,
    recipe: Recipe,
    parents: tuple[ParentPin, ...],
    view: View,
    epoch: int | None = None,
    *,
    lock: Lock | None = None,
    build: int = 1,
) -> Made:
    """Make an image; it is in the store then, without a tag and without a record.

    Args:
        shop: The workshop.
        recipe: How it is made.
        parents: Its parents by digest, each under the reference that the recipe names.
        view: The archive view that apt sees.
        epoch: SOURCE_DATE_EPOCH in seconds; the recipe's (a base image: the view's) where it is None.
        lock: All that the build may take from the archive, and then from the pool alone; None lets it have the whole view.
        build: The number of the build within its line.

    Returns:
        The image with the owners of its layers.

    Raises:
        BuildFailed: An instruction or the bootstrap failed; the log says why.
        InputError: A parent is not in the store, or a recipe is wrong.
        TrustError: The archive gave something wrong.
        NotLocked, NotInPool: It asked for a .deb that the lock does not name, or that the pool lacks.
    """
    log = log_of(shop, recipe)
    log.unlink(missing_ok=True)
    if recipe.base is not None:
        return _make_base(shop, recipe, view, epoch, lock, build=build)
    images = {pin.reference: _parent_image(shop, recipe, pin) for pin in parents}
    final = next((pin for pin in parents if pin.role is ParentRole.FINAL), None)
    chosen = epoch if epoch is not None else recipe.epoch or 0
    below = images[final.reference] if final else None
    name = shop.names.fresh()
    order = Order(
        name=recipe.reference,
        dockerfile=recipe.dockerfile,
        context=recipe.context,
        parents=images,
        final=below,
        view=view,
        epoch=chosen,
        build=name,
        limits=recipe.limits,
        proxy=recipe.proxy,
        allowed=lock.allowed if lock else None,
    )
    with (
        supplied(shop, name, order.allowed),
        step(shop.listener, recipe.reference, "build", log=str(log)),
        run_dockerfile(shop, order, log) as added,
    ):
        tell(shop, recipe, added.concerns)
        inherited = _owners(shop, final, below)
        return _assemble(shop, recipe, added, inherited, order, final=final, build=build)


def _make_base(shop: Workshop, recipe: Recipe, view: View, epoch: int | None, lock: Lock | None, *, build: int) -> Made:
    spec = recipe.base
    if spec is None:
        raise InputError("is no base recipe", where=recipe.reference, hint="give it a base.yaml")
    chosen = epoch if epoch is not None else view.newest_date(spec.suites)
    platform = Platform("linux", view.architecture)
    name, log = shop.names.fresh(), log_of(shop, recipe)
    with (
        supplied(shop, name, lock.allowed if lock else None),
        step(shop.listener, recipe.reference, "bootstrap", log=str(log)),
        bootstrapped(shop, recipe, view, chosen, log, build=name) as items,
    ):
        layer = shop.store.add_layer(items)
        took = Lock(view.id, taken(shop, name))
    history = (f"ropewalk: {recipe.reference}",)
    said = annotations(recipe.reference, chosen, build=build)
    image = shop.store.add_image(base_config(spec), (layer,), platform, chosen, history, annotations=said)
    return Made(image, (OwnedLayer(layer.diff_id, recipe.path, LayerKind.OWN),), chosen, took)


def _assemble(
    shop: Workshop,
    recipe: Recipe,
    added: Added,
    inherited: tuple[OwnedLayer, ...],
    order: Order,
    *,
    final: ParentPin | None,
    build: int,
) -> Made:
    base, config = None, added.config
    if final is not None and order.final is not None:
        base = (base_name(final.reference, order.final), final.digest)
        config = own_config(config, order.final.config, parse(order.dockerfile).labels())
    below = order.final.layers if order.final else ()
    platform = order.final.platform if order.final else Platform("linux", order.view.architecture)
    own = (shop.store.add_layer(added.items),) if added.items else ()
    layers = (*below, *own)
    history = (*("" for _ in below), *(f"ropewalk: {recipe.reference}" for _ in own))
    said = annotations(recipe.reference, order.epoch, base, build=build)
    image = shop.store.add_image(config, layers, platform, order.epoch, history, annotations=said)
    owned = tuple(OwnedLayer(layer.diff_id, recipe.path, LayerKind.OWN) for layer in own)
    open_ends = outside_of(order.dockerfile, order.context).unpinned
    took = Lock(order.view.id, taken(shop, order.build), unpinned=open_ends)
    return Made(image, (*inherited, *owned), order.epoch, took, order)


def _parent_image(shop: Workshop, recipe: Recipe, pin: ParentPin) -> Image:
    image = shop.store.load(pin.digest)
    if image is None:
        raise InputError(
            f"its parent {pin.reference} is not in the store", where=recipe.reference, hint="build it first"
        )
    return image


def _owners(shop: Workshop, pin: ParentPin | None, image: Image | None) -> tuple[OwnedLayer, ...]:
    """Return the owners of the parent's layers; a foreign image owns its own."""
    if pin is None or image is None:
        return ()
    record = shop.book.load(pin.digest)
    if record is not None:
        return record.layers
    return tuple(OwnedLayer(layer.diff_id, pin.reference, LayerKind.OWN) for layer in image.layers)


def build_recipe(
    shop: Workshop,
    recipe: Recipe,
    parents: tuple[ParentPin, ...],
    view: View,
    *,
    build: int = 1,
    how: How = How.BUILT,
    reasons: tuple[str, ...] = (),
    lock: Lock | None = None,
) -> BuildRecord:
    """Make an image, test it, tag it in the store and record it.

    Args:
        shop: The workshop.
        recipe: How it is made.
        parents: Its parents by digest.
        view: The archive view that apt sees.
        build: The number of the build within its line.
        how: Built or rebuilt.
        reasons: Why, for the record.
        lock: All that the build and its test may take from the archive; see `make_image`.

    Returns:
        Its record; the line's present one where the very same image came out.

    Raises:
        RopewalkError: It could not be made.
        TestFailed: Its test did not succeed; nothing is tagged.
    """
    start = shop.clock()
    check_testable(shop.settings, recipe)
    made = make_image(shop, recipe, parents, view, lock=lock, build=build)
    same = _same(shop, recipe, made.image, build)
    if same is not None:
        return _confirmed(shop, recipe, parents, made, same, asked=lock)
    reference = recipe.reference if build == 1 else f"{recipe.reference}-r{build}"
    took = with_test(made.lock, check(shop, recipe, made, reference))
    record = BuildRecord(
        digest=made.image.digest,
        platform=str(made.image.platform),
        repository=recipe.repository,
        name=recipe.path,
        version=recipe.version,
        build=build,
        generation=recipe.generation,
        recipe_digest=recipe.digest,
        parents=parents,
        view=view.id,
        epoch=made.epoch,
        how=how,
        layers=made.layers,
        dockerfile=recipe.dockerfile,
        made=int(shop.clock()),
        tested=recipe.test is not None,
        reasons=reasons,
        commit=standing(recipe),
        older=older_versions(recipe.directory, recipe.version),
        lock=took,
    )
    shop.book.mark_seconds(record.digest, shop.clock() - start)
    shop.book.save(record)
    shop.store.tag(record.reference, record.digest)
    return record


def _same(shop: Workshop, recipe: Recipe, image: Image, build: int) -> BuildRecord | None:
    """Return the line's build that is this very image but for the number; None where there is none."""
    for number in range(build, 0, -1):
        same = shop.book.load(numbered_digest(image, recipe.reference, number))
        if same is not None and same.line == recipe.reference and shop.store.resolve(same.reference) is not None:
            return same
    return None


def _confirmed(
    shop: Workshop,
    recipe: Recipe,
    parents: tuple[ParentPin, ...],
    made: Made,
    same: BuildRecord,
    *,
    asked: Lock | None,
) -> BuildRecord:
    """Return the record of an image that came out again, bound to the recipe and the parents that gave it now.

    Another test or another build parent can give the very same image; it is tested as the recipe says now. Where
    nothing changed, it keeps its lock, unless another one was asked for.
    """
    commit = standing(recipe)
    known = (same.recipe_digest, same.parents) == (recipe.digest, parents) and same.lock is not None
    known = known and asked in {None, same.lock}
    if known and same.commit == commit:
        return same
    took = same.lock if known else with_test(made.lock, check(shop, recipe, made, same.reference))
    tested = recipe.test is not None
    record = replace(same, recipe_digest=recipe.digest, parents=parents, tested=tested, lock=took, commit=commit)
    shop.book.save(record)
    return record


def with_test(lock: Lock | None, test: tuple[LockedDeb, ...]) -> Lock | None:
    """Return a lock with what the image's test variant was given beside.

    Args:
        lock: What the build took; None where nothing recorded it.
        test: What the test took.
    """
    return replace(lock, test=tuple(sorted({*test} - {*lock.debs}))) if lock else None


def check(shop: Workshop, recipe: Recipe, made: Made, reference: str) -> tuple[LockedDeb, ...]:
    """Run an image's own test, if it has one.

    Args:
        shop: The workshop.
        recipe: The recipe.
        made: The image.
        reference: The full name under which the test finds it.

    Returns:
        The .debs that its test variant was given.

    Raises:
        TestFailed: It did not succeed.
    """
    if recipe.test is None:
        return ()
    log = log_of(shop, recipe)
    outcome = run_test(shop, recipe, made.image, reference, log=log, order=made.order)
    if not outcome.ok:
        unload(shop, reference)
        said = " | ".join(line.strip() for line in outcome.log[-3:] if line.strip()) or "it said nothing"
        raise TestFailed(f"its test failed: {said}", where=reference, hint=f"read {log}")
    return outcome.debs


def pin_parents(shop: Workshop, recipe: Recipe, recipes: Collection[Recipe]) -> tuple[ParentPin, ...]:
    """Find what stands for each parent of a recipe now.

    Args:
        shop: The workshop.
        recipe: The recipe.
        recipes: The whole tree.

    Returns:
        The parents by digest, the final one first.

    Raises:
        InputError: One is neither built here nor in the store.
    """
    records = tuple(shop.book)
    return tuple(
        ParentPin(parent.reference, _digest_of(shop, recipe, parent, recipes, records), parent.role)
        for parent in recipe.parents
    )


def _digest_of(
    shop: Workshop, recipe: Recipe, parent: Parent, recipes: Collection[Recipe], records: tuple[BuildRecord, ...]
) -> str:
    record = resolve(parent, recipes, records)
    if record is not None and shop.store.load(record.digest) is not None:
        return record.digest
    kept = shop.store.resolve(parent.reference)
    if kept is not None:
        return kept.digest
    message = f"its parent {parent.reference} is not in the store"
    raise InputError(message, where=recipe.reference, hint="build it first, or give the directory of its recipe too")
