from pathlib import Path

import pytest

from kit.recipes import BASE, REGISTRY, load, write
from ropewalk.errors import InputError
from ropewalk.recipe import BaseSpec, Generation, ScriptTest, TreeConfig, load_base

FULL = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main, non-free-firmware]
packages:
  - ca-certificates
  - tzdata
env: {LANG: C.UTF-8, A: b}
labels: {org.example.title: Debian}
"""


def test_a_base_image(tmp_path: Path) -> None:
    write(tmp_path, {"base.yaml": FULL, "test.sh": "exit 0"})
    recipe = load_base(tmp_path, TreeConfig(registry=REGISTRY))
    assert (recipe.generation, recipe.reference) == (Generation.BASE, f"{REGISTRY}/bookworm:12-1")
    assert (recipe.epoch, recipe.dockerfile, recipe.parents, recipe.context) == (None, "", (), ())
    assert recipe.base == BaseSpec(
        suites=("bookworm", "bookworm-updates", "bookworm-security"),
        components=("main", "non-free-firmware"),
        packages=("ca-certificates", "tzdata"),
        env=(("A", "b"), ("LANG", "C.UTF-8")),
        labels=(("org.example.title", "Debian"),),
    )
    assert isinstance(recipe.test, ScriptTest)


def test_the_least(tmp_path: Path) -> None:
    write(tmp_path, {"base.yaml": BASE})
    recipe = load_base(tmp_path, TreeConfig())
    assert recipe.base == BaseSpec(("bookworm",), ("main",), (), (), ())
    assert (recipe.reference, recipe.test) == ("bookworm:12-1", None)


@pytest.mark.parametrize(
    "change",
    [("12-1", "12-2"), ("[bookworm]", "[bookworm, bookworm-updates]"), ("[bookworm]", "[bookworm]\npackages: [vim]")],
)
def test_the_digest_covers_the_file(tmp_path: Path, change: tuple[str, str]) -> None:
    (first,) = load(tmp_path / "1", {"b/base.yaml": BASE})
    (same,) = load(tmp_path / "2", {"b/base.yaml": "# a note\n" + BASE})
    (other,) = load(tmp_path / "3", {"b/base.yaml": BASE.replace(*change)})
    assert first.digest == same.digest != other.digest


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (BASE + "pakages: [x]\n", 4, "unknown key `pakages`", "did you mean `packages`?"),
        ("version: 1\nsuites: [x]\n", 1, "`name` is missing", "add `name:`"),
        (BASE.replace("12-1", "12"), 2, "`version` must be text", "put it in quotes"),
        (
            BASE.replace("12-1", "'12+1'"),
            2,
            "the version `12+1` is no image tag",
            "use letters, digits and . _ - only, at most 128; no ~ + :",
        ),
        (
            BASE.replace("bookworm\n", "Bookworm\n", 1),
            1,
            "`Bookworm` is no name for an image",
            "use lower case letters and digits, single ones of . _ - / between them",
        ),
        (BASE.replace("[bookworm]", "[]"), 3, "`suites` is empty", "name at least one"),
        (BASE.replace("[bookworm]", "bookworm"), 3, "`suites` must be a list", "write a list"),
        (BASE + "packages:\n  - vim\n  - Vim\n", 6, "`Vim` cannot stand in `packages`", "write the plain name"),
        (BASE + "packages:\n  - vim=1\n", 5, "`vim=1` cannot stand in `packages`", "write the plain name"),
        (BASE + "packages:\n  - vim\n  - vim\n", 6, "`vim` stands twice in `packages`", "keep one of them"),
        (BASE + "env:\n  A: b\n  1x: y\n", 6, "`1x` is no variable's name", "use letters, digits and _"),
        (BASE + "env:\n  A: 1\n", 5, "`env.A` must be text", "put it in quotes"),
    ],
)
def test_faults_name_file_line_and_remedy(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    write(tmp_path, {"base.yaml": text})
    with pytest.raises(InputError) as caught:
        load_base(tmp_path, TreeConfig())
    assert str(caught.value) == f"{tmp_path}/base.yaml:{line}: {message}"
    assert caught.value.hint == hint
