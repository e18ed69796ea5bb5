"""A view's package lists laid out as apt keeps them, so that builds need not fetch and unpack them one by one.

apt still asks the proxy for each InRelease, hears that it did not change, and checks its signature; that the indexes are
those which it names is checked here.
"""

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from ropewalk.archive.index import unpacked
from ropewalk.archive.suite import SuiteView, View
from ropewalk.archive.view import ViewBook

_PACKED = re.compile(r"\.(xz|gz)$")
_PLAIN = re.compile(r"[A-Za-z0-9./+-]+")
"""Addresses of which apt quotes no letter in the name of a list."""


class Lists:
    """The lists of one run's views, each made when it is first needed; several threads may ask."""

    def __init__(self, views: ViewBook, directory: Path) -> None:
        """Make no list yet.

        Args:
            views: Where the signed files are.
            directory: Where lists are made; it need not exist, and is the caller's to remove.
        """
        self._views = views
        self._directory = directory
        self._made: dict[str, tuple[Path, ...]] = {}
        self._lock = threading.Lock()

    def link(self, view: View, suites: Iterable[str], into: Path) -> None:
        """Put hard links to the lists of some suites into a directory.

        Args:
            view: The view.
            suites: Their names; what the view lacks is passed over, and what apt then fetches for itself: flat
                repositories, and those whose release file names packed indexes only.
            into: The directory, on the same disk; it is made.

        Raises:
            InputError, TrustError: A recorded file is missing or damaged.
        """
        into.mkdir(parents=True)
        wanted = set(suites)
        for suite in view.suites:
            if suite.suite in wanted and suite.components and _PLAIN.fullmatch(_address(suite)):
                for path in self._of(suite):
                    os.link(path, into / path.name)

    def _of(self, suite: SuiteView) -> tuple[Path, ...]:
        key = f"{suite.uri} {suite.suite} {suite.inrelease}"
        with self._lock:
            if key not in self._made:
                self._made[key] = tuple(self._make(suite, self._directory / str(len(self._made))))
            return self._made[key]

    def _make(self, suite: SuiteView, place: Path) -> Iterator[Path]:
        release = self._views.file(suite.inrelease)
        files = {"InRelease": release}
        for index in suite.indexes:
            files[_PACKED.sub("", index.path)] = unpacked(self._views.file(index.sha256), index.path)
        text = release.decode(errors="replace")
        if not all(name == "InRelease" or _names(text, name, data) for name, data in files.items()):
            return
        place.mkdir(parents=True)
        for name, data in files.items():
            path = place / (_address(suite) + name).replace("/", "_")
            path.write_bytes(data)
            os.utime(path, (suite.date, suite.date))
            yield path


def _address(suite: SuiteView) -> str:
    return f"{suite.uri.partition('://')[2]}/{suite.path}"


def _names(release: str, name: str, data: bytes) -> bool:
    """Say whether a release file names exactly this content (a line: sha256, size, path)."""
    line = rf"^\s*{hashlib.sha256(data).hexdigest()}\s+{len(data)}\s+{re.escape(name)}\s*$"
    return re.search(line, release, re.MULTILINE) is not None
