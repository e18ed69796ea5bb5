"""``ropewalk lock`` on records that are there; builds are the system tests' affair."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import record
from kit.recipes import REGISTRY, config, load, production
from ropewalk.cli.app import run
from ropewalk.errors import Exit
from ropewalk.recipe import LOCK_FILE, Lock, LockedDeb, Recipe, RecordBook

LOCK = Lock("20250101-0123456789", (LockedDeb("hello", "2.10-3", "amd64", "a" * 64),))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Recipe]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    files = production("one", "1-1", "FROM scratch\nCOPY . /srv\n") | production("two", "1-1", "FROM scratch\n")
    recipes = {recipe.name: recipe for recipe in load(tmp_path, files)}
    RecordBook(tmp_path / "state/records").save(replace(record(recipes["one"]), lock=LOCK))
    return recipes


def rows(tmp_path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[tuple[str, str, str]]]:
    """Run it; return the exit code and (name, result, reason) of each lock."""
    head = ["-c", str(tmp_path / "config.yaml"), "lock", "--tree", str(tmp_path / "tree")]
    code = run([*head, *arguments, "--format", "json"])
    found = json.loads(capsys.readouterr().out)["locks"]
    return code, [(one["image"].removeprefix(f"{REGISTRY}/"), one["result"], one["reason"] or "") for one in found]


def test_a_lock_is_written_once(tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]) -> None:
    path = tree["one"].directory / LOCK_FILE
    assert rows(tmp_path, capsys, "one") == (Exit.OK, [("one:1-1", "written", "")])
    written = path.stat()
    assert rows(tmp_path, capsys, "one:1-1") == (Exit.OK, [("one:1-1", "current", "")])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert rows(tmp_path, capsys, "one", "--check") == (Exit.OK, [("one:1-1", "current", "")])


def test_what_was_not_built_has_none(
    tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    none = ("two:1-1", "none", "there is no build of the recipe as it is now: `ropewalk build`")
    assert rows(tmp_path, capsys) == (Exit.FAILED, [("one:1-1", "written", ""), none])
    assert not (tree["two"].directory / LOCK_FILE).exists()


def test_a_build_that_recorded_nothing_has_none(
    tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    RecordBook(tmp_path / "state/records").save(record(tree["two"]))
    reason = "nothing recorded which .debs it was made of: build it again: `ropewalk build --force`"
    assert rows(tmp_path, capsys, "two") == (Exit.FAILED, [("two:1-1", "none", reason)])


def test_check_writes_nothing(tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]) -> None:
    missing = [(f"{name}:1-1", "stale", "there is no ropewalk.lock") for name in ("one", "two")]
    assert rows(tmp_path, capsys, "--check") == (Exit.FAILED, missing)
    assert not any((recipe.directory / LOCK_FILE).exists() for recipe in tree.values())


def test_check_says_that_the_recipe_changed_without_any_build(
    tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(tmp_path, capsys, "one")
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "elsewhere"))
    assert rows(tmp_path, capsys, "one", "--check") == (Exit.OK, [("one:1-1", "current", "")])
    (tree["one"].directory / "more").write_text("more")
    reason = "the recipe changed since it was locked"
    assert rows(tmp_path, capsys, "one", "--check") == (Exit.FAILED, [("one:1-1", "stale", reason)])


def test_check_says_that_the_image_is_of_other_packages(
    tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    rows(tmp_path, capsys, "one")
    other = replace(LOCK, debs=(*LOCK.debs, LockedDeb("more", "1", "all", "b" * 64)))
    RecordBook(tmp_path / "state/records").save(replace(record(tree["one"], build=2), lock=other))
    reason = "the image was made of more 1 (all), which the lock does not name"
    assert rows(tmp_path, capsys, "one", "--check") == (Exit.FAILED, [("one:1-1", "stale", reason)])
    assert rows(tmp_path, capsys, "one") == (Exit.OK, [("one:1-1", "written", "")])


def test_a_damaged_lock_is_written_anew(
    tmp_path: Path, tree: dict[str, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    (tree["one"].directory / LOCK_FILE).write_text("{")
    assert rows(tmp_path, capsys, "one") == (Exit.OK, [("one:1-1", "written", "")])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["lock", "--tree", "TREE", "onee"], Exit.INPUT, "onee: no such recipe"),
        (["build", "TREE", "--locked", "--view", "x"], Exit.USAGE, "leave out --view"),
        (["build", "TREE", "--locked", "--refresh"], Exit.USAGE, "leave out --refresh"),
        (["build", "TREE", "--locked", "--offline"], Exit.REFUSED, "there is no ropewalk.lock"),
    ],
)
def test_what_is_refused(  # a case table
    *,
    tmp_path: Path,
    tree: dict[str, Recipe],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    assert tree
    config(tmp_path)
    words = [str(tmp_path / "tree") if word == "TREE" else word for word in arguments]
    assert run(["-c", str(tmp_path / "config.yaml"), *words]) == code
    assert said in " ".join(capsys.readouterr().err.split())
