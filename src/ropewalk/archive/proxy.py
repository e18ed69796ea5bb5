"""The archive proxy: an HTTP proxy on loopback that serves apt one archive view, and nothing else.

apt names the view as the proxy's user (``http://VIEW:WORD@127.0.0.1:PORT``), so that one proxy serves any number of views;
the password is the build's own word, so that each of several builds at once hears of its own errors, and is kept to its own
lock. Release files and indexes are
those that the view recorded; .debs come from the pool by sha256.
"""

import posixpath
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from ropewalk.archive.authority import Authority
from ropewalk.archive.doorway import listening, new_namespace
from ropewalk.archive.fetch import download
from ropewalk.archive.index import ArchivePackage, packages
from ropewalk.archive.pool import Pool
from ropewalk.archive.server import Answer, serving
from ropewalk.archive.upstream import Upstream
from ropewalk.archive.view import SuiteView, View, ViewBook
from ropewalk.archive.words import Words
from ropewalk.debian import suite_path
from ropewalk.errors import Exit, HostError, RopewalkError, TrustError
from ropewalk.events import Event, EventKind, Listener

_SAME_HOST = {"security.debian.org": "deb.debian.org", "ftp.debian.org": "deb.debian.org"}
"""Other public names of what deb.debian.org serves."""


_UNKNOWN = Answer(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "no build that may ask here has this word")


class NotLocked(RopewalkError):
    """A build that is kept to a lock asked for a .deb that the lock does not name."""

    exit_code = Exit.REFUSED


class NotInPool(RopewalkError):
    """A build that is kept to a lock needs a .deb that the pool lacks; nothing is fetched for it."""

    exit_code = Exit.REFUSED


@dataclass(slots=True)
class _Served:
    """A view with what a request can name; the .debs are read when the first is asked for."""

    view: View
    debs: dict[str, tuple[SuiteView, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deb(self, book: ViewBook, address: str) -> ArchivePackage | None:
        """Find a .deb by host and path."""
        with self.lock:
            if not self.debs:
                self.debs.update(_addresses(book, self.view))
        if address not in self.debs:
            return None
        suite, row = self.debs[address]
        return next(packages([row], suite.suite, suite.uri))


def _address(uri: str) -> str:
    return uri.partition("://")[2]


def _addresses(book: ViewBook, view: View) -> Iterator[tuple[str, tuple[SuiteView, str]]]:
    for suite in view.suites:
        base = _address(suite.uri)
        for index in suite.indexes:
            for row in book.rows(index):
                filename = row.partition("\t")[0].removeprefix("./")
                yield f"{base}/{filename}", (suite, row)


def _recorded(suite: SuiteView, path: str) -> str:
    """Return the sha256 of a suite's recorded file; empty where the path is none."""
    if path == "InRelease":
        return suite.inrelease
    return next((index.sha256 for index in suite.indexes if path in {index.path, index.by_hash}), "")


class ArchiveProxy:
    """Serves views to apt while its ``with`` lasts."""

    def __init__(self, views: ViewBook, pool: Pool, upstream: Upstream, listener: Listener) -> None:
        """Make a proxy; it listens from ``with`` on.

        Args:
            views: The views that it serves.
            pool: Where .debs are kept.
            upstream: Where those that are missing are fetched.
            listener: Is warned of damaged files; called from several threads.
        """
        self._views = views
        self._pool = pool
        self._upstream = upstream
        self._listener = listener
        self._served: dict[str, _Served] = {}
        self._lock = threading.Lock()
        self._errors: list[tuple[str, RopewalkError]] = []
        self._used: dict[str, dict[str, ArchivePackage]] = {}
        self._limits: dict[str, Collection[str] | None] = {}
        self._words = Words()
        self._client = upstream.client()
        self._authority = Authority()
        self._stack = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1; nobody removes anything from the pool until the end."""
        with ExitStack() as stack:
            stack.enter_context(self._client)
            stack.enter_context(self._pool.in_use())
            self._port = stack.enter_context(serving(listening(0), _Door(self, self._words)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end open connections."""
        self._stack.close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def certificate(self) -> str:
        """The certificate in PEM that apt must trust (``Acquire::https::CAInfo``) to ask for https archives."""
        return self._authority.certificate

    @contextmanager
    def apart(self, build: str) -> Iterator[Path]:
        """Give a build a network namespace in which there is the proxy, for this build alone, and nothing else.

        Meanwhile the build is not known at the address that all others use.

        Args:
            build: As given to `limited`, which is around this.

        Yields:
            The namespace's path, with the proxy at the same address as here.

        Raises:
            HostError: This user may make none.
        """
        with (
            new_namespace() as namespace,
            self._words.apart(build),
            serving(listening(self._port, namespace), _Door(self, self._words, build)),
        ):
            yield namespace

    @property
    def errors(self) -> tuple[RopewalkError, ...]:
        """What went wrong while serving, the oldest first: apt shows only a status line of it."""
        with self._lock:
            return tuple(error for _, error in self._errors)

    def take_errors(self, build: str) -> tuple[RopewalkError, ...]:
        """Return the `errors` of one build, and forget them.

        Args:
            build: As given to `limited`.
        """
        with self._lock:
            found = tuple(error for owner, error in self._errors if owner == build)
            self._errors = [item for item in self._errors if item[0] != build]
        return found

    def take_used(self, build: str) -> tuple[ArchivePackage, ...]:
        """Return the .debs that one build was given, by name, and forget them.

        Args:
            build: As given to `limited`.
        """
        with self._lock:
            used = self._used.pop(build, {})
        return tuple(sorted(used.values(), key=lambda deb: (deb.package, deb.version, deb.architecture, deb.sha256)))

    @contextmanager
    def limited(self, build: str, allowed: Collection[str] | None) -> Iterator[None]:
        """Know a build, and keep it to some .debs and to the pool: nothing is fetched for it then.

        While one is kept, only builds that are known get .debs: none escapes its lock by asking without its word.

        Args:
            build: A name that no other build of this proxy has meanwhile.
            allowed: The sha256 of each .deb that it may have; None does not limit it.

        Yields:
            Nothing; the limit holds during the ``with``.
        """
        with self._lock:
            self._limits[build] = allowed
        try:
            with self._words.known(build):
                yield
        finally:
            with self._lock:
                self._limits.pop(build, None)

    def url(self, view_id: str, build: str = "") -> str:
        """Return the proxy's address for a view, as ``http_proxy`` or ``Acquire::http::Proxy`` takes it.

        Args:
            view_id: The view.
            build: A build that is `limited` now; the address holds its word and is for its eyes only.
        """
        word = self._words.of(build)
        return f"http://{view_id}{f':{word}' if word else ''}@127.0.0.1:{self._port}"

    def answer(self, view_id: str, url: str, build: str = "") -> Answer:
        """Say what a request gets.

        Args:
            view_id: The proxy user.
            url: The absolute address that is asked for.
            build: Who asks.

        Returns:
            A file of the view, or why there is none.
        """
        try:
            served = self._find(view_id)
        except RopewalkError as error:
            return self._unknown(view_id, error)
        try:
            return self._answer(served, url, build)
        except RopewalkError as error:
            return self._failed(error, build)
        except OSError as error:
            message = f"cannot be kept: {error.strerror}"
            where = str(error.filename or url)
            return self._failed(HostError(message, where=where, hint="look at the disk's space"), build)

    def tunnel(self, view_id: str, host: str) -> Answer | ssl.SSLContext:
        """Say how to be a host at the end of a tunnel.

        Args:
            view_id: The proxy user.
            host: ``NAME:PORT``.

        Returns:
            What a server of that name needs, or why there is none.
        """
        try:
            served = self._find(view_id)
        except RopewalkError as error:
            return self._unknown(view_id, error)
        outside = self._outside(served, host.removesuffix(":443"))
        return outside or self._authority.context(urlsplit(f"//{host}").hostname or "")

    def _unknown(self, view_id: str, error: RopewalkError) -> Answer:
        reason = error.message if view_id else "name an archive view as the proxy's user"
        return Answer(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, reason)

    def _outside(self, served: _Served, host: str) -> Answer | None:
        """Refuse a host that is not in a view."""
        host = _SAME_HOST.get(host, host)
        if host in {urlsplit(suite.uri).netloc for suite in served.view.suites}:
            return None
        return Answer(HTTPStatus.FORBIDDEN, f"{host} is not in view {served.view.id}: add it to the view")

    def _failed(self, error: RopewalkError, build: str) -> Answer:
        with self._lock:
            self._errors.append((build, error))
        kind = EventKind.FAILED if isinstance(error, TrustError) else EventKind.WARNING
        self._listener(Event(kind, error.where, "serve apt", error.message))
        return Answer(HTTPStatus.BAD_GATEWAY, f"{error.message}: {error.where}")

    def _find(self, view_id: str) -> _Served:
        with self._lock:
            if view_id not in self._served:
                self._served[view_id] = _Served(self._views.load(view_id))
            return self._served[view_id]

    def _answer(self, served: _Served, url: str, build: str) -> Answer:
        parts = urlsplit(url)
        outside = self._outside(served, parts.netloc)
        if outside is not None:
            return outside
        host = _SAME_HOST.get(parts.netloc, parts.netloc)
        address = host + posixpath.normpath(unquote(parts.path))
        found = self._of_suite(served.view, address)
        if found is None and (deb := served.deb(self._views, address)) is not None:
            found = Answer(HTTPStatus.OK, path=self._open(deb, build))
            with self._lock:
                self._used.setdefault(build, {})[deb.sha256] = deb
        return found or Answer(HTTPStatus.NOT_FOUND, f"not in view {served.view.id}")

    def _of_suite(self, view: View, address: str) -> Answer | None:
        for suite in view.suites:
            for path in (suite.path, suite_path(suite.codename or suite.suite)):
                prefix = f"{_address(suite.uri)}/{path}"
                if address.startswith(prefix) and (sha256 := _recorded(suite, address.removeprefix(prefix))):
                    self._views.file(sha256)
                    return Answer(HTTPStatus.OK, path=self._views.file_path(sha256), date=suite.date)
        return None

    def _open(self, deb: ArchivePackage, build: str) -> Path:
        with self._lock:
            allowed = self._limits.get(build)
            escapes = build not in self._limits and any(limit is not None for limit in self._limits.values())
        name, file = f"{deb.package} {deb.version} ({deb.architecture})", deb.filename.rpartition("/")[2]
        if escapes:
            hint = "a build with --locked asks the archive proxy as its apt is set up, and not otherwise"
            raise NotLocked(f"no build that runs asks for {name} by this proxy address", where=file, hint=hint)
        if allowed is not None and deb.sha256 not in allowed:
            hint = "build it without --locked, then write its lock anew: `ropewalk lock`"
            raise NotLocked(f"the lock does not name {name} with sha256 {deb.sha256}", where=file, hint=hint)

        def fetch(path: Path) -> None:
            if allowed is not None:
                hint = (
                    f"a locked build fetches nothing: build once without --locked, or copy it to pool/{deb.sha256[:2]}/"
                )
                raise NotInPool(f"the pool has no {name} with sha256 {deb.sha256}", where=file, hint=hint)
            download(self._client, self._upstream.url(deb.uri, deb.filename), path, deb.size)

        return self._pool.open(deb.sha256, deb.size, fetch, file, self._listener)


class _Door:
    """A socket of the proxy: tells by their words who asks there."""

    def __init__(self, proxy: ArchiveProxy, words: Words, build: str = "") -> None:
        """Open it to one build, or to all that have none of their own."""
        self._proxy = proxy
        self._words = words
        self._build = build

    def answer(self, view_id: str, url: str, word: str) -> Answer:
        """Say what a request for an absolute address gets."""
        build = self._words.build(word, self._build)
        return _UNKNOWN if build is None else self._proxy.answer(view_id, url, build)

    def tunnel(self, view_id: str, host: str, word: str) -> Answer | ssl.SSLContext:
        """Say how to be a host at the end of a tunnel, or why not."""
        return _UNKNOWN if self._words.build(word, self._build) is None else self._proxy.tunnel(view_id, host)
