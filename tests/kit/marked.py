"""Processes that tests know by a mark: a ``sleep`` whose argument no other has."""

import time
from collections.abc import Callable
from pathlib import Path


def running(marker: str) -> bool:
    """Say whether a ``sleep`` with this argument runs anywhere."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == b"sleep\0" + marker.encode() + b"\0":
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something; fail where it does not come true in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
