"""A tree's own CI: checks of untrusted changes within bounds, previews that publish nothing, new trees."""

import json
import os
import shutil
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


def test_plain_git_refuses_a_push_that_the_check_refuses(tmp_path: Path) -> None:
    bare, tree, state = tmp_path / "bare.git", tmp_path / "tree", tmp_path / "state"
    assert ropewalk("init", str(tree), cwd=tmp_path, state=state).returncode == 0
    # A second config, whose recipes have the same names.
    shutil.copytree(tree / "images", tree / "mesh/images")
    other = (tree / "config.yaml").read_text().replace("[bases, images]", "[mesh]")
    (tree / "config-mesh.yaml").write_text(other)
    git(tmp_path, "init", "-q", "--bare", str(bare))
    hook = (tree / "hooks/pre-receive").read_text()
    # As an administrator would write it where the program is not on the PATH of git's server.
    (bare / "hooks/pre-receive").write_text(
        hook.replace("    ropewalk -q", f"    ROPEWALK_STATE={state} {ROPEWALK} -q")
    )
    (bare / "hooks/pre-receive").chmod(0o755)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "new")
    git(tree, "push", "-q", str(bare), "main")
    (tree / "images/web/index.html").write_text("other\n")
    git(tree, "commit", "-qam", "no entry")
    push = ["git", "push", "-q", str(bare), "main"]
    refused = subprocess.run(push, cwd=tree, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "images/web/changelog:1: error: index.html changed since" in refused.stderr
    said = ropewalk("-c", "config.yaml", "update", "web", "--reason", "Other page", cwd=tree, state=state)
    assert said.returncode == 0, said.stderr
    git(tree, "commit", "-qam", "an entry")
    git(tree, "push", "-q", str(bare), "main")
    (tree / "mesh/images/web/index.html").write_text("other\n")
    git(tree, "commit", "-qam", "no entry in the other config's")
    refused = subprocess.run(push, cwd=tree, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "mesh/images/web/changelog:1: error: index.html changed since" in refused.stderr
    assert "run: ropewalk -c config-mesh.yaml update web --reason WHY mesh" in refused.stderr


def test_a_new_tree_is_previewed_and_nothing_is_left(tmp_path: Path) -> None:
    state = Path(os.environ["ROPEWALK_STATE"])
    tree = tmp_path / "tree"
    assert ropewalk("init", str(tree), cwd=tmp_path, state=state).returncode == 0
    secret = state / "keys" / "preview-must-not-see"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("hunter2")
    try:
        for recipe in ("bases/bookworm", "images/web"):
            script = tree / recipe / "test.sh"
            look = f'set -eu\n[ ! -e {secret} ] || exit 3\n[ -z "${{TREE_CI_SECRET:-}}" ] || exit 4\n'
            script.write_text(script.read_text().replace("set -eu\n", look, 1))
        ropewalk("archive", "view", "--pockets", "release", cwd=tree, state=state)
        before = {path.name for path in (state / "records").glob("*")}
        done = ropewalk("tree", "preview", "--offline", "--format", "json", cwd=tree, state=state)
        assert done.returncode == 0, done.stderr + done.stdout
        images = json.loads(done.stdout)["images"]
        assert [(image["name"], image["tested"]) for image in images] == [("bookworm", True), ("web", True)]
        assert {path.name for path in (state / "records").glob("*")} == before
        assert not (state / "preview").exists()
    finally:
        secret.unlink()
