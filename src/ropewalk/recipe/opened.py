"""Opens a recipe's files: plain files of the tree alone, whatever links to them.

Nobody may have read the tree yet. A link is followed before anything is opened, so that a file elsewhere on this machine
is never read, and a device, a pipe or a socket is never waited for.
"""

import os
import stat
from pathlib import Path

from ropewalk.errors import InputError

_LARGEST = 16 << 20
"""Bytes of a file that is read whole; the largest honest ones have a hundredth of it."""


def inside(path: Path, tree: Path) -> Path:
    """Follow a path's links.

    Args:
        path: A file or directory.
        tree: The tree's root.

    Returns:
        Where it really is.

    Raises:
        InputError: It leads out of the tree, in a circle, or nowhere.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise InputError("the link leads nowhere", where=str(path), hint="mend or remove the link") from error
    # A real path below the tree as it is named is below the tree as it really is.
    if not real.is_relative_to(tree) and not real.is_relative_to(tree.resolve()):
        hint = "copy the file into the tree; links may only lead to files of the same tree"
        raise InputError(f"the link leads out of the tree {tree}", where=str(path), hint=hint)
    return real


def is_there(path: Path) -> bool:
    """Say whether a directory has an entry of that name, whatever it is."""
    return os.path.lexists(path)


def read_bytes(path: Path, tree: Path | None = None) -> bytes:
    """Read a file of a recipe.

    Args:
        path: The file, in a directory that was reached without a link.
        tree: The tree's root, which a link to it must not leave; None for a file that the user himself named.

    Returns:
        Its content.

    Raises:
        InputError: It is no plain file or too large, cannot be read, or is a link that leads out of the tree or nowhere.
    """
    try:
        found = path.lstat() if tree is not None else path.stat()
        real = path
        if tree is not None and stat.S_ISLNK(found.st_mode):
            real = inside(path, tree)
            found = real.lstat()
        _check(path, found)
        # What it is was seen; the flags hold against whoever changes it at this very moment.
        return _whole(path, os.open(real, os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if tree is not None else 0)))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), hint="check the file") from error


def _whole(path: Path, handle: int) -> bytes:
    with open(handle, "rb", buffering=0) as stream:  # a descriptor, no path
        _check(path, os.fstat(stream.fileno()))
        return stream.read()


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "is a directory" if stat.S_ISDIR(found.st_mode) else "is a device, a pipe or a socket"
        raise InputError(f"{what}, no plain file", where=str(path), hint="put a file of text in its place")
    if found.st_size > _LARGEST:
        raise InputError(f"is larger than {_LARGEST >> 20} MiB", where=str(path), hint="make it smaller")


def read_text(path: Path, tree: Path | None = None) -> str:
    """Read a text file of a recipe; see `read_bytes`.

    Raises:
        InputError: It is not UTF-8, too.
    """
    try:
        # As Python reads a text file: lines end in one way.
        return read_bytes(path, tree).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start})", where=str(path), hint="convert it with iconv") from error
