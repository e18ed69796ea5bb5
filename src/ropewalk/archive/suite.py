"""What a view holds: suites, each with its signed release file and its indexes by hash."""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ropewalk.archive.upstream import DEBIAN, SECURITY
from ropewalk.errors import InputError

_NO_POCKETS = {"sid", "unstable", "experimental"}


class Pockets(StrEnum):
    """Which suites go with a release."""

    RELEASE = "release"
    """The release itself."""
    ALL = "all"
    """Also its updates and its security updates."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An index that a release file names.

    Attributes:
        path: Relative to the suite: ``main/binary-amd64/Packages.xz``.
        sha256: Of its content as it is fetched.
        size: In bytes.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class SuiteView:
    """One suite at one moment.

    Attributes:
        uri: The archive's public address.
        suite: The suite as it was asked for: ``bookworm-security``.
        codename: The release file's ``Codename``.
        label: The release file's ``Label``.
        date: The release file's ``Date``, in seconds since 1970.
        components: Components that are recorded.
        inrelease: The sha256 of the InRelease file.
        indexes: The indexes that are recorded.
    """

    uri: str
    suite: str
    codename: str
    label: str
    date: int
    components: tuple[str, ...]
    inrelease: str
    indexes: tuple[IndexFile, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the archive offered at one moment.

    Attributes:
        id: The newest date, and a hash of what the view holds: the same archive gives the same id.
        architecture: Debian's name: ``amd64``.
        suites: The suites, the release first.
    """

    id: str
    architecture: str
    suites: tuple[SuiteView, ...]

    def newest_date(self, suites: Iterable[str]) -> int:
        """Return the newest InRelease Date among some suites, in seconds since 1970.

        Args:
            suites: Their names; those that the view lacks do not count.

        Raises:
            InputError: The view holds none of them.
        """
        wanted = set(suites)
        dates = [suite.date for suite in self.suites if suite.suite in wanted]
        if not dates:
            held = ", ".join(suite.suite for suite in self.suites)
            message = f"holds none of the suites {', '.join(sorted(wanted))}"
            raise InputError(message, where=f"view {self.id}", hint=f"it holds {held}; make a view that has them")
        return max(dates)


def suite_names(release: str, pockets: Pockets) -> tuple[str, ...]:
    """Return the suites of a release, the release first.

    Args:
        release: ``bookworm``.
        pockets: The release alone, or also its updates and security updates; ``sid`` has none.
    """
    if pockets is Pockets.RELEASE or release in _NO_POCKETS:
        return (release,)
    return (release, f"{release}-updates", f"{release}-security")


def uri_of(suite: str) -> str:
    """Return the public address of the archive that has a suite."""
    return SECURITY if suite.endswith("-security") else DEBIAN


def view_of(architecture: str, suites: Sequence[SuiteView]) -> View:
    """Make a view of suites; its id is a function of them.

    Args:
        architecture: Debian's name.
        suites: The suites, the release first.
    """
    held = [[suite.uri, suite.suite, suite.inrelease, sorted(suite.components)] for suite in suites]
    canonical = json.dumps([architecture, sorted(held)], separators=(",", ":"))
    day = time.strftime("%Y%m%d", time.gmtime(max(suite.date for suite in suites)))
    return View(f"{day}-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}", architecture, tuple(suites))


def read_view(data: dict[str, Any]) -> View:
    """Make a view of its JSON.

    Raises:
        KeyError, TypeError: The data is not a view's.
    """
    suites = tuple(
        SuiteView(
            **{
                **suite,
                "components": tuple(suite["components"]),
                "indexes": tuple(IndexFile(**index) for index in suite["indexes"]),
            }
        )
        for suite in data["suites"]
    )
    return View(data["id"], data["architecture"], suites)
