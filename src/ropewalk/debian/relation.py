"""Relations between packages, and whether a set of installed packages fulfils them (Debian Policy 7; deb-control(5)).

Simplified: an image has one architecture, so a qualifier ``:any`` or ``:native`` always fits, ``:ARCH`` fits a package of
that architecture and ``all``, and ``Multi-Arch`` is not looked at. Restriction lists (``[...]``, ``<...>``) stand in source
packages only and are not read.
"""

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ropewalk.debian.version import compare
from ropewalk.errors import InputError

_RELATION = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<arch>[A-Za-z0-9-]+))?\s*"
    r"(?:\(\s*(?P<operator><<|<=|>=|>>|=|<|>)\s*(?P<version>[^\s()<>=]+)\s*\))?\s*"
)
_SOURCE = re.compile(r"(?P<name>\S+)\s*(?:\((?P<version>[^)\s]+)\))?")
_OLD_OPERATORS = {"<": "<=", ">": ">="}
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
}
_ANY_ARCHITECTURE = {"", "any", "native"}


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that another names.

    Attributes:
        name: The package, real or virtual.
        arch_qualifier: What follows the colon; empty where none is written.
        operator: ``<<``, ``<=``, ``=``, ``>=`` or ``>>``; empty where no version is written.
        version: The version to compare with; empty likewise.
    """

    name: str
    arch_qualifier: str = ""
    operator: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Tell whether a version fulfils the comparison; true where none is written."""
        return not self.operator or _COMPARISONS[self.operator](compare(version, self.version), 0)

    def __str__(self) -> str:
        """Return the relation as a control file writes it."""
        name = f"{self.name}:{self.arch_qualifier}" if self.arch_qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name


Alternatives = tuple[Relation, ...]
"""Relations of which one is enough (``a | b``)."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package as its paragraph says.

    Attributes:
        name: The package.
        version: Its version.
        architecture: Its architecture; may be ``all``.
        source: Its source package.
        source_version: The source package's version.
        depends: ``Depends``: each of these, of which one alternative each.
        pre_depends: ``Pre-Depends``.
        conflicts: ``Conflicts``.
        breaks: ``Breaks``.
        provides: ``Provides``.
        essential: ``Essential: yes``.
        stanza: The whole paragraph as written.
    """

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    depends: tuple[Alternatives, ...] = ()
    pre_depends: tuple[Alternatives, ...] = ()
    conflicts: tuple[Alternatives, ...] = ()
    breaks: tuple[Alternatives, ...] = ()
    provides: tuple[Alternatives, ...] = ()
    essential: bool = False
    stanza: str = ""


def parse_relation(text: str) -> Relation:
    """Read one relation, such as ``libc6:any (>= 2.36)``; the old ``<`` and ``>`` mean ``<=`` and ``>=``.

    Raises:
        InputError: It is none.
    """
    match = _RELATION.fullmatch(text)
    if match is None:
        hint = "write it as in a control file: name, or name (>= version)"
        raise InputError("is no package relation", where=repr(text.strip()), hint=hint)
    sign = match["operator"] or ""
    return Relation(match["name"], match["arch"] or "", _OLD_OPERATORS.get(sign, sign), match["version"] or "")


def parse_relations(text: str) -> tuple[Alternatives, ...]:
    """Read a relationship field such as ``Depends``.

    Args:
        text: The field's value.

    Returns:
        All of these must hold; each holds when one of its alternatives does.

    Raises:
        InputError: A part of it is no relation.
    """
    clauses = (clause for clause in text.split(",") if clause.strip())
    return tuple(tuple(parse_relation(one) for one in clause.split("|")) for clause in clauses)


def source_of(package: str, version: str, field: str) -> tuple[str, str]:
    """Return name and version of a binary package's source package.

    Args:
        package: The binary package.
        version: Its version.
        field: The value of ``Source``: ``name`` or ``name (version)``; empty where it is not written.
    """
    match = _SOURCE.match(field)
    return (match["name"], match["version"] or version) if match else (package, version)


def package_of(fields: Mapping[str, str], stanza: str = "") -> Package:
    """Make a package of a paragraph.

    Args:
        fields: The paragraph's fields.
        stanza: The paragraph as written.

    Raises:
        InputError: It names no package or version, or a relation is none.
    """
    name, version = fields.get("Package", ""), fields.get("Version", "")
    if not name or not version:
        raise InputError("has no Package or no Version", where=name or "a paragraph", hint="the file is damaged")
    source, source_version = source_of(name, version, fields.get("Source", ""))
    return Package(
        name=name,
        version=version,
        architecture=fields.get("Architecture", ""),
        source=source,
        source_version=source_version,
        depends=parse_relations(fields.get("Depends", "")),
        pre_depends=parse_relations(fields.get("Pre-Depends", "")),
        conflicts=parse_relations(fields.get("Conflicts", "")),
        breaks=parse_relations(fields.get("Breaks", "")),
        provides=parse_relations(fields.get("Provides", "")),
        essential=fields.get("Essential", "") == "yes",
        stanza=stanza,
    )


@dataclass(frozen=True, slots=True)
class _Offer:
    """A name that an installed package answers to: its own, or one that it provides."""

    package: Package
    version: str

    def fits(self, relation: Relation) -> bool:
        """Tell whether this fulfils a relation; a virtual package without version fits no versioned one."""
        qualifier = relation.arch_qualifier
        if qualifier not in _ANY_ARCHITECTURE and self.package.architecture not in {qualifier, "all"}:
            return False
        return relation.allows(self.version) if self.version else not relation.operator


def _offers(packages: Iterable[Package]) -> Mapping[str, list[_Offer]]:
    offers: dict[str, list[_Offer]] = defaultdict(list)
    for package in packages:
        offers[package.name].append(_Offer(package, package.version))
        for provided in (one for clause in package.provides for one in clause):
            offers[provided.name].append(_Offer(package, provided.version))
    return offers


def _missing(package: Package, offers: Mapping[str, list[_Offer]]) -> Iterator[str]:
    for field, clauses in (("Pre-Depends", package.pre_depends), ("Depends", package.depends)):
        for clause in clauses:
            near = [offer for one in clause for offer in offers.get(one.name, ())]
            if any(offer.fits(one) for one in clause for offer in offers.get(one.name, ())):
                continue
            found = ", ".join(f"{offer.package.name} {offer.package.version}" for offer in near)
            wanted = " | ".join(map(str, clause))
            yield f"{package.name} {package.version}: {field}: {wanted}: {f'{found} is' if found else 'not'} installed"


def _clashes(package: Package, offers: Mapping[str, list[_Offer]]) -> Iterator[str]:
    for field, clauses in (("Conflicts", package.conflicts), ("Breaks", package.breaks)):
        for one in (relation for clause in clauses for relation in clause):
            for offer in offers.get(one.name, ()):
                if offer.package.name != package.name and offer.fits(one):
                    other = f"{offer.package.name} {offer.package.version}"
                    yield f"{package.name} {package.version}: {field}: {one}: {other} is installed"


def unmet(packages: Iterable[Package]) -> tuple[str, ...]:
    """Say which relations a set of installed packages does not fulfil.

    Args:
        packages: Installed packages.

    Returns:
        One line for each unmet ``Pre-Depends`` or ``Depends`` and each violated ``Conflicts`` or ``Breaks``, sorted; empty
        when dpkg would be content.
    """
    installed = tuple(packages)
    offers = _offers(installed)
    lines = {line for one in installed for check in (_missing, _clashes) for line in check(one, offers)}
    return tuple(sorted(lines))
