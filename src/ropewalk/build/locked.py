"""What a build takes from the archive: what it was given is its lock, and a lock can be all that it is given."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ropewalk.archive import Pool, View, ViewBook
from ropewalk.build.failure import BuildFailed
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError, RopewalkError
from ropewalk.oci.store import Store
from ropewalk.recipe.lock import LOCK_FILE, LockedDeb
from ropewalk.recipe.lockfile import LockedParent, LockFile, LockRefused, lock_file, of_recipe
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, ParentPin


@contextmanager
def supplied(shop: Workshop, build: str, allowed: Collection[str] | None = None) -> Iterator[None]:
    """Let the archive proxy supply a build.

    Args:
        shop: The workshop.
        build: The build's word, as the proxy's address names it.
        allowed: The sha256 of each .deb that it may have, which must be in the pool; None lets it have all of its view.

    Yields:
        Nothing.

    Raises:
        RopewalkError: What went wrong at the archive, instead of the program that failed because of it.
    """
    try:
        with shop.proxy.limited(build, allowed):
            yield
    except BuildFailed as failed:
        for error in shop.proxy.take_errors(build)[:1]:
            raise error from failed
        raise
    finally:
        shop.proxy.take_errors(build)
        shop.proxy.take_used(build)


def taken(shop: Workshop, build: str) -> tuple[LockedDeb, ...]:
    """Return the .debs that a build was given, sorted; within `supplied`.

    Args:
        shop: The workshop.
        build: The build's word.
    """
    return tuple(LockedDeb(x.package, x.version, x.architecture, x.sha256) for x in shop.proxy.take_used(build))


@dataclass(frozen=True, slots=True)
class Locked:
    """A lock that archive and pool agree with.

    Attributes:
        file: The lock beside the recipe.
        view: Its view.
    """

    file: LockFile
    view: View


def read_locks(recipes: Iterable[Recipe], views: ViewBook, pool: Pool) -> dict[str, Locked | RopewalkError]:
    """Read the locks of recipes and hold them against the recorded indexes and the pool; nothing is fetched.

    Args:
        recipes: The recipes that are to be built.
        views: The recorded views.
        pool: The .debs that are here; each is checked again when it is used.

    Returns:
        For each line its lock, or why it cannot be built from.
    """
    found: dict[str, Locked | RopewalkError] = {}
    offers: dict[str, Mapping[LockedDeb, frozenset[str]]] = {}
    for recipe in recipes:
        try:
            file = of_recipe(recipe)
            where = str(recipe.directory / LOCK_FILE)
            view = _view(file, views, where)
            if view.id not in offers:
                offers[view.id] = _offers(view, views)
            _check(file, offers[view.id], pool, where)
            found[recipe.reference] = Locked(file, view)
        except RopewalkError as error:
            found[recipe.reference] = error
    return found


def _view(file: LockFile, views: ViewBook, where: str) -> View:
    if file.lock.view not in views.ids():
        hint = "copy views/ from the state directory that made it; `ropewalk archive list` shows what is here"
        raise LockRefused(f"its view {file.lock.view} is not here", where=where, hint=hint)
    return views.load(file.lock.view)


def _offers(view: View, views: ViewBook) -> Mapping[LockedDeb, frozenset[str]]:
    """Return what a view offers: package, version and architecture (without a hash) -> the hashes of its .debs."""
    found: dict[LockedDeb, frozenset[str]] = {}
    for one in views.packages(view):
        key = LockedDeb(one.package, one.version, one.architecture, "")
        found[key] = found.get(key, frozenset()) | {one.sha256}
    return found


def _check(file: LockFile, offers: Mapping[LockedDeb, frozenset[str]], pool: Pool, where: str) -> None:
    view = file.lock.view
    for deb in (*file.lock.debs, *file.lock.test):
        hashes = offers.get(LockedDeb(deb.name, deb.version, deb.architecture, ""), frozenset())
        if not hashes:
            raise LockRefused(f"names {deb}, which view {view} does not have", where=where, hint="write it anew")
        if deb.sha256 not in hashes:
            message = f"names {deb} with sha256 {deb.sha256}, view {view} has {min(hashes)}"
            raise LockRefused(message, where=where, hint="find out who changed it, then write it anew: `ropewalk lock`")
        if not pool.path(deb.sha256).is_file():
            message = f"names {deb} with sha256 {deb.sha256}, which is not in the pool"
            hint = f"a locked build fetches nothing: build once with --view {view}, or copy the pool from where it is"
            raise LockRefused(message, where=where, hint=hint)


def file_of(store: Store, record: BuildRecord) -> LockFile:
    """Return the lock file of an image in the store.

    Args:
        store: Where its parents are.
        record: Its build record.

    Raises:
        LockRefused: Nothing recorded what its build took.
    """
    images = {pin.digest: store.load(pin.digest) for pin in record.parents}
    return lock_file(
        record, {digest: tuple(x.diff_id for x in image.layers) for digest, image in images.items() if image}
    )


def locked_parents(store: Store, recipe: Recipe, file: LockFile, now: Iterable[ParentPin]) -> tuple[ParentPin, ...]:
    """Find the parents that a lock names.

    Args:
        store: Where they must be.
        recipe: The recipe.
        file: Its lock.
        now: What stands for each parent now.

    Returns:
        Each parent by its digest; where another machine made it, by that of the image here that has the same layers.

    Raises:
        InputError: One is not here.
    """
    present = {(pin.reference, pin.role): pin.digest for pin in now}
    return tuple(
        ParentPin(
            parent.reference,
            _digest_of(store, recipe, parent, present.get((parent.reference, parent.role))),
            parent.role,
        )
        for parent in file.parents
    )


def _digest_of(store: Store, recipe: Recipe, parent: LockedParent, now: str | None) -> str:
    if store.load(parent.digest) is not None:
        return parent.digest
    image = store.load(now) if now else None
    if now and image and parent.layers and tuple(layer.diff_id for layer in image.layers) == parent.layers:
        return now
    message = f"its lock was made on {parent.reference} as {parent.digest}, and what is here has other layers"
    hint = "build the parent from its own lock first, or fetch it from the registry"
    raise InputError(message, where=recipe.reference, hint=hint)
