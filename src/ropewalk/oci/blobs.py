"""Blobs on disk: ``sha256/HEX``, each whole or not there at all, safe with several processes and after kill -9."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ropewalk import atomic
from ropewalk.errors import InputError, TrustError
from ropewalk.oci.imagejson import digest_of
from ropewalk.oci.reference import is_digest


@dataclass(frozen=True, slots=True)
class Arriving:
    """A blob whose digest is not known yet.

    Attributes:
        path: Its temporary name.
        file: Open for writing and reading.
    """

    path: Path
    file: BinaryIO


class Blobs:
    """The blobs of a store."""

    def __init__(self, directory: Path, lock: Path) -> None:
        """Use a store's directory; make what is missing and remove what dead processes were writing.

        Args:
            directory: The store; blobs are in ``blobs/sha256``, those that arrive in ``incoming``.
            lock: The store's lock file.
        """
        self._directory = directory / "blobs" / "sha256"
        self._incoming = directory / "incoming"
        self._lock = lock
        self._directory.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(exist_ok=True)
        with atomic.locked(lock):
            self._sweep()

    def _sweep(self) -> None:
        # A living writer holds a lock on its file; the kernel freed a dead one's.
        for path in self._incoming.iterdir():
            with suppress(BlockingIOError, FileNotFoundError), path.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def path(self, digest: str) -> Path:
        """Return where a blob is or would be.

        Raises:
            InputError: ``digest`` is no sha256 digest.
        """
        if not is_digest(digest):
            raise InputError("is no sha256 digest", where=repr(digest), hint="write sha256: and 64 hexadecimal digits")
        return self._directory / digest.removeprefix("sha256:")

    def size(self, digest: str) -> int | None:
        """Return how many bytes a blob has here; None where it is not here."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str) -> bytes:
        """Return a blob's bytes, verified.

        Raises:
            InputError: It is not there.
            TrustError: It was changed.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise InputError("is not in the store", where=digest, hint="build or fetch the image again") from None
        if digest_of(data) != digest:
            raise TrustError("the blob was changed", where=str(path), hint="delete it; build or fetch the image again")
        return data

    def put(self, data: bytes) -> str:
        """Keep bytes and return their digest."""
        digest = digest_of(data)
        if self.size(digest) != len(data):
            with self.arriving() as arriving:
                arriving.file.write(data)
                self.keep(arriving, digest)
        return digest

    @contextmanager
    def arriving(self) -> Iterator[Arriving]:
        """Open a temporary file; `keep` makes it a blob, otherwise it goes."""
        with atomic.locked(self._lock):
            handle, name = tempfile.mkstemp(dir=self._incoming)
            fcntl.flock(handle, fcntl.LOCK_EX)
        path = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield Arriving(path, file)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, arriving: Arriving, digest: str) -> None:
        """Give what was written its name.

        Args:
            arriving: The written file.
            digest: Of its content, as the caller found it while writing.
        """
        arriving.file.flush()
        os.fchmod(arriving.file.fileno(), 0o644)
        os.fsync(arriving.file.fileno())
        arriving.path.replace(self.path(digest))


def file_digest(path: Path) -> str:
    """Return ``sha256:`` and the digest of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
