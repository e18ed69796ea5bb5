"""The tags of many repositories, asked before the first answer is read; what is odd is left to others."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ropewalk.oci.bulk import tags_of
from ropewalk.process import Command, run

SELF = "Docker-Distribution-Api-Version: registry/2.0\r\n"


def said(status: str, body: str, headers: str = SELF) -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """Give each question of one connection the next of some answers, then hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                seen = b""
                while seen.count(b"\r\n\r\n") < len(answers) and (data := line.recv(65536)):
                    seen += data
                line.sendall(b"".join(answers))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def ask(answer: bytes) -> dict[str, tuple[str, ...]]:
    with answering(answer) as endpoint:
        return tags_of(endpoint, {"a": "/v2/a/tags/list"}, None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (said("200 OK", '{"tags": ["2", "1"]}'), {"a": ("1", "2")}),
        (said("200 OK", '{"tags": null}'), {"a": ()}),
        (said("404 Not Found", "{}"), {"a": ()}),
        (said("404 Not Found", "{}", ""), {}),
        (said("401 Unauthorized", "{}"), {}),
        (said("307 Temporary Redirect", ""), {}),
        (said("200 OK", '{"tags": ["1"]}', f'{SELF}Link: <x>; rel="next"\r\n'), {}),
        (said("200 OK", "no json"), {}),
        (
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"tags": ["\r\n3\r\n1"]\r\n1;x=y\r\n}\r\n0\r\n\r\n',
            {"a": ("1",)},
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", {}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", {}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", {}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", {}),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", {}),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, {}),
        (b"SSH-2.0-OpenSSH\r\n", {}),
        (b"", {}),
    ],
)
def test_what_is_not_answered_plainly_is_left_out(answer: bytes, expected: dict[str, tuple[str, ...]]) -> None:
    assert ask(answer) == expected


def test_nobody_there_answers_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert tags_of(f"http://127.0.0.1:{port}", {"a": "/v2/a/tags/list"}, None) == {}
    assert tags_of(f"http://127.0.0.1:{port}", {}, None) == {}


def test_a_plan_does_not_load_what_it_does_not_use() -> None:
    heavy = ("httpx2", "sqlalchemy", "cryptography", "securesystemslib", "pysequoia")
    code = f"import sys, ropewalk.cli, ropewalk.plan, ropewalk.oci, ropewalk.trust, ropewalk.archive; print([m for m in {heavy} if m in sys.modules])"
    assert run(Command((sys.executable, "-c", code))).stdout == b"[]\n"
