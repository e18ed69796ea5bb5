"""Base images: mmdebstrap lays Debian packages out through the archive proxy; what stays is packages and apt's settings."""

import io
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ropewalk.archive import View, uri_of
from ropewalk.build import storage
from ropewalk.build.aptfiles import SmallFile, base_files
from ropewalk.build.failure import telling
from ropewalk.build.limits import limited
from ropewalk.build.normalise import normalise
from ropewalk.build.scan import scan
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, ImageConfig
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import BaseSpec, Recipe

_LEFT_BEHIND = re.compile(
    r"etc/(resolv\.conf|hosts|hostname|machine-id|apt/sources\.list|apt/apt\.conf\.d/99mmdebstrap)"
)
"""What the bootstrap took from this host or wrote for itself."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bootstrap_command(spec: BaseSpec, view: View, proxy: str, epoch: int, target: Path) -> Command:
    """Return the mmdebstrap command for a base image.

    Args:
        spec: What the image is made of.
        view: The archive view; of the recipe's suites those that it holds are used.
        proxy: The proxy's URL for that view.
        epoch: SOURCE_DATE_EPOCH in seconds.
        target: The directory to make.

    Raises:
        InputError: The view holds none of the suites.
    """
    held = {suite.suite for suite in view.suites if suite.of_debian}
    suites = [suite for suite in spec.suites if suite in held]
    if not suites:
        raise InputError(
            f"holds none of {', '.join(spec.suites)}", where=f"view {view.id}", hint="make one: `ropewalk archive view`"
        )
    components = " ".join(spec.components)
    argv = (
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--architectures={view.architecture}",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        # A root that starts merged needs the empty package only; usrmerge would bring all of perl along. The pattern
        # matches nothing, silently, in a release that has no such package.
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        "--include=?exact-name(usr-is-merged)",
        *(f"--include={package}" for package in spec.packages),
        # libc-bin's trigger ran before the last package; the cache must be the same as after any later build.
        '--customize-hook=chroot "$1" ldconfig',
        suites[0],
        str(target),
        *(f"deb {uri_of(suite)} {suite} {components}" for suite in suites),
    )
    environment = (("SOURCE_DATE_EPOCH", str(epoch)), ("http_proxy", proxy), ("TMPDIR", str(target.parent)))
    return Command(argv, environment=environment, contained=True)


def base_config(spec: BaseSpec) -> ImageConfig:
    """Return how a base image runs: a shell, Debian's search path, and what its recipe says.

    Args:
        spec: What the image is made of.
    """
    env = dict(spec.env)
    path = () if "PATH" in env else (("PATH", _PATH),)
    return ImageConfig(env=(*path, *spec.env), cmd=("bash",), labels=tuple(sorted(spec.labels)))


def base_items(scanned: Iterable[TarItem], files: Iterable[SmallFile], epoch: int) -> Iterator[TarItem]:
    """Give a bootstrapped root its small files and leave out what came from this host.

    Args:
        scanned: The root as mmdebstrap left it.
        files: Files to put in.
        epoch: Their time, in seconds since 1970.

    Yields:
        The items of the image's one layer, before they are normalised.
    """
    added = {file.path: file for file in files}
    for item in scanned:
        if item.entry.path not in added and not _LEFT_BEHIND.fullmatch(item.entry.path):
            yield item
    for file in added.values():
        entry = Entry(file.path, EntryType.FILE, file.mode, size=len(file.content), mtime=epoch)
        yield TarItem(entry, partial(io.BytesIO, file.content))


def dated(item: TarItem, epoch: int) -> TarItem:
    """Give a directory the image's time: whether a package or mmdebstrap's hook made it first is its version's affair.

    Args:
        item: An item of the root.
        epoch: SOURCE_DATE_EPOCH in seconds.
    """
    if item.entry.type is not EntryType.DIRECTORY:
        return item
    return replace(item, entry=replace(item.entry, mtime=epoch))


@contextmanager
def bootstrapped(
    shop: Workshop, recipe: Recipe, view: View, epoch: int, log: Path, *, build: str
) -> Iterator[tuple[TarItem, ...]]:
    """Bootstrap a base image's root.

    Args:
        shop: The workshop.
        recipe: A base recipe.
        view: The archive view.
        epoch: SOURCE_DATE_EPOCH in seconds.
        log: Where mmdebstrap writes.
        build: A word that tells this build's errors at the proxy, and its control group, from those of others.

    Yields:
        The normalised items of the image's one layer; their content is there during the ``with``.

    Raises:
        BuildFailed: mmdebstrap failed; the log says why.
        InputError: The recipe is no base recipe, or the view holds none of its suites.
    """
    spec = recipe.base
    if spec is None:
        raise InputError("is no base recipe", where=recipe.reference, hint="give it a base.yaml")
    place = shop.scratch("root")
    try:
        target = place / "root"
        command = bootstrap_command(spec, view, shop.proxy.url(view.id, build), epoch, target)
        with telling(recipe.reference, log):
            group = f"{storage.cgroup(shop.settings)}/{build}"
            run(limited(storage.nameless(command), group, recipe.limits), log=log)
        files = base_files(spec.suites, spec.components)
        # Without an entry of its own, clients give the root their own mode: podman 0555.
        root = TarItem(Entry("", EntryType.DIRECTORY, 0o755, mtime=epoch), None)
        items = normalise(base_items(scan(target), files, epoch), {}, epoch)
        yield (root, *(dated(item, epoch) for item in items))
    finally:
        shutil.rmtree(place, ignore_errors=True)
        storage.drop_cgroup(shop.settings, build)
