"""Advisories: the Debian security tracker's JSON (https://security-tracker.debian.org/tracker/data/json).

Its form, as the tracker's own program writes it: source package -> issue (``CVE-...``, ``TEMP-...``) -> ``description``,
``debianbug``, ``scope``, ``releases``; a release has ``status`` (resolved, open, undetermined), ``repositories``,
``urgency``, and where they apply ``fixed_version`` (0: never affected), ``nodsa``, ``nodsa_reason``,
``next_point_update``. Versions are those of source packages, so binaries are judged by their source's version.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from ropewalk import atomic
from ropewalk.archive.fetch import Mark, get_if_changed
from ropewalk.archive.upstream import Upstream
from ropewalk.debian import sort_key
from ropewalk.errors import InputError

_LARGEST = 1 << 29
"""Bytes; the tracker's file has some 70 million."""
_HINT = "give the file that https://security-tracker.debian.org/tracker/data/json has"
_NEVER = "0"
"""The fixed version of a release that was never affected."""


class Status(StrEnum):
    """What the tracker says of an issue in a release."""

    RESOLVED = "resolved"
    OPEN = "open"
    UNDETERMINED = "undetermined"


class Urgency(StrEnum):
    """How urgent the tracker holds an issue, the most urgent first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNIMPORTANT = "unimportant"
    UNASSIGNED = "not yet assigned"
    END_OF_LIFE = "end-of-life"


@dataclass(frozen=True, slots=True)
class Fix:
    """What the tracker says of one release.

    Attributes:
        status: Resolved, open or undetermined.
        version: The first version of the source package that has the fix; empty where there is none.
        urgency: How urgent it is there.
        note: Why the release gets no advisory of its own (``nodsa``); empty where nothing is said.
    """

    status: Status
    version: str
    urgency: Urgency
    note: str

    def affects(self, source_version: str) -> bool | None:
        """Say whether a version of the source package is affected; None where nobody knows.

        Args:
            source_version: The version, with its epoch.
        """
        if self.status is Status.UNDETERMINED:
            return None
        if self.status is Status.OPEN or not self.version:
            return True
        return self.version != _NEVER and sort_key(source_version) < sort_key(self.version)


@dataclass(frozen=True, slots=True)
class Advisory:
    """An issue of one source package.

    Attributes:
        id: ``CVE-2024-4741``, or the tracker's own ``TEMP-...``.
        source: The source package.
        releases: What is said of each release, by its codename.
    """

    id: str
    source: str
    releases: Mapping[str, Fix]


@dataclass(frozen=True, slots=True)
class Tracker:
    """What the security tracker says.

    Attributes:
        where: The file or address.
        issues: Source package -> issue -> what the JSON says of it.
    """

    where: str
    issues: Mapping[str, Mapping[str, Any]]

    def named(self, identifier: str) -> tuple[Advisory, ...]:
        """Return an issue in each source package that it concerns, by the package's name.

        Args:
            identifier: ``CVE-...`` or ``TEMP-...``.

        Raises:
            InputError: The tracker does not know it, or its entry is malformed.
        """
        found = tuple(source for source in sorted(self.issues) if identifier in self.issues[source])
        if not found:
            raise InputError("the security tracker does not have it", where=identifier, hint=self._near(identifier))
        return tuple(self._advisory(source, identifier) for source in found)

    def of(self, source: str) -> tuple[Advisory, ...]:
        """Return all issues of a source package, by id; none where the tracker does not know the package.

        Raises:
            InputError: An entry is malformed.
        """
        return tuple(self._advisory(source, identifier) for identifier in sorted(self.issues.get(source, ())))

    def urgency(self, source: str, release: str, before: str, after: str) -> Urgency | None:
        """Say how urgent it is to go from one version of a source package to another.

        Args:
            source: The source package.
            release: The codename.
            before: The version that is installed.
            after: The version that is offered.

        Returns:
            The highest urgency of the issues that are fixed in between; None where none is.
        """
        fixes = [issue.releases[release] for issue in self.of(source) if release in issue.releases]
        mended = [fix.urgency for fix in fixes if fix.affects(before) and fix.affects(after) is False]
        return min(mended, key=tuple(Urgency).index, default=None)

    def _near(self, identifier: str) -> str:
        if identifier.startswith(("DSA-", "DLA-")):
            return "its JSON names CVEs, not DSAs: give one of the advisory's CVEs, or its package with --package"
        known = {name for issues in self.issues.values() for name in issues}
        near = get_close_matches(identifier, sorted(known), n=1) if len(identifier) > len("CVE-") else []
        return f"did you mean {near[0]}?" if near else f"fetch {self.where} anew; --package names a package instead"

    def _advisory(self, source: str, identifier: str) -> Advisory:
        try:
            releases = self.issues[source][identifier]["releases"]
            return Advisory(identifier, source, {name: _fix(said) for name, said in releases.items()})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(
                f"is malformed: {error}", where=f"{self.where}: {source} {identifier}", hint=_HINT
            ) from error


def _fix(said: Mapping[str, Any]) -> Fix:
    version = str(said.get("fixed_version", ""))
    if version:
        sort_key(version)
    return Fix(Status(said["status"]), version, _urgency(str(said.get("urgency", ""))), str(said.get("nodsa", "")))


def _urgency(word: str) -> Urgency:
    """Read an urgency; two stars behind it say that NVD gave it, and an unknown word is none that was assigned."""
    plain = word.rstrip("*")
    return Urgency(plain) if plain in list(Urgency) else Urgency.UNASSIGNED


def parse_tracker(data: bytes, where: str) -> Tracker:
    """Read the tracker's JSON; its entries are looked at when they are asked for.

    Args:
        data: The JSON.
        where: The file or address, for errors.

    Raises:
        InputError: It is no JSON of that form.
    """
    try:
        issues = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {error}", where=where, hint=_HINT) from error
    if not isinstance(issues, dict) or not all(isinstance(one, dict) for one in issues.values()):
        raise InputError("is not the security tracker's JSON", where=where, hint=_HINT)
    return Tracker(where, issues)


def load_tracker(place: str, upstream: Upstream, keep: Path) -> Tracker:
    """Read the tracker's JSON from a file or an address; an address that has nothing new sends nothing.

    Args:
        place: A file, or ``https://...``.
        upstream: Whose proxy is used.
        keep: A directory where fetched content stays.

    Raises:
        InputError: It cannot be read, or is not of that form.
        NetworkError: It cannot be fetched.
    """
    if "://" not in place:
        try:
            return parse_tracker(Path(place).read_bytes(), place)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=place, hint=_HINT) from error
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    content, note = keep / f"{name}.json", keep / f"{name}.mark"
    kept = _kept(content, note)
    with upstream.client() as client:
        fetched, mark = get_if_changed(client, place, _LARGEST, kept[1] if kept else None)
    data = fetched if fetched is not None else kept[0] if kept else b""
    tracker = parse_tracker(data, place)
    if fetched is not None:
        said = {"sha256": hashlib.sha256(data).hexdigest(), "etag": mark.etag, "modified": mark.modified}
        atomic.write_bytes(content, data)
        atomic.write_text(note, json.dumps(said))
    return tracker


def _kept(content: Path, note: Path) -> tuple[bytes, Mark] | None:
    """Return what was fetched before and its mark; None where they do not belong together."""
    try:
        data, said = content.read_bytes(), json.loads(note.read_bytes())
        fits = said["sha256"] == hashlib.sha256(data).hexdigest()
        return (data, Mark(said["etag"], said["modified"])) if fits else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
