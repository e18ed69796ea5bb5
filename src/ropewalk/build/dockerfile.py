"""Images made by a Dockerfile: buildah runs it on our parents, and what it added comes back normalised.

Where the image has a shell, nothing is committed: the last instruction waits while what was added is read
(docs/decisions/0013).
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ropewalk.build.containers import Stored, inspect, ld_cache, named, read_added_layer, read_container
from ropewalk.build.failure import telling
from ropewalk.build.known import Known
from ropewalk.build.normalise import MOUNT, concerns, normalise
from ropewalk.build.site import BUILT, Order, Site, build_command, configuring, laid_out, standing_user
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, ImageConfig
from ropewalk.oci.tree import Tree
from ropewalk.process import paused, run
from ropewalk.recipe.dockerfile import parse

_CACHE = "etc/ld.so.cache"
_SCRIPT = f"/{MOUNT}/finish"


@dataclass(frozen=True, slots=True)
class Added:
    """What a Dockerfile made.

    Attributes:
        items: The normalised own layer; empty where nothing was added.
        config: How the image runs.
        concerns: What packages made at install that no image should have: rows of the table with their paths.
    """

    items: tuple[TarItem, ...]
    config: ImageConfig
    concerns: tuple[tuple[Known, tuple[str, ...]], ...] = ()


def ending_for(parent: Tree) -> tuple[str, ...]:
    """Return the last RUN of an image on this parent: our script where it has a shell, else ldconfig alone.

    Args:
        parent: The flattened final parent.
    """
    if not _has(parent, "sbin/ldconfig"):
        return ()
    return ("/bin/sh", _SCRIPT) if _has(parent, "bin/sh") else ("/sbin/ldconfig",)


def _has(tree: Tree, path: str) -> bool:
    return path in tree or f"usr/{path}" in tree


@contextmanager
def run_dockerfile(shop: Workshop, order: Order, log: Path) -> Iterator[Added]:
    """Build a Dockerfile and read what it added.

    Args:
        shop: The workshop.
        order: What is to be built.
        log: Where buildah and the instructions write.

    Yields:
        The own layer and the config; the layer's content is there during the ``with``.

    Raises:
        BuildFailed: An instruction failed; the log says why.
    """
    tree = shop.store.tree(order.final) if order.final else {}
    ending = ending_for(tree)
    with _left(shop, order, log, ending) as left:
        items = normalise(left.items, tree, order.epoch)
        if not ending and any(item.entry.path in {"sbin/ldconfig", "usr/sbin/ldconfig"} for item in items):
            items = _with_cache(items, ld_cache(shop, f"{BUILT}:{order.build}"), order.epoch)
        yield Added(items, _config(left.config, order), concerns(left.items))


@contextmanager
def _left(shop: Workshop, order: Order, log: Path, ending: Sequence[str]) -> Iterator[Added]:
    """Build a Dockerfile; give what it left as it is."""
    alone = len(parse(order.dockerfile).standing_on()) == 1
    if _SCRIPT in ending and alone:
        with laid_out(shop, order, ending, apart=True) as site, _held(order, site, log):
            yield Added(read_container(site.containers), _read_config(shop, order, site))
        return
    with built(shop, order, log, ending) as stored:
        below = len(order.final.layers) if order.final else 0
        yield Added(read_added_layer(stored, below), stored.config)


@contextmanager
def _held(order: Order, site: Site, log: Path) -> Iterator[None]:
    """Run a build up to its ending, which waits during the ``with``."""
    with ExitStack() as stack:
        with telling(order.name, log):
            stack.enter_context(paused(site.command, log, site.finished, site.was_read))
        yield


def _read_config(shop: Workshop, order: Order, site: Site) -> ImageConfig:
    """Let buildah make an image of what the last stage says beside its files, and read how that runs."""
    text = (site.place / "Dockerfile").read_text(encoding="utf-8")
    (site.place / "Dockerfile.config").write_text(configuring(text), encoding="utf-8")
    run(build_command(shop, order, site.place, file="Dockerfile.config", own=site.storage))
    name = f"{BUILT}:{order.build}"
    stored = inspect(shop, name, site.storage)
    if stored is None:
        raise InputError("was built but is not there", where=name, hint="look at the disk's space")
    return stored.config


def _config(found: ImageConfig, order: Order) -> ImageConfig:
    """Give the image its parent's user where the Dockerfile names none: the ending ran as root."""
    if standing_user(parse(order.dockerfile)):
        return found
    return replace(found, user=order.final.config.user if order.final else "")


def _with_cache(items: tuple[TarItem, ...], data: bytes | None, epoch: int) -> tuple[TarItem, ...]:
    if data is None:
        return items
    entry = Entry(_CACHE, EntryType.FILE, 0o644, size=len(data), mtime=epoch)
    kept = [item for item in items if item.entry.path != _CACHE]
    return (*kept, TarItem(entry, partial(io.BytesIO, data)))


@contextmanager
def built(shop: Workshop, order: Order, log: Path, ending: Sequence[str] = ()) -> Iterator[Stored]:
    """Run buildah on a Dockerfile and let it commit the image.

    Args:
        shop: The workshop.
        order: What is to be built.
        log: Where buildah and the instructions write.
        ending: The last RUN; see `prepared`.

    Yields:
        The image in the storage; its name is freed when the body ends.
    """
    name = f"{BUILT}:{order.build}"
    with laid_out(shop, order, ending) as site, named(shop, name):
        with telling(order.name, log):
            run(site.command, log=log)
        stored = inspect(shop, name)
        if stored is None:
            raise InputError("was built but is not there", where=name, hint=f"read {log}")
        yield stored
