"""docker-registry with TLS on port 443 of a loopback address: docker-pkg takes neither plain HTTP nor a port."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_WAIT = 100


@dataclass(frozen=True, slots=True)
class TlsRegistry:
    """A running registry.

    Attributes:
        host: Its address, which is also its name.
        certificate: What clients must trust.
    """

    host: str
    certificate: Path

    @property
    def endpoint(self) -> str:
        """``https://ADDRESS``."""
        return f"https://{self.host}"


@contextmanager
def tls_registry(place: Path, host: str) -> Iterator[TlsRegistry]:
    """Run docker-registry during the ``with``.

    Args:
        place: An empty directory for its data, key and certificate.
        host: A loopback address on whose port 443 nothing listens.

    Raises:
        RuntimeError: It does not answer; its log is in ``place``.
    """
    key, certificate = place / "key.pem", place / "certificate.pem"
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}")
    extension = ("-addext", f"subjectAltName=IP:{host}", "-keyout", key, "-out", certificate)
    subprocess.run([*request, *extension], check=True, capture_output=True)
    (place / "config.yml").write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {place / 'data'}}}, cache: {{blobdescriptor: inmemory}}}}\n"
        f"http: {{addr: '{host}:443', tls: {{certificate: {certificate}, key: {key}}}}}\n"
    )
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", place / "config.yml"], stdout=log, stderr=log)
        try:
            _wait(host, place / "log")
            yield TlsRegistry(host, certificate)
        finally:
            process.terminate()
            process.wait(30)


def _wait(host: str, log: Path) -> None:
    for _ in range(_WAIT):
        with socket.socket() as probe:
            if probe.connect_ex((host, 443)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"docker-registry does not answer: {log.read_text()[-1000:]}")
