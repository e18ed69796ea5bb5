"""The pool: every .deb that was ever used, once, by sha256, and never served unchecked.

Any number of threads and processes use one directory at a time: a file that is being fetched is locked, so that it is
fetched once, and whoever uses the pool holds a lock that the removal of files waits for.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive.fetch import complete, is_file
from ropewalk.errors import TrustError
from ropewalk.events import Event, EventKind, Listener

_PARTIAL = "partial"


class WrongContent(TrustError):
    """The archive's mirror sent a file that is not the one its signed index names."""


class Pool:
    """Files by sha256; threads and processes may use one directory at the same time."""

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which need not exist yet."""
        self._directory = directory

    def path(self, sha256: str) -> Path:
        """Return where a file is or would be."""
        return self._directory / sha256[:2] / sha256

    def files(self) -> Iterator[Path]:
        """Go through the files, in the order of their names; each is named by its sha256."""
        yield from sorted(path for path in self._directory.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64)  # noqa: PLR2004  # digits of a sha256

    def beginnings(self) -> tuple[Path, ...]:
        """Return the files whose fetching broke off."""
        return tuple(sorted((self._directory / _PARTIAL).glob("*")))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep what is here from being removed by others during the ``with``."""
        with atomic.locked(self._directory / "lock", shared=True):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only user during the ``with``.

        Raises:
            HostError: Something uses the pool.
        """
        with atomic.locked(self._directory / "lock", wait=False):
            yield

    def open(self, sha256: str, size: int, fetch: Callable[[Path], None], name: str, listener: Listener) -> Path:
        """Return a file whose content was checked just now; it is fetched where it is not there or damaged.

        Args:
            sha256: Of its content.
            size: In bytes.
            fetch: Writes what is missing of the content to the path that it gets, as `fetch.download` does.
            name: Its name, for people.
            listener: Is warned of a damaged file.

        Returns:
            The file in the pool; not to be written to. Its time of change is when it was last used.

        Raises:
            WrongContent: What was fetched is not the file.
        """
        path = self.path(sha256)
        if not is_file(path, sha256, size):
            self._fetch(sha256, size, fetch, name, listener)
        with suppress(PermissionError):
            os.utime(path)
        return path

    def _fetch(self, sha256: str, size: int, fetch: Callable[[Path], None], name: str, listener: Listener) -> None:
        path = self.path(sha256)
        with _locked(self._directory / _PARTIAL / sha256) as partial:
            if is_file(path, sha256, size):  # another one was quicker
                partial.unlink()
                return
            if path.exists():
                path.unlink()
                detail = "its copy in the pool was damaged and is removed"
                listener(Event(EventKind.WARNING, name, "check pool", detail))
            if not complete(partial, fetch, sha256, size):
                partial.unlink()
                hint = "the mirror or a cache before it is broken; try again, or take another mirror in apt's sources"
                raise WrongContent("the mirror's content is not what the signed index says", where=name, hint=hint)
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("rb") as written:
                os.fsync(written.fileno())
            partial.chmod(0o644)
            partial.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Hold a file that may go away, by renaming, while others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            mine = os.fstat(handle.fileno()).st_ino
            if _inode(path) == mine:
                try:
                    yield path
                finally:
                    if _inode(path) == mine and not path.stat().st_size:
                        path.unlink()
                return


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
