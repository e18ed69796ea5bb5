"""Processes that outlive the command that started them, told apart from others that got their number later."""

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ropewalk.errors import HostError

_END_SECONDS = 10.0
_START_TIME_FIELD = 19
_DEAD = ("", "Z", "X")


@dataclass(frozen=True, slots=True)
class Owned:
    """A process that we started.

    Attributes:
        pid: Its number.
        started: Its start time in clock ticks since boot (proc_pid_stat(5), ``starttime``).
        boot: The boot it belongs to: ``/proc/sys/kernel/random/boot_id``.
    """

    pid: int
    started: int
    boot: str


def identify(pid: int) -> Owned:
    """Note a process that was just started."""
    return Owned(pid, _stat(pid)[1], _boot())


def alive(process: Owned) -> bool:
    """Say whether it still runs; a zombie does not, and another process with its number is not it."""
    state, started = _stat(process.pid)
    return started == process.started and state not in _DEAD and process.boot == _boot()


def end(process: Owned, grace: float = _END_SECONDS) -> bool:
    """End a process of ours: politely first, then by SIGKILL.

    Args:
        process: The process.
        grace: Seconds to wait after each of the two.

    Returns:
        False where it is gone already, or where its number is another process's now.

    Raises:
        HostError: It does not end.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked after the handle is open: from here on the handle cannot mean another process.
        if not alive(process):
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], grace)[0]:
                return True
    finally:
        os.close(handle)
    raise HostError("does not end", where=f"process {process.pid}", hint=f"look at it: ps {process.pid}")


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> tuple[str, int]:
    """Return a process's state letter and its start time; ("", 0) if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    # The command's name stands in parentheses and may hold anything.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[_START_TIME_FIELD])
