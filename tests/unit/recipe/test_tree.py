from pathlib import Path

import pytest

from kit.recipes import BASE, REGISTRY, TODAY, changelog, config, load, production, service, write
from kit.street import DEMO
from ropewalk.errors import InputError
from ropewalk.recipe import Generation, load_config, load_tree

EXAMPLES = Path(__file__).parents[3] / "examples"
SERVICE = f"version: v4\nbase: {REGISTRY}/a\nvariants: {{production: {{}}}}\n"


def test_recipes_of_all_generations_by_directory(tmp_path: Path) -> None:
    files = service("web", SERVICE) | production("z/a", "1-1", "FROM scratch\n") | {"b/base.yaml": BASE}
    files["z/a/changelog"] = changelog("a", "1-1")
    assert [(r.generation.value, r.name) for r in load(tmp_path, files)] == [
        ("base", "bookworm"),
        ("service", "web"),
        ("production", "a"),
    ]


def test_directories_in_the_given_order_and_each_recipe_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{top}/{name}": text
            for top in ("one", "two")
            for name, text in production(top, "1", "FROM scratch\n").items()
        },
    )
    directories = [tmp_path / "two", tmp_path, tmp_path / "one/one"]
    assert [recipe.name for recipe in load_tree(directories, config(tmp_path)).recipes] == ["two", "one"]


def test_half_a_recipe_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "t", {"a/Dockerfile.template": "", "b/changelog": "", "c/.git/changelog": ""})
    loaded = load_tree([tmp_path / "t"], config(tmp_path))
    assert loaded.recipes == ()
    assert loaded.warnings == (
        f"{tmp_path}/t/a: left out: it has a Dockerfile.template but no changelog",
        f"{tmp_path}/t/b: left out: it has a changelog but no Dockerfile.template",
    )


def test_warnings_of_templates_are_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "t", production("a", "1", 'FROM scratch\nUSER {{ "flink" | uid }}\n'))
    (warning,) = load_tree([tmp_path / "t"], config(tmp_path)).warnings
    assert warning.startswith(f"{tmp_path}/t/a/Dockerfile.template: no uid is known for the user `flink`")


def test_a_name_twice_names_both_directories(tmp_path: Path) -> None:
    files = production("a", "1", "FROM scratch\n")
    files |= {"b/Dockerfile.template": "FROM scratch\n", "b/changelog": changelog("a", "2")}
    with pytest.raises(InputError) as caught:
        load(tmp_path, files)
    assert str(caught.value) == f"{tmp_path}/tree/b: `a` is also the name of {tmp_path}/tree/a"


def test_a_base_and_a_production_image_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`bookworm` is also the name of"):
        load(tmp_path, production("bookworm", "1", "FROM scratch\n") | {"b/base.yaml": BASE})


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a/base.yaml": BASE, "a/blubber.yaml": SERVICE}, "a: base.yaml and blubber.yaml stand in one directory"),
        ({"a/blubber.yaml": SERVICE}, "a: the service has no changelog"),
        ({"a/changelog": "x\n", "a/Dockerfile.template": ""}, "a/changelog:1: is no changelog heading"),
    ],
)
def test_faults(tmp_path: Path, files: dict[str, str], error: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, files)
    assert str(caught.value) == f"{tmp_path}/tree/{error}"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such directory"):
        load_tree([tmp_path / "none"], config(tmp_path))


def test_a_base_image_entry_that_is_no_reference(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml: `base_images` has `r/A:1`"):
        load(tmp_path, production("a", "1", "FROM scratch\n"), "base_images: ['r/A:1']\n")


def test_a_link_may_lead_elsewhere_in_the_repository(tmp_path: Path) -> None:
    """The tree is the repository of the config file, or its directory, not the directory that was given."""
    root = tmp_path / "repository"
    files = {"images/" + name: text for name, text in production("a", "1", "FROM scratch\n").items()}
    write(root, {**files, "config.yaml": f"registry: {REGISTRY}\n", ".git/HEAD": "", "shared/run.sh": "x"})
    (root / "images/a/run.sh").symlink_to("../../shared/run.sh")
    (recipe,) = load_tree([root / "images"], load_config(root / "config.yaml", None)).recipes
    assert "run.sh" in {file.path for file in recipe.context}
    (root / ".git/HEAD").unlink()
    (root / ".git").rmdir()
    (recipe,) = load_tree([root / "images"], load_config(root / "config.yaml", None)).recipes
    assert "run.sh" in {file.path for file in recipe.context}
    (root / "config.yaml").rename(root / "images/config.yaml")
    with pytest.raises(InputError, match="the link leads out of the tree"):
        load_tree([root / "images"], load_config(root / "images/config.yaml", None))


def test_what_has_no_place_in_an_image_is_warned_of(tmp_path: Path) -> None:
    text = "FROM scratch\nHEALTHCHECK CMD true\nONBUILD RUN true\n"
    warnings = load_tree([write(tmp_path, production("a", "1", text))], config(tmp_path)).warnings
    assert [warning.rpartition("(rendered)")[2] for warning in warnings] == [
        ":2: HEALTHCHECK has no place in an OCI image and is left out",
        ":3: ONBUILD has no place in an OCI image and is left out",
    ]


def test_foreign_parents_are_judged_on_the_given_day(tmp_path: Path) -> None:
    allowed = "ropewalk: {foreign: [{image: 'debian:12', reason: r, contact: c, expires: 2026-01-15}]}\n"
    files = production("a", "1", "FROM debian:12\n")
    (recipe,) = load(tmp_path, files, allowed)
    assert [parent.name for parent in recipe.parents] == [None]
    assert recipe.parents[0].forbidden is None
    later = load_tree([tmp_path / "tree"], load_config(tmp_path / "config.yaml", None), TODAY.replace(day=16))
    forbidden = later.recipes[0].parents[0].forbidden
    assert forbidden is not None
    assert "was allowed until 2026-01-15 only" in forbidden.reason


def test_the_examples() -> None:
    examples = load_config(EXAMPLES / "tree/config.yaml", None)
    loaded = load_tree([EXAMPLES / "tree", EXAMPLES / "services"], examples)
    assert loaded.warnings == ()
    assert all(recipe.test for recipe in loaded.recipes)
    recipes = {recipe.name: recipe for recipe in loaded.recipes}
    assert sum(recipe.generation is not Generation.SERVICE for recipe in loaded.recipes) >= 22
    assert recipes["python-web"].generation is Generation.SERVICE

    def depth(name: str) -> int:
        return 1 + max((depth(parent.name) for parent in recipes[name].parents if parent.name), default=0)

    assert depth("guestbook") == 4
    assert depth("ledger") == 4
    assert {name for name in recipes if depth(name) == 1} == {"bookworm", "trixie"}


def test_what_the_demo_builds_of_the_examples() -> None:
    examples = load_config(EXAMPLES / "tree/config.yaml", None)
    loaded = load_tree([EXAMPLES / "tree" / name for name in DEMO] + [EXAMPLES / "services"], examples)
    assert loaded.warnings == ()
    assert [(r.name, r.generation, [(p.name, p.role.value) for p in r.parents]) for r in loaded.recipes] == [
        ("bookworm", Generation.BASE, []),
        ("gcc", Generation.PRODUCTION, [("bookworm", "final")]),
        ("hello", Generation.PRODUCTION, [("bookworm", "final"), ("gcc", "build")]),
        ("nginx", Generation.PRODUCTION, [("bookworm", "final")]),
        ("python3", Generation.PRODUCTION, [("bookworm", "final")]),
        ("python-web", Generation.SERVICE, [("python3", "final")]),
        ("static-site", Generation.SERVICE, [("nginx", "final")]),
    ]
    whole = load_tree([EXAMPLES / "tree"], examples)
    assert {r.digest for r in loaded.recipes[:5]} < {r.digest for r in whole.recipes}


def test_a_suffix_ends_every_version_and_parents_follow(tmp_path: Path) -> None:
    files = production("b", "2-1", 'FROM {{ "a" | image_tag }}\n') | production("a", "1-1", "FROM {{ seed }}\n")
    write(tmp_path / "t", files | {"base/base.yaml": BASE})
    seed = f"base_images: ['{REGISTRY}/bookworm:latest']\nseed: {REGISTRY}/bookworm:latest\n"
    recipes = load_tree([tmp_path / "t"], config(tmp_path, seed), TODAY, suffix="-20260105").recipes
    assert [(recipe.name, recipe.version) for recipe in recipes] == [
        ("a", "1-1-20260105"),
        ("b", "2-1-20260105"),
        ("bookworm", "12-1-20260105"),
    ]
    assert recipes[1].parents[0].tag == "1-1-20260105"
    pinned = config(tmp_path, f"base_images: ['{REGISTRY}/bookworm:12-1']\nseed: {REGISTRY}/bookworm:12-1\n")
    assert load_tree([tmp_path / "t"], pinned, TODAY, suffix="-20260105").recipes[2].version == "12-1"
