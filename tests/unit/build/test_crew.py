"""Which image is started next, and how many at once."""

import errno
from collections.abc import Mapping

import pytest

from ropewalk.build import DiskFull, full_disk, jobs, ready

GIB = 1 << 30
LINKS: Mapping[str, tuple[str, ...]] = {
    "base": (),
    "leaf": ("base",),
    "gcc": ("base",),
    "hello": ("base", "gcc"),
    "other": (),
}


@pytest.mark.parametrize(
    ("waiting", "running", "expected"),
    [
        (("base", "leaf", "gcc", "hello", "other"), (), ("base", "other")),
        (("leaf", "gcc", "hello"), ("base",), ()),
        (("leaf", "gcc", "hello", "other"), (), ("gcc", "leaf", "other")),
        (("hello", "leaf"), ("gcc",), ("leaf",)),
        (("hello",), (), ("hello",)),
        ((), ("base",), ()),
    ],
)
def test_what_can_start_now(waiting: tuple[str, ...], running: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert ready(waiting, {*waiting, *running}, LINKS) == expected


@pytest.mark.parametrize(
    ("cores", "memory", "expected"),
    [(1, 64 * GIB, 1), (8, 4 * GIB, 2), (8, GIB, 1), (2, 24 * GIB, 2), (0, 0, 1), (16, 9 * GIB, 4)],
)
def test_how_many_at_once(cores: int, memory: int, expected: int) -> None:
    assert jobs(cores, memory) == expected


def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(DiskFull, match=r"^nginx: the disk is full$"), full_disk("nginx"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), full_disk("nginx"):
        raise PermissionError(errno.EACCES, "Permission denied")
