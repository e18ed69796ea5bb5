"""Which packages an image has that the archive has newer: where its own layers brought one in, it is rebuilt, not rebased."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ropewalk.archive import View, ViewBook, origin
from ropewalk.debian import sort_key
from ropewalk.inventory import InstalledPackage, Origins, PackageReader, candidate, origins
from ropewalk.inventory.upgrades import Offer
from ropewalk.oci.store import Store
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord

Wanted = Callable[[InstalledPackage, str], bool]
"""Says whether a package of an image, whose release has this codename, is of interest."""


@dataclass(frozen=True, slots=True)
class Newer:
    """A package of an image, and what the archive has newer.

    Attributes:
        package: The package.
        installed: Its version in the image.
        candidate: The version that apt would install; empty where it stays.
        source: Its source package.
        source_installed: The source package's version in the image.
        source_candidate: Likewise of the candidate.
        owner: The line whose own layer brought it in.
        codename: The image's release.
        security: The candidate, or another version that is newer than the installed one, is in a security suite.
    """

    package: str
    installed: str
    candidate: str
    source: str = ""
    source_installed: str = ""
    source_candidate: str = ""
    owner: str = ""
    codename: str = ""
    security: bool = False

    def __str__(self) -> str:
        """Return one phrase for people."""
        return f"{self.package} {self.installed} -> {self.candidate}"


@dataclass(frozen=True, slots=True)
class _Held:
    """Packages of a line's image, its release, and the suites (by origin) that they may be upgraded from."""

    packages: tuple[InstalledPackage, ...]
    codename: str
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
    held = {
        recipe.reference: _held(store, reader, (recipe, record), view, came)
        for recipe, record in current
        if record.view != view.id
    }
    found = {line: tuple(one for one in every if one.candidate) for line, every in _compared(views, view, held).items()}
    return {line: newer for line, newer in found.items() if newer}


def held_packages(
    view: View, views: ViewBook, store: Store, current: Sequence[tuple[Recipe, BuildRecord]], wanted: Wanted
) -> dict[str, tuple[Newer, ...]]:
    """Find, for all lines at once, packages of interest, whoever's layer brought them in, and what the archive has newer.

    Args:
        view: The archive view.
        views: Reads its packages.
        store: Where the images are.
        current: Recipes with the records of their current images.
        wanted: Which packages are of interest.

    Returns:
        Line -> its packages of interest, by name; their candidate is empty where the view has nothing newer.
    """
    reader = PackageReader(store)
    came = origins(views.beside(record.view for _, record in current))
    held = {line[0].reference: _held(store, reader, line, view, came, wanted=wanted) for line in current}
    return {line: every for line, every in _compared(views, view, held).items() if every}


def _held(
    store: Store,
    reader: PackageReader,
    line: tuple[Recipe, BuildRecord],
    view: View,
    came: Origins,
    *,
    wanted: Wanted | None = None,
) -> _Held:
    """Read a line's packages of interest; its own ones where nothing says which."""
    recipe, record = line
    image = store.load(record.digest)
    if image is None:
        return _Held((), "", frozenset())
    installed = reader.packages(image, record.layers)
    codename = reader.release(image)[1]
    chosen = tuple(one for one in installed if (wanted(one, codename) if wanted else one.owner == recipe.path))
    held = {origin(suite.uri, suite.suite) for suite in view.suites}
    beside = {name for one in installed for name in came.get((one.name, one.version, one.architecture), ())}
    if recipe.base is not None:
        return _Held(chosen, codename, (frozenset(recipe.base.suites) | beside) & held)
    fitting = {suite for suite in held if codename and (suite == codename or suite.startswith(f"{codename}-"))}
    return _Held(chosen, codename, frozenset(fitting | (beside & held)))


def _compared(views: ViewBook, view: View, held: Mapping[str, _Held]) -> dict[str, tuple[Newer, ...]]:
    offers = _offers(views, view, {package.name for one in held.values() for package in one.packages})
    return {line: _newer(one, offers, view.architecture) for line, one in held.items()}


def _offers(views: ViewBook, view: View, wanted: Collection[str]) -> dict[str, list[Offer]]:
    offers: dict[str, list[Offer]] = {}
    for one in views.packages(view) if wanted else ():
        if one.package in wanted:
            offer = Offer(one.version, sort_key(one.version), one.architecture, one.origin, one.source_version)
            offers.setdefault(one.package, []).append(offer)
    return offers


def _newer(held: _Held, offers: Mapping[str, Sequence[Offer]], native: str) -> tuple[Newer, ...]:
    found = []
    for package in held.packages:
        wanted = {native, "all"} if package.architecture in {native, "all"} else {package.architecture}
        fitting = [o for o in offers.get(package.name, ()) if o.architecture in wanted and o.suite in held.suites]
        best = candidate(sort_key(package.version), fitting)
        found.append(
            Newer(
                package.name,
                package.version,
                best.version if best else "",
                source=package.source,
                source_installed=package.source_version,
                source_candidate=best.source_version if best else "",
                owner=package.owner,
                codename=held.codename,
                security=best is not None and _is_security(package, fitting),
            )
        )
    return tuple(found)


def _is_security(package: InstalledPackage, offers: Iterable[Offer]) -> bool:
    key = sort_key(package.version)
    return any(offer.security and offer.key > key for offer in offers)
