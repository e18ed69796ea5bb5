"""A real docker-registry for one test, and a way to cut its line after some requests."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from ropewalk import registry
from ropewalk.settings import Settings

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class LiveRegistry:
    """A running registry.

    Attributes:
        endpoint: ``http://127.0.0.1:PORT``.
        lookaside: ``http://127.0.0.1:PORT`` of the signatures.
        lookaside_directory: What it serves.
        data: The registry's storage.
        settings: Its state directory.
    """

    endpoint: str
    lookaside: str
    lookaside_directory: Path
    data: Path
    settings: Settings

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``, as image references name it."""
        return urlsplit(self.endpoint).netloc


@contextmanager
def live_registry(directory: Path, listen: str | None = None) -> Iterator[LiveRegistry]:
    """Run docker-registry and a lookaside during the ``with``.

    Args:
        directory: An empty directory for its state.
        listen: ``ADDRESS[:PORT]``; free loopback ports by default.
    """
    settings = Settings(directory)
    try:
        address = registry.up(settings, listen)
        served = registry.lookaside_of(settings)
        yield LiveRegistry(address.registry, address.lookaside, served, settings.registry / "data", settings)
    finally:
        registry.down(settings)


@contextmanager
def running_registry(directory: Path, listen: str | None = None) -> Iterator[str]:
    """Like `live_registry`, for those who need no more than ``http://HOST:PORT``."""
    with live_registry(directory, listen) as live:
        yield live.endpoint


class _Cutter(socketserver.ThreadingTCPServer):
    """Passes requests on to a registry until the allowed number is used up; then it only hangs up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: tuple[str, int], allowed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.target = target
        self.allowed = allowed
        self.seen = 0
        self.lock = threading.Lock()

    def take(self) -> bool:
        with self.lock:
            self.seen += 1
            return self.seen <= self.allowed


class _Line(socketserver.BaseRequestHandler):
    """One connection; a request is what the client sends after an answer."""

    def handle(self) -> None:
        server = cast("_Cutter", self.server)
        client: socket.socket = self.request
        with socket.create_connection(server.target) as upstream:
            back = threading.Thread(target=self._answers, args=(upstream, client), daemon=True)
            back.start()
            self._requests(server, client, upstream)
            back.join(1.0)

    def _requests(self, server: _Cutter, client: socket.socket, upstream: socket.socket) -> None:
        while True:
            try:
                data = client.recv(_CHUNK)
            except OSError:
                return
            starts = data.split(b" ", 1)[0] in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")
            if not data or (starts and not server.take()):
                self._hang_up(client, upstream)
                return
            upstream.sendall(data)

    def _hang_up(self, *ends: socket.socket) -> None:
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _answers(self, upstream: socket.socket, client: socket.socket) -> None:
        try:
            while data := upstream.recv(_CHUNK):
                client.sendall(data)
        except OSError:
            return
        finally:
            self._hang_up(client)


@dataclass(frozen=True, slots=True)
class CutLine:
    """A line to a registry that breaks.

    Attributes:
        endpoint: Where it is reached.
        server: The server behind it.
    """

    endpoint: str
    server: "_Cutter"

    @property
    def seen(self) -> int:
        """How many requests came, those that were cut off included."""
        return self.server.seen


@contextmanager
def cut_after(endpoint: str, requests: int) -> Iterator[CutLine]:
    """Give a second address to a registry that answers ``requests`` requests and then hangs up on each.

    Args:
        endpoint: The registry's own address.
        requests: How many requests pass.
    """
    parts = urlsplit(endpoint)
    server = _Cutter((parts.hostname or "127.0.0.1", parts.port or 80), requests)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield CutLine(f"http://127.0.0.1:{server.server_address[1]}", server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
