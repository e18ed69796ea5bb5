import shlex
from pathlib import Path

import pytest

from kit.images import record
from kit.recipes import REGISTRY, config, load, production
from ropewalk.errors import InputError
from ropewalk.plan import Action, Known, Observed, check_control, decide, renewable, to_update
from ropewalk.recipe import Recipe

BASE = "name: bookworm\nversion: 12-1\nsuites: [bookworm]\n"


def tree(root: Path, **more: str) -> tuple[Recipe, ...]:
    """A, B on A by control, C on B by its rendered parent alone, D on nothing; E builds with C."""
    files = production("e", "1", "FROM scratch\nCOPY --from={{ registry }}/c:latest /x /x\n")
    files |= production("d", "1", "FROM scratch\n")
    files |= production("c", "1", "FROM {{ registry }}/b\n")
    files |= production("b", "1", 'FROM {{ "a" | image_tag }}\n', control="Package: b\nDepends: a\n")
    files |= production("a", "1", "FROM {{ registry }}/bookworm:latest\n") | {"base/base.yaml": BASE}
    return load(root, files | {key.replace("_", "/"): text for key, text in more.items()})


def test_an_update_reaches_all_that_need_it_parents_first(tmp_path: Path) -> None:
    recipes = tree(tmp_path)
    assert [r.name for r in to_update(recipes, "a")] == ["a", "b", "c", "e"]
    assert [r.name for r in to_update(recipes, f"{REGISTRY}/c")] == ["c", "e"]
    assert [r.name for r in to_update(recipes, "d")] == ["d"]


def test_what_cannot_be_updated(tmp_path: Path) -> None:
    recipes = tree(tmp_path)
    with pytest.raises(InputError, match="no recipe has this name"):
        to_update(recipes, "bb")
    with pytest.raises(InputError, match="a base image has no changelog") as caught:
        to_update(recipes, "bookworm")
    assert "base.yaml" in caught.value.hint


def test_an_unknown_name_in_any_control_is_an_error_for_update(tmp_path: Path) -> None:
    recipes = tree(tmp_path, d_control="Package: d\nBuild-Depends: golnag\n")
    with pytest.raises(InputError, match="`golnag` is no recipe and no base image") as caught:
        check_control(recipes, config(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/tree/d/control: ")
    check_control(recipes, config(tmp_path, f"base_images: [{REGISTRY}/golnag:1]\n"))


def test_a_renewal_leaves_out_bases_and_what_is_excluded(tmp_path: Path) -> None:
    said = {recipe.name: why for recipe, why in renewable(tree(tmp_path), ("c", "*/tree/e", "*/d:*"))}
    assert said == {
        "a": "",
        "b": "",
        "bookworm": "a base image has no changelog",
        "c": "--exclude c",
        "d": "--exclude */d:*",
        "e": "--exclude */tree/e",
    }


def test_a_refusal_names_the_whole_command(tmp_path: Path) -> None:
    (before,) = load(tmp_path, production("a", "1", "FROM scratch\n"))
    (after,) = load(tmp_path, production("a", "1", "FROM scratch\nUSER 1\n"))
    known = Known(record(before), here=True, published=True)
    (entry,) = decide((after,), Observed((known,), asked=True)).entries
    config, root = shlex.quote(f"{tmp_path}/config.yaml"), shlex.quote(f"{tmp_path}/tree")
    assert (entry.action, entry.hint) == (
        Action.REFUSED,
        f"run: ropewalk -c {config} update a --reason WHY {root}",
    )
