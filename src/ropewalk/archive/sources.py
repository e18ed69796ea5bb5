"""Sources indexes: which files make up a source package, so that who passes an image on can pass its sources on too."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ropewalk.archive.fetch import download
from ropewalk.archive.index import unpacked
from ropewalk.archive.pool import Pool
from ropewalk.archive.upstream import Upstream
from ropewalk.debian import paragraphs
from ropewalk.events import Listener, step

_FILE = re.compile(r"\s*(?P<sha256>[0-9a-f]{64})\s+(?P<size>[0-9]+)\s+(?P<name>[^/\s]+)\s*")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source package.

    Attributes:
        filename: Relative to ``uri``.
        sha256: Of its content.
        size: In bytes.
        uri: The archive's public address.
    """

    filename: str
    sha256: str
    size: int
    uri: str

    @property
    def name(self) -> str:
        """Its name without directories."""
        return self.filename.rpartition("/")[2]


@dataclass(frozen=True, slots=True, order=True)
class SourcePackage:
    """A source package by name and version."""

    source: str
    version: str

    def __str__(self) -> str:
        """Name it as people do."""
        return f"{self.source} {self.version}"


def source_files(
    index: bytes, path: str, uri: str, wanted: Collection[SourcePackage]
) -> Iterator[tuple[SourcePackage, tuple[SourceFile, ...]]]:
    """Find the files of source packages in an index.

    Args:
        index: A recorded ``Sources`` file.
        path: Its path, whose end says how it is packed.
        uri: Its archive's public address.
        wanted: The source packages.

    Yields:
        Each that the index has, with its .dsc and tarballs.
    """
    for fields in paragraphs(unpacked(index, path).decode()):
        source = SourcePackage(fields.get("Package", ""), fields.get("Version", ""))
        if source in wanted:
            matches = map(_FILE.fullmatch, fields.get("Checksums-Sha256", "").splitlines())
            directory = fields.get("Directory", "").removeprefix("./")
            place = f"{directory}/" if directory not in {"", "."} else ""
            yield (
                source,
                tuple(
                    SourceFile(f"{place}{match['name']}", match["sha256"], int(match["size"]), uri)
                    for match in matches
                    if match is not None
                ),
            )


def fetch_sources(pool: Pool, upstream: Upstream, files: Iterable[SourceFile], listener: Listener) -> None:
    """Fetch files of source packages into the pool; each is checked.

    Args:
        pool: The pool.
        upstream: Where they are fetched.
        files: The files.
        listener: Hears of each.

    Raises:
        TrustError: A file is not what the signed index says.
        NetworkError: It cannot be fetched.
    """
    with upstream.client() as client, pool.in_use():
        for file in files:
            fetch = partial(download, client, upstream.url(file.uri, file.filename), size=file.size)
            with step(listener, file.name, "fetch source"):
                pool.open(file.sha256, file.size, fetch, file.name, listener)
