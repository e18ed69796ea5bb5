"""pip's requirements files: which requirement names no hash (pip's manual: Requirements File Format, Secure installs)."""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Read = Callable[[str], str | None]
"""Gives a file's text by its path; None where it is not there."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(-r|--requirement|-c|--constraint|-e|--editable)(?:\s+|=)?(.*)")
_HASH = re.compile(r"--hash[= ](?:sha256|sha384|sha512):[0-9a-f]{64,}|#(?:[^#\s]*&)?sha(?:256|384|512)=[0-9a-f]{64,}")
_COMMIT = re.compile(r"\bgit\+[^\s@]*(?:@[^\s@/]*/[^\s@]*)?@[0-9a-f]{40}(?=$|[\s#])")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Unhashed:
    """What a requirements file leaves open.

    Attributes:
        path: The file.
        names: Requirements without a hash, in order.
        missing: The file itself is not there.
    """

    path: str
    names: tuple[str, ...] = ()
    missing: bool = False


def unhashed(path: str, read: Read) -> tuple[Unhashed, ...]:
    """Say what a requirements file, and those that it includes, leave open.

    A local path in it is part of the build context and needs no hash; a commit of 40 digits is one.

    Args:
        path: The file.
        read: Gives a file's text.

    Returns:
        The files of which something is left open.
    """
    return tuple(found for found in _files(path, read, set()) if found.names or found.missing)


def _files(path: str, read: Read, seen: set[str]) -> Iterator[Unhashed]:
    if path in seen:
        return
    seen.add(path)
    text = read(path)
    if text is None:
        yield Unhashed(path, missing=True)
        return
    names, more = [], []
    for line in _lines(text):
        option = _OPTION.match(line)
        if option is not None and option[1] in {"-r", "--requirement"}:
            more.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), option[2].strip())))
            continue
        wanted = option[2] if option is not None and option[1] in {"-e", "--editable"} else line
        if wanted.startswith("-"):
            continue
        if not _pinned(wanted):
            names.append(_name(wanted))
    yield Unhashed(path, tuple(names))
    for other in more:
        yield from _files(other, read, seen)


def _lines(text: str) -> Iterator[str]:
    """Yield logical lines: continuations joined, comments and empty lines left out."""
    joined = re.sub(r"\\\r?\n", " ", re.sub(r"(?m)^\s*#.*$", "", text))
    for line in joined.splitlines():
        clean = _COMMENT.sub("", line).strip()
        if clean:
            yield clean


def _pinned(requirement: str) -> bool:
    local = requirement.startswith((".", "/", "file:"))
    return local or _HASH.search(requirement) is not None or _COMMIT.search(requirement) is not None


def _name(requirement: str) -> str:
    name = _NAME.match(requirement)
    return name[0] if name and "://" not in requirement.partition(" ")[0] else requirement.partition(" ")[0]
