"""Tests of built images: docker-pkg's test.sh with a ``docker`` that is podman, or a service's test variant.

Test and containers share one network namespace of their own with nothing but loopback, so that ports never collide
and nothing is reached or served beyond the test.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ropewalk.build import storage
from ropewalk.build.containers import load_image
from ropewalk.build.dockerfile import Order, built
from ropewalk.build.workshop import Workshop
from ropewalk.errors import Exit, RopewalkError
from ropewalk.events import step
from ropewalk.oci.model import Image
from ropewalk.process import Command, clean_environment, run, tail_of
from ropewalk.recipe.recipe import Recipe, ScriptTest, VariantTest

_VARIANT = "localhost/ropewalk/test:now"
_TIMEOUT = 20 * 60.0
_DOCKER = """\
#!/bin/sh
# What a test calls "docker": podman on Ropewalk's own storage. Nothing is pulled; all containers share the test's network.
verb=$1
case $verb in
run | create)
    shift
    set -- "$verb" --pull=never --network=host --cgroup-parent={cgroup} "$@"
    ;;
build | login | logout | pull | push | search)
    echo "docker $verb: a test may not; it runs what was built" >&2
    exit 125
    ;;
esac
exec podman {options} "$@"
"""
_FRAME = """\
ip link set lo up
"$@"
status=$?
docker rm --force --all --time 0 >/dev/null 2>&1
exit $status
"""


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """How a test ended.

    Attributes:
        ok: It succeeded.
        seconds: How long it took.
        log: What it wrote, the last lines.
    """

    __test__ = False

    ok: bool
    seconds: float
    log: tuple[str, ...]


class TestFailed(RopewalkError):
    """An image's own test did not succeed; the image is not tagged."""

    __test__ = False
    exit_code = Exit.FAILED


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
    with step(shop.listener, reference, "test"):
        load_image(shop, image, reference)
        if isinstance(recipe.test, VariantTest) and order is not None:
            ok = _run_variant(shop, recipe.test, order, log)
        elif isinstance(recipe.test, ScriptTest):
            argv = tuple(word.replace("{image}", reference) for word in recipe.test.argv)
            ok = _run_framed(shop, argv, recipe.directory, log)
        else:
            ok = True
    written = log.stat().st_size - before if log.exists() else 0
    text = tail_of(log, min(written, 8192)).decode(errors="replace") if written else ""
    return TestOutcome(ok, shop.clock() - start, tuple(text.strip().splitlines()))


def _run_variant(shop: Workshop, test: VariantTest, order: Order, log: Path) -> bool:
    with built(shop, replace(order, dockerfile=test.dockerfile), _VARIANT, log):
        return _run_framed(shop, ("docker", "run", "--rm", _VARIANT), None, log)


def _run_framed(shop: Workshop, argv: tuple[str, ...], directory: Path | None, log: Path) -> bool:
    place = shop.scratch("test")
    try:
        write_docker(place / "docker", storage.storage_options(shop.settings), storage.cgroup(shop.settings))
        command = framed(argv, place, directory, dict(storage.environment(shop.settings)))
        return run(command, log=log, check=False).returncode == 0
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_docker(path: Path, options: tuple[str, ...], cgroup: str) -> None:
    """Write the program that a test calls ``docker``.

    Args:
        path: Where.
        options: podman's global options.
        cgroup: The control group below which containers run.
    """
    words = " ".join("'" + word.replace("'", "'\\''") + "'" for word in options)
    path.write_text(_DOCKER.replace("{options}", words).replace("{cgroup}", cgroup), encoding="utf-8")
    path.chmod(0o755)


def framed(argv: tuple[str, ...], programs: Path, directory: Path | None, environment: Mapping[str, str]) -> Command:
    """Return a test's command in namespaces of its own: network, processes, mounts.

    Args:
        argv: The test.
        programs: The directory with ``docker``; it comes first in PATH.
        directory: Where the test runs.
        environment: Variables of the container tools.

    Returns:
        A command that ends what the test's containers left when the test ends.
    """
    path = f"{programs}:{clean_environment(())['PATH']}"
    variables = (*((name, value) for name, value in environment.items() if name != "PATH"), ("PATH", path))
    frame = ("unshare", "--net", "--", "sh", "-c", _FRAME, "test", *argv)
    return Command(frame, environment=variables, directory=directory, timeout=_TIMEOUT, contained=True)
