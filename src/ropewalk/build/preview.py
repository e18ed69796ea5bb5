"""Builds in scratch: a state directory for one run, that has the images to build on, and neither keys nor a future.

Views and pool are shared: both hold only what the archive signed. Store and records are hard links to what was there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive import Upstream
from ropewalk.build.fresh import fresh_state
from ropewalk.build.workshop import Workshop, open_workshop
from ropewalk.errors import HostError
from ropewalk.events import Listener
from ropewalk.settings import Settings

_NAME = "preview"


@contextmanager
def open_preview(
    settings: Settings, upstream: Upstream, listener: Listener, *, chroot: bool = False, isolated: bool = False
) -> Iterator[Workshop]:
    """Open a workshop whose images nobody will have: everything is removed in the end.

    Args:
        settings: The state directory whose images, views and pool are used.
        upstream: Where the proxy fetches from.
        listener: Who is told of progress.
        chroot: Build also where nothing better than chroot isolation works.
        isolated: Give each build a network of its own.

    Yields:
        The workshop; its settings name the scratch state. The host's pip settings are lent as far as they hold no
        credentials.

    Raises:
        HostError: Another preview runs here, or the host has chroot isolation only.
    """
    with (
        atomic.locked(settings.state / f"{_NAME}.lock", wait=False),
        _scratch(settings) as apart,
        open_workshop(apart, upstream, listener, isolated=isolated) as shop,
    ):
        if shop.isolation.kind == "chroot" and not chroot:
            hint = "install runc or crun; or, for a change that you trust, give --allow-chroot"
            raise HostError("this host has chroot isolation only", where="tree preview", hint=hint)
        yield replace(shop, pip=shop.pip.without_credentials())


@contextmanager
def _scratch(settings: Settings) -> Iterator[Settings]:
    """Make the scratch state."""
    with fresh_state(settings, _NAME) as apart:
        for source, target in ((settings.store, apart.store), (settings.records, apart.records)):
            if source.is_dir():
                _link(source, target)
        yield apart


def _link(source: Path, target: Path) -> None:
    """Repeat a directory in hard links; its files are replaced by rename only, so neither side changes the other."""
    for root, _, files in os.walk(source):
        place = target / Path(root).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            with suppress(FileNotFoundError):  # it was on its way, and has another name by now
                if not name.startswith("."):
                    os.link(Path(root) / name, place / name)
