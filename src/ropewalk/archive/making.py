"""Recording a suite as it is now: fetch its release file and its indexes, check them, keep them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ropewalk import atomic
from ropewalk.archive.fetch import Mark, NotInArchive, complete, download, get_if_changed
from ropewalk.archive.memory import Seen
from ropewalk.archive.release import Release, parse_release, verify
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import IndexFile, SuiteView, Wanted
from ropewalk.archive.upstream import Upstream
from ropewalk.debian import is_flat, suite_path
from ropewalk.errors import InputError, TrustError
from ropewalk.events import Event, EventKind, Listener, step

if TYPE_CHECKING:
    import httpx2

_INRELEASE_LIMIT = 16 << 20
_DAY = 86400
_KINDS = (".xz", ".gz", "")
"""How an index may be packed, the best first."""


class Receding(TrustError):
    """A suite is older than what was recorded of it before: someone holds updates back, or the mirror is stale."""


class FromTheFuture(TrustError):
    """A suite's date lies ahead of the clock: recorded, it would make every honest one look receding."""


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
        keyring: The keys that sign Debian's archive.
        architecture: Debian's name.
        now: Seconds since 1970, to warn of what has expired; None does not look.
        listener: Hears of each index that is fetched.
        sources: Indexes of source packages are recorded too.
    """

    shelf: ViewShelf
    client: "httpx2.Client"
    upstream: Upstream
    keyring: Path
    architecture: str
    now: int | None
    listener: Listener
    sources: bool = False

    def url(self, wanted: Wanted, path: str) -> str:
        """Return where a file of a suite is fetched."""
        return self.upstream.url(wanted.uri, f"{suite_path(wanted.suite)}{path}")


def _inrelease(work: Work, wanted: Wanted, seen: Seen) -> tuple[bytes, Mark]:
    """Fetch a release file, unless the one that was recorded last from this address is still the mirror's."""
    url = work.url(wanted, "InRelease")
    known = seen.mark if seen.url == url and work.shelf.holds(seen.inrelease) else None
    try:
        data, mark = get_if_changed(work.client, url, _INRELEASE_LIMIT, known)
        return (work.shelf.file(seen.inrelease) if data is None else data), mark
    except NotInArchive:
        hint = "name a suite as bookworm or bookworm-security; is it still on this mirror?"
        if wanted.keyring is not None:
            hint = "look at `uri` and `suites`; a repository without an InRelease file cannot be used"
        raise InputError("the archive has no such suite", where=wanted.name, hint=hint) from None


def check_release(release: Release, wanted: Wanted, seen: Seen, now: int | None) -> None:
    """Refuse a release file that is signed but not to be used.

    Args:
        release: What it says.
        wanted: The suite that was asked for. What stands before the last slash counts, as for apt (``bookworm/updates``).
            The directory of a flat repository has no name to compare: it must go on naming itself as it did.
        seen: What was recorded of it before.
        now: Seconds since 1970; None does not look at the clock.

    Raises:
        WrongSuite: It is another suite's.
        Receding: It is older than what was seen.
        FromTheFuture: Its date lies more than a day ahead of the clock; apt refuses such files too.
    """
    names = {wanted.suite, wanted.suite.rpartition("/")[0]} - {""}
    if not is_flat(wanted.suite) and not names & {release.suite, release.codename}:
        named = release.codename or release.suite or "none that it names"
        message = f"is signed, but it is the release file of {named}"
        raise WrongSuite(message, where=wanted.suite, hint="do not use this mirror: it mixes up suites")
    if is_flat(wanted.suite) and seen.named and release.named != seen.named:
        message = f"is signed, but it names itself `{release.named}`; before it was `{seen.named}`"
        hint = "do not use this mirror: it mixes up suites; or, if its keepers renamed it, delete views/suites.json"
        raise WrongSuite(message, where=wanted.name, hint=hint)
    if now is not None and release.date > now + _DAY:
        message = f"has a date {(release.date - now) // 3600} hours ahead of this machine's clock"
        raise FromTheFuture(
            message, where=wanted.name, hint="set the clock; if it is right, tell the archive's keepers"
        )
    if release.date < seen.date:
        message = f"went back by {seen.date - release.date} s against the view made before"
        hint = "the mirror is stale or holds updates back; wait, or take another mirror in apt's sources"
        raise Receding(message, where=wanted.name, hint=hint)


def _index(release: Release, directory: str, name: str) -> IndexFile | None:
    for kind in _KINDS:
        path = f"{directory}{name}{kind}"
        if path in release.files:
            size, sha256 = release.files[path]
            return IndexFile(path, sha256, size)
    return None


def wanted_indexes(release: Release, wanted: Wanted, architecture: str) -> tuple[IndexFile, ...]:
    """Find the indexes to record.

    Args:
        release: The suite's release file.
        wanted: The suite and its components.
        architecture: Debian's name.

    Returns:
        One index for each component; two where packages for all architectures stand apart. A flat repository has one.

    Raises:
        InputError: The suite lacks a component or the architecture.
    """
    if is_flat(wanted.suite):
        flat = _index(release, "", "Packages")
        if flat is None:
            raise InputError(
                "lists no Packages file", where=wanted.name, hint="the archive is broken; tell its keepers"
            )
        return (flat,)
    found: list[IndexFile] = []
    for component in wanted.components:
        names = (architecture, "all") if release.all_apart else (architecture,)
        indexes = [_index(release, f"{component}/binary-{name}/", "Packages") for name in names]
        if not any(indexes):
            lacks = f"component {component}" if component not in release.components else f"architecture {architecture}"
            hint = f"it has {', '.join(release.components)} for {', '.join(release.architectures)}"
            raise InputError(f"has no {lacks}", where=wanted.name, hint=hint)
        found += [index for index in indexes if index is not None]
    return tuple(found)


def _source_indexes(release: Release, wanted: Wanted) -> tuple[IndexFile, ...]:
    """Find the indexes of source packages; an archive need not have them."""
    places = [""] if is_flat(wanted.suite) else [f"{component}/source/" for component in wanted.components]
    found = (_index(release, place, "Sources") for place in places)
    return tuple(index for index in found if index is not None)


def _paths(index: IndexFile, *, by_hash: bool) -> Iterator[str]:
    """Name the places of an index; by hash first, since the plain name changes while an archive is updated."""
    if by_hash:
        yield index.by_hash
    yield index.path


def _fetch_index(work: Work, wanted: Wanted, index: IndexFile, *, by_hash: bool) -> None:
    *others, last = _paths(index, by_hash=by_hash)

    def fetch(target: Path) -> None:
        for path in others:
            try:
                return download(work.client, work.url(wanted, path), target, index.size)
            except NotInArchive:
                continue
        return download(work.client, work.url(wanted, last), target, index.size)

    with atomic.replacing(work.shelf.file_path(index.sha256)) as temporary:
        if not complete(temporary, fetch, index.sha256, index.size):
            hint = "the mirror is in the middle of an update, or broken; try again"
            raise WrongIndex("is not what the signed InRelease says", where=work.url(wanted, index.path), hint=hint)


def _warn_if_expired(work: Work, wanted: Wanted, release: Release) -> None:
    now, until = work.now, release.valid_until
    if now is not None and until is not None and until < now:
        detail = f"its Valid-Until passed {(now - until) // _DAY} days ago: the mirror is stale"
        work.listener(Event(EventKind.WARNING, wanted.suite, "check dates", detail))


def _keep(work: Work, data: bytes) -> str:
    """Keep a small file; return its sha256."""
    sha256 = hashlib.sha256(data).hexdigest()
    if not work.shelf.holds(sha256):
        atomic.write_bytes(work.shelf.file_path(sha256), data)
    return sha256


def record_suite(work: Work, wanted: Wanted, seen: Seen) -> tuple[SuiteView, Seen]:
    """Record one suite.

    Args:
        work: What it needs.
        wanted: The suite.
        seen: What was recorded of it before.

    Returns:
        The suite, and what to remember of it; its files are kept, the keyring of an archive beside Debian's among them.

    Raises:
        InputError: The archive lacks the suite, a component or the architecture.
        TrustError: A signature or a checksum is wrong, or `check_release` refuses.
        NetworkError: The archive cannot be reached.
    """
    data, mark = _inrelease(work, wanted, seen)
    where = work.url(wanted, "InRelease")
    signed = verify(data, wanted.keyring or work.keyring, where)
    release = parse_release(signed.decode(errors="replace"), where)
    check_release(release, wanted, seen, work.now)
    _warn_if_expired(work, wanted, release)
    indexes = wanted_indexes(release, wanted, work.architecture)
    sources = _source_indexes(release, wanted) if work.sources else ()
    for index in (*indexes, *sources):
        if not work.shelf.holds(index.sha256):
            with step(work.listener, wanted.suite, f"fetch {index.path}"):
                _fetch_index(work, wanted, index, by_hash=release.by_hash)
    made = SuiteView(
        uri=wanted.uri,
        suite=wanted.suite,
        codename=release.codename or release.suite,
        label=release.label,
        date=release.date,
        components=wanted.components,
        inrelease=_keep(work, data),
        indexes=indexes,
        keyring="" if wanted.keyring is None else _keep(work, wanted.keyring.read_bytes()),
        sources=sources,
    )
    return made, Seen(release.date, where, mark, made.inrelease, release.named)
