"""The live display's lines: every column stays, whatever the terminal's width."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.cli.progress import fitted, step_of
from ropewalk.events import Event, EventKind

NGINX, LONG = "registry.example.org/nginx:1", "registry.example.org/exporter-with-a-long-name:0.1-r2"
ROWS = ((NGINX, "build 2/3: RUN apt-get update", "4 s"), (LONG, "test", "61 s"))
WORDS = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (97, ((NGINX, "build 2/3: RUN apt-get update", " 4 s"), (LONG, f"test{' ' * 25}", "61 s"))),
        (
            60,
            (
                ("…istry.example.org/nginx:1", "build 2/3: RUN apt-get up…", " 4 s"),
                ("…r-with-a-long-name:0.1-r2", f"test{' ' * 22}", "61 s"),
            ),
        ),
        (40, (("…ple.org/nginx:1", "build 2/3: RUN …", " 4 s"), ("…ong-name:0.1-r2", f"test{' ' * 12}", "61 s"))),
    ],
)
def test_names_are_cut_in_front_and_steps_at_their_end(width: int, expected: tuple[tuple[str, str, str], ...]) -> None:
    assert fitted(ROWS, width) == expected


@given(st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["4 s", "3601 s"])), max_size=4), st.integers(20, 200))
def test_a_row_never_needs_more_room_than_there_is(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = fitted(tuple(rows), width)
    assert len(shown) == len(rows)
    for (name, step, elapsed), row in zip(shown, rows, strict=True):
        assert len(name) + len(step) + len(elapsed) + 4 <= width
        assert name[-1] == row[0][-1]
        assert elapsed.strip() == row[2]


def test_a_build_shows_the_instruction_that_it_has_come_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("STEP 1/2: FROM x\nSTEP 2/2: RUN a      && b\n")
    assert step_of(Event(EventKind.STARTED, "x", "build", detail=str(log))) == "build 2/2: RUN a && b"
    assert step_of(Event(EventKind.STARTED, "x", "build", detail=str(tmp_path / "none"))) == "build"
    assert step_of(Event(EventKind.STARTED, "x", "test")) == "test"
