"""Tests of built images: docker-pkg's test.sh with a ``docker`` that is podman, or a service's test variant.

Test and containers share one network namespace of their own with nothing but loopback, so that ports never collide
and nothing is reached or served beyond the test. `ropewalk.build.testroom` says what else a test gets and does not get.
"""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ropewalk.build import storage
from ropewalk.build.containers import load_image
from ropewalk.build.dockerfile import built
from ropewalk.build.locked import supplied, taken
from ropewalk.build.site import Order
from ropewalk.build.testroom import Room, furnish, room_command
from ropewalk.build.workshop import Workshop
from ropewalk.errors import Exit, HostError, RopewalkError
from ropewalk.events import step
from ropewalk.oci.model import Image
from ropewalk.process import CommandFailed, run, tail_of
from ropewalk.recipe.lock import LockedDeb
from ropewalk.recipe.recipe import Recipe, ScriptTest, VariantTest
from ropewalk.settings import Settings

_TIMED_OUT = 124


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """How a test ended.

    Attributes:
        ok: It succeeded.
        seconds: How long it took.
        log: What it wrote, the last lines.
        debs: The .debs that a test variant was given.
    """

    __test__ = False

    ok: bool
    seconds: float
    log: tuple[str, ...]
    debs: tuple[LockedDeb, ...] = ()


class TestFailed(RopewalkError):
    """An image's own test did not succeed; the image is not tagged."""

    __test__ = False
    exit_code = Exit.FAILED


def check_testable(settings: Settings, recipe: Recipe) -> None:
    """Refuse a recipe with a test where containers cannot be run: before the build, not after it.

    Args:
        settings: Where the state is.
        recipe: The recipe.

    Raises:
        HostError: It has a test, and this user may make no control group, which podman needs.
    """
    if recipe.test is not None and not settings.groups:
        hint = "build it as root; an ordinary user can build images that have no test"
        raise HostError(
            "its test needs a control group, which this user may not make", where=recipe.reference, hint=hint
        )


def run_test(
    shop: Workshop, recipe: Recipe, image: Image, reference: str, *, log: Path, order: Order | None = None
) -> TestOutcome:
    """Test a built image.

    Args:
        shop: The workshop.
        recipe: Its recipe, which has a test.
        image: The image in the store.
        reference: The full name under which the test finds it.
        log: Where the test writes.
        order: What it was built from, for a test variant; None for a base image.

    Returns:
        How it ended; a failing test is no error here.
    """
    start = shop.clock()
    before = log.stat().st_size if log.exists() else 0
    debs: tuple[LockedDeb, ...] = ()
    with step(shop.listener, reference, "test", log=str(log)):
        if isinstance(recipe.test, VariantTest) and order is not None:
            ok, debs = _run_variant(shop, recipe, recipe.test, order, log)
        elif isinstance(recipe.test, ScriptTest):
            argv = tuple(word.replace("{image}", reference) for word in recipe.test.argv)
            with shop.names.held({reference: image.digest}):
                load_image(shop, image, reference)
                ok = _run_in_room(shop, recipe, argv, log)
        else:
            ok = True
    written = log.stat().st_size - before if log.exists() else 0
    text = tail_of(log, min(written, 8192)).decode(errors="replace") if written else ""
    return TestOutcome(ok, shop.clock() - start, tuple(text.strip().splitlines()), debs)


def _run_variant(
    shop: Workshop, recipe: Recipe, test: VariantTest, order: Order, log: Path
) -> tuple[bool, tuple[LockedDeb, ...]]:
    variant = replace(order, dockerfile=test.dockerfile, build=shop.names.fresh())
    with supplied(shop, variant.build, variant.allowed), built(shop, variant, log) as stored:
        return _run_in_room(shop, recipe, ("docker", "run", "--rm", stored.name), log), taken(shop, variant.build)


def _run_in_room(shop: Workshop, recipe: Recipe, argv: tuple[str, ...], log: Path) -> bool:
    name = shop.names.fresh()
    with ExitStack() as stack:
        place = shop.scratch("test")
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        stack.callback(shutil.rmtree, storage.run_root(shop.settings) / name, ignore_errors=True)
        stack.callback(storage.drop_cgroup, shop.settings, name)
        room = Room(shop.settings, place, name, recipe)
        furnish(room)
        try:
            return run(room_command(room, argv), log=log, check=False).returncode == 0
        except CommandFailed as failed:
            if failed.returncode != _TIMED_OUT:
                raise
            with log.open("a", encoding="utf-8") as sink:
                sink.write(f"\nthe test was ended: {' '.join(failed.tail)}\n")
            return False
