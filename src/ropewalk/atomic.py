"""Files that appear whole or not at all, and locks between processes."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ropewalk.errors import HostError, InputError

_BLOCK = 1 << 16


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Write a file under a temporary name in the same directory and rename it when the body succeeds.

    Args:
        path: The file that shall exist afterwards; missing directories are made.
        mode: Its permission bits.

    Yields:
        The temporary path to write to; it is removed when the body raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make ``path`` hold exactly ``data``; a reader sees the old file or the new one, never a part.

    Args:
        path: The file; missing directories are made.
        data: Its new content.
        mode: Its permission bits; they hold from the first byte on.
    """
    with replacing(path, mode) as temporary:
        temporary.write_bytes(data)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Say in one line why a place that the user named cannot be written.

    Args:
        path: The file or directory, as named.

    Yields:
        Nothing; it is written during the ``with``.

    Raises:
        InputError: It cannot be written there. A full disk stays what it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        hint = "name another place, in a directory that is there and that you may write"
        raise InputError(f"cannot be written: {error.strerror or error}", where=str(path), hint=hint) from error


def write_output(path: Path, data: bytes) -> None:
    """Write a file that the user named; no directory is made, and a device or pipe stays what it is.

    Args:
        path: The file; links are followed.
        data: Its content.

    Raises:
        InputError: It cannot be written.
    """
    with named(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as there:
                there.write(data)
            return
        real = path.resolve()
        if not real.parent.is_dir():
            hint = "make it, or name another place"
            raise InputError(f"there is no directory {real.parent}", where=str(path), hint=hint)
        write_bytes(real, data)


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Make ``path`` hold exactly ``text`` in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode(), mode)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines at the end of a file, each whole or not at all; they are on the disk when this returns.

    Args:
        path: The file; it and its directory are made. What a process that died left of a line is cut off first.
        lines: The lines, without their ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    with locked(path.with_name(f"{path.name}.lock")), path.open("a+b") as handle:
        handle.truncate(_whole(handle))
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def _whole(handle: BinaryIO) -> int:
    """Return where the last whole line of a file ends."""
    size = handle.seek(0, os.SEEK_END)
    for start in (max(size - _BLOCK, 0), 0):
        handle.seek(start)
        end = handle.read().rfind(b"\n")
        if end >= 0:
            return start + end + 1
    return 0


@contextmanager
def locked(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Hold a lock between processes, exclusive by default; the kernel frees it when the process dies.

    Args:
        path: The lock file; it is made and stays.
        wait: Wait for another holder; otherwise raise at once.
        shared: Others may hold it too, as long as nobody wants it alone.

    Yields:
        Nothing; the lock is held during the ``with``.

    Raises:
        HostError: Another process holds it and ``wait`` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise HostError(
                "another ropewalk process is at work here", where=str(path), hint="wait for it, or end it"
            ) from None
        yield
