"""What a view holds: suites, each with its signed release file and its indexes by hash."""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ropewalk.archive.upstream import DEBIAN, SECURITY
from ropewalk.debian import Repository, suite_path
from ropewalk.errors import InputError

_NO_POCKETS = {"sid", "unstable", "experimental"}
_POCKET = re.compile(r".+-(updates|security|proposed-updates|backports(-sloppy)?)")


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

    @property
    def by_hash(self) -> str:
        """Its other name, which stays while the archive is updated (``Acquire-By-Hash``)."""
        directory, slash, _ = self.path.rpartition("/")
        return f"{directory}{slash}by-hash/SHA256/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A suite to record.

    Attributes:
        uri: The archive's public address.
        suite: The suite as a sources list names it.
        components: Its components; none for a flat repository.
        keyring: The keys that may sign it; None for Debian's.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: Path | None = None

    @property
    def name(self) -> str:
        """Archive and suite, as a sources list names them."""
        return f"{self.uri} {self.suite}"


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
        indexes: The indexes of packages that are recorded.
        keyring: The sha256 of the recorded keyring; empty where Debian's own keys signed.
        sources: The indexes of source packages, where they are recorded.
    """

    uri: str
    suite: str
    codename: str
    label: str
    date: int
    components: tuple[str, ...]
    inrelease: str
    indexes: tuple[IndexFile, ...]
    keyring: str = ""
    sources: tuple[IndexFile, ...] = ()

    @property
    def path(self) -> str:
        """Where its files are, relative to the archive, with a slash at its end."""
        return suite_path(self.suite)

    @property
    def name(self) -> str:
        """Archive and suite, as a sources list names them."""
        return f"{self.uri} {self.suite}"

    @property
    def of_debian(self) -> bool:
        """It is a suite of Debian's own archives."""
        return self.uri in {DEBIAN, SECURITY}


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
        """Return the newest InRelease Date among some suites of Debian's, in seconds since 1970.

        Args:
            suites: Their names; those that the view lacks do not count.

        Raises:
            InputError: The view holds none of them.
        """
        wanted = set(suites)
        dates = [suite.date for suite in self.suites if suite.of_debian and suite.suite in wanted]
        if not dates:
            held = ", ".join(suite.suite for suite in self.suites)
            message = f"holds none of the suites {', '.join(sorted(wanted))}"
            raise InputError(message, where=f"view {self.id}", hint=f"it holds {held}; make a view that has them")
        return max(dates)


def suite_names(release: str, pockets: Pockets) -> tuple[str, ...]:
    """Return the suites of a release, the release first.

    Args:
        release: ``bookworm``.
        pockets: The release alone, or also its updates and security updates; ``sid`` has none, and a
            suite that is one itself (``bookworm-backports``) stands alone.
    """
    if pockets is Pockets.RELEASE or release in _NO_POCKETS or _POCKET.fullmatch(release):
        return (release,)
    return (release, f"{release}-updates", f"{release}-security")


def uri_of(suite: str) -> str:
    """Return the public address of the archive that has a suite."""
    return SECURITY if suite.endswith("-security") else DEBIAN


def wanted_suites(
    suites: Sequence[str], components: Sequence[str], archives: Iterable[Repository]
) -> tuple[Wanted, ...]:
    """List what a view shall hold, each suite once.

    Args:
        suites: Debian's, the release first.
        components: Their components.
        archives: Archives beside Debian's. Where two name one suite, their components are united.

    Raises:
        InputError: Two archives name one suite with different keyrings.
    """
    found = [Wanted(uri_of(name), name, tuple(components)) for name in suites]
    found += [Wanted(one.uri, name, one.components, one.keyring) for one in archives for name in one.suites]
    united: dict[tuple[str, str], Wanted] = {}
    for one in found:
        first = united.setdefault((one.uri, one.suite), one)
        if first.keyring != one.keyring and not _same_keys(first.keyring, one.keyring):
            message = f"is named with two keyrings, {first.keyring} and {one.keyring}"
            raise InputError(message, where=one.name, hint="give both entries the same `signed-by`")
        both = tuple(dict.fromkeys((*first.components, *one.components)))
        united[one.uri, one.suite] = replace(first, components=both)
    return tuple(united.values())


def _same_keys(first: Path | None, second: Path | None) -> bool:
    return first is not None and second is not None and first.read_bytes() == second.read_bytes()


def view_of(architecture: str, suites: Sequence[SuiteView]) -> View:
    """Make a view of suites; its id is a function of them.

    Args:
        architecture: Debian's name.
        suites: The suites, the release first.
    """
    held = [
        # A suite of Debian's has no keyring of its own here, so that ids of views made before there were others hold.
        [suite.uri, suite.suite, suite.inrelease, sorted(suite.components), *filter(None, [suite.keyring])]
        for suite in suites
    ]
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
                "sources": tuple(IndexFile(**index) for index in suite.get("sources", ())),
            }
        )
        for suite in data["suites"]
    )
    return View(data["id"], data["architecture"], suites)
