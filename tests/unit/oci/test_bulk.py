"""The tags of many repositories, asked before the first answer is read; what is odd is left to others."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ropewalk.oci.bulk import Asked
from ropewalk.oci.transport import trusting
from ropewalk.process import Command, run

SELF = "Docker-Distribution-Api-Version: registry/2.0\r\n"


def said(status: str, body: str, headers: str = SELF) -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@contextmanager
def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Give each question of one connection the next of some answers, then hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            with suppress(OSError), tls.wrap_socket(plain, server_side=True) if tls else plain as line:
                seen = b""
                while seen.count(b"\r\n\r\n") < len(answers) and (data := line.recv(65536)):
                    seen += data
                line.sendall(b"".join(answers))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http{'s' if tls else ''}://localhost:{server.getsockname()[1]}"
        thread.join(5)


def ask(answer: bytes) -> dict[str, tuple[str, ...]]:
    with answering(answer) as endpoint:
        return Asked(endpoint, {"a": "/v2/a/tags/list"}, None).answers()


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
    assert Asked(f"http://127.0.0.1:{port}", {"a": "/v2/a/tags/list"}, None).answers() == {}
    assert Asked(f"http://127.0.0.1:{port}", {}, None).answers() == {}


def test_giving_up_breaks_the_lines_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = Asked(f"http://127.0.0.1:{server.getsockname()[1]}", {"a": "/v2/a/tags/list"}, None)
        line, _ = server.accept()
        with line:
            line.recv(65536)
            asked.give_up()
            assert asked.answers() == {}


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "own.pem").write_bytes(certificate)
    (tmp_path / "both.pem").write_bytes(key.private_bytes(*kind) + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    question = {"a": "/v2/a/tags/list"}
    for trusted, expected in (("own.pem", {"a": ("1",)}), (None, {})):
        with answering(said("200 OK", '{"tags": ["1"]}'), tls=context) as endpoint:
            bundle = None if trusted is None else tmp_path / trusted
            assert Asked(endpoint, question, trusting(bundle)).answers() == expected


def test_a_plan_does_not_load_what_it_does_not_use() -> None:
    heavy = ("httpx2", "sqlalchemy", "cryptography", "securesystemslib", "pysequoia", "rich.console")
    code = f"import sys, ropewalk.cli, ropewalk.plan, ropewalk.oci, ropewalk.trust, ropewalk.archive; print([m for m in {heavy} if m in sys.modules])"
    assert run(Command((sys.executable, "-c", code))).stdout == b"[]\n"
