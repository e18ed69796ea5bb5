"""A tree's own CI: checks of untrusted changes within bounds, previews that publish nothing, new trees."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.recipes import changelog

pytestmark = pytest.mark.system

TREES = Path(__file__).parents[1] / "assets" / "trees"
ROPEWALK = Path(sys.executable).parent / "ropewalk"


def ropewalk(*arguments: str, cwd: Path, state: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ROPEWALK_STATE": str(state), "TREE_CI_SECRET": "hunter2"}
    return subprocess.run(
        [ROPEWALK, "-q", *arguments], cwd=cwd, env=environment, text=True, capture_output=True, check=False, timeout=300
    )


def check(tree: Path, state: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    done = ropewalk("tree", "check", "--offline", "--format", "json", *arguments, cwd=tree, state=state)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("name", ["template-that-never-ends", "template-that-takes-all-memory", "power-of-powers"])
def test_a_hostile_template_is_ended_and_the_rest_is_looked_at(name: str, tmp_path: Path) -> None:
    start = time.monotonic()
    code, report = check(TREES / name, tmp_path)
    assert code == 1
    assert time.monotonic() - start < 60
    findings = report["findings"]
    assert isinstance(findings, list)
    assert [(one["rule"], one["path"]) for one in findings if one["level"] == "error"] == [("bounds", "a")]
    assert ("no-test", "b") in [(one["rule"], one["path"]) for one in findings]


def test_a_config_that_multiplies_is_an_input_error(tmp_path: Path) -> None:
    done = ropewalk("tree", "check", cwd=TREES / "yaml-of-a-billion", state=tmp_path)
    assert done.returncode == 3
    assert "config.yaml:2" in done.stderr


def test_modules_of_the_tree_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/config.yaml").write_text("registry: registry.example.org\n")
    for name in ("typer.py", "ropewalk.py", "json.py", "sitecustomize.py"):
        (tmp_path / "tree" / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    code, report = check(tmp_path / "tree", tmp_path / "state")
    assert (code, report["recipes"]) == (0, 0)
    assert not (tmp_path / "ran").exists()


def git(tree: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=tree, check=True, capture_output=True)


def test_a_change_without_a_changelog_entry_since_a_commit(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("a", "b"):
        (tree / name).mkdir(parents=True)
        (tree / name / "changelog").write_text(changelog(name, "1"))
        (tree / name / "Dockerfile.template").write_text("FROM scratch\nCOPY x /\n")
        (tree / name / "x").write_text("1")
    (tree / "config.yaml").write_text("registry: registry.example.org\n")
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "one")
    code, report = check(tree, tmp_path / "state", "--since", "HEAD")
    assert (code, report["merge"]) == (0, [])
    (tree / "a/x").write_text("2")
    code, report = check(tree, tmp_path / "state", "--since", "HEAD")
    assert code == 1
    assert [row["name"] for row in report["merge"]] == ["a"]  # type: ignore[attr-defined]
    (tree / "a/changelog").write_text(changelog("a", "2"))
    assert check(tree, tmp_path / "state", "--since", "HEAD")[0] == 0
    done = ropewalk("tree", "check", "--since", "nope", cwd=tree, state=tmp_path / "state")
    assert done.returncode == 3
    assert "nope: there is no such commit here" in done.stderr


@pytest.mark.corpus
def test_the_public_tree_is_looked_at_in_seconds(tmp_path: Path) -> None:
    tree = Path(os.environ["ROPEWALK_CORPUS"]) / "operations-docker-images-production-images"
    start = time.monotonic()
    code, report = check(tree, tmp_path, "images")
    assert time.monotonic() - start < 30
    assert (code, report["recipes"], report["errors"], report["warnings"]) == (0, 125, 0, 0)
