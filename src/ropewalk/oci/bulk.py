"""The tags of many repositories in few ways there and back.

All questions are written before the first answer is read (RFC 9112, "Pipelining"), on few connections, and nothing is done
about what is out of the ordinary: redirects, tokens, further pages, a server that hangs up. What is not answered plainly
is left out; `RegistryClient.tags` asks it again and says what is wrong.

The answers come while the caller does other work: a tree's repositories are known before its templates are rendered.
"""

import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

_LINES = 4
_WINDOW = 64
"""Questions that wait for their answer on one connection: few enough for the buffers on the way."""
_SECONDS = 20.0
_LINE_BYTES, _HEADERS, _BODY_BYTES = 1 << 16, 100, 16 << 20
_OK, _NOT_FOUND = b"200", b"404"
_SELF = "docker-distribution-api-version"
"""A registry says so in each answer; a 404 of another server does not mean that there are no tags."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def last(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


class _Odd(Exception):
    """An answer that is not understood: nothing more can be read from its connection."""


class Asked:
    """Questions that are under way, each line in a thread of its own.

    Attributes:
        repositories: Those that were asked for.
    """

    def __init__(self, endpoint: str, questions: Mapping[str, str], trusting: ssl.SSLContext | None) -> None:
        """Begin to ask for the tags of repositories.

        Args:
            endpoint: ``http://HOST:PORT`` or ``https://HOST``.
            questions: The repositories, each with the path of its tags, quoted.
            trusting: What the registry's certificate is checked against; None for ``http``.
        """
        items = tuple(questions.items())
        self.repositories = frozenset(questions)
        self._endpoint = endpoint
        self._trusting = trusting
        self._found: dict[str, tuple[str, ...]] = {}
        self._open: set[socket.socket] = set()
        self._given_up = False
        self._lock = threading.Lock()
        # Daemons, since nobody waits for the answers of a command that fails meanwhile.
        self._threads = tuple(
            threading.Thread(target=self._ask, args=(items[start::_LINES],), name="registry", daemon=True)
            for start in range(min(_LINES, len(items)))
        )
        for thread in self._threads:
            thread.start()

    def answers(self) -> dict[str, tuple[str, ...]]:
        """Wait for the answers.

        Returns:
            The tags, sorted, of those that were answered plainly; none where there is no such repository.
        """
        for thread in self._threads:
            thread.join()
        return self._found

    def give_up(self) -> None:
        """Break the lines off, so that their threads end; nothing happens if all is answered."""
        with self._lock:
            self._given_up = True
            for line in self._open:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def _ask(self, questions: Sequence[tuple[str, str]]) -> None:
        with suppress(OSError, ValueError, _Odd), self._line() as line, line.makefile("rb") as stream:
            for start in range(0, len(questions), _WINDOW):
                window = questions[start : start + _WINDOW]
                line.sendall(b"".join(_question(self._endpoint, path) for _, path in window))
                for repository, _ in window:
                    answer = _read(stream)
                    if (tags := _tags(answer)) is not None:
                        self._found[repository] = tags
                    if answer.last:
                        return

    @contextmanager
    def _line(self) -> Iterator[socket.socket]:
        """Open a connection, which `give_up` breaks off."""
        parts = urlsplit(self._endpoint)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((host, port), timeout=_SECONDS) as plain, self._breakable(plain):
            if self._trusting is None:
                yield plain
                return
            # From here on it is the TLS socket that holds the connection.
            line = self._trusting.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            with line, self._breakable(line):
                line.do_handshake()
                yield line

    @contextmanager
    def _breakable(self, line: socket.socket) -> Iterator[None]:
        with self._lock:
            if self._given_up:
                raise _Odd
            self._open.add(line)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(line)


def _question(endpoint: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(endpoint).netloc}\r\nAccept: application/json\r\n\r\n".encode(
        "ascii"
    )


def _read(stream: BinaryIO) -> _Answer:
    """Read one answer and no byte more (RFC 9112, "Message Body Length")."""
    first = stream.readline(_LINE_BYTES).split()
    if len(first) <= 1 or not first[0].startswith(b"HTTP/1."):
        raise _Odd
    headers: dict[str, str] = {}
    for _ in range(_HEADERS):
        text = stream.readline(_LINE_BYTES).decode("latin-1").strip()
        if not text:
            break
        name, _colon, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    else:
        raise _Odd
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _Answer(first[1], headers, b"".join(_chunks(stream)))
    if "content-length" not in headers:
        raise _Odd
    return _Answer(first[1], headers, _exactly(stream, int(headers["content-length"])))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    left = _BODY_BYTES
    while size := int(stream.readline(_LINE_BYTES).partition(b";")[0], 16):
        left -= size
        if left < 0:
            raise _Odd
        yield _exactly(stream, size)
        stream.readline(_LINE_BYTES)
    while stream.readline(_LINE_BYTES).strip():
        continue


def _exactly(stream: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= _BODY_BYTES:
        raise _Odd
    data = stream.read(size)
    if len(data) != size:
        raise _Odd
    return data


def _tags(answer: _Answer) -> tuple[str, ...] | None:
    """Return the tags that an answer names; None where somebody else must look at it."""
    if answer.status == _NOT_FOUND and _SELF in answer.headers:
        return ()
    if answer.status != _OK or "link" in answer.headers:
        return None
    try:
        return tuple(sorted({str(tag) for tag in json.loads(answer.body)["tags"] or ()}))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
