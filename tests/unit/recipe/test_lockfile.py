import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.recipes import load, production
from kit.signing import build_record
from ropewalk.errors import InputError
from ropewalk.recipe.context import load_context
from ropewalk.recipe.lock import LOCK_FILE, Lock, LockedDeb
from ropewalk.recipe.lockfile import LockFile, LockRefused, lock_file, lock_text, of_recipe, read_lock, why_stale
from ropewalk.recipe.recipe import Recipe

VIEW = "20250520-0123456789"
HELLO = LockedDeb("hello", "1:2.10-3~1+b1", "amd64", "a" * 64)
MAKE = LockedDeb("make", "4.3-4.1", "amd64", "b" * 64)
PARENT = build_record().parents[0].digest
LAYERS = {PARENT: ("sha256:" + "4" * 64,)}
LOCK = Lock(VIEW, (HELLO,), (MAKE,), ("r.txt: no hash for “a”",))


def made(lock: Lock | None = LOCK) -> LockFile:
    return lock_file(replace(build_record(), lock=lock), LAYERS)


def test_each_deb_is_a_line_and_all_comes_back(tmp_path: Path) -> None:
    text = lock_text(made())
    assert f'  "hello 1:2.10-3~1+b1 amd64 {"a" * 64}"\n' in text
    assert list(json.loads(text)) == ["line", "recipe", "view", "parents", "debs", "test", "unpinned"]
    (tmp_path / LOCK_FILE).write_text(text)
    assert read_lock(tmp_path) == made()
    assert read_lock(tmp_path / "elsewhere") is None


def test_the_same_layers_on_another_machine_are_the_same_parent() -> None:
    record = replace(build_record(), lock=LOCK)
    moved = replace(record, parents=(replace(record.parents[0], digest="sha256:" + "9" * 64),))
    assert lock_file(moved, {"sha256:" + "9" * 64: LAYERS[PARENT]}) == made()
    assert lock_file(moved, {}) != made()


def test_an_image_whose_build_recorded_nothing_has_no_lock() -> None:
    with pytest.raises(LockRefused, match="nothing recorded which"):
        lock_file(build_record(), LAYERS)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"))), max_size=3))
def test_any_printable_reason_comes_back(tmp_path_factory: pytest.TempPathFactory, reasons: list[str]) -> None:
    place = tmp_path_factory.getbasetemp()
    file = made(replace(LOCK, unpinned=tuple(reason for reason in reasons if reason)))
    (place / LOCK_FILE).write_text(lock_text(file))
    assert read_lock(place) == file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hello 1:2.10-3~1+b1 amd64 aa", "hello 1:2.10-3~1+b1 aa", "is not name, version, architecture and sha256"),
        ("hello 1:2.10", "../hello 1:2.10", "is not name, version, architecture and sha256"),
        ('"view"', '"veiw"', "unknown key `veiw`"),
        (f'"{VIEW}"', '""', "`view` is empty"),
        ('"role": "final"', '"role": "finel"', "`finel` is no role"),
        ("sha256:2222", "sha256:222", "`recipe` is no sha256 digest"),
        ('"test"', '"debs"', "the key `debs` stands twice"),
        ("{\n", "", "is no YAML"),
    ],
)
def test_a_damaged_lock_is_an_error_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = lock_text(made())
    assert old in text
    (tmp_path / LOCK_FILE).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_lock(tmp_path)
    assert message in caught.value.message
    assert caught.value.where.startswith(f"{tmp_path / LOCK_FILE}:")


def recipe_of(place: Path, template: str = "FROM scratch\nCOPY . /srv\n") -> Recipe:
    [recipe] = load(place, production("nginx", "1.22.1-3", template))
    return recipe


def test_a_lock_is_no_part_of_the_recipe(tmp_path: Path) -> None:
    before = recipe_of(tmp_path)
    (before.directory / LOCK_FILE).write_text("{}")
    assert recipe_of(tmp_path) == before
    assert all(file.path != LOCK_FILE for file in load_context(before.directory, tmp_path, lambda _: False))


def test_only_a_lock_of_the_recipe_as_it_is_can_be_built_from(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    with pytest.raises(LockRefused) as caught:
        of_recipe(recipe)
    assert str(caught.value) == f"{recipe.directory / LOCK_FILE}: there is no ropewalk.lock"
    file = replace(made(), recipe=recipe.digest)
    (recipe.directory / LOCK_FILE).write_text(lock_text(file))
    assert of_recipe(recipe) == file
    with pytest.raises(LockRefused) as caught:
        of_recipe(recipe_of(tmp_path, "FROM scratch\nCOPY . /opt\n"))
    assert str(caught.value) == f"{recipe.directory / LOCK_FILE}: the recipe changed since it was locked"
    assert caught.value.hint == "build it without --locked, then `ropewalk lock nginx`"


def test_what_makes_a_lock_stale(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    file = replace(made(), recipe=recipe.digest)
    assert why_stale(None, recipe, None) == "there is no ropewalk.lock"
    assert why_stale(made(), recipe, None) == "the recipe changed since it was locked"
    assert why_stale(file, recipe, None) == ""
    assert why_stale(file, recipe, file) == ""
    fewer = replace(file, lock=replace(LOCK, debs=()))
    assert why_stale(file, recipe, fewer) == ""
    assert why_stale(fewer, recipe, file) == f"the image was made of {HELLO}, which the lock does not name"
    other = replace(file, lock=replace(LOCK, view="20250521-0123456789"))
    assert why_stale(file, recipe, other) == f"the image was made from view {other.lock.view}, the lock says {VIEW}"
    assert why_stale(file, recipe, replace(file, parents=())) == "the image was made on other parents"
