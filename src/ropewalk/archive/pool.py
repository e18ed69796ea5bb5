"""The pool: every .deb that was ever used, once, by sha256, and never served unchecked."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from ropewalk import atomic
from ropewalk.errors import TrustError
from ropewalk.events import Event, EventKind, Listener

_LOCKS = 64


class WrongContent(TrustError):
    """The archive's mirror sent a file that is not the one its signed index names."""


def _is(path: Path, sha256: str, size: int) -> bool:
    with path.open("rb") as handle:
        return path.stat().st_size == size and hashlib.file_digest(handle, "sha256").hexdigest() == sha256


class Pool:
    """Files by sha256; threads and processes may use one directory at the same time."""

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which need not exist yet."""
        self._directory = directory
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def path(self, sha256: str) -> Path:
        """Return where a file is or would be."""
        return self._directory / sha256[:2] / sha256

    def open(self, sha256: str, size: int, fetch: Callable[[Path], None], name: str, listener: Listener) -> Path:
        """Return a file whose content was checked just now; it is fetched where it is not there or damaged.

        Args:
            sha256: Of its content.
            size: In bytes.
            fetch: Writes the content to the path that it gets.
            name: Its name, for people.
            listener: Is warned of a damaged file.

        Returns:
            The file in the pool; not to be written to.

        Raises:
            WrongContent: What was fetched is not the file.
        """
        path = self.path(sha256)
        with self._locks[int(sha256[:2], 16) % _LOCKS]:
            if path.is_file():
                if _is(path, sha256, size):
                    return path
                path.unlink(missing_ok=True)
                detail = "its copy in the pool was damaged; it is removed and fetched again"
                listener(Event(EventKind.WARNING, name, "check pool", detail))
            with atomic.replacing(path) as temporary:
                fetch(temporary)
                if not _is(temporary, sha256, size):
                    hint = (
                        "the mirror or a cache before it is broken; try again, or take another mirror in apt's sources"
                    )
                    raise WrongContent("the mirror's content is not what the signed index says", where=name, hint=hint)
        return path
