"""Which directories are a config's own."""

from pathlib import Path

import pytest

from kit.recipes import config, write
from ropewalk.errors import InputError
from ropewalk.recipe import TreeConfig, own_directories

OURS = "ropewalk: {directories: [bases, images]}\n"


def test_one_config_has_all_below_it(tmp_path: Path) -> None:
    others = {"restrict.yaml": "realms: {}\n", "x.yml": "a: {registry: r}\n", "notes": "registry: r\n"}
    write(tmp_path, {**others, "images/app/config.yaml": "registry: r\n"})
    assert own_directories(config(tmp_path)) == (tmp_path,)


def test_a_config_may_name_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"config-istio.yaml": "registry: r\n"})
    assert own_directories(config(tmp_path, OURS)) == (tmp_path / "bases", tmp_path / "images")


@pytest.mark.parametrize("other", ["config-istio.yaml", "other.yml"])
def test_of_several_configs_each_must_say(tmp_path: Path, other: str) -> None:
    write(tmp_path, {other: "# ours\nregistry: r\n"})
    with pytest.raises(InputError, match=rf"which recipes are its own, and {other} stands beside it") as caught:
        own_directories(config(tmp_path))
    assert "directories" in caught.value.hint


@pytest.mark.parametrize("name", ["/etc", "../else", "images/../../else", "out"])
def test_no_config_leads_out_of_its_tree(tmp_path: Path, name: str) -> None:
    tree = write(tmp_path / "tree", {"images/.keep": ""})
    (tree / "out").symlink_to("/etc")
    with pytest.raises(InputError, match="is not in the tree"):
        own_directories(config(tree, f"ropewalk: {{directories: [{name}]}}\n"))


def test_without_a_config_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert own_directories(TreeConfig()) == (Path(),)
