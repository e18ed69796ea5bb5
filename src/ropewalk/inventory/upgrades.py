"""What apt would upgrade in the images, worked out from the archive's indexes for all of them at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, select

from ropewalk.archive import ArchivePackage
from ropewalk.db import reading
from ropewalk.debian import sort_key
from ropewalk.inventory.tables import ImageRow, InstalledRow, PackageRow

Origins = Mapping[tuple[str, str, str], Collection[str]]
"""Which archives offer a package, by its name, version and architecture."""

_ARCHITECTURES = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}
"""GOARCH to Debian's word, where they differ."""

_PLAIN = 500
_INSTALLED = 100
"""apt_preferences(5): an installed version, and one of a suite that is NotAutomatic with ButAutomaticUpgrades."""
_NEVER = 1
"""A suite that is NotAutomatic only."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A package of an image for which the archive has a newer version.

    Attributes:
        reference: The image.
        digest: Its manifest digest.
        package: The package.
        architecture: Its architecture in the image.
        installed: Its version there.
        candidate: The version that apt would install.
        source: The package's source package.
        owner: The line whose layer brought the installed version in.
        security: The candidate, or another version that is newer than the installed one, is in a security suite.
    """

    reference: str
    digest: str
    package: str
    architecture: str
    installed: str
    candidate: str
    source: str
    owner: str
    security: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A version that a suite offers.

    Attributes:
        version: The version.
        key: Its sort key.
        architecture: Its architecture; may be ``all``.
        suite: The suite, by its `ArchivePackage.origin`.
        source_version: The version of its source package.
    """

    version: str
    key: str
    architecture: str
    suite: str
    source_version: str

    @property
    def priority(self) -> int:
        """What apt gives the suite without preferences of the administrator."""
        if "-backports" in self.suite:
            return _INSTALLED
        return _NEVER if self.suite in {"experimental", "rc-buggy"} else _PLAIN

    @property
    def security(self) -> bool:
        """It comes from a security suite."""
        return self.suite.endswith("-security")


@dataclass(frozen=True, slots=True)
class _Held:
    """A package in an image, as the database says it."""

    reference: str
    digest: str
    codename: str
    platform: str
    package: str
    architecture: str
    version: str
    key: str
    source: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Newer:
    candidate: str
    security: bool


def upgrades(
    engine: Engine,
    archive_packages: Iterable[ArchivePackage],
    digests: Collection[str] | None = None,
    beside: Iterable[ArchivePackage] = (),
) -> tuple[Upgrade, ...]:
    """List what ``apt list --upgradable`` would say in each image with the sources of its release.

    Args:
        engine: The inventory.
        archive_packages: All packages of a view; an image's suites are those of Debian's that begin with its codename,
            and those of other archives that it has a package from.
        digests: Only these images; None takes each line's newest build.
        beside: What archives beside Debian's offered when the images were built.

    Returns:
        One row a package and image, by image and package.
    """
    with reading(engine) as session:
        held = [_Held(*row) for row in session.execute(_question(digests))]
    offers = _offers(archive_packages, {one.package for one in held})
    others = _others(held, origins(beside))
    answers: dict[tuple[object, ...], _Newer | None] = {}
    found = []
    for one in held:
        mine = others.get(one.digest, frozenset())
        asked = (one.codename, one.platform, one.package, one.architecture, one.version, mine)
        if asked not in answers:
            answers[asked] = _newer(one, offers.get(one.package, ()), mine)
        newer = answers[asked]
        if newer is not None:
            found.append(_upgrade(one, newer))
    return tuple(found)


def origins(packages: Iterable[ArchivePackage]) -> Origins:
    """Say which archives offer each package, by name, version and architecture.

    Args:
        packages: What they offer.
    """
    found: dict[tuple[str, str, str], set[str]] = {}
    for one in packages:
        found.setdefault(one.identity, set()).add(one.origin)
    return found


def _others(held: Iterable[_Held], came: Origins) -> dict[str, frozenset[str]]:
    """Say which archives beside Debian's each image has packages from."""
    found: dict[str, set[str]] = {}
    for one in held if came else ():
        for name in came.get((one.package, one.version, one.architecture), ()):
            found.setdefault(one.digest, set()).add(name)
    return {digest: frozenset(names) for digest, names in found.items()}


def _question(digests: Collection[str] | None) -> Select[*tuple[Any, ...]]:
    columns = (
        ImageRow.reference,
        ImageRow.digest,
        ImageRow.codename,
        ImageRow.platform,
        PackageRow.name,
        PackageRow.architecture,
        PackageRow.version,
        PackageRow.version_key,
        PackageRow.source,
        InstalledRow.owner,
    )
    return (
        select(*columns)
        .join(InstalledRow, InstalledRow.image_id == ImageRow.id)
        .join(PackageRow, PackageRow.id == InstalledRow.package_id)
        .where(ImageRow.current if digests is None else ImageRow.digest.in_(tuple(digests)))
        .order_by(ImageRow.repository, ImageRow.version_key, ImageRow.build, ImageRow.made, PackageRow.name)
        .order_by(PackageRow.architecture)
    )


def _offers(archive_packages: Iterable[ArchivePackage], names: Collection[str]) -> dict[str, list[Offer]]:
    offers: dict[str, list[Offer]] = {}
    for one in archive_packages:
        if one.package in names:
            offer = Offer(one.version, sort_key(one.version), one.architecture, one.origin, one.source_version)
            offers.setdefault(one.package, []).append(offer)
    return offers


def _newer(held: _Held, offers: Sequence[Offer], others: Collection[str]) -> _Newer | None:
    wanted = _architectures(held.architecture, held.platform)
    suites = (held.codename, f"{held.codename}-")
    fitting = [
        o
        for o in offers
        if o.architecture in wanted and (o.suite == suites[0] or o.suite.startswith(suites[1]) or o.suite in others)
    ]
    best = candidate(held.key, fitting)
    if best is None or not held.codename:
        return None
    return _Newer(best.version, any(offer.security and offer.key > held.key for offer in fitting))


def _architectures(architecture: str, platform: str) -> frozenset[str]:
    """Return the architectures that a package may come in next: between ``all`` and the image's own it may change."""
    goarch = platform.partition("/")[2]
    native = _ARCHITECTURES.get(goarch, goarch)
    return frozenset({native, "all"}) if architecture in {native, "all"} else frozenset({architecture})


def candidate(installed: str, offers: Iterable[Offer]) -> Offer | None:
    """Choose as apt does: the highest priority, then the newest version; never an older one than the installed.

    Args:
        installed: Sort key of the installed version, which has priority 100 itself.
        offers: The versions of the package that its sources offer.

    Returns:
        What apt would install; None where the installed version stays.
    """
    allowed = [offer for offer in offers if offer.key >= installed and offer.priority >= _INSTALLED]
    best = max(allowed, key=lambda offer: (offer.priority, offer.key), default=None)
    return best if best is not None and best.key > installed else None


def _upgrade(held: _Held, newer: _Newer) -> Upgrade:
    return Upgrade(
        reference=held.reference,
        digest=held.digest,
        package=held.package,
        architecture=held.architecture,
        installed=held.version,
        candidate=newer.candidate,
        source=held.source,
        owner=held.owner,
        security=newer.security,
    )
