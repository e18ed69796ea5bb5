"""What a log tells while a build runs, and when it failed."""

from pathlib import Path

import pytest

from ropewalk.build import current_step, full_disk, last_lines
from ropewalk.build.failure import DiskFull
from ropewalk.process import Command, CommandFailed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Getting image\n", ""),
        ("STEP 1/2: FROM x\nGet:1\nSTEP 2/2: RUN make -j2\ncc\n", "STEP 2/2: RUN make -j2"),
        ("[2/2] STEP 1/3: FROM y\n[2/2] STEP 2/3: COPY a b\n", "[2/2] STEP 2/3: COPY a b"),
    ],
)
def test_the_instruction_that_a_build_has_come_to(tmp_path: Path, text: str, expected: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert current_step(log) == expected


def test_the_last_lines_are_those_that_say_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == ()
    assert current_step(log) == ""
    log.write_bytes(b"".join(b"line %d\n\n" % number for number in range(40)) + b"10%\r20%\r99%\n\xff\n")
    assert last_lines(log, 3) == ("line 39", "99%", "\N{REPLACEMENT CHARACTER}")
    assert len(last_lines(log)) == 20


@pytest.mark.parametrize(
    ("said", "error"),
    [(b"write /usr/lib/x: no space left on device): exit status 1", DiskFull), (b"no such image", CommandFailed)],
)
def test_a_program_that_finds_the_disk_full_says_so_for_us(said: bytes, error: type[Exception]) -> None:
    with pytest.raises(error), full_disk("app:1"):
        raise CommandFailed(Command(("skopeo", "copy")), 1, said, None)
