"""A tiny archive: real .debs, signed release files, and a server of it on loopback."""

import hashlib
import lzma
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pysequoia

from ropewalk.archive import Upstream

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


@dataclass(frozen=True, slots=True)
class Served:
    """An archive that a server on loopback serves.

    Attributes:
        url: The server's address.
        requests: The paths that were asked for, in order.
        failing: How often a path is answered with 503 from now on.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)

    @property
    def upstream(self) -> Upstream:
        """The mirrors behind Debian's public addresses."""
        return Upstream(f"{self.url}/debian", f"{self.url}/debian-security")

    def asked(self, end: str) -> int:
        """Count the requests whose path ends so."""
        return sum(path.endswith(end) for path in self.requests)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, served: Served, directory: str) -> None:
        self._served = served
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def log_message(self, *_arguments: object) -> None:
        pass

    def send_head(self) -> object:  # type: ignore[override]
        self._served.requests.append(self.path)
        if self._served.failing.get(self.path, 0) > 0:
            self._served.failing[self.path] -= 1
            self.send_error(503)
            return None
        return super().send_head()


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
        """Return the archive's directory that has a suite."""
        return self.root / ("debian-security" if suite.endswith("-security") else "debian")

    def inrelease(self, suite: str) -> Path:
        """Return a suite's InRelease file."""
        return self.base(suite) / "dists" / suite / "InRelease"

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
    ) -> None:
        """Make a suite of packages: the .debs, the index, the signed release file.

        Args:
            suite: The suite; one that ends in ``-security`` goes to ``debian-security``.
            debs: All that it offers.
            date: The release file's Date, in seconds since 1970.
            key: Who signs; the archive's own key by default.
            fields: Fields of the release file that replace the usual ones.
        """
        base = self.base(suite)
        plain = "\n".join(self._stanza(base, deb) for deb in debs).encode()
        index = lzma.compress(plain, preset=0)
        digest, plain_digest = hashlib.sha256(index).hexdigest(), hashlib.sha256(plain).hexdigest()
        directory = base / "dists" / suite / "main" / "binary-amd64"
        by_hash = directory / "by-hash" / "SHA256" / digest
        by_hash.parent.mkdir(parents=True, exist_ok=True)
        by_hash.write_bytes(index)
        (directory / "Packages.xz").write_bytes(index)
        values = {
            "Origin": "Debian",
            "Label": "Debian-Security" if suite.endswith("-security") else "Debian",
            "Suite": suite.replace("bookworm", "oldstable"),
            "Codename": suite,
            "Date": formatdate(date, usegmt=True).replace("GMT", "UTC"),
            "Acquire-By-Hash": "yes",
            "Architectures": "amd64",
            "Components": "updates/main" if suite.endswith("-security") else "main",
            **(fields or {}),
            "SHA256": f"\n {plain_digest} {len(plain)} main/binary-amd64/Packages"
            f"\n {digest} {len(index)} main/binary-amd64/Packages.xz",
        }
        text = "".join(f"{name}: {value}\n" for name, value in values.items())
        self.inrelease(suite).write_bytes((key or self.key).sign(text))

    @contextmanager
    def serve(self) -> Iterator[Served]:
        """Serve the archive on a free port of loopback.

        Yields:
            Its address and what was asked.
        """
        requests: list[str] = []
        failing: dict[str, int] = {}
        handler = partial(_Handler, served=Served("", requests, failing), directory=str(self.root))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield Served(f"http://127.0.0.1:{server.server_address[1]}", requests, failing)
            finally:
                server.shutdown()
                thread.join()
