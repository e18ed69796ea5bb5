"""The archive proxy: an HTTP proxy on loopback that serves apt one archive view, and nothing else.

apt names the view as the proxy's user (``http://VIEW:BUILD@127.0.0.1:PORT``), so that one proxy serves any number of views;
the password names the build, so that each of several builds at once hears of its own errors. Release files and indexes are
those that the view recorded; .debs come from the pool by sha256.
"""

import base64
import binascii
import posixpath
import shutil
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

from ropewalk.archive.fetch import download
from ropewalk.archive.index import ArchivePackage, packages
from ropewalk.archive.pool import Pool
from ropewalk.archive.upstream import Upstream
from ropewalk.archive.view import SuiteView, View, ViewBook
from ropewalk.debian import suite_path
from ropewalk.errors import Exit, HostError, RopewalkError, TrustError
from ropewalk.events import Event, EventKind, Listener

_SAME_HOST = {"security.debian.org": "deb.debian.org", "ftp.debian.org": "deb.debian.org"}
"""Other public names of what deb.debian.org serves."""
_REASON_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What the proxy answers.

    Attributes:
        status: The HTTP status.
        reason: One line: what is wrong, for apt's messages; empty for a file.
        path: The file to send; None where there is none.
        date: When the content was made, in seconds since 1970; 0 where that is not known.
    """

    status: HTTPStatus
    reason: str = ""
    path: Path | None = None
    date: int = 0


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


def view_of_header(header: str | None) -> tuple[str, str]:
    """Return view and build that a ``Proxy-Authorization`` header names (RFC 7617); empty where it names none."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


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
        self._limits: dict[str, Collection[str]] = {}
        self._client = upstream.client()
        self._stack = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        with ExitStack() as stack:
            stack.enter_context(self._client)
            server = _Server(self)
            stack.callback(server.end)
            self._port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.05,), name="archive-proxy", daemon=True).start()
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
    def errors(self) -> tuple[RopewalkError, ...]:
        """What went wrong while serving, the oldest first: apt shows only a status line of it."""
        with self._lock:
            return tuple(error for _, error in self._errors)

    def take_errors(self, build: str) -> tuple[RopewalkError, ...]:
        """Return the `errors` of one build, and forget them.

        Args:
            build: As given to `url`.
        """
        with self._lock:
            found = tuple(error for owner, error in self._errors if owner == build)
            self._errors = [item for item in self._errors if item[0] != build]
        return found

    def take_used(self, build: str) -> tuple[ArchivePackage, ...]:
        """Return the .debs that one build was given, by name, and forget them.

        Args:
            build: As given to `url`.
        """
        with self._lock:
            used = self._used.pop(build, {})
        return tuple(sorted(used.values(), key=lambda deb: (deb.package, deb.version, deb.architecture, deb.sha256)))

    @contextmanager
    def limited(self, build: str, allowed: Collection[str] | None) -> Iterator[None]:
        """Keep one build to some .debs, and to the pool: nothing is fetched for it.

        Args:
            build: As given to `url`.
            allowed: The sha256 of each .deb that it may have; None does not limit it.

        Yields:
            Nothing; the limit holds during the ``with``.
        """
        if allowed is not None:
            with self._lock:
                self._limits[build] = allowed
        try:
            yield
        finally:
            with self._lock:
                self._limits.pop(build, None)

    def url(self, view_id: str, build: str = "") -> str:
        """Return the proxy's address for a view, as ``http_proxy`` or ``Acquire::http::Proxy`` takes it.

        Args:
            view_id: The view.
            build: A word that tells this build's errors from those of others at the same time.
        """
        return f"http://{view_id}{f':{build}' if build else ''}@127.0.0.1:{self._port}"

    def answer(self, view_id: str, url: str, build: str = "") -> Answer:
        """Say what a request gets.

        Args:
            view_id: The proxy user.
            url: The absolute address that is asked for.
            build: The proxy password: who asks.

        Returns:
            A file of the view, or why there is none.
        """
        try:
            served = self._find(view_id)
        except RopewalkError as error:
            reason = error.message if view_id else "name an archive view as the proxy's user"
            return Answer(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, reason)
        try:
            return self._answer(served, url, build)
        except RopewalkError as error:
            return self._failed(error, build)
        except OSError as error:
            message = f"cannot be kept: {error.strerror}"
            where = str(error.filename or url)
            return self._failed(HostError(message, where=where, hint="look at the disk's space"), build)

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
        host = _SAME_HOST.get(parts.netloc, parts.netloc)
        if host not in {urlsplit(suite.uri).netloc for suite in served.view.suites}:
            return Answer(HTTPStatus.FORBIDDEN, f"{host} is not in view {served.view.id}: add it to the view")
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
        name = f"{deb.package} {deb.version} ({deb.architecture})"
        if allowed is not None and deb.sha256 not in allowed:
            hint = "build it without --locked, then write its lock anew: `ropewalk lock`"
            raise NotLocked(f"the lock does not name it with sha256 {deb.sha256}", where=name, hint=hint)

        def fetch(path: Path) -> None:
            if allowed is not None:
                hint = (
                    f"a locked build fetches nothing: build once without --locked, or copy it to pool/{deb.sha256[:2]}/"
                )
                raise NotInPool(f"sha256 {deb.sha256} is not in the pool", where=name, hint=hint)
            download(self._client, self._upstream.url(deb.uri, deb.filename), path)

        return self._pool.open(deb.sha256, deb.size, fetch, deb.filename.rpartition("/")[2], self._listener)


class _Server(ThreadingHTTPServer):
    """The listening socket; it knows its connections, so that none outlives the proxy."""

    def __init__(self, proxy: ArchiveProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        connection = request if isinstance(request, socket.socket) else request[1]
        with self._guard:
            self._open.add(connection)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(connection)

    def end(self) -> None:
        """Stop listening and end open connections."""
        self.shutdown()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection of apt: many requests, often sent before the answers are there."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server
    _headers: ClassVar[Mapping[HTTPStatus, tuple[str, str]]] = {
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: ("Proxy-Authenticate", 'Basic realm="archive view"')
    }

    def version_string(self) -> str:
        """Name the program, without versions."""
        return "ropewalk"

    def handle(self) -> None:
        """Serve until the client leaves; that it leaves early is no error."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def finish(self) -> None:
        """Flush what is left, if someone still listens."""
        with suppress(ConnectionError):
            super().finish()

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet: the listener hears of what matters."""

    def do_GET(self) -> None:
        """Send a file."""
        self._send(self._ask(), body=True)

    def do_HEAD(self) -> None:
        """Send a file's headers."""
        self._send(self._ask(), body=False)

    def do_CONNECT(self) -> None:
        """Refuse a tunnel: what goes through it cannot be kept to a view."""
        host = self.path.partition(":")[0]
        reason = (
            f"{host} is asked for by https: write http in its sources list, and add it to the view if it is not there"
        )
        self.close_connection = True
        self._send(Answer(HTTPStatus.FORBIDDEN, reason), body=True)

    def _ask(self) -> Answer:
        if not self.path.startswith("http://"):
            return Answer(HTTPStatus.BAD_REQUEST, "this is a proxy: ask for an absolute http address")
        view, build = view_of_header(self.headers.get("Proxy-Authorization"))
        return self.server.proxy.answer(view, self.path, build)

    def _send(self, answer: Answer, *, body: bool) -> None:
        if answer.path is None:
            self._send_text(answer, body=body)
            return
        changed = formatdate(answer.date, usegmt=True)
        if answer.date and self.headers.get("If-Modified-Since") == changed:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("Last-Modified", changed)
            self.end_headers()
            return
        with answer.path.open("rb") as content:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(answer.path.stat().st_size))
            if answer.date:
                self.send_header("Last-Modified", changed)
            self.end_headers()
            if body:
                shutil.copyfileobj(content, self.wfile, 1 << 20)

    def _send_text(self, answer: Answer, *, body: bool) -> None:
        text = f"{answer.reason}\n".encode()
        reason = answer.reason.encode("ascii", "replace").decode().splitlines()[0][:_REASON_LIMIT]
        self.send_response(answer.status, reason)
        for name, value in filter(None, [self._headers.get(answer.status)]):
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if body:
            self.wfile.write(text)
