"""Recording a suite as it is now: fetch its release file and its indexes, check them, keep them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ropewalk import atomic
from ropewalk.archive.release import Release, parse_release, verify
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import IndexFile, SuiteView, uri_of
from ropewalk.archive.upstream import NotInArchive, Upstream, download, get
from ropewalk.errors import InputError, TrustError
from ropewalk.events import Event, EventKind, Listener, step

if TYPE_CHECKING:
    import httpx2

_INRELEASE_LIMIT = 16 << 20


class Receding(TrustError):
    """A suite is older than what was recorded of it before: someone holds updates back, or the mirror is stale."""


class WrongSuite(TrustError):
    """A release file is signed, but it is another suite's."""


class WrongIndex(TrustError):
    """An index is not what the signed release file says."""


@dataclass(frozen=True, slots=True)
class Work:
    """What recording suites needs.

    Attributes:
        shelf: Where files are kept.
        client: Fetches them.
        upstream: Where they are fetched.
        keyring: The keys that sign the archive.
        architecture: Debian's name.
        now: Seconds since 1970, to warn of what has expired; None does not look.
        listener: Hears of each index that is fetched.
    """

    shelf: ViewShelf
    client: "httpx2.Client"
    upstream: Upstream
    keyring: Path
    architecture: str
    now: int | None
    listener: Listener

    def url(self, suite: str, path: str) -> str:
        """Return where a file of a suite is fetched."""
        return self.upstream.url(uri_of(suite), f"dists/{suite}/{path}")


def _inrelease(work: Work, suite: str) -> bytes:
    try:
        return get(work.client, work.url(suite, "InRelease"), _INRELEASE_LIMIT)
    except NotInArchive:
        hint = "name a suite as bookworm or bookworm-security; is it still on this mirror?"
        raise InputError("the archive has no such suite", where=f"{uri_of(suite)} {suite}", hint=hint) from None


def check_release(release: Release, suite: str, newest_seen: int) -> None:
    """Refuse a release file that is signed but not to be used.

    Args:
        release: What it says.
        suite: The suite that was asked for.
        newest_seen: The newest Date recorded of this suite, in seconds since 1970; 0 where there is none.

    Raises:
        WrongSuite: It is another suite's.
        Receding: It is older than what was seen.
    """
    if suite not in {release.suite, release.codename}:
        message = f"is signed, but it is the release file of {release.codename or release.suite}"
        raise WrongSuite(message, where=suite, hint="do not use this mirror: it mixes up suites")
    if release.date < newest_seen:
        message = f"went back by {newest_seen - release.date} s against the view made before"
        hint = "the mirror is stale or holds updates back; wait, or take another mirror in apt's sources"
        raise Receding(message, where=f"{uri_of(suite)} {suite}", hint=hint)


def wanted_indexes(release: Release, suite: str, components: Sequence[str], architecture: str) -> tuple[IndexFile, ...]:
    """Find the indexes to record.

    Args:
        release: The suite's release file.
        suite: The suite.
        components: Its components: ``main``.
        architecture: Debian's name.

    Returns:
        One index for each component.

    Raises:
        InputError: The suite lacks a component or the architecture.
    """
    found = []
    for component in components:
        path = f"{component}/binary-{architecture}/Packages.xz"
        if path not in release.files:
            lacks = f"component {component}" if component not in release.components else f"architecture {architecture}"
            hint = f"it has {', '.join(release.components)} for {', '.join(release.architectures)}"
            raise InputError(f"has no {lacks}", where=f"{uri_of(suite)} {suite}", hint=hint)
        size, sha256 = release.files[path]
        found.append(IndexFile(path, sha256, size))
    return tuple(found)


def _paths(index: IndexFile, *, by_hash: bool) -> Iterator[str]:
    """Name the places of an index; by hash first, since the plain name changes while an archive is updated."""
    if by_hash:
        yield f"{index.path.rpartition('/')[0]}/by-hash/SHA256/{index.sha256}"
    yield index.path


def _fetch_index(work: Work, suite: str, index: IndexFile, *, by_hash: bool) -> None:
    *others, last = _paths(index, by_hash=by_hash)
    with atomic.replacing(work.shelf.file_path(index.sha256)) as temporary:
        for path in others:
            try:
                download(work.client, work.url(suite, path), temporary)
                break
            except NotInArchive:
                continue
        else:
            download(work.client, work.url(suite, last), temporary)
        with temporary.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        if found != index.sha256:
            hint = "the mirror is in the middle of an update, or broken; try again"
            raise WrongIndex("is not what the signed InRelease says", where=work.url(suite, index.path), hint=hint)


def _warn_if_expired(work: Work, suite: str, release: Release) -> None:
    now, until = work.now, release.valid_until
    if now is not None and until is not None and until < now:
        detail = f"its Valid-Until passed {(now - until) // 86400} days ago: the mirror is stale"
        work.listener(Event(EventKind.WARNING, suite, "check dates", detail))


def record_suite(work: Work, suite: str, components: Sequence[str], newest_seen: int) -> SuiteView:
    """Record one suite.

    Args:
        work: What it needs.
        suite: Its name.
        components: ``main`` and others.
        newest_seen: The newest Date recorded of it before, in seconds since 1970; 0 where there is none.

    Returns:
        The suite; its files are kept.

    Raises:
        InputError: The archive lacks the suite, a component or the architecture.
        TrustError: A signature or a checksum is wrong, or `check_release` refuses.
        NetworkError: The archive cannot be reached.
    """
    data = _inrelease(work, suite)
    where = work.url(suite, "InRelease")
    release = parse_release(verify(data, work.keyring, where).decode(errors="replace"), where)
    check_release(release, suite, newest_seen)
    _warn_if_expired(work, suite, release)
    indexes = wanted_indexes(release, suite, components, work.architecture)
    for index in indexes:
        if not work.shelf.holds(index.sha256):
            with step(work.listener, suite, f"fetch {index.path}"):
                _fetch_index(work, suite, index, by_hash=release.by_hash)
    sha256 = hashlib.sha256(data).hexdigest()
    if not work.shelf.holds(sha256):
        atomic.write_bytes(work.shelf.file_path(sha256), data)
    codename = release.codename or release.suite
    return SuiteView(uri_of(suite), suite, codename, release.label, release.date, tuple(components), sha256, indexes)
