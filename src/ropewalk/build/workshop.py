"""What builds work with: the state's rooms, the archive proxy, and the one lock that lets a single process build.

Several threads of that process may build at once: each scratch directory, name and control group is one build's alone.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from ropewalk import atomic
from ropewalk.archive import ArchiveProxy, Lists, Pool, Upstream, ViewBook
from ropewalk.build import storage
from ropewalk.build.hostpip import PipSettings, from_host, pip_files
from ropewalk.build.isolation import Isolation, isolation_or_none, no_own_network
from ropewalk.build.names import Names
from ropewalk.events import Listener
from ropewalk.oci.store import Store
from ropewalk.recipe.record import RecordBook
from ropewalk.settings import Settings


@dataclass(frozen=True, slots=True)
class Workshop:
    """What builds work with.

    Attributes:
        settings: Where the state is.
        store: Built images.
        book: Build records.
        views: Archive views.
        lists: Lends apt the lists of a view.
        proxy: Serves a view to apt; it runs.
        isolation: How RUN instructions are kept apart from this host.
        listener: Who is told of progress.
        clock: The time in seconds since 1970.
        pip: The host's pip settings, lent to builds.
        names: Which image each name in buildah's storage stands for, while builds use it.
        isolated: Each build has a network of its own, with the archive proxy in it and nothing else.
    """

    settings: Settings
    store: Store
    book: RecordBook
    views: ViewBook
    lists: Lists
    proxy: ArchiveProxy
    isolation: Isolation
    listener: Listener
    clock: Callable[[], float] = time.time
    pip: PipSettings = field(default_factory=PipSettings)
    names: Names = field(default_factory=Names)
    isolated: bool = False

    def scratch(self, purpose: str) -> Path:
        """Make an empty directory that the next run removes if this one cannot.

        Args:
            purpose: A word for its name.
        """
        self.settings.scratch.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f"{purpose}-", dir=self.settings.scratch))


@contextmanager
def open_workshop(
    settings: Settings,
    upstream: Upstream,
    listener: Listener,
    *,
    clock: Callable[[], float] = time.time,
    environment: Mapping[str, str] | None = None,
    isolated: bool = False,
) -> Iterator[Workshop]:
    """Open what builds need and clean up what a dead run left.

    Args:
        settings: Where the state is.
        upstream: Where the proxy fetches from.
        listener: Who is told of progress.
        clock: The time in seconds since 1970.
        environment: Where the host's pip settings are named; the process's environment by default.
        isolated: Give each build a network of its own (docs/decisions/0005).

    Yields:
        The workshop; its proxy runs and its lock is held during the ``with``.

    Raises:
        HostError: Another process builds here, or this host cannot isolate a network.
    """
    variables = os.environ if environment is None else environment
    with ExitStack() as stack:
        stack.enter_context(atomic.locked(settings.state / "build.lock", wait=False))
        # Under 077 the users of a container could read neither what it is lent nor its own root.
        stack.callback(os.umask, os.umask(0o022))
        storage.clean(settings)
        stack.callback(storage.clean, settings)
        found = isolation_or_none(settings)
        if isolated and found.kind != "oci":
            raise no_own_network(found)
        storage.prepare(settings, found.runtime or "runc")
        pip = from_host(variables, pip_files(variables))
        views = ViewBook(settings.views)
        proxy = stack.enter_context(ArchiveProxy(views, Pool(settings.pool), upstream, listener))
        yield Workshop(
            settings=settings,
            store=Store(settings.store),
            book=RecordBook(settings.records),
            views=views,
            lists=Lists(views, storage.lists(settings)),
            proxy=proxy,
            isolation=found,
            listener=listener,
            clock=clock,
            pip=pip.without_credentials() if isolated else pip,
            isolated=isolated,
        )
