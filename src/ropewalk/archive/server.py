"""The proxy's HTTP: connections of apt, plain or in a tunnel that ends here, and who asks for which view."""

import base64
import binascii
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Protocol

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


class Answers(Protocol):
    """Who knows the answers."""

    def answer(self, view_id: str, url: str, word: str) -> Answer:
        """Say what a request for an absolute address gets."""

    def tunnel(self, view_id: str, host: str, word: str) -> Answer | ssl.SSLContext:
        """Say how to be a host (``NAME:PORT``) at the end of a tunnel, or why not."""


@dataclass(frozen=True, slots=True)
class _Tunnel:
    """What a connection is after CONNECT: the host that the client takes us for, and who asks."""

    origin: str
    view: str
    word: str


def view_of_header(header: str | None) -> tuple[str, str]:
    """Return view and word that a ``Proxy-Authorization`` header names (RFC 7617); empty where it names none."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


@contextmanager
def serving(listener: socket.socket, answers: Answers) -> Iterator[int]:
    """Serve on a listening socket during the ``with``; open connections end with it.

    Args:
        listener: The socket; it is closed afterwards.
        answers: Says what requests get; called from several threads.

    Yields:
        The port.
    """
    server = _Server(listener, answers)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="archive-proxy", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.end()


class _Server(ThreadingHTTPServer):
    """The listening socket; it knows its connections, so that none outlives the proxy."""

    def __init__(self, listener: socket.socket, answers: Answers) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.answers = answers
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    @contextmanager
    def known(self, connection: socket.socket) -> Iterator[None]:
        """Know an open connection during the ``with``."""
        with self._guard:
            self._open.add(connection)
        try:
            yield
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
    _tunnel: _Tunnel | None = None
    _headers: ClassVar[Mapping[HTTPStatus, tuple[str, str]]] = {
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: ("Proxy-Authenticate", 'Basic realm="archive view"')
    }

    def version_string(self) -> str:
        """Name the program, without versions."""
        return "ropewalk"

    def handle(self) -> None:
        """Serve until the client leaves; that it leaves early is no error."""
        with suppress(ConnectionError, TimeoutError), self.server.known(self.connection):
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
        """Be the other end of a tunnel, so that an https archive is served from the view too; refuse others."""
        view, word = view_of_header(self.headers.get("Proxy-Authorization"))
        found = self.server.answers.tunnel(view, self.path, word)
        if self._tunnel is not None:
            found = Answer(HTTPStatus.BAD_REQUEST, "a tunnel in a tunnel")
        if isinstance(found, Answer):
            self.close_connection = True
            self._send(found, body=True)
            return
        self.send_response_only(HTTPStatus.OK, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self._tunnel = _Tunnel(f"https://{self.path.removesuffix(':443')}", view, word)
        with suppress(ssl.SSLError):
            self._serve_tunnel(found)
        self.close_connection = True

    def _serve_tunnel(self, context: ssl.SSLContext) -> None:
        with context.wrap_socket(self.connection, server_side=True) as inner, self.server.known(inner):
            outer = self.connection, self.rfile, self.wfile
            with inner.makefile("rb") as self.rfile, inner.makefile("wb", self.wbufsize) as self.wfile:  # type: ignore[assignment]
                self.connection = inner
                super().handle()
            self.connection, self.rfile, self.wfile = outer

    def _ask(self) -> Answer:
        if self._tunnel is not None:
            through = self._tunnel
            return self.server.answers.answer(through.view, f"{through.origin}{self.path}", through.word)
        if not self.path.startswith("http://"):
            return Answer(HTTPStatus.BAD_REQUEST, "this is a proxy: ask for an absolute http address")
        view, word = view_of_header(self.headers.get("Proxy-Authorization"))
        return self.server.answers.answer(view, self.path, word)

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
