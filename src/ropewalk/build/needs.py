"""What kept images need of views and pool: their .debs, the signed files that vouch for them, and their source packages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ropewalk.archive import ArchivePackage, IndexFile, SourceFile, SourcePackage, View, ViewBook
from ropewalk.archive.index import packages
from ropewalk.archive.sources import source_files
from ropewalk.inventory import InstalledPackage, PackageReader
from ropewalk.oci import Store
from ropewalk.recipe.lock import Lock
from ropewalk.recipe.record import BuildRecord, RecordBook


@dataclass(frozen=True, slots=True)
class Needs:
    """What must stay.

    Attributes:
        views: Who needs each view, by its id: references of images, or lines of lock files.
        debs: The sha256 of each .deb: those that builds were given, and those that images hold.
        sources: The files of each source package that images hold; none where no recorded index has it.
    """

    views: Mapping[str, tuple[str, ...]]
    debs: frozenset[str]
    sources: Mapping[SourcePackage, tuple[SourceFile, ...]]

    @property
    def files(self) -> frozenset[str]:
        """The sha256 of every file of the pool that must stay."""
        return self.debs | {file.sha256 for files in self.sources.values() for file in files}


def needs(
    store: Store, book: RecordBook, views: ViewBook, locks: Iterable[tuple[str, Lock]], *, sources: bool
) -> Needs:
    """Find out what kept images need.

    Args:
        store: The images.
        book: Their build records, and those of a registry's images that verified.
        views: The views.
        locks: Lock files of the tree, each with the line that it is for.
        sources: Source packages count too.

    Raises:
        InputError: A record, a view or an image's dpkg database is damaged.
    """
    records = [*book, *(attested.record for attested in book.attested())]
    held = [(record.reference, lock) for record in records if (lock := record.lock) is not None]
    given = [*locks, *held]
    by_view: dict[str, dict[str, None]] = {}
    for name, view in [*((r.reference, r.view) for r in records), *((name, lock.view) for name, lock in given)]:
        by_view.setdefault(view, {})[name] = None
    by_view.pop("", None)
    kept = [views.load(view_id) for view_id in views.ids() if view_id in by_view]
    installed = frozenset(_installed(store, records))
    debs = {sha256 for _, lock in given for sha256 in lock.allowed}
    wanted = {(one.name, one.version, one.architecture) for one in installed}
    debs |= {one.sha256 for one in _offered(views, kept) if (one.package, one.version, one.architecture) in wanted}
    names = {SourcePackage(one.source, one.source_version) for one in installed} if sources else set()
    return Needs(
        {view: tuple(sorted(who)) for view, who in sorted(by_view.items())},
        frozenset(debs),
        _sources(views, names),
    )


def _installed(store: Store, records: Iterable[BuildRecord]) -> Iterator[InstalledPackage]:
    reader = PackageReader(store)
    for record in records:
        image = store.load(record.digest)
        if image is not None:
            yield from reader.packages(image, record.layers)


def _once(indexes: Iterable[tuple[str, str, IndexFile]]) -> Iterator[tuple[str, str, IndexFile]]:
    """Pass on each index once: most views share most of them."""
    yield from {index.sha256: (suite, uri, index) for suite, uri, index in indexes}.values()


def _offered(views: ViewBook, kept: Iterable[View]) -> Iterator[ArchivePackage]:
    indexes = ((suite.suite, suite.uri, index) for view in kept for suite in view.suites for index in suite.indexes)
    for suite, uri, index in _once(indexes):
        yield from packages(views.rows(index), suite, uri)


def _sources(views: ViewBook, names: set[SourcePackage]) -> dict[SourcePackage, tuple[SourceFile, ...]]:
    """Find source packages in any view: one that was recorded later may still have what an older image holds."""
    found: dict[SourcePackage, tuple[SourceFile, ...]] = dict.fromkeys(sorted(names), ())
    indexes = ((suite.suite, suite.uri, index) for view in views for suite in view.suites for index in suite.sources)
    for _, uri, index in _once(indexes) if names else ():
        found.update(source_files(views.file(index.sha256), index.path, uri, names))
    return found
