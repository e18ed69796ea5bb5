"""The public production-images tree, unchanged: read as docker-pkg 4.0.4 reads it, and built where Debian alone feeds it."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.dockerpkg import PeerTree, ask
from kit.missing import Debian, missing
from kit.standins import STAND_INS
from ropewalk.archive import ViewBook
from ropewalk.debian import sort_key, versions
from ropewalk.plan import ancestors, edges, order
from ropewalk.publish import Standing, standing
from ropewalk.recipe import Recipe, load_config, load_tree
from ropewalk.recipe.head import older_versions

pytestmark = pytest.mark.corpus

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).parent / "ropewalk"
BASES = HERE / "bases"
RELEASES = ("bookworm", "trixie", "bullseye")
FROM_DEBIAN_ALONE = (
    "golang1.19",
    "httpd",
    "nodejs12-devel",
    "nodejs12-slim",
    "nutcracker",
    "openjdk-11-jdk",
    "openjdk-11-jre",
    "openjdk-17-jdk",
    "openjdk-17-jre",
    "openjdk-21-jdk",
    "openjdk-21-jre",
    "openjdk-25-jdk",
    "openjdk-25-jre",
    "prometheus-apache-exporter",
    "python3-bookworm",
    "python3-build-bookworm",
    "python3-build-trixie",
    "python3-bullseye",
    "python3-devel",
    "python3-trixie",
)
ALSO = ("echoserver", "golang1.15", "golang1.24", "wmf-debci-bookworm", "wmf-debci-bullseye", "wmf-debci-trixie")
"""Debian alone feeds these too, though nobody promised them."""
ONE_AFTER_THE_OTHER = 278.0
"""Seconds for the twenty by buildah alone, one after the other, all packages at hand, on a machine with two cores."""

BROKEN = {
    "images/mcrouter": {"healthz": "#!/bin/sh\nexit 1\n"},
    "images/envoy": {"envoy": "#!/bin/sh\nexit 1\n"},
    "images/benthos": {"benthos": "#!/bin/sh\nexec true\n"},
}
"""Recipe -> what makes its stand-in fail the tree's test."""

CONFIGS = (
    ("config.yaml", "images"),
    ("config-istio.yaml", "istio"),
    ("config-ml.yaml", "ml"),
    ("config-cert-manager.yaml", "cert-manager"),
)


@pytest.fixture(scope="module")
def tree() -> Path:
    place = Path(os.environ["ROPEWALK_CORPUS"]) / "operations-docker-images-production-images"
    assert (place / "config.yaml").exists(), f"no checkout of the public tree at {place}"
    return place.resolve()


def recipes_of(tree: Path, config: str, directory: str) -> tuple[Recipe, ...]:
    today = datetime.now(UTC).date()
    return load_tree([tree / directory], load_config(tree / config, None), today).recipes


def told(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


def constraints(peer: PeerTree) -> set[tuple[str, str]]:
    """Return docker-pkg's own edges: (an image that must come first, the image that needs it)."""
    names = {image.name: image.reference for image in peer.images}
    return {(names[name], image.reference) for image in peer.images for name in image.depends if name in names}


@pytest.mark.parametrize(("config", "directory"), CONFIGS)
def test_all_recipes_are_read_as_docker_pkg_reads_them(
    tree: Path, config: str, directory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = ask(tree / config, tree / directory)
    ours = recipes_of(tree, config, directory)
    assert {recipe.reference: recipe.name for recipe in ours} == {image.reference: image.name for image in peer.images}

    rendered = {recipe.reference: recipe.dockerfile for recipe in ours}
    for image in peer.images:
        assert rendered[image.reference] == image.dockerfile, image.reference
    contexts = {r.reference: {f.path: f.sha256 for f in r.context if not f.directory} for r in ours}
    for image in peer.images:
        assert contexts[image.reference] == image.context, image.reference

    links = edges(ours)
    place = {recipe.reference: number for number, recipe in enumerate(order(ours, links))}
    needed = constraints(peer)
    for first, then in needed:
        assert place[first] < place[then], f"{then} comes before {first}"
        assert first in ancestors(then, links)
    assert all(peer.order.index(first) < peer.order.index(then) for first, then in needed)
    unseen = {(first, then) for then, firsts in links.items() for first in firsts} - needed
    foreign = sum(parent.name is None for recipe in ours for parent in recipe.parents)
    told(
        capsys,
        f"{config}: {len(ours)} recipes rendered alike, {len(needed)} edges of docker-pkg, "
        f"{len(unseen)} that it does not see, {foreign} foreign parents",
    )


@pytest.mark.parametrize(
    ("config", "directory", "elsewhere"),
    [
        ("config.yaml", "images", {"bookworm:latest", "bullseye:latest", "trixie:latest"}),
        ("config-istio.yaml", "istio", {"golang1.24:latest", "trixie:latest"}),
        ("config-ml.yaml", "ml", {"amd-pytorch-common:latest"}),
        ("config-cert-manager.yaml", "cert-manager", {"golang1.25:latest", "trixie:latest"}),
    ],
)
def test_offline_a_plan_names_the_parents_that_other_trees_make(
    tree: Path, tmp_path: Path, config: str, directory: str, elsewhere: set[str]
) -> None:
    argv = [PROGRAM, "-c", tree / config, "plan", "--offline", "--format", "json", tree / directory]
    variables = {**os.environ, "ROPEWALK_STATE": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, env=variables)
    entries = json.loads(done.stdout)["entries"]
    assert {entry["action"] for entry in entries} == {"build"}
    named = {parent.removeprefix("docker-registry.wikimedia.org/") for e in entries for parent in e["unresolved"]}
    assert named == elsewhere


def test_each_newer_entry_of_every_changelog_gets_latest(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps, wrong = 0, 0
    for changelog in sorted(tree.rglob("changelog")):
        entries = versions(changelog.read_text("utf-8"))
        for number, version in enumerate(entries):
            older = older_versions(changelog.parent, version)
            assert older == entries[number + 1 :]
            assert standing(version, older, older) is Standing.NEWEST, f"{changelog}: {version}"
            steps += 1
            wrong += bool(older) and sort_key(older[0]) > sort_key(version)
    told(capsys, f"latest follows all {steps} entries; dpkg's order alone would have stopped at {wrong} of them")


# --- building ---


@dataclass(frozen=True, slots=True)
class Works:
    """A state directory of the tree's own, whose views and .debs outlive the run."""

    state: Path
    tree: Path
    view: str

    def run(self, *arguments: str, user: Path, config: Path | None = None) -> Any:
        """Run the command on ``config.yaml``; return what its JSON says.

        Args:
            arguments: The command.
            user: ``XDG_CONFIG_HOME``, where docker-pkg's own file of the user would be.
            config: Another tree's; the public tree's where it is None.
        """
        argv = [str(PROGRAM), "-c", str(config or self.tree / "config.yaml"), *arguments, "--format", "json"]
        variables = {**os.environ, "ROPEWALK_STATE": str(self.state), "XDG_CONFIG_HOME": str(user)}
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, env=variables)
        return json.loads(done.stdout)

    def build(self, *names: str, user: Path, jobs: int = 2) -> dict[str, Any]:
        """Build some recipes and what they need; return what became of each, by name."""
        globs = (word for name in names for word in ("--select", f"*/{name}:*"))
        options = ("--offline", "--keep-going", "--jobs", str(jobs), "--view", self.view)
        made = self.run("build", *options, str(BASES), str(self.tree / "images"), *globs, user=user)["images"]
        return {image["name"]: image for image in made}


@pytest.fixture(scope="module")
def works(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Works:
    state = Path(os.environ.get("ROPEWALK_STATE", ".state/ropewalk")).absolute() / "corpus"
    for name in ("store", "records"):
        shutil.rmtree(state / name, ignore_errors=True)
    for name in ("ropewalk.sqlite", "tree.json"):  # the remembered tree was a test's
        (state / name).unlink(missing_ok=True)
    suites = tuple(word for release in RELEASES for word in ("--suite", release))
    made = Works(state, tree, "").run("archive", "view", *suites, user=tmp_path_factory.mktemp("nothing"))
    return Works(state, tree, made["view"])


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give every image a test by docker-pkg's own means: the user's file says what verifies an image."""
    place = tmp_path_factory.mktemp("user")
    verify = f"verify_command: /bin/sh\nverify_args: [{HERE / 'smoke.sh'}, '{{image}}']\n"
    (place / "docker-pkg.yaml").write_text(verify)
    return place


def failures(outcomes: dict[str, Any]) -> dict[str, str]:
    return {name: outcome["error"] for name, outcome in outcomes.items() if outcome["error"]}


def test_what_debian_alone_feeds_is_built_and_passes(
    works: Works, smoke: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = works.build(*FROM_DEBIAN_ALONE, user=smoke)
    assert failures(first) == {}
    assert set(first) == {*FROM_DEBIAN_ALONE, *RELEASES}
    assert all(image["tested"] for image in first.values())

    # Without the user's file every recipe is another one, and now all packages are at hand.
    works.build(*RELEASES, user=tmp_path)
    start = time.monotonic()
    again = works.build(*FROM_DEBIAN_ALONE, user=tmp_path)
    seconds = time.monotonic() - start
    assert set(again) == set(FROM_DEBIAN_ALONE)
    alike = {name for name, image in again.items() if image["digest"] == first[name]["digest"]}
    assert {*FROM_DEBIAN_ALONE} - alike == set()
    slowest = max(again.values(), key=lambda image: image["seconds"])
    told(
        capsys,
        f"{len(again)} images of Debian packages built in {seconds:.0f} s with --jobs 2, {len(alike)} as before; "
        f"{slowest['name']} took longest, {slowest['seconds']:.0f} s; one after the other: {ONE_AFTER_THE_OTHER:.0f} s",
    )


def test_what_else_debian_alone_feeds_is_built_too(works: Works, smoke: Path) -> None:
    built = works.build(*ALSO, user=smoke)
    assert failures(built) == {}
    assert set(ALSO) <= set(built)


def test_of_each_other_recipe_it_is_known_what_is_missing(
    works: Works, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(tree / "config.yaml", None)
    recipes = load_tree([BASES, tree / "images"], config, datetime.now(UTC).date()).recipes
    book = ViewBook(works.state / "views")
    found = missing(recipes, Debian(book, book.load(works.view)), RELEASES)
    assert {name for name, inputs in found.items() if not inputs} == {*FROM_DEBIAN_ALONE, *ALSO}
    others = {name: inputs for name, inputs in found.items() if name not in FROM_DEBIAN_ALONE}
    rows = (f"{name:36}{', '.join(inputs) or 'nothing: it is built too'}" for name, inputs in others.items())
    told(capsys, f"{len(others)} recipes and the inputs of theirs that are missing here:", *rows)


def test_the_trees_own_tests_pass_on_what_is_built_here(
    works: Works, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {str(path.parent.relative_to(tree)) for path in tree.rglob("test.sh")} == {s.directory for s in STAND_INS}
    for one in STAND_INS:
        one.write(tree, tmp_path)
    for same in ("config.yaml", "images/httpd"):
        (shutil.copytree if (tree / same).is_dir() else shutil.copy)(tree / same, tmp_path / same)
    options = ("--offline", "--keep-going", "--jobs", "2", "--view", works.view, "--force", "*")
    made = works.run(
        "build",
        *options,
        str(BASES / "bookworm"),
        str(tmp_path / "images"),
        user=tmp_path,
        config=tmp_path / "config.yaml",
    )
    outcomes = {image["name"]: image for image in made["images"]}
    assert failures(outcomes) == {}
    assert {name for name, image in outcomes.items() if image["tested"]} == set(outcomes) - {"httpd", "bookworm"}
    lacks = {one.directory: one.lacks for one in STAND_INS}
    told(capsys, "the tree's own tests, which pass on stand-ins for what is missing here:")
    told(capsys, *(f"{directory:24}{what}" for directory, what in lacks.items()))


def test_the_rooms_docker_tells_a_failure(works: Works, tree: Path, tmp_path: Path) -> None:
    """The same tests fail where the image does not do what they ask for."""
    for one in STAND_INS:
        if one.directory in BROKEN:
            replace(one, files={**one.files, **BROKEN[one.directory]}).write(tree, tmp_path)
    shutil.copy(tree / "config.yaml", tmp_path / "config.yaml")
    options = ("--offline", "--keep-going", "--jobs", "2", "--view", works.view)
    made = works.run(
        "build",
        *options,
        str(BASES / "bookworm"),
        str(tmp_path / "images"),
        user=tmp_path,
        config=tmp_path / "config.yaml",
    )
    errors = failures({image["name"]: image for image in made["images"]})
    assert all("its test failed" in error for error in errors.values())
    assert len(errors) == len(BROKEN)
