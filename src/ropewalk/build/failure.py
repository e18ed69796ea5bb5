"""What a failed build says to its user: the instruction, and the line that tells something, out of a long log."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ropewalk.errors import Exit, HostError, RopewalkError
from ropewalk.process import CommandFailed, tail_of

_TAIL = 1 << 16
_LINES = 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_SPACE = re.compile(re.escape(os.strerror(errno.ENOSPC)), re.IGNORECASE)
_SHOWN = 60
_STEP = re.compile(r"^(?:\[\d+/\d+\] )?STEP \d+/\d+: (?P<instruction>.*)$", re.MULTILINE)
_TOOLS_OWN = ("error building", "Error: ", "error: ", "time=", "exit status", "subprocess exited", "I: ", "+ ")
_TELLING = re.compile(r"is not in view|^E: (?!Sub-process|Failed to fetch)|^ERROR: | error: |: fatal: ")


class BuildFailed(RopewalkError):
    """An instruction of a Dockerfile, or the bootstrap of a base image, did not succeed."""

    exit_code = Exit.FAILED


class DiskFull(HostError):
    """The disk of the state directory, or of temporary files, is full."""

    def __init__(self, where: str) -> None:
        """Say what was being made.

        Args:
            where: What was being made.
        """
        hint = "free some space there, or set ROPEWALK_STATE to a larger disk; the next run goes on"
        super().__init__("the disk is full", where=where, hint=hint)


@contextmanager
def full_disk(where: str) -> Iterator[None]:
    """Say in one line that the disk is full; nothing was kept half.

    Args:
        where: What was being made.

    Raises:
        HostError: A file could not be written for want of space, by us or by a program.
    """
    try:
        yield
    except CommandFailed as failed:
        if not _NO_SPACE.search(failed.message):
            raise
        raise DiskFull(where) from failed
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(where) from error


@contextmanager
def telling(name: str, log: Path) -> Iterator[None]:
    """Turn a failed program of a build into one line that says why.

    Args:
        name: What is built, for the message.
        log: Where the program wrote.

    Raises:
        BuildFailed: The program failed.
        DiskFull: It failed for want of space.
    """
    try:
        yield
    except CommandFailed as failed:
        text = tail_of(log, _TAIL).decode(errors="replace") if log.exists() else ""
        if _NO_SPACE.search(text):
            raise DiskFull(name) from failed
        raise BuildFailed(what_failed(text) or failed.message, where=name, hint=f"read {log}") from failed


def last_lines(log: Path, count: int = _LINES) -> tuple[str, ...]:
    """Return the last lines of a log that say something; none where there is no log.

    Args:
        log: The file.
        count: How many.
    """
    text = tail_of(log, _TAIL).decode(errors="replace") if log.exists() else ""
    lines = (line.rpartition("\r")[2].rstrip() for line in text.split("\n"))
    return tuple(line for line in lines if line)[-count:]


def current_step(log: Path) -> str:
    """Return the instruction that a running build has come to, as buildah names it; empty where none is known yet.

    Args:
        log: Where the build writes; it need not exist yet.
    """
    try:
        text = tail_of(log, _TAIL).decode(errors="replace")
    except FileNotFoundError:
        return ""
    found = next(iter(reversed(list(_STEP.finditer(text)))), None)
    return found[0] if found else ""


def what_failed(log: str) -> str:
    """Say in one line which instruction failed and what it said.

    Args:
        log: The end of buildah's or mmdebstrap's log.

    Returns:
        The last instruction, where there is one, and the first line after it that tells something, else the last line.
    """
    step = next(iter(reversed(list(_STEP.finditer(log)))), None)
    lines = [line.strip() for line in log[step.end() if step else 0 :].splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith(_TOOLS_OWN)] or lines[-1:]
    told = next((line for line in own if _TELLING.search(line)), own[-1] if own else "")
    if step is None:
        return told
    instruction = step["instruction"]
    shown = instruction if len(instruction) <= _SHOWN else f"{instruction[:_SHOWN]}..."
    return f"`{shown}` failed: {told or 'no output'}"
