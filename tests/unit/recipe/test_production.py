from pathlib import Path

import pytest

from kit.recipes import REGISTRY, config, load, production, write
from ropewalk.errors import InputError
from ropewalk.recipe import Generation, ParentRole, Recipe, ScriptTest, load_tree
from ropewalk.recipe.production import Control, read_control
from ropewalk.recipe.script import script_test

TEMPLATE = "FROM scratch\nCOPY x /x\n"


def one(tmp_path: Path, files: dict[str, str], text: str = "") -> Recipe:
    (recipe,) = load(tmp_path, files, text)
    return recipe


def test_a_recipe(tmp_path: Path) -> None:
    files = production("nginx", "1.22.1-3", TEMPLATE, test_sh="exit 0\n", x="1")
    recipe = one(tmp_path, files, "namespace: ns\n")
    assert (recipe.generation, recipe.repository, recipe.version) == (
        Generation.PRODUCTION,
        f"{REGISTRY}/ns/nginx",
        "1.22.1-3",
    )
    assert recipe.epoch == 1767614400
    assert recipe.dockerfile == TEMPLATE.rstrip("\n")
    assert [file.path for file in recipe.context] == ["Dockerfile.template", "changelog", "test.sh", "x"]
    assert recipe.test == ScriptTest(("/bin/bash", "-c", f"{tmp_path}/tree/nginx/test.sh {{image}}"))
    assert recipe.rebase


def test_image_tag_knows_recipes_whatever_their_order(tmp_path: Path) -> None:
    files = production("a", "1-1", 'FROM {{ "z" | image_tag }}\n') | production("z", "2-1", TEMPLATE)
    first, _ = load(tmp_path, files)
    assert first.dockerfile == f"FROM {REGISTRY}/z:2-1"
    assert [(parent.name, parent.tag) for parent in first.parents] == [("z", "2-1")]


def test_a_base_image_of_the_config_is_printed_as_written(tmp_path: Path) -> None:
    files = production("z", "2-1", TEMPLATE) | production("a", "1-1", 'FROM {{ "z" | image_tag }}\n')
    first, _ = load(tmp_path, files, f"base_images: ['{REGISTRY}/z:latest']\n")
    assert first.dockerfile == f"FROM {REGISTRY}/z:latest"


def test_control_adds_build_parents_and_ignores_unknown_names(tmp_path: Path) -> None:
    control = "Package: a\nDepends: z,\n y\nBuild-Depends: nowhere\n"
    files = production("a", "1-1", 'FROM {{ "z" | image_tag }}\n', control=control)
    files |= production("z", "2-1", TEMPLATE) | production("y", "3-1", TEMPLATE)
    recipe = load(tmp_path, files)[0]
    assert [(parent.name, parent.role) for parent in recipe.parents] == [
        ("z", ParentRole.FINAL),
        ("y", ParentRole.BUILD),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Control()),
        ("Depends: a, b\n", Control(("a", "b"))),
        ("Build-Depends: c\nDepends: a,\n b,\n", Control(("c", "a", "b"))),
        ("Depends: a\n\nPackage: x\ndepends: a, d\n", Control(("a", "d"))),
        ("Package: x\nRebase: never\n", Control((), rebase=False)),
    ],
)
def test_control(tmp_path: Path, text: str, expected: Control) -> None:
    write(tmp_path, {"control": text})
    assert read_control(tmp_path / "control") == expected


def test_control_says_never_or_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"control": "Package: x\nRebase: always\n"})
    with pytest.raises(InputError, match=r"control:2: `Rebase: always` is not known"):
        read_control(tmp_path / "control")


def test_a_recipe_may_forbid_rebases(tmp_path: Path) -> None:
    assert not one(tmp_path, production("a", "1", TEMPLATE, control="Package: a\nRebase: never\n")).rebase


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("['-c', '{path}/test.sh {image}']", None),
        ("['-c', '{path}/check {image}']", ("/bin/bash", "-c", "DIR/check {image}")),
        ("['{path}/check', '{image}', '{{}}']", ("/bin/bash", "DIR/check", "{image}", "{}")),
        ("['{image}']", ("/bin/bash", "{image}")),
    ],
)
def test_a_test_is_left_out_where_a_named_file_is_missing(
    tmp_path: Path, args: str, expected: tuple[str, ...] | None
) -> None:
    write(tmp_path, {"check": ""})
    test, hashed = script_test(tmp_path, config(tmp_path, f"verify_args: {args}\n"), tmp_path)
    argv = tuple(word.replace("DIR", str(tmp_path)) for word in expected or ())
    assert test == (ScriptTest(argv) if expected else None)
    assert str(tmp_path) not in "".join(hashed)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ("['{pth}/x']", "`verify_args` has `{pth}/x`"),
        ("['\"']", "`verify_args` is no shell text: No closing quotation"),
    ],
)
def test_wrong_arguments_name_the_config(tmp_path: Path, args: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        script_test(tmp_path, config(tmp_path, f"verify_args: {args}\n"), tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/config.yaml: {error}")


@pytest.mark.parametrize(
    ("user", "good"),
    [
        ("USER 33", True),
        ("USER 33:33", True),
        ("USER root\nUSER 1", True),
        ("USER 1\nUSER www-data", False),
        ("", True),
    ],
)
def test_force_numeric_user(tmp_path: Path, user: str, good: bool) -> None:  # noqa: FBT001 - a case's verdict
    files = production("a", "1", f"FROM scratch\n{user}\n")
    if good:
        one(tmp_path, files, "force_numeric_user: true\n")
    else:
        with pytest.raises(InputError, match=r"Dockerfile\.template \(rendered\):3: the last USER is `www-data`"):
            one(tmp_path, files, "force_numeric_user: true\n")


@pytest.mark.parametrize(
    ("name", "version", "line", "error"),
    [
        ("a", "1~rc1", 1, "the version `1~rc1` is no image tag"),
        ("a", "1+b1", 1, "the version `1+b1` is no image tag"),
        ("a", "1:2-1", 1, "the version `1:2-1` is no image tag"),
        ("a", "1-r2", 1, "the version `1-r2` ends like a build number"),
        ("Upper", "1", 1, "`Upper` is no name for an image"),
        ("a--b_c__d", "1", 0, ""),
        ("a-r2", "1-r2x", 0, ""),
    ],
)
def test_names_and_versions(tmp_path: Path, name: str, version: str, line: int, error: str) -> None:
    files = production("x", "1", TEMPLATE)
    files["x/changelog"] = files["x/changelog"].replace("x (1)", f"{name} ({version})")
    if not error:
        assert one(tmp_path, files).reference == f"{REGISTRY}/{name}:{version}"
        return
    with pytest.raises(InputError) as caught:
        one(tmp_path, files)
    assert str(caught.value) == f"{tmp_path}/tree/x/changelog:{line}: {error}"


def digest(tmp_path: Path, where: str, text: str = "", **more: str) -> str:
    files = production("a", "1-1", TEMPLATE, **{"x": "1", "test_sh": "exit 0", **more})
    return one(tmp_path / where, files, text).digest


def test_the_digest_is_the_same_in_another_place(tmp_path: Path) -> None:
    assert digest(tmp_path, "one") == digest(tmp_path, "two", "ropewalk: {endpoint: 'http://127.0.0.1:5000'}\n")


@pytest.mark.parametrize(
    "more",
    [
        {"x": "2"},
        {"y": ""},
        {"test_sh": "exit 1"},
        {"control": "Package: a\nRebase: never\n"},
        {"Dockerfile_template": "FROM scratch\nCOPY x /y\n"},
        {"changelog": "a (1-1) w; urgency=low\n\n  * X.\n\n -- A <a@b>  Tue, 06 Jan 2026 12:00:00 +0000\n"},
    ],
)
def test_the_digest_covers_what_the_recipe_says(tmp_path: Path, more: dict[str, str]) -> None:
    assert digest(tmp_path, "one") != digest(tmp_path, "two", **more)


def test_the_digest_covers_the_test_and_modes(tmp_path: Path) -> None:
    first = digest(tmp_path, "one")
    assert digest(tmp_path, "two", "verify_command: /bin/sh\n") != first
    root = tmp_path / "three"
    files = production("a", "1-1", TEMPLATE, x="1", test_sh="exit 0")
    write(root / "tree", files)
    (root / "tree/a/x").chmod(0o755)
    assert load_tree([root / "tree"], config(root)).recipes[0].digest != first


def test_a_test_outside_the_context_counts_too(tmp_path: Path) -> None:
    files = production("a", "1-1", TEMPLATE, test_sh="exit 0") | {"a/.dockerignore": "test.sh\n"}
    first = one(tmp_path / "one", files)
    second = one(tmp_path / "two", {**files, "a/test.sh": "exit 1"})
    assert "test.sh" not in {file.path for file in first.context}
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("text", "line"),
    [(": [\n", 1), ("Package: a\nDepends\n", 2), (" y\n", 1), ("A: b\n\n y\n", 3), ("-a: b\n", 1), ("a b: c\n", 1)],
)
def test_a_line_of_control_that_is_no_field(tmp_path: Path, text: str, line: int) -> None:
    write(tmp_path, {"control": text})
    with pytest.raises(InputError, match=rf"control:{line}: .* is no field"):
        read_control(tmp_path / "control")


def test_comments_and_continuations_are_no_faults(tmp_path: Path) -> None:
    write(tmp_path, {"control": "# a\nPackage: a\nDepends: b,\n# c\n\tc\n \n\nX-y_z: 1\n"})
    assert read_control(tmp_path / "control").depends == ("b", "c")
