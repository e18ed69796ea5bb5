"""What a build says of what packages made at install, and what a tree refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.recipes import load, production
from ropewalk.build.concerns import places, refused
from ropewalk.build.known import Known, known
from ropewalk.errors import InputError
from ropewalk.recipe import Recipe
from ropewalk.recipe.concern import Concern


def row(path: str) -> Known:
    found = known(path)
    assert found is not None
    return found


KEY = (row("etc/ssh/ssh_host_rsa_key"), ("etc/ssh/ssh_host_rsa_key",))
DATABASE = (row("var/lib/mysql/a"), ("var/lib/mysql/a", "var/lib/mysql/b", "var/lib/mysql/c"))


def recipe(place: Path, text: str = "") -> Recipe:
    [found] = load(place, production("app", "1.0-1", "FROM scratch\n"), text)
    return found


def test_a_warning_names_the_first_paths() -> None:
    assert places(KEY[1]) == "/etc/ssh/ssh_host_rsa_key"
    assert places(DATABASE[1]) == "/var/lib/mysql/a, /var/lib/mysql/b and 1 more"


def test_only_what_the_tree_refuses_is_refused(tmp_path: Path) -> None:
    plain = recipe(tmp_path)
    assert refused([KEY, DATABASE], plain) is None
    strict = recipe(tmp_path / "strict", "ropewalk:\n  refuse: [data]\n")
    assert strict.refuse == (Concern.DATA,)
    assert refused([KEY, DATABASE], strict) is DATABASE
    assert refused([KEY, DATABASE], replace(strict, refuse=(Concern.KEYS, Concern.DATA))) is KEY
    assert strict.digest == plain.digest


def test_an_unknown_word_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config.yaml:3: nothing that a build can refuse is called `key`") as caught:
        recipe(tmp_path, "ropewalk:\n  refuse: [key]\n")
    assert caught.value.hint == "did you mean `keys`?"
