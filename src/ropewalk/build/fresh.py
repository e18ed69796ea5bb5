"""State directories for one run: empty, beside the one they serve, and gone in the end.

Views and pool are shared: both hold only what the archive signed, and are read by verified hash alone.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive import Upstream
from ropewalk.build import storage
from ropewalk.build.workshop import Workshop, open_workshop
from ropewalk.errors import InputError
from ropewalk.events import Listener
from ropewalk.settings import Settings


@contextmanager
def fresh_state(settings: Settings, name: str) -> Iterator[Settings]:
    """Make an empty state directory; what a killed run left of it is removed first. The caller holds a lock.

    Args:
        settings: The state directory whose views and pool are used.
        name: Its name below that directory.

    Yields:
        Its settings; nothing of it is there after the ``with``.
    """
    apart = replace(settings, state=settings.state / name, shared=settings.state)
    _remove(apart)
    try:
        apart.state.mkdir(parents=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(settings.state / "isolation.json", apart.state / "isolation.json")
        yield apart
    finally:
        _remove(apart)


def _remove(apart: Settings) -> None:
    if apart.state.exists():
        storage.clean(apart)
        shutil.rmtree(apart.state, ignore_errors=True)
    shutil.rmtree(storage.run_root(apart), ignore_errors=True)


@contextmanager
def open_fresh(
    settings: Settings, upstream: Upstream, listener: Listener, name: str, *, isolated: bool = False
) -> Iterator[Workshop]:
    """Open a workshop on a fresh state directory.

    Args:
        settings: The state directory whose views and pool are used.
        upstream: Where the proxy fetches from.
        listener: Who is told of progress.
        name: The fresh directory's name below it.
        isolated: Give each build a network of its own.

    Yields:
        The workshop; what it made is gone after the ``with``.

    Raises:
        HostError: Another process works there, or this host cannot isolate a build.
    """
    with (
        atomic.locked(settings.state / f"{name}.lock", wait=False),
        fresh_state(settings, name) as apart,
        open_workshop(apart, upstream, listener, isolated=isolated) as shop,
    ):
        yield shop


def move_out(settings: Settings, into: Path) -> None:
    """Move the images and records of a fresh state directory to where they may stay.

    Args:
        settings: The fresh state directory.
        into: A directory that is empty or not there; it is a state directory then.

    Raises:
        InputError: There is something in it.
    """
    refuse_full(into)
    into.mkdir(parents=True, exist_ok=True)
    for place in (settings.store, settings.records):
        if place.exists():
            shutil.move(place, into / place.name)


def refuse_full(directory: Path) -> None:
    """Refuse a directory that holds something.

    Args:
        directory: It need not exist.

    Raises:
        InputError: It is a file, or something is in it.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError("is not empty", where=str(directory), hint="name a new directory")
