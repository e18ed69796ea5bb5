"""How a Dockerfile is changed for a build, and how its context is laid out."""

import hashlib
from pathlib import Path

import pytest

from ropewalk.archive import SuiteView, View, uri_of
from ropewalk.build.dockerfile import ending_for
from ropewalk.build.site import configuring, fill_context, prepared, standing_user
from ropewalk.errors import InputError
from ropewalk.oci.model import Entry, EntryType
from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.recipe import ContextFile

EPOCH = 1_700_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nRUN x\n", 'FROM a\nARG E\nRUN x\nUSER 0:0\nRUN ["end"]\n'),
        ("FROM a\nUSER 33\nRUN x", 'FROM a\nARG E\nUSER 33\nRUN x\nUSER 0:0\nRUN ["end"]\nUSER 33\n'),
        ("FROM a\n", 'FROM a\nARG E\nUSER 0:0\nRUN ["end"]\n'),
        (
            "# syntax=x\nARG V=1\nFROM a:$V AS b\n\n# why\nRUN x \\\n  y\nUSER b\n\nFROM c\nCOPY --from=b / /\n",
            ("# syntax=x\nARG V=1\nFROM a:$V AS b\n\n# why\nARG E\nRUN x \\\n  y\nUSER b\n\nFROM c\nARG E\n"
            'COPY --from=b / /\nUSER 0:0\nRUN ["end"]\n'),
        ),
        ("FROM a AS b\nFROM \\\n  b\nUSER $U\nUSER ${W}\n", 'FROM a AS b\nARG E\nFROM \\\n  b\nARG E\nUSER $U\nUSER ${W}\nUSER 0:0\nRUN ["end"]\nUSER ${W}\n'),
    ],
)  # fmt: skip
def test_every_stage_learns_the_epoch_and_the_last_one_ends_as_root(text: str, expected: str) -> None:
    assert prepared(text, ["E"], ["end"]) == expected


def test_without_an_ending_only_arguments_are_added() -> None:
    assert prepared("FROM scratch\nCOPY / /\n", ["E"], ()) == "FROM scratch\nARG E\nCOPY / /\n"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("usr/sbin/ldconfig", "usr/bin/sh"), ("/bin/sh", "/run/ropewalk/finish")),
        (("sbin/ldconfig", "bin/sh"), ("/bin/sh", "/run/ropewalk/finish")),
        (("usr/sbin/ldconfig",), ("/sbin/ldconfig",)),
        (("bin/sh",), ()),
        ((), ()),
    ],
)
def test_the_ending_depends_on_what_the_parent_has(paths: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert ending_for({path: Entry(path, EntryType.FILE) for path in paths}) == expected


def test_a_context_has_the_recorded_modes_and_one_time(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sh"
    outside.write_bytes(b"run")
    digest = hashlib.sha256(b"run").hexdigest()
    files = (
        ContextFile("bin", tmp_path, 0o555, directory=True, sha256=""),
        ContextFile("bin/run.sh", outside, 0o755, directory=False, sha256=digest),
        ContextFile("other/deep", outside, 0o600, directory=False, sha256=digest),
    )
    into = tmp_path / "context"
    into.mkdir()
    fill_context(files, into, EPOCH)
    assert (into / "bin").stat().st_mode & 0o777 == 0o555
    assert (into / "bin/run.sh").read_bytes() == b"run"
    assert [(into / f.path).stat().st_mtime for f in files] == [EPOCH] * 3
    assert [(into / f.path).stat().st_mode & 0o777 for f in files] == [0o555, 0o755, 0o600]


def view(*suites: str) -> View:
    parts = tuple(SuiteView(uri_of(suite), suite, suite, "", 0, ("main",), "", ()) for suite in suites)
    return View("20260101-0000000000", "amd64", parts)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("FROM scratch\nCOPY / /\n", ""),
        ("FROM scratch\nUSER 900\nUSER 33\n", "33"),
        ("FROM scratch AS base\nUSER 900\nFROM base AS second\nFROM second\nRUN id\n", "900"),
        ("FROM scratch AS base\nUSER 900\nFROM scratch\nCOPY --from=base / /\n", ""),
        ("FROM scratch\nARG ID=7\nUSER $ID\n", "$ID"),
    ],
)
def test_the_user_that_holds_at_the_end(text: str, user: str) -> None:
    assert standing_user(parse(text)) == user
    restored = f"USER {user}" if user else 'RUN ["end"]'
    assert prepared(text, (), ["end"]).splitlines()[-1] == restored


def test_a_variable_user_of_an_earlier_stage_is_refused() -> None:
    text = "FROM scratch AS base\nARG ID=7\nUSER $ID\nFROM base\nRUN id\n"
    with pytest.raises(InputError, match="line 3: USER \\$ID of an earlier stage is a variable"):
        standing_user(parse(text))


def test_a_dockerfile_of_the_config_alone() -> None:
    text = """\
ARG NAME=base
FROM golang AS build
ENV A=1
RUN make \\
    all
FROM $NAME
ARG X
ENV B=$X
COPY --from=build /x /x
RUN <<END
USER 3
END
USER 5
RUN ["/bin/sh", "/run/ropewalk/finish"]
WORKDIR /y
"""
    assert configuring(text) == "ARG NAME=base\nFROM $NAME\nARG X\nENV B=$X\nUSER 5\nWORKDIR /y\n"
