"""One recipe built twice, the second time with the clock 40 days on, and what it added before and after the normaliser."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit.recipes import load, production
from ropewalk.archive import Pockets, View, ViewBook, from_apt, suite_names
from ropewalk.build import Workshop, build_recipe, open_workshop, pin_parents
from ropewalk.build.containers import read_added_layer
from ropewalk.build.dockerfile import built, ending_for
from ropewalk.build.known import Known
from ropewalk.build.locked import supplied
from ropewalk.build.normalise import concerns, normalise
from ropewalk.build.site import Order
from ropewalk.events import Event
from ropewalk.oci import Entry, Image
from ropewalk.oci.layer import TarItem
from ropewalk.recipe import Recipe
from ropewalk.settings import Settings

BASE = "name: {0}\nversion: 1-1\nsuites: [{0}, {0}-updates, {0}-security]\ncomponents: [main]\n"

CLOCK = "RUN {{ 'libfaketime' | apt_install }}\n"
"""What the parent of both builds has."""
LATER = (
    "ENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    " FAKETIME=+40d FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1\n"
)
"""What tells programs that it is 40 days later; files keep their times, which the kernel gives."""
CLOCK_FILE = "var/log/apt/now"
"""Where a RUN may write its time; as a log it goes."""
REAL = "unset LD_PRELOAD; "
"""Begins a RUN of programs that do not run with another clock (Java, what has jemalloc)."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build added.

    Attributes:
        raw: Digest of each file as the build left it, by path.
        clock: What a RUN wrote to `CLOCK_FILE`: its time in seconds since 1970; 0 where it wrote nothing.
        kept: What the image holds of it, by path.
        concerns: What the build would say.
        image: The image.
    """

    raw: dict[str, str]
    clock: int
    kept: dict[str, Entry]
    concerns: tuple[tuple[Known, tuple[str, ...]], ...]
    image: Image


def build(shop: Workshop, recipe: Recipe, parent: Image, view: View) -> Built:
    """Build a recipe on one parent, and look at what it left before and after the normaliser.

    Args:
        shop: The workshop.
        recipe: The recipe.
        parent: Its final parent, and its only one.
        view: The archive view.
    """
    word = shop.names.fresh()
    parents = {recipe.parents[0].reference: parent}
    order = Order(recipe.reference, recipe.dockerfile, recipe.context, parents, parent, view, recipe.epoch or 0, word)
    log = shop.settings.logs / f"{recipe.name}.log"
    tree = shop.store.tree(parent)
    with supplied(shop, word), built(shop, order, log, ending_for(tree)) as stored:
        added = read_added_layer(stored, len(parent.layers))
        left = {item.entry.path: item for item in added if item.content}
        raw = {path: hashlib.sha256(_content(item)).hexdigest() for path, item in left.items()}
        clock = int(_content(left[CLOCK_FILE])) if CLOCK_FILE in left else 0
        layer = shop.store.add_layer(normalise(added, tree, order.epoch))
        image = shop.store.add_image(
            replace(stored.config, user=""), (*parent.layers, layer), parent.platform, order.epoch, ()
        )
        kept = {entry.path: entry for entry in shop.store.entries(layer.diff_id)}
        return Built(raw, clock, kept, concerns(added), image)


def _content(item: TarItem) -> bytes:
    assert item.content is not None
    with item.content() as stream:
        return stream.read()


def later(recipe: Recipe) -> Recipe:
    """Return the recipe with the clock 40 days on in each RUN."""
    first, _, rest = recipe.dockerfile.partition("\n")
    return replace(recipe, dockerfile=f"{first}\n{LATER}{rest}")


@dataclass(frozen=True, slots=True)
class Bench:
    """A workshop with a base image that can tell another time."""

    shop: Workshop
    view: View
    clock: Image
    place: Path
    release: str

    def recipe(self, name: str, template: str, settings: str = "", **more: str) -> Recipe:
        """Write a recipe on the base image."""
        whole = f"FROM {{{{ 'clock' | image_tag }}}}\n{template}"
        found = load(self.place / name, {**bases(self.release), **production(name, "1.0-1", whole, **more)}, settings)
        return next(recipe for recipe in found if recipe.name == name)

    def both(self, name: str, template: str) -> tuple[Built, Built]:
        """Build a recipe now and 40 days later."""
        recipe = self.recipe(name, template)
        first, second = (build(self.shop, one, self.clock, self.view) for one in (recipe, later(recipe)))
        return first, second

    def check(self, image: Image, script: str) -> None:
        """Run a script in an image; the build that runs it fails with it."""
        recipe = self.recipe("works", "COPY works.sh /works.sh\nRUN sh /works.sh\n", works_sh=script)
        build(self.shop, recipe, image, self.view)


def bases(release: str) -> dict[str, str]:
    """Return the recipes of a base image and of one on it that can tell another time."""
    template = f"FROM {{{{ '{release}' | image_tag }}}}\n{CLOCK}"
    return {"base/base.yaml": BASE.format(release), **production("clock", "1.0-1", template)}


@contextmanager
def opened(release: str, place: Path) -> Iterator[Bench]:
    """Open a workshop of a release; pool and views outlive the run."""
    state = Path(os.environ.get("ROPEWALK_STATE", "/tmp/ropewalk-test")) / f"twice-{release}"  # noqa: S108  by hand only
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    chosen, events = Settings(state), list[Event]()
    suites = suite_names(release, Pockets.RELEASE)
    view = ViewBook(chosen.views).make(suites, ("main",), "amd64", from_apt(), events.append)
    with open_workshop(chosen, from_apt(), events.append) as shop:
        recipes = load(place / "bases", bases(release))
        by_name = {recipe.name: recipe for recipe in recipes}
        for name in (release, "clock"):
            built = build_recipe(shop, by_name[name], pin_parents(shop, by_name[name], recipes), view)
        image = shop.store.load(built.digest)
        assert image is not None
        yield Bench(shop, view, image, place, release)


def differing(both: tuple[Built, Built]) -> set[str]:
    """Return the paths at which the two images differ."""
    first, second = both
    return {path for path in {*first.kept, *second.kept} if first.kept.get(path) != second.kept.get(path)}


def raw_differing(both: tuple[Built, Built]) -> set[str]:
    """Return the files that the two builds left otherwise, or that one of them left."""
    first, second = both
    return {path for path in {*first.raw, *second.raw} if first.raw.get(path) != second.raw.get(path)}
