"""An archive's Packages index: read once, kept as a compact table that loads in a moment."""

import gzip
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ropewalk.archive.upstream import DEBIAN, SECURITY
from ropewalk.debian import source_of
from ropewalk.errors import InputError

HEADER = "ropewalk packages 1\n"
"""First line of a table; another one means that it is made anew."""

_FIELD = re.compile(r"^(Package|Version|Source|Architecture|Filename|Size|SHA256): (.*)$", re.MULTILINE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ArchivePackage:
    """A package that an archive offers.

    Attributes:
        package: Its name.
        version: Its version.
        source: Its source package.
        source_version: The source package's version.
        architecture: Its architecture; may be ``all``.
        filename: The .deb, relative to ``uri``.
        size: The .deb's size in bytes.
        sha256: The .deb's checksum.
        suite: The suite that offers it, as the view names it.
        uri: The archive's public address.
    """

    package: str
    version: str
    source: str
    source_version: str
    architecture: str
    filename: str
    size: int
    sha256: str
    suite: str
    uri: str

    @property
    def origin(self) -> str:
        """Where it comes from: a suite of Debian's by its name alone, another with its archive's address."""
        return origin(self.uri, self.suite)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Name, version and architecture: what an image says of an installed package."""
        return self.package, self.version, self.architecture


def origin(uri: str, suite: str) -> str:
    """Name a suite so that archives do not mix: any archive may have a suite ``bookworm``.

    Args:
        uri: Its archive's public address.
        suite: The suite.
    """
    return suite if uri in {DEBIAN, SECURITY} else f"{uri} {suite}"


def _rows(text: str, where: str) -> Iterator[str]:
    """Turn paragraphs into rows; a field that is written in each paragraph (Package) starts the next row."""
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(text):
        if name == "Package" and found:
            yield _row(found, where)
            found = {}
        found[name] = value
    if found:
        yield _row(found, where)


def _row(found: dict[str, str], where: str) -> str:
    try:
        package, version, filename = found["Package"], found["Version"], found["Filename"]
        architecture, size, sha256 = found["Architecture"], found["Size"], found["SHA256"]
    except KeyError as error:
        message = f"a package ({found.get('Package', 'without a name')}) has no {error.args[0]}"
        raise InputError(message, where=where, hint="the archive is broken; tell its keepers") from None
    if not size.isdecimal() or _SHA256.fullmatch(sha256) is None:
        message = f"{package} has a size or a SHA256 that is none"
        raise InputError(message, where=where, hint="the archive is broken; tell its keepers")
    source, source_version = source_of(package, version, found.get("Source", ""))
    columns = filename, sha256, size, package, version, source, source_version, architecture
    return "\t".join(columns)


def unpacked(index: bytes, path: str) -> bytes:
    """Unpack an index.

    Args:
        index: Its content.
        path: Its name, whose end says how it is packed.
    """
    if path.endswith(".xz"):
        return lzma.decompress(index)
    return gzip.decompress(index) if path.endswith(".gz") else index


def table(index: bytes, where: str) -> str:
    """Make the table of an index.

    Args:
        index: ``Packages.xz``, ``Packages.gz`` or ``Packages``.
        where: What it is, for errors; its end says how it is packed.

    Returns:
        `HEADER`, then a line per package: filename, sha256, size, package, version, source, source version, architecture,
        with tabs between.

    Raises:
        InputError: It cannot be unpacked, or a paragraph lacks a field.
    """
    try:
        text = unpacked(index, where).decode()
    except (lzma.LZMAError, zlib.error, OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}", where=where, hint="the archive is broken; tell its keepers"
        ) from error
    return HEADER + "".join(f"{row}\n" for row in _rows(text, where))


def rows(text: str) -> list[str] | None:
    """Return the lines of a table; None where another program wrote it."""
    if not text.startswith(HEADER):
        return None
    return text[len(HEADER) :].split("\n")[:-1]


def packages(lines: Iterable[str], suite: str, uri: str) -> Iterator[ArchivePackage]:
    """Read a table's lines.

    Args:
        lines: What `rows` gave.
        suite: The suite that they belong to.
        uri: Its archive's public address.

    Yields:
        Each package.

    Raises:
        InputError: A line is none of a table's.
    """
    for line in lines:
        try:
            filename, sha256, size, package, version, source, source_version, architecture = line.split("\t")
            number = int(size)
        except ValueError:
            hint = "`ropewalk pool verify --apply` removes it; it is made again of the index"
            raise InputError("the table of its index is damaged", where=f"{uri} {suite}", hint=hint) from None
        yield ArchivePackage(
            package, version, source, source_version, architecture, filename, number, sha256, suite, uri
        )
