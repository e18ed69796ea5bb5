"""What a command works with: the state directory, the tree's config, and the rooms' stores, opened when first asked for."""

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk import atomic
from ropewalk.cli.progress import Progress
from ropewalk.errors import InputError
from ropewalk.events import Event, EventKind, Listener, step
from ropewalk.recipe import Network
from ropewalk.settings import Settings, from_environment

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ropewalk.archive import Pool, Upstream, View, ViewBook
    from ropewalk.build import Needs, Workshop
    from ropewalk.debian import Repository
    from ropewalk.oci import Image, RegistryClient, Store
    from ropewalk.plan import Observed
    from ropewalk.recipe import BaseSpec, BuildRecord, Keeping, Lock, Recipe, RecordBook, Renewal, TreeConfig

DirectoriesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Directories with recipes; by default those of the last build, else the config's `directories`, else where it stands.",
        show_default=False,
    ),
]
ViewOption = Annotated[str | None, typer.Option("--view", help="Archive view to build from; the newest by default.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Ask no registry: store and tree decide.")]
RegistryOption = Annotated[
    str | None, typer.Option("--registry", metavar="URL", help="Address of the registry, for this run.")
]
NetworkOption = Annotated[
    Network | None,
    typer.Option(
        "--network",
        help="What RUN instructions reach: all that this host does, or (isolated) the archive proxy and nothing else. "
        "The config's by default.",
        show_default=False,
    ),
]

_TREE = "tree.json"
DAY = 86400
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command.

    Attributes:
        settings: Where the state is.
        config_path: ``-c FILE``; None where it was not given.
        listener: Who is told of progress.
    """

    settings: Settings
    config_path: Path | None
    listener: Listener

    def store(self) -> "Store":
        """Return the local store."""
        from ropewalk.oci import Store

        return Store(self.settings.store)

    def book(self) -> "RecordBook":
        """Return the build records."""
        from ropewalk.recipe import RecordBook

        return RecordBook(self.settings.records)

    def views(self) -> "ViewBook":
        """Return the archive views."""
        from ropewalk.archive import ViewBook

        return ViewBook(self.settings.views)

    def pool(self) -> "Pool":
        """Return the pool of .debs."""
        from ropewalk.archive import Pool

        return Pool(self.settings.pool)

    def view(self, identifier: str | None) -> "View":
        """Return the view of that id, else the newest.

        Raises:
            InputError: There is no such view, or none at all.
        """
        if identifier:
            return self.views().load(identifier)
        newest = self.views().newest()
        if newest is None:
            raise InputError("no archive view yet", where=str(self.settings.views), hint="run `ropewalk archive view`")
        return newest

    def upstream(self) -> "Upstream":
        """Return the mirrors that this host's apt uses, by the tree's own apt proxy where it has one."""
        from ropewalk.archive import from_apt

        proxy = self.config().apt_only_proxy if self._config_path().exists() else None
        return replace(from_apt(), proxy=proxy) if proxy else from_apt()

    def engine(self) -> "Engine":
        """Return the inventory's database, its tables made."""
        from ropewalk.db import open_database

        return open_database(self.settings.database)

    def config(self) -> "TreeConfig":
        """Read the tree's config: ``-c FILE``, else ``config.yaml`` here, else the last build's.

        Raises:
            InputError: It is wrong, or there is none.
        """
        from ropewalk.recipe import load_config

        return load_config(self._config_path(), _user_config())

    def _config_path(self) -> Path:
        if self.config_path is not None:
            return self.config_path
        here = Path("config.yaml")
        remembered = _remembered(self.settings)
        if here.exists() or not remembered:
            return here
        return remembered.config

    def recipes(
        self, directories: list[Path] | None, *, suffix: str = "", client: "RegistryClient | None" = None
    ) -> "tuple[Recipe, ...]":
        """Read the recipes below some directories.

        Args:
            directories: Where to look; the remembered ones where empty.
            suffix: Ends every version, as nightly builds have it; see `load_tree`.
            client: A registry that is asked for the recipes' tags meanwhile, for a plan; None asks none.

        Returns:
            All recipes found, in the order of their directories.

        Raises:
            InputError: A recipe is wrong, or no directory is known.
        """
        from ropewalk.recipe import load_tree

        places = self._directories(directories)
        config, cache = self.config(), self.settings.state / "templates"

        for doubt in config.doubts:
            self.listener(Event(EventKind.WARNING, "config", str(doubt)))

        def named(repositories: Sequence[str]) -> None:
            start = f"{config.registry}/" if config.registry else ""
            if client is not None:
                client.ask_tags([name.removeprefix(start) for name in repositories if name.startswith(start)])

        loaded = load_tree(places, config, self.today(), suffix=suffix, cache=cache, named=named)
        for warning in loaded.warnings:
            self.listener(Event(EventKind.WARNING, "recipes", warning))
        return loaded.recipes

    def observe(self, recipes: "tuple[Recipe, ...]", client: "RegistryClient | None") -> "Observed":
        """Collect what store, records and registry know of a tree.

        Args:
            recipes: The tree.
            client: The registry; None asks none.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        from ropewalk.plan import observe
        from ropewalk.trust import Publics

        publics = Publics(self.settings.keys)
        return observe(recipes, book=self.book(), store=self.store(), client=client, publics=publics)

    def _directories(self, named: list[Path] | None) -> list[Path]:
        """Return the directories that were named, else those of the last build of this very config, else the config's own."""
        from ropewalk.recipe import own_directories

        if named:
            return [path.absolute() for path in named]
        config = self._config_path().absolute()
        built = self._built()
        if not built and not config.exists():
            raise InputError("no directory with recipes", where="command line", hint="name one, e.g. `images`")
        return list(built) or [path.absolute() for path in own_directories(self.config())]

    def _built(self) -> tuple[Path, ...]:
        """Return the directories of the last build, if it was of this run's config."""
        remembered = _remembered(self.settings)
        ours = remembered is not None and remembered.config.resolve() == self._config_path().resolve()
        return remembered.directories if remembered is not None and ours else ()

    def bases(self) -> "tuple[BaseSpec, ...]":
        """Return the base images of the tree: below the config's directory, else those of the last build."""
        from ropewalk.recipe import base_specs

        path = self._config_path()
        if not path.exists():
            return ()
        # A checkout that is gone meanwhile has no bases; what works on recipes says that it is gone.
        still = [place for place in self._built() if place.is_dir()]
        return base_specs([path.absolute().parent, *still], self.config())

    def repositories(self) -> tuple[Path, ...]:
        """Return the git repositories that hold the tree's config and the directories of the last build."""
        from ropewalk.recipe.revision import repository_of

        remembered = _remembered(self.settings)
        found: dict[Path, None] = {}
        for path in (self._config_path().absolute(), *(remembered.directories if remembered else ())):
            with suppress(InputError):
                found.setdefault(repository_of(path))
        return tuple(found)

    def archives(self) -> "tuple[Repository, ...]":
        """Return the archives beside Debian's that the tree's config and bases name; none without a config."""
        named = self.config().archives if self._config_path().exists() else ()
        return (*named, *(archive for base in self.bases() for archive in base.archives))

    def keeping(self) -> "Keeping":
        """Return how long views and pool keep what no image needs: the config's, else the usual."""
        from ropewalk.recipe import Keeping

        return self.config().keep if self._config_path().exists() else Keeping()

    def renewal(self) -> "Renewal":
        """Return how images are renewed: the config's, else the usual."""
        from ropewalk.recipe import Renewal

        return self.config().refresh if self._config_path().exists() else Renewal()

    def needs(self, *, sources: bool = False) -> "Needs":
        """Find out what the state's images and the tree's locks need of views and pool.

        Args:
            sources: Source packages count too.
        """
        from ropewalk.build import needs

        with step(self.listener, "images", "read what they need"):
            return needs(self.store(), self.book(), self.views(), self._locks(), sources=sources)

    def _locks(self) -> "Iterator[tuple[str, Lock]]":
        """Go through the lock files of the last build's tree, each with its line."""
        from ropewalk.recipe import LOCK_FILE, read_lock

        remembered = _remembered(self.settings)
        for directory in remembered.directories if remembered else ():
            for path in sorted(directory.rglob(LOCK_FILE)):
                if (file := read_lock(path.parent)) is not None:
                    yield file.line, file.lock

    def remember(self, directories: list[Path] | None) -> None:
        """Keep the tree of a build, for later commands that name none.

        Args:
            directories: As given to the build.
        """
        places = [str(path) for path in self._directories(directories)]
        text = json.dumps({"config": str(self._config_path().absolute()), "directories": places})
        atomic.write_text(self.settings.state / _TREE, text)

    def current(self) -> "dict[str, BuildRecord]":
        """Return the newest build of each repository; older lines of it are superseded."""
        newest = sorted(self.book(), key=lambda record: (record.made, record.build))
        return {record.repository: record for record in newest}

    @contextmanager
    def client(self, *, offline: bool, registry: str | None) -> "Iterator[RegistryClient | None]":
        """Open the registry: ``--registry``, else the config's ``endpoint``, else the embedded one where it is up.

        A config with username and password but without ``endpoint`` means the registry's own name, as docker-pkg does.

        Yields:
            A client; None with ``--offline`` or where no address is known.
        """
        from ropewalk.oci import RegistryClient

        address = None if offline else registry or self._address()
        if address is None:
            yield None
            return
        with RegistryClient(address, self.credentials(), ca_bundle=self._ca_bundle()) as client:
            yield client

    def distributions(self) -> frozenset[str]:
        """Return the distributions beside Debian whose images the config allows today; none without a config."""
        return self.config().distributions(self.today()) if self._config_path().exists() else frozenset()

    def credentials(self) -> tuple[str, str] | None:
        """Return the config's user and password for the registry; None where it lacks one of them."""
        if not self._config_path().exists():
            return None
        config = self.config()
        return (config.username, config.password) if config.username and config.password else None

    def _ca_bundle(self) -> Path | None:
        """Return the config's ``ca_bundle``, relative to its file; None where it has none."""
        path = self._config_path()
        bundle = self.config().ca_bundle if path.exists() else None
        return path.parent / bundle if bundle else None

    def _address(self) -> str | None:
        path = self._config_path()
        if path.exists() and (endpoint := self.config().endpoint):
            return endpoint
        if self.credentials() is not None and (name := self.config().registry):
            return f"https://{name}"
        from ropewalk.registry import status

        address = status(self.settings)
        return address.registry if address else None

    @contextmanager
    def workshop(self, network: Network | None = None) -> "Iterator[Workshop]":
        """Open what builds need; one process at a time.

        Args:
            network: ``--network``.
        """
        from ropewalk.build import open_workshop

        isolated = self.isolated(network)
        with open_workshop(self.settings, self.upstream(), self.listener, isolated=isolated) as shop:
            yield shop

    def isolated(self, network: Network | None = None) -> bool:
        """Tell whether builds have networks of their own: by ``--network``, else by the config.

        Args:
            network: ``--network``; None where it was not given.
        """
        configured = self.config().network if self._config_path().exists() else Network.HOST
        return (network or configured) is Network.ISOLATED

    def find(self, wanted: str) -> "tuple[Image, BuildRecord]":
        """Find an image of the store by name, ``name:version``, full reference or digest; without namespace, too.

        Args:
            wanted: What the user wrote; a name alone means its newest build.

        Returns:
            The image and its build record.

        Raises:
            InputError: There is none.
        """
        from difflib import get_close_matches

        records = list(self.book())
        store = self.store()
        newest = sorted(records, key=lambda record: (record.made, record.build), reverse=True)
        exact = [record for record in newest if wanted in _names(record)]
        # With a namespace, or a name of several parts, its end will do.
        for record in exact or [r for r in newest if any(name.endswith(f"/{wanted}") for name in _names(r)[:2])]:
            image = store.load(record.digest)
            if image is not None:
                return image, record
        near = get_close_matches(wanted, sorted({record.name for record in records}), n=1)
        hint = f"did you mean {near[0]}?" if near else "`ropewalk images` lists what is there"
        raise InputError("no such image", where=wanted, hint=hint)

    def now(self) -> int:
        """Return the time in seconds since 1970."""
        return int(time.time())

    def today(self) -> date:
        """Return the date in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree of the last build."""

    config: Path
    directories: tuple[Path, ...]


def _names(record: "BuildRecord") -> tuple[str, ...]:
    """Return what an image may be called, names without registry first."""
    digest = record.digest.removeprefix("sha256:")
    return record.name, f"{record.name}:{record.tag}", record.repository, record.reference, digest, record.digest


def _remembered(settings: Settings) -> _Tree | None:
    path = settings.state / _TREE
    try:
        data = json.loads(path.read_bytes())
        return _Tree(Path(data["config"]), tuple(Path(place) for place in data["directories"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is damaged", where=str(path), hint="delete it, and name the directories once") from error


def _user_config() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "docker-pkg.yaml"


def host_architecture() -> str:
    """Return this machine's architecture in Debian's words."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def when(seconds: int) -> str:
    """Return a time in UTC as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def open_session(config: Path | None, *, quiet: bool) -> Iterator[Session]:
    """Make a session from the environment; progress is shown while it is open."""
    with Progress(quiet=quiet) as progress:
        yield Session(from_environment(os.environ), config, progress)
