"""The room of a test: what is covered, what stays, and the `docker` that it calls."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.build.testroom import Room, covered, frame
from ropewalk.recipe import Generation, Recipe
from ropewalk.settings import Settings


@pytest.fixture
def room(tmp_path: Path) -> Room:
    place = tmp_path / "home/state/scratch/test-1"
    recipe = tmp_path / "home/tree/images/nginx"
    for path in (place, recipe, tmp_path / "home/state/containers", tmp_path / "home/tree/.git"):
        path.mkdir(parents=True)
    return Room(Settings(tmp_path / "home/state"), place, "b1", recipe_at(recipe))


def recipe_at(directory: Path, config: Path | None = None) -> Recipe:
    return Recipe(
        Generation.PRODUCTION, "registry.example.org", "", "nginx", "1-1", directory, "sha256:0", 0, config=config
    )


def lay(room: Room, hidden: Iterable[Path]) -> list[str]:
    """Return what the frame lays over what, in order: ``empty``, ``ro`` or ``rw``, and the directory."""
    found = []
    for line in frame(room, Path("/run/keep"), hidden).splitlines():
        words = line.split()
        if line.startswith("mount -t tmpfs"):
            found.append(f"empty {words[-1]}")
        elif line.startswith("mount --move"):
            found.append(f"rw {words[-1]}")
        elif line.startswith("mount -o remount,bind,ro"):
            assert found[-1] == f"rw {words[-1]}"
            found[-1] = f"ro {words[-1]}"
    return found


def test_what_lies_below_a_covered_directory_is_covered_with_it(room: Room, tmp_path: Path) -> None:
    hidden = covered(room, tmp_path / "home")
    assert {tmp_path / "home", tmp_path / "home/state"} <= set(hidden)
    assert f"empty {tmp_path}/home/state" not in lay(room, hidden)
    assert f"empty {tmp_path}/home/state" in lay(room, covered(room, tmp_path / "elsewhere"))


def test_the_tree_and_the_images_stay_read_only(room: Room, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lines = frame(room, Path("/run/keep"), [home]).splitlines()
    cover = lines.index(f"mount -t tmpfs -o mode=755 ropewalk {home}")
    assert lines.index(f"mount --bind {home}/tree /run/keep/2") < cover
    assert lines.index(f"mount --move /run/keep/2 {home}/tree") > cover
    assert lay(room, [home]) == [
        f"empty {home}",
        f"ro {home}/state/containers",
        f"rw {home}/state/scratch/test-1",
        f"ro {home}/tree",
    ]
    assert lines[-2:] == [f"cd {home}/tree/images/nginx", 'exec "$@"']


def test_a_state_directory_in_a_shown_checkout_is_covered_again(tmp_path: Path) -> None:
    tree = tmp_path / "home/tree"
    state, recipe = tree / ".state", tree / "services/web"
    for path in (state / "scratch/test-1", state / "containers", recipe, tree / ".git"):
        path.mkdir(parents=True)
    given = Room(Settings(state), state / "scratch/test-1", "b1", recipe_at(recipe))
    assert lay(given, covered(given, tmp_path / "home"))[-5:] == [
        f"empty {tmp_path}/home",
        f"ro {tree}",
        f"empty {state}",
        f"ro {state}/containers",
        f"rw {state}/scratch/test-1",
    ]


def test_a_home_that_is_a_checkout_shows_the_recipe_alone(room: Room, tmp_path: Path) -> None:
    (tmp_path / "home/tree/.git").rmdir()
    (tmp_path / "home/.git").mkdir()
    lines = frame(room, Path("/run/keep"), [tmp_path / "home"]).splitlines()
    assert f"mount --bind {tmp_path}/home/tree/images/nginx /run/keep/2" in lines


def test_the_tree_is_where_its_config_is(room: Room, tmp_path: Path) -> None:
    given = replace(room, recipe=recipe_at(room.recipe.directory, tmp_path / "home/tree/images/config.yaml"))
    lines = frame(given, Path("/run/keep"), [tmp_path / "home"]).splitlines()
    assert f"mount --bind {tmp_path}/home/tree/images /run/keep/2" in lines


def test_nothing_is_moved_that_is_not_hidden(room: Room) -> None:
    assert "mount --move" not in frame(room, Path("/run/keep"), [Path("/root")])
