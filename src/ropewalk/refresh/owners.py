"""Which packages of its own layers an image has that the archive has newer: then it is rebuilt, not rebased."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ropewalk.archive import View, ViewBook, origin
from ropewalk.debian import sort_key
from ropewalk.inventory import InstalledPackage, Origins, PackageReader, candidate, origins, read_release
from ropewalk.inventory.upgrades import Offer
from ropewalk.oci.store import Store
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord


@dataclass(frozen=True, slots=True)
class Newer:
    """A package that the archive has newer.

    Attributes:
        package: The package.
        installed: Its version in the image.
        candidate: The version that apt would install.
    """

    package: str
    installed: str
    candidate: str

    def __str__(self) -> str:
        """Return one phrase for people."""
        return f"{self.package} {self.installed} -> {self.candidate}"


@dataclass(frozen=True, slots=True)
class _Owned:
    """The packages that a line's own layers brought in, and the suites (by origin) that they may be upgraded from."""

    packages: tuple[InstalledPackage, ...]
    suites: frozenset[str]


def newer_packages(
    view: View, views: ViewBook, store: Store, current: Sequence[tuple[Recipe, BuildRecord]]
) -> dict[str, tuple[Newer, ...]]:
    """Find, for all lines at once, what the archive has newer than their own layers.

    Args:
        view: The archive view.
        views: Reads its packages.
        store: Where the images are.
        current: Recipes with the records of their current images. One that was made on this very view has nothing newer.

    Returns:
        Line -> its own packages that are newer in the view, by name; lines without any are left out.
    """
    reader = PackageReader(store)
    came = origins(views.beside(record.view for _, record in current))
    owned = {
        recipe.reference: _owned(store, reader, (recipe, record), view, came)
        for recipe, record in current
        if record.view != view.id
    }
    wanted = {package.name for one in owned.values() for package in one.packages}
    offers = _offers(views, view, wanted)
    found = {line: _newer(one, offers, view.architecture) for line, one in owned.items()}
    return {line: newer for line, newer in found.items() if newer}


def _owned(store: Store, reader: PackageReader, line: tuple[Recipe, BuildRecord], view: View, came: Origins) -> _Owned:
    recipe, record = line
    image = store.load(record.digest)
    if image is None:
        return _Owned((), frozenset())
    installed = reader.packages(image, record.layers)
    own = tuple(package for package in installed if package.owner == recipe.path)
    held = {origin(suite.uri, suite.suite) for suite in view.suites}
    beside = {name for one in installed for name in came.get((one.name, one.version, one.architecture), ())}
    if recipe.base is not None:
        return _Owned(own, (frozenset(recipe.base.suites) | beside) & held)
    codename = read_release(store, image)[1] if own else ""
    fitting = {suite for suite in held if codename and (suite == codename or suite.startswith(f"{codename}-"))}
    return _Owned(own, frozenset(fitting | (beside & held)))


def _offers(views: ViewBook, view: View, wanted: Collection[str]) -> dict[str, list[Offer]]:
    offers: dict[str, list[Offer]] = {}
    for one in views.packages(view) if wanted else ():
        if one.package in wanted:
            offer = Offer(one.version, sort_key(one.version), one.architecture, one.origin)
            offers.setdefault(one.package, []).append(offer)
    return offers


def _newer(owned: _Owned, offers: Mapping[str, Sequence[Offer]], native: str) -> tuple[Newer, ...]:
    found = []
    for package in owned.packages:
        wanted = {native, "all"} if package.architecture in {native, "all"} else {package.architecture}
        fitting = [o for o in offers.get(package.name, ()) if o.architecture in wanted and o.suite in owned.suites]
        best = candidate(sort_key(package.version), fitting)
        if best is not None:
            found.append(Newer(package.name, package.version, best.version))
    return tuple(found)
