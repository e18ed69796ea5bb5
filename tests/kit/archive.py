"""A tiny archive: real .debs, signed release files, and a server of it on loopback."""

import base64
import gzip
import hashlib
import lzma
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pysequoia

from ropewalk.archive import Upstream
from ropewalk.debian import Repository, suite_path

NEW_YEAR = 1767225600
"""2026-01-01 00:00:00 UTC."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A package to build.

    Attributes:
        name: The package.
        version: Its version.
        architecture: Its architecture.
        fields: Control fields beside the usual, as (name, value).
        files: Path and content of each file.
    """

    name: str
    version: str
    architecture: str = "all"
    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    @property
    def filename(self) -> str:
        """Its place in an archive."""
        version = self.version.partition(":")[2] or self.version
        return f"pool/main/{self.name[0]}/{self.name}/{self.name}_{version}_{self.architecture}.deb"

    @property
    def control(self) -> str:
        """Its control file."""
        fields = (
            ("Package", self.name),
            ("Version", self.version),
            ("Architecture", self.architecture),
            ("Maintainer", "Test <test@example.org>"),
            ("Description", f"package {self.name} of a test"),
            *self.fields,
        )
        return "".join(f"{name}: {value}\n" for name, value in fields)


@cache
def deb_bytes(deb: Deb) -> bytes:
    """Build a .deb with dpkg-deb; each once.

    Args:
        deb: The package.

    Returns:
        The file's content.
    """
    with TemporaryDirectory(prefix="ropewalk-deb-") as name:
        root, path = Path(name) / "root", Path(name) / "a.deb"
        for file, content in (("DEBIAN/control", deb.control), *deb.files):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content)
        argv = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(path)]
        subprocess.run(argv, check=True, capture_output=True)
        return path.read_bytes()


class Key:
    """An OpenPGP key that signs a release file."""

    def __init__(self, name: str = "Test archive <archive@example.org>") -> None:
        """Make a new key."""
        self._secret = pysequoia.Tsk.generate(name)

    @property
    def public(self) -> bytes:
        """The public key, in binary form."""
        return bytes(self._secret.extract_certificate())

    def sign(self, text: str) -> bytes:
        """Return a text with its signature, as an InRelease file has it."""
        mode = pysequoia.SignatureMode.CLEAR
        return bytes(pysequoia.sign(self._secret.signer(), text.encode(), mode=mode))


def armoured(*keys: Key) -> str:
    """Return keys as text, a block each, as many archives publish them."""
    block = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: a key\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n"
    return "".join(block.format(base64.encodebytes(key.public).decode().strip()) for key in keys)


@dataclass(frozen=True, slots=True)
class Served:
    """An archive that a server on loopback serves.

    Attributes:
        url: The server's address.
        requests: The paths that were asked for, in order.
        failing: How often a path is answered with 503 from now on.
        cutting: After how many bytes the connection breaks when a path is next sent.
        unchanged: The paths that were answered with 304.
        ranges: Path and first byte of each partial answer.
        tags: Answers carry an ETag.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    cutting: dict[str, int] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    ranges: list[tuple[str, int]] = field(default_factory=list)
    tags: bool = True

    @property
    def upstream(self) -> Upstream:
        """The mirrors behind Debian's public addresses."""
        return Upstream(f"{self.url}/debian", f"{self.url}/debian-security")

    def asked(self, end: str) -> int:
        """Count the requests whose path ends so."""
        return sum(path.endswith(end) for path in self.requests)


class _Handler(BaseHTTPRequestHandler):
    """Serves files as mirrors do: with ETag and Last-Modified, conditional requests and ranges (RFC 9110, 13 and 14)."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, served: Served, directory: Path) -> None:
        self._served = served
        self._directory = directory
        super().__init__(*arguments)  # type: ignore[arg-type]

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._served.requests.append(self.path)
        path = self._directory / unquote(self.path).lstrip("/")
        if self._served.failing.get(self.path, 0) > 0:
            self._served.failing[self.path] -= 1
            self._answer(503, b"")
        elif path.is_file():
            self._send(path.read_bytes(), formatdate(path.stat().st_mtime, usegmt=True))
        else:
            self._answer(404, b"")

    def _send(self, content: bytes, date: str) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()}"' if self._served.tags else ""
        known = self.headers.get("If-None-Match") or self.headers.get("If-Modified-Since")
        if known and known in {tag, date}:
            self._served.unchanged.append(self.path)
            self._answer(304, b"", tag, date)
            return
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            self._answer(416, b"")
        elif start:
            self._served.ranges.append((self.path, start))
            self._answer(206, content[start:], tag, date, f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self._answer(200, content, tag, date)

    def _answer(self, status: int, content: bytes, tag: str = "", date: str = "", part: str = "") -> None:
        self.send_response(status)
        for name, value in (("ETag", tag), ("Last-Modified", date), ("Content-Range", part)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self._served.cutting.pop(self.path, len(content))
        self.wfile.write(content[:cut])
        self.close_connection = cut < len(content)


class Archive:
    """An archive on disk: ``debian`` and ``debian-security`` below one directory, as mirrors have them."""

    def __init__(self, root: Path) -> None:
        """Make an empty archive.

        Args:
            root: Its directory, which need not exist.
        """
        self.root = root
        self.key = Key()
        self.keyring = root / "keyring.gpg"
        root.mkdir(parents=True, exist_ok=True)
        self.keyring.write_bytes(self.key.public)

    def base(self, suite: str) -> Path:
        """Return the archive's directory that has a suite of Debian's."""
        return self.root / ("debian-security" if suite.endswith("-security") else "debian")

    def inrelease(self, suite: str, place: str = "") -> Path:
        """Return a suite's InRelease file; ``place`` as in `publish`."""
        return (self.root / place if place else self.base(suite)) / suite_path(suite) / "InRelease"

    def repository(self, url: str, place: str, suite: str) -> Repository:
        """Return how a recipe names an archive beside Debian's.

        Args:
            url: Where it is served.
            place: As in `publish`.
            suite: Its suite.
        """
        return Repository(f"{url}/{place}", (suite,), () if suite.endswith("/") else ("main",), self.keyring)

    def _stanza(self, base: Path, deb: Deb) -> str:
        path = base / deb.filename
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(deb_bytes(deb))
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return f"{deb.control}Filename: {deb.filename}\nSize: {len(content)}\nSHA256: {digest}\n"

    def publish(
        self,
        suite: str,
        debs: Sequence[Deb],
        *,
        date: int = NEW_YEAR,
        key: Key | None = None,
        fields: Mapping[str, str] | None = None,
        place: str = "",
        packed: str = ".xz",
        apart: Sequence[Deb] = (),
        sources: Sequence[str] = (),
    ) -> None:
        """Make a suite of packages: the .debs, the index, the signed release file.

        Args:
            suite: The suite; one that ends in ``-security`` goes to ``debian-security``.
            debs: All that it offers.
            date: The release file's Date, in seconds since 1970.
            key: Who signs; the archive's own key by default.
            fields: Fields of the release file that replace the usual ones.
            place: The directory of an archive beside Debian's; a suite that ends in ``/`` is flat there.
            packed: The end of the index's name.
            apart: Packages in an index of those for all architectures.
            sources: Source packages, as ``NAME VERSION``.
        """
        base = self.root / place if place else self.base(suite)
        below = "" if suite.endswith("/") else "main/binary-{}/"
        files = self._index(base, suite, below.format("amd64"), debs, packed)
        if apart:
            files += self._index(base, suite, below.format("all"), apart, packed)
        if sources:
            files += self._sources(base, suite, "" if suite.endswith("/") else "main/source/", sources)
        values = {
            "Origin": "Debian",
            "Label": "Debian-Security" if suite.endswith("-security") else "Debian",
            "Suite": suite.replace("bookworm", "oldstable"),
            "Codename": suite,
            "Date": formatdate(date, usegmt=True).replace("GMT", "UTC"),
            "Acquire-By-Hash": "yes",
            "Architectures": "all amd64" if apart else "amd64",
            "Components": "updates/main" if suite.endswith("-security") else "main",
            **(fields or {}),
            "SHA256": files,
        }
        text = "".join(f"{name}: {value}\n" for name, value in values.items() if value)
        self.inrelease(suite, place).write_bytes((key or self.key).sign(text))

    def _sources(self, base: Path, suite: str, below: str, sources: Sequence[str]) -> str:
        """Write source packages and their index; return its line in the release file."""
        stanzas = []
        for source in sources:
            name, version = source.split(" ")
            stanza = f"Package: {name}\nVersion: {version}\nDirectory: pool/main/{name}\nChecksums-Sha256:\n"
            for end in (".dsc", ".orig.tar.xz", ".debian.tar.xz"):
                content = f"{source} {end}\n".encode()
                path = base / "pool" / "main" / name / f"{name}_{version}{end}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                stanza += f" {hashlib.sha256(content).hexdigest()} {len(content)} {path.name}\n"
            stanzas.append(stanza)
        index = lzma.compress("\n".join(stanzas).encode(), preset=0)
        path = base / suite_path(suite) / below / "Sources.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(index)
        return f"\n {hashlib.sha256(index).hexdigest()} {len(index)} {below}Sources.xz"

    def _index(self, base: Path, suite: str, below: str, debs: Sequence[Deb], packed: str) -> str:
        """Write an index; return its lines in the release file."""
        plain = "\n".join(self._stanza(base, deb) for deb in debs).encode()
        index = {".xz": lzma.compress(plain, preset=0), ".gz": gzip.compress(plain), "": plain}[packed]
        digest = hashlib.sha256(index).hexdigest()
        directory = base / suite_path(suite) / below
        by_hash = directory / "by-hash" / "SHA256" / digest
        by_hash.parent.mkdir(parents=True, exist_ok=True)
        by_hash.write_bytes(index)
        (directory / f"Packages{packed}").write_bytes(index)
        names = {f"Packages{packed}": index, "Packages": plain}
        return "".join(
            f"\n {hashlib.sha256(content).hexdigest()} {len(content)} {below}{name}" for name, content in names.items()
        )

    @contextmanager
    def serve(self, certificate: Path | None = None, *, tags: bool = True) -> Iterator[Served]:
        """Serve the archive on a free port of loopback.

        Args:
            certificate: Key and certificate in PEM, for https; None for http.
            tags: Answers carry an ETag.

        Yields:
            Its address and what was asked.
        """
        server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        served = Served(f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}", tags=tags)
        server.RequestHandlerClass = partial(_Handler, served=served, directory=self.root)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        with server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield served
            finally:
                server.shutdown()
                thread.join()


def certificate(directory: Path) -> Path:
    """Make a key and a self-signed certificate of 127.0.0.1.

    Args:
        directory: Where the file is put.

    Returns:
        Both in one PEM file, which is also what clients must trust.
    """
    path, key = directory / "server.pem", directory / "server.key"
    request = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run([*request, *names, "-keyout", key, "-out", path], check=True, capture_output=True)
    path.write_bytes(key.read_bytes() + path.read_bytes())
    return path
