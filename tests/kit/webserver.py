"""A real HTTP server on loopback that answers as a test says: for registries and archives that misbehave."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked.

    Attributes:
        method: Such as GET.
        path: Without the query.
        query: The query's values by name.
        headers: By name in lower case.
        body: What was sent.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What the server answers.

    Attributes:
        status: The HTTP status; 0 closes the connection without an answer.
        body: What is sent.
        headers: Beside Content-Length.
        cut: Send only so many bytes of the body, then close.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass(slots=True)
class WebServer:
    """A running server.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        asked: The requests so far.
        connections: How many connections were opened.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


@contextmanager
def serving(answer: Callable[[Asked], Said]) -> Iterator[WebServer]:
    """Serve during the ``with``.

    Args:
        answer: Called for each request, maybe from several threads.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            running.connections += 1

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
            running.asked.append(asked)
            said = answer(asked)
            if not said.status:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body[: said.cut])
            self.close_connection = self.close_connection or said.cut is not None

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = WebServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
