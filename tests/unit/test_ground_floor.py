import stat
from pathlib import Path

import pytest

from ropewalk import atomic
from ropewalk.errors import Exit, HostError, InputError, NetworkError, RopewalkError, TrustError
from ropewalk.events import Event, EventKind, step
from ropewalk.settings import from_environment


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = InputError("is no YAML", where="config.yaml:3", hint="see docs")
    assert str(error) == "config.yaml:3: is no YAML"
    assert error.hint == "see docs"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RopewalkError, Exit.FAILED),
        (InputError, Exit.INPUT),
        (HostError, Exit.HOST),
        (NetworkError, Exit.NETWORK),
        (TrustError, Exit.TRUST),
    ],
)
def test_exit_codes_tell(kind: type[RopewalkError], code: Exit) -> None:
    assert kind("x", where="y", hint="z").exit_code is code


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    atomic.write_bytes(path, b"old", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileNotFoundError), atomic.replacing(path) as temporary:  # noqa: PT012  # both lines are the case
        temporary.write_bytes(b"half")
        (tmp_path / "absent").read_bytes()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a\nb\n"),
        ("x\n", "x\na\nb\n"),
        ("x\nhalf of a li", "x\na\nb\n"),
        ("half", "a\nb\n"),
        ("x\n" + "y" * 100_000, "x\na\nb\n"),
    ],
)
def test_lines_are_added_behind_the_last_whole_one(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "new" / "lines"
    if before:
        atomic.write_text(path, before)
    atomic.append_lines(path, ["a", "b"])
    assert path.read_text() == after


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with atomic.locked(lock), pytest.raises(HostError, match="at work here"), atomic.locked(lock, wait=False):
        pass
    with atomic.locked(lock, wait=False):
        pass


def test_steps_tell_start_end_and_seconds() -> None:
    seen: list[Event] = []
    times = iter([1.0, 3.5])
    with step(seen.append, "nginx", "build", lambda: next(times)):
        pass
    assert seen == [
        Event(EventKind.STARTED, "nginx", "build"),
        Event(EventKind.FINISHED, "nginx", "build", seconds=2.5),
    ]


def test_a_failed_step_tells_why_and_raises() -> None:
    seen: list[Event] = []
    with pytest.raises(ValueError, match="first line"), step(seen.append, "nginx", "build"):
        raise ValueError("first line\nsecond line")
    assert seen[-1].kind is EventKind.FAILED
    assert seen[-1].detail == "first line"


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({"ROPEWALK_STATE": "/srv/rw"}, "/srv/rw"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/ropewalk"),
        ({"HOME": "/h"}, "/h/.local/state/ropewalk"),
    ],
)
def test_the_state_directory(environment: dict[str, str], state: str) -> None:
    assert from_environment(environment).state == Path(state)
