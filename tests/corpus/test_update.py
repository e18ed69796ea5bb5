"""``ropewalk update`` beside docker-pkg 4.0.4's own on copies of the public tree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.dockerpkg import ROOT, environment
from ropewalk.cli.app import run
from ropewalk.debian.changelog import newest
from ropewalk.errors import Exit

pytestmark = pytest.mark.corpus

CONFIG = "config.yaml"
REASON = "New upstream version.\nWith a fix."
_UPDATE = ROOT / "tests" / "corpus" / "update_with_docker_pkg.py"
_DATED = re.compile(r"-[0-9]{8}\Z")


def _copy(to: Path) -> dict[str, bytes]:
    """Copy the tree and return its changelogs by path."""
    tree = Path(os.environ["ROPEWALK_CORPUS"]) / "operations-docker-images-production-images"
    shutil.copytree(tree, to, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    return _changelogs(to)


def _changelogs(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in (tree / "images").rglob("changelog")}


def _changed(tree: Path, before: dict[str, bytes]) -> dict[str, tuple[object, ...]]:
    """Return what each new entry says: heading, words, author."""
    found: dict[str, tuple[object, ...]] = {}
    for path, data in _changelogs(tree).items():
        if data != before[path]:
            text = data.decode()
            assert data.endswith(before[path])
            entry = newest(text, path)
            heading, body = text[: text.index("\n -- ")].split("\n", 1)
            found[path] = (heading, [line.strip(" *") for line in body.splitlines() if line.strip()], entry.author)
    return found


@pytest.fixture(autouse=True)
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DEBFULLNAME", "A Person")
    monkeypatch.setenv("DEBEMAIL", "a@example.org")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


# Not openjdk: docker-pkg cannot count up 1.14.0-wmf0 of an image on it, and stops when it has written half of the files.
@pytest.mark.parametrize("name", ["golang1.24", "python3-bookworm", "nodejs20-slim"])
def test_an_update_says_what_docker_pkg_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _copy(tmp_path / "theirs")
    _copy(tmp_path / "ours")
    argv = [environment() / "python", _UPDATE, "-c", CONFIG, "update", name, "--reason", REASON, "images"]
    subprocess.run(argv, check=True, capture_output=True, cwd=tmp_path / "theirs")
    monkeypatch.chdir(tmp_path / "ours")
    assert run(["-q", "-c", CONFIG, "update", name, "--reason", REASON, "images"]) == Exit.OK
    theirs, ours = _changed(tmp_path / "theirs", before), _changed(tmp_path / "ours", before)
    assert theirs
    assert {path: ours.get(path) for path in theirs} == theirs
    # What docker-pkg misses is named by the template alone, not by control.
    for path in set(ours) - set(theirs):
        control = tmp_path / "ours" / Path(path).parent / "control"
        assert not control.exists() or name not in control.read_text()


def test_the_weekly_renewal_dates_what_the_trees_own_script_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _copy(tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    weekly = ["-q", "-c", CONFIG, "update", "--all", "--reason", "Weekly rebuild.", "--exclude", "*spark*", "images"]
    assert run(weekly) == Exit.OK
    changed = _changed(tmp_path / "tree", before)
    assert set(changed) == {path for path in before if "spark" not in path}
    for path, (heading, words, _) in changed.items():
        old, new = (newest(data.decode(), path).version for data in (before[path], (Path(path)).read_bytes()))
        assert new == f"{_DATED.sub('', old)}-{new[-8:]}"
        assert str(heading).endswith(f"({new}) wikimedia; urgency=medium")
        assert words == ["Weekly rebuild."]
