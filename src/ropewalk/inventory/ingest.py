"""Images into the inventory: each in one transaction, as often as one likes."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ropewalk.db import reading, writing
from ropewalk.debian import sort_key
from ropewalk.inventory.read import InstalledPackage, PackageReader
from ropewalk.inventory.tables import ImageRow, InstalledRow, LayerRow, PackageRow
from ropewalk.oci.model import Image
from ropewalk.oci.store import Store
from ropewalk.recipe.record import BuildRecord, RecordBook

_Key = tuple[str, str, str, str, str]
_BATCH = 500
"""Names asked for in one statement; SQLite takes some thousand values."""


def ingest(
    engine: Engine, image: Image, record: BuildRecord, packages: Sequence[InstalledPackage], codename: str
) -> None:
    """Take an image into the inventory, or replace what it says of the image.

    Args:
        engine: The database.
        image: The image.
        record: Its build record.
        packages: What `read_packages` found in it.
        codename: Its release (``bookworm``); empty where it has none.
    """
    with writing(engine) as session:
        _enter(session, image, record, packages, codename)


def ingest_image(engine: Engine, store: Store, record: BuildRecord, reader: PackageReader | None = None) -> bool:
    """Read an image of the store and take it into the inventory.

    Args:
        engine: The database.
        store: Where the image is.
        record: Its build record.
        reader: Reads layers of that store and remembers those of earlier images; a new one where it is None.

    Returns:
        False where the store lacks the image; nothing is done then.

    Raises:
        InputError: Its dpkg database is damaged.
    """
    image = store.load(record.digest)
    if image is None:
        return False
    reader = reader or PackageReader(store)
    ingest(engine, image, record, reader.packages(image, record.layers), reader.release(image)[1])
    return True


def rebuild(engine: Engine, store: Store, book: RecordBook) -> int:
    """Make the index anew from the store and the build records, in one transaction.

    Args:
        engine: The database.
        store: The images.
        book: Their records; images without one are not ours and left out.

    Returns:
        How many images it holds now.

    Raises:
        InputError: An image's dpkg database is damaged; the index stays as it was.
    """
    reader = PackageReader(store)
    with writing(engine) as session:
        for table in (InstalledRow, LayerRow, ImageRow, PackageRow):
            session.execute(delete(table))
        count = 0
        for record in book:
            image = store.load(record.digest)
            if image is None:
                continue
            _enter(session, image, record, reader.packages(image, record.layers), reader.release(image)[1])
            count += 1
    return count


def forget(engine: Engine, digests: Iterable[str]) -> None:
    """Take images out of the inventory, and packages that no image holds any more.

    Args:
        engine: The database.
        digests: Their manifest digests; unknown ones do no harm.
    """
    with writing(engine) as session:
        gone = session.scalars(select(ImageRow).where(ImageRow.digest.in_(tuple(digests)))).all()
        lines = {(row.repository, row.version) for row in gone}
        for row in gone:
            session.delete(row)
        session.flush()
        held = select(InstalledRow.package_id)
        session.execute(delete(PackageRow).where(PackageRow.id.not_in(held)))
        for repository, version in lines:
            _mark_current(session, repository, version)


def indexed(engine: Engine) -> frozenset[str]:
    """Return the digests of all images in the inventory."""
    with reading(engine) as session:
        return frozenset(session.scalars(select(ImageRow.digest)))


def _enter(
    session: Session, image: Image, record: BuildRecord, packages: Sequence[InstalledPackage], codename: str
) -> None:
    platform = str(image.platform)
    session.execute(delete(ImageRow).where(ImageRow.digest == image.digest, ImageRow.platform == platform))
    row = _image_row(image, record, codename)
    session.add(row)
    session.flush()
    ids = _package_ids(session, {_key(package): package for package in packages})
    installed = [
        {"image_id": row.id, "package_id": ids[_key(package)], "owner": package.owner, "diff_id": package.diff_id}
        for package in packages
    ]
    if installed:
        session.execute(insert(InstalledRow), installed)
    _mark_current(session, record.repository, record.version)


def _image_row(image: Image, record: BuildRecord, codename: str) -> ImageRow:
    layers = [
        LayerRow(
            position=position,
            diff_id=layer.diff_id,
            digest=layer.blob.digest,
            size=layer.blob.size,
            owner=owned.owner,
            kind=str(owned.kind),
        )
        for position, (layer, owned) in enumerate(zip(image.layers, record.layers, strict=True))
    ]
    return ImageRow(
        digest=image.digest,
        platform=str(image.platform),
        repository=record.repository,
        name=record.name,
        version=record.version,
        version_key=sort_key(record.version),
        build=record.build,
        reference=record.reference,
        generation=str(record.generation),
        codename=codename,
        view=record.view,
        how=str(record.how),
        size=image.size,
        made=record.made,
        current=False,
        layers=layers,
    )


def _mark_current(session: Session, repository: str, version: str) -> None:
    """Mark the newest build of a line, on each platform, and only that."""
    line = (ImageRow.repository == repository, ImageRow.version == version)
    rank = func.row_number().over(
        partition_by=ImageRow.platform, order_by=(ImageRow.build.desc(), ImageRow.made.desc(), ImageRow.id.desc())
    )
    ranked = select(ImageRow.id, rank.label("rank")).where(*line).subquery()
    newest = select(ranked.c.id).where(ranked.c.rank == 1)
    session.execute(update(ImageRow).where(*line).values(current=ImageRow.id.in_(newest)))


def _key(package: InstalledPackage | PackageRow) -> _Key:
    return (package.name, package.version, package.architecture, package.source, package.source_version)


def _package_ids(session: Session, wanted: dict[_Key, InstalledPackage]) -> dict[_Key, int]:
    """Find the rows of packages and add those that are new. The write lock is held: nobody else adds one meanwhile."""
    names = sorted({package.name for package in wanted.values()})
    found: dict[_Key, int] = {}
    for start in range(0, len(names), _BATCH):
        rows = session.scalars(select(PackageRow).where(PackageRow.name.in_(names[start : start + _BATCH])))
        found |= {_key(row): row.id for row in rows}
    new = [_package_row(package) for key, package in wanted.items() if key not in found]
    session.add_all(new)
    session.flush()
    return found | {_key(row): row.id for row in new}


def _package_row(package: InstalledPackage) -> PackageRow:
    return PackageRow(
        name=package.name,
        version=package.version,
        version_key=sort_key(package.version),
        architecture=package.architecture,
        source=package.source,
        source_version=package.source_version,
        source_version_key=sort_key(package.source_version),
    )
