"""Questions to the inventory: images, packages of one, who holds a package at certain versions."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from ropewalk.db import reading
from ropewalk.debian import sort_key
from ropewalk.errors import InputError
from ropewalk.inventory.read import InstalledPackage
from ropewalk.inventory.tables import ImageRow, InstalledRow, PackageRow

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
    ">": operator.gt,
}
_RELATION = re.compile(
    r"\s*(?P<source>src:)?(?P<name>[a-z0-9][a-z0-9+.-]+)\s*(?:(?P<sign><<|<=|>=|>>|<|=|>)\s*(?P<version>\S+))?\s*"
)


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A layer in an image.

    Attributes:
        diff_id: The digest of its tar.
        digest: The digest of its blob.
        size: The blob's bytes.
        owner: The name of the line that brought it in.
    """

    diff_id: str
    digest: str
    size: int
    owner: str


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """An image of the inventory.

    Attributes:
        name: The line's name.
        version: The line's version.
        reference: ``registry/name:tag``, ``-rN`` included.
        digest: The manifest's digest.
        platform: ``os/architecture``.
        generation: Base, production or service.
        codename: Its release; empty where it has none.
        view: The archive view it was made from.
        size: Bytes that a client fetches.
        current: It is its line's newest build.
        layers: Its layers, the lowest first.
    """

    name: str
    version: str
    reference: str
    digest: str
    platform: str
    generation: str
    codename: str
    view: str
    size: int
    current: bool
    layers: tuple[ImageLayer, ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """A package of interest in an image.

    Attributes:
        reference: The image.
        digest: Its digest.
        generation: Its generation.
        current: It is its line's newest build.
        package: The binary package.
        version: Its version there.
        architecture: Its architecture.
        source: Its source package.
        owner: The line whose layer brought it in.
    """

    reference: str
    digest: str
    generation: str
    current: bool
    package: str
    version: str
    architecture: str
    source: str
    owner: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the inventory holds.

    Attributes:
        images: Images.
        packages: Different packages (name, version, architecture) in them.
        installed: Packages, each counted in every image.
    """

    images: int
    packages: int
    installed: int


def images(engine: Engine, *, current: bool = False) -> tuple[IndexedImage, ...]:
    """List the images, by line and build.

    Args:
        engine: The database.
        current: Only each line's newest build.
    """
    asked = select(ImageRow).options(selectinload(ImageRow.layers))
    asked = asked.order_by(ImageRow.repository, ImageRow.version_key, ImageRow.build, ImageRow.made, ImageRow.platform)
    with reading(engine) as session:
        rows = session.scalars(asked.where(ImageRow.current) if current else asked).all()
        return tuple(_indexed(row) for row in rows)


def _indexed(row: ImageRow) -> IndexedImage:
    return IndexedImage(
        name=row.name,
        version=row.version,
        reference=row.reference,
        digest=row.digest,
        platform=row.platform,
        generation=row.generation,
        codename=row.codename,
        view=row.view,
        size=row.size,
        current=row.current,
        layers=tuple(ImageLayer(one.diff_id, one.digest, one.size, one.owner) for one in row.layers),
    )


def packages(engine: Engine, digest: str) -> tuple[InstalledPackage, ...]:
    """List the packages of an image by name and architecture; none where the image is not in the inventory.

    Args:
        engine: The database.
        digest: The image's manifest digest.
    """
    asked = (
        select(PackageRow, InstalledRow.owner, InstalledRow.diff_id)
        .join(InstalledRow, InstalledRow.package_id == PackageRow.id)
        .join(ImageRow, ImageRow.id == InstalledRow.image_id)
        .where(ImageRow.digest == digest)
        .order_by(PackageRow.name, PackageRow.architecture, PackageRow.version_key)
    )
    with reading(engine) as session:
        return tuple(
            InstalledPackage(p.name, p.version, p.source, p.source_version, p.architecture, owner, diff_id)
            for p, owner, diff_id in session.execute(asked)
        )


def affected(engine: Engine, relation: str) -> tuple[Affected, ...]:
    """List where a package stands at certain versions, as dpkg compares them.

    Args:
        engine: The database.
        relation: ``libssl3 < 3.0.17-1`` (or <=, =, >=, >), a name alone for any version, ``src:openssl < ...`` for all
            packages of a source package by the source's version.

    Returns:
        Every hit, older builds too, by image and package.

    Raises:
        InputError: The relation is none.
    """
    asked = (
        select(ImageRow, PackageRow, InstalledRow.owner)
        .join(InstalledRow, InstalledRow.image_id == ImageRow.id)
        .join(PackageRow, PackageRow.id == InstalledRow.package_id)
        .where(*_conditions(relation))
        .order_by(ImageRow.repository, ImageRow.version_key, ImageRow.build, ImageRow.made, PackageRow.name)
    )
    with reading(engine) as session:
        return tuple(_hit(image, package, owner) for image, package, owner in session.execute(asked))


def _conditions(relation: str) -> Sequence[ColumnElement[bool]]:
    match = _RELATION.fullmatch(relation)
    if match is None:
        hint = "write a package, an operator and a version: 'libssl3 < 3.0.17-1'; operators are < <= = >= >"
        raise InputError("is no relation", where=repr(relation), hint=hint)
    name: InstrumentedAttribute[str] = PackageRow.source if match["source"] else PackageRow.name
    key: InstrumentedAttribute[str] = PackageRow.source_version_key if match["source"] else PackageRow.version_key
    named = name == match["name"]
    if match["sign"] is None:
        return (named,)
    return (named, _OPERATORS[match["sign"]](key, sort_key(match["version"])))


def _hit(image: ImageRow, package: PackageRow, owner: str) -> Affected:
    return Affected(
        reference=image.reference,
        digest=image.digest,
        generation=image.generation,
        current=image.current,
        package=package.name,
        version=package.version,
        architecture=package.architecture,
        source=package.source,
        owner=owner,
    )


def counts(engine: Engine, *, current: bool = False) -> Counts:
    """Count images and packages.

    Args:
        engine: The database.
        current: Only in each line's newest build.
    """
    chosen = select(ImageRow.id).where(ImageRow.current) if current else select(ImageRow.id)
    held = InstalledRow.image_id.in_(chosen)
    with reading(engine) as session:
        return Counts(
            images=session.scalar(select(func.count()).select_from(chosen.subquery())) or 0,
            packages=session.scalar(select(func.count(InstalledRow.package_id.distinct())).where(held)) or 0,
            installed=session.scalar(select(func.count()).select_from(InstalledRow).where(held)) or 0,
        )
