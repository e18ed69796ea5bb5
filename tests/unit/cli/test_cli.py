"""The command line without root, network or programs: help, usage, errors in one line, exit codes, JSON."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.street import SERVICES, TREE
from ropewalk.cli.app import application, builds, run
from ropewalk.cli.output import human_size
from ropewalk.cli.session import Session
from ropewalk.errors import Exit
from ropewalk.events import silent
from ropewalk.settings import Settings

CONFIG = ("-c", str(TREE / "config.yaml"))


def _names(commands: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in sorted(getattr(commands, "commands", {}).items()):
        yield (*path, name)
        yield from _names(command, (*path, name))


def _all(arguments: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    from typer.main import get_command

    return list(_names(get_command(application(arguments))))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


@pytest.mark.parametrize("command", _all(), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == Exit.OK
    shown = capsys.readouterr().out
    assert f"ropewalk {' '.join(command)}" in shown
    assert shown.count("\n") > 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("frobnicate",), Exit.USAGE, "No such command"),
        (("plan", "--nope"), Exit.USAGE, "No such option"),
        (("plan",), Exit.INPUT, "no directory with recipes"),
        (("-c", "absent.yaml", "plan", "."), Exit.INPUT, "absent.yaml: cannot be read"),
        ((*CONFIG, "plan", str(TREE), "--registry", "http://127.0.0.1:9"), Exit.NETWORK, "cannot be reached"),
        ((*CONFIG, "build", "--offline", str(TREE)), Exit.INPUT, "no archive view yet"),
        ((*CONFIG, "build", "--view", "x", str(TREE)), Exit.INPUT, "no such view"),
        ((*CONFIG, "plan", "--offline", "--select", "nginx", str(TREE)), Exit.INPUT, "matches no recipe"),
        (("packages", "nginx"), Exit.INPUT, "nginx: no such image"),
        (("affected", "libssl3 <> 3"), Exit.INPUT, "is no relation"),
        ((*CONFIG, "publish"), Exit.INPUT, "no registry is known"),
        (("registry", "status"), Exit.FAILED, ""),
    ],
)
def test_an_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(list(arguments)) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_plan_of_the_examples_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CONFIG, "-q", "plan", "--offline", "--format", "json", str(TREE), str(SERVICES)]) == Exit.OK
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert {entry["action"] for entry in entries} == {"build"}
    assert all(entry["reasons"] == ["never built"] for entry in entries)
    expected = {"name", "version", "reference", "generation", "action", "reasons", "parents", "build_parents"}
    assert set(entries[0]) == expected | {"hint", "unresolved"}
    assert [entry["name"] for entry in entries if entry["generation"] == "service"] == ["python-web", "static-site"]


def test_select_takes_parents_along(capsys: pytest.CaptureFixture[str]) -> None:
    select = ("--select", "*/hello:*", "--format", "json")
    assert run([*CONFIG, "-q", "plan", "--offline", *select, str(TREE)]) == Exit.OK
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert names == ["bookworm", "gcc", "hello"]


def test_a_build_remembers_its_tree_and_a_plan_does_not(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CONFIG, "-q", "plan", "--offline", str(TREE)]) == Exit.OK
    assert run(["-q", "plan", "--offline"]) == Exit.INPUT
    Session(Settings(state), TREE / "config.yaml", silent).remember([TREE])
    capsys.readouterr()
    assert run(["-q", "plan", "--offline"]) == Exit.OK
    assert "bookworm" in capsys.readouterr().out


def test_a_damaged_state_is_told_in_one_line(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir()
    (state / "tree.json").write_text("{")
    assert run(["plan", "--offline"]) == Exit.INPUT
    assert "tree.json: is damaged" in capsys.readouterr().err.replace("\n", "")


def test_a_state_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "file" / "state"))
    assert run([*CONFIG, "packages", "nginx"]) == Exit.HOST
    assert "Not a directory" in capsys.readouterr().err


def test_render_prints_what_buildah_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CONFIG, "-q", "render", str(TREE), "nginx", "--format", "json"]) == Exit.OK
    (dockerfile,) = json.loads(capsys.readouterr().out).values()
    assert "apt-get install" in dockerfile
    assert "{{" not in dockerfile
    assert run([*CONFIG, "-q", "render", str(TREE), "ngnix"]) == Exit.INPUT


def test_an_unknown_key_is_refused_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(TREE, tree)
    base = tree / "bases" / "bookworm" / "base.yaml"
    base.write_text(base.read_text() + "pakages: [vim]\n")
    assert run(["-c", str(tree / "config.yaml"), "plan", "--offline", str(tree)]) == Exit.INPUT
    said = " ".join(capsys.readouterr().err.split())
    assert f"base.yaml:{base.read_text().count(chr(10))}" in said
    assert "packages" in said


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999 B"), (94_300, "94 KB"), (31_200_000, "31.2 MB"), (5_000_000_000, "5.00 GB")]
)
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("plan",), [("plan",)]),
        (("-q", "-c", "build", "plan", "build"), [("plan",)]),
        (("tree", "preview"), [("tree",), ("tree", "check"), ("tree", "preview")]),
        (("--config=x", "plan"), _all()),
        (("-qc", "x", "plan"), _all()),
        (("-c",), _all()),
        (("--help",), _all()),
        (("frobnicate",), _all()),
    ],
)
def test_a_command_is_loaded_alone_where_it_is_plain(
    arguments: tuple[str, ...], expected: list[tuple[str, ...]]
) -> None:
    assert _all(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("build x", True),
        ("-q -c build build", True),
        ("-c build plan", False),
        ("tree preview .", True),
        ("tree check .", False),
        ("build --help", False),
        ("", False),
    ],
)
def test_what_makes_images_runs_as_root_of_some_namespace(*, arguments: str, expected: bool) -> None:
    called: list[bool] = []
    assert builds(arguments.split()) is expected
    run(["build", "--help"], lambda: called.append(True))
    assert called == []
