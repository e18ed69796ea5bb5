"""The public production-images tree, unchanged: read as docker-pkg 4.0.4 reads it, and built where Debian alone feeds it."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.dockerpkg import PeerTree, ask
from ropewalk.plan import ancestors, edges, order
from ropewalk.recipe import Recipe, load_config, load_tree

pytestmark = pytest.mark.corpus

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
