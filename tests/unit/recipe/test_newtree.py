"""New trees: they load, check clean, and nothing is ever overwritten."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from ropewalk.errors import InputError
from ropewalk.recipe import load_config, load_tree
from ropewalk.recipe.lint import check_recipes
from ropewalk.recipe.newtree import write_tree

AUTHOR = "A Person <a@example.org>"
NOW = 1_767_614_400


def test_a_new_tree_loads_and_is_clean(tmp_path: Path) -> None:
    written = write_tree(tmp_path / "new", "registry.example.net:5000/team", AUTHOR, NOW)
    config = load_config(tmp_path / "new/config.yaml", None)
    recipes = load_tree([tmp_path / "new"], config, date(2026, 1, 5)).recipes
    assert [recipe.reference for recipe in recipes] == [
        "registry.example.net:5000/team/bookworm:12-1",
        "registry.example.net:5000/team/web:1.0-1",
    ]
    assert recipes[1].parents[0].repository == recipes[0].repository
    assert recipes[1].epoch == NOW
    assert all(recipe.test is not None for recipe in recipes)
    assert check_recipes([tmp_path / "new"], config, date(2026, 1, 5)).findings == ()
    assert {path.relative_to(tmp_path / "new").as_posix() for path in written} >= {
        *("README.md", ".gitlab-ci.yml", ".forgejo/workflows/tree.yaml", "hooks/pre-receive"),
    }
    assert not any("@" + "REGISTRY" in path.read_text() for path in written)


def test_files_of_ci_are_yaml_and_the_hook_can_be_run(tmp_path: Path) -> None:
    write_tree(tmp_path, "registry.example.org", AUTHOR, NOW)
    gitlab = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())
    assert "tree check" in gitlab["check"]["script"][0]
    forgejo = yaml.safe_load((tmp_path / ".forgejo/workflows/tree.yaml").read_text())
    assert set(forgejo["jobs"]) == {"check", "preview"}
    assert (tmp_path / "hooks/pre-receive").stat().st_mode & 0o111
    assert not (tmp_path / "config.yaml").stat().st_mode & 0o111


def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/pre-receive").symlink_to("nowhere")
    with pytest.raises(InputError, match="hooks/pre-receive: is there already"):
        write_tree(tmp_path, "registry.example.org", AUTHOR, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["hooks"]


@pytest.mark.parametrize("registry", ["", "https://registry.example.org", "Registry", "a b", "a:b", "a/", "a/../b"])
def test_what_is_no_name_of_a_registry(tmp_path: Path, registry: str) -> None:
    with pytest.raises(InputError):
        write_tree(tmp_path, registry, AUTHOR, NOW)
    assert list(tmp_path.iterdir()) == []
