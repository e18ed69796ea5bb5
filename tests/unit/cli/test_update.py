"""``ropewalk update`` on a tree of files: what it writes, what it shows, what it refuses."""

import json
from pathlib import Path

import pytest

from kit.recipes import REGISTRY, production, write
from ropewalk.cli.app import run
from ropewalk.debian.changelog import ChangelogEntry, newest
from ropewalk.errors import Exit


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DEBFULLNAME", "A Person")
    monkeypatch.setenv("DEBEMAIL", "a@example.org")
    monkeypatch.chdir(tmp_path)
    files = production("a", "1.0-1", "FROM scratch\n")
    files |= production("b", "2-s1-20260104", 'FROM {{ "a" | image_tag }}\n', control="Package: b\nDepends: a\n")
    files |= production("spark", "3-1", "FROM scratch\n")
    write(tmp_path, {f"images/{name}": text for name, text in files.items()})
    write(tmp_path, {"config.yaml": f"registry: {REGISTRY}\ndistribution: strand\n"})
    return tmp_path


def _newest(tree: Path, name: str) -> ChangelogEntry:
    return newest((tree / "images" / name / "changelog").read_text(), name)


def test_an_update_and_its_children(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-q", "update", "a", "--reason", "A fix.", "--format", "json", "images"]
    assert run([*arguments, "--dry-run"]) == Exit.OK
    planned = json.loads(capsys.readouterr().out)
    assert (planned.pop("written"), _newest(tree, "a").version) == (False, "1.0-1")
    assert run(arguments) == Exit.OK
    done = json.loads(capsys.readouterr().out)
    assert (done.pop("written"), done) == (True, planned)
    assert [(e["name"], e["from"], e["to"], e["reason"]) for e in done["updates"]] == [
        ("a", "1.0-1", "1.0-1-s1", "A fix."),
        ("b", "2-s1-20260104", "2-s1-20260104-s1", "Refresh for update in parent image a:\nA fix."),
    ]
    entry = _newest(tree, "a")
    assert (entry.version, entry.distribution, entry.author) == ("1.0-1-s1", "strand", "A Person <a@example.org>")
    assert (tree / "images/a/changelog").read_text().startswith("a (1.0-1-s1) strand; urgency=high\n")


def test_a_version_is_for_the_named_image_alone(tree: Path) -> None:
    assert run(["-q", "update", "a", "--version", "1.1-1", "images"]) == Exit.OK
    assert (_newest(tree, "a").version, _newest(tree, "b").version) == ("1.1-1", "2-s1-20260104-s1")


def test_a_wrong_version_writes_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-q", "update", "a", "--version", "1.0-1", "images"]) == Exit.INPUT
    assert "stands in it already" in capsys.readouterr().err
    assert _newest(tree, "b").version == "2-s1-20260104"


def test_the_weekly_renewal_dates_all_once_a_day(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-q", "update", "--all", "--reason", "Weekly.", "--exclude", "spark*", "--format", "json", "images"]
    assert run(arguments) == Exit.OK
    done = json.loads(capsys.readouterr().out)
    day = _newest(tree, "a").version.removeprefix("1.0-1-")
    assert len(day) == len("20260104")
    assert [(e["name"], e["to"]) for e in done["updates"]] == [("a", f"1.0-1-{day}"), ("b", f"2-s1-{day}")]
    assert done["skipped"] == [{"name": "spark", "why": "--exclude spark*"}]
    assert _newest(tree, "spark").version == "3-1"
    assert run(arguments) == Exit.OK
    assert json.loads(capsys.readouterr().out)["updates"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("update",), Exit.USAGE, "name an image"),
        (("update", "a", "--exclude", "x", "images"), Exit.USAGE, "--exclude goes with --all"),
        (("update", "--all", "--version", "2", "images"), Exit.USAGE, "--version is for one image"),
        (("update", "aa", "images"), Exit.INPUT, "no recipe has this name"),
        (("update", "a", "nowhere"), Exit.INPUT, "no such directory"),
    ],
)
def test_a_wrong_command_line(
    arguments: tuple[str, ...], code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(list(arguments)) == code
    assert words in capsys.readouterr().err
