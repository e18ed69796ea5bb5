"""``config.yaml``: docker-pkg's keys, ours below ``ropewalk:``, and free ones that templates use."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from ropewalk.debian import Repository
from ropewalk.errors import InputError
from ropewalk.recipe.archives import read_archives
from ropewalk.recipe.concern import Concern
from ropewalk.recipe.context import repository
from ropewalk.recipe.keeping import Keeping, read_keeping
from ropewalk.recipe.limits import Limits, parse_limits
from ropewalk.recipe.network import Network
from ropewalk.recipe.renewal import Renewal, read_renewal
from ropewalk.recipe.yamlfile import Node, load, nearest

_OURS = "ropewalk"
_NEAR = 0.8
"""How alike a free key must be to a known one; `seed_image`, which all trees have, is not alike enough."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A parent of another registry that the config allows for a while.

    Attributes:
        image: Its reference; without a tag it stands for all of its tags.
        reason: Why it is needed.
        contact: Who answers for it.
        expires: The last day on which it is allowed.
        where: File and line.
        distribution: The ``ID`` of its os-release(5), where images of it may be published too; empty for Debian's.
    """

    image: str
    reason: str
    contact: str
    expires: date
    where: str
    distribution: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is allowed in a config and was hardly meant.

    Attributes:
        path: The file.
        line: Counted from 1.
        message: What is there.
        hint: What may have been meant.
    """

    path: Path
    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.path}:{self.line}: {self.message}; {self.hint}"


@dataclass(frozen=True, slots=True)
class TreeConfig:
    """What a tree's configuration says.

    Attributes:
        registry: The registry's name in recipes; never its address.
        namespace: The part between registry and name; may be empty.
        base_images: References (``name:tag``) that recipes may build on without a recipe here.
        apt_options: Options for apt-get, in the templates' filters.
        http_proxy: docker-pkg's proxy; None where there is none.
        apt_only_proxy: apt's; ``http_proxy`` where only that is given.
        username: For the registry.
        password: For the registry.
        scan_workers: docker-pkg's; kept for templates.
        fallback_author: Author of new changelog entries.
        fallback_email: Likewise.
        distribution: Distribution of new changelog entries.
        update_id: Letter of the ``-sN`` that an update appends.
        ca_bundle: Certificates for the registry; None for the system's.
        force_numeric_user: The last ``USER`` of a recipe must be a number.
        known_uid_mappings: User name to uid, sorted by name.
        verify_command: The program that tests an image.
        verify_args: Its arguments, with ``{path}`` and ``{image}``.
        container_limits: docker-pkg's limits of build containers, as written; empty for none.
        driver: docker-pkg's; kept for templates.
        endpoint: The address where the registry answers; empty for the name itself.
        aliases: Other names of the same registry.
        foreign: Allowed parents of other registries.
        keep: What views and pool keep beyond what images need.
        archives: Signed apt repositories that every view records beside Debian's.
        network: What instructions of a build reach.
        keys: Directory of the keys, as written; empty for the state directory's.
        test_seconds: How long an image's test may take.
        refuse: What builds must not make.
        refresh: How images are renewed.
        directories: Where its recipes are, as written; empty where it does not say.
        variables: Every other key, for templates.
        doubts: What was hardly meant: keys that are nearly, or elsewhere, known ones.
        path: The file; None where there is none.
    """

    registry: str = ""
    namespace: str = ""
    base_images: tuple[str, ...] = ()
    apt_options: str = ""
    http_proxy: str | None = None
    apt_only_proxy: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    scan_workers: int = 8
    fallback_author: str = "Author"
    fallback_email: str = "email@domain"
    distribution: str = "wikimedia"
    update_id: str = "s"
    ca_bundle: str | None = None
    force_numeric_user: bool = False
    known_uid_mappings: tuple[tuple[str, int], ...] = (("nobody", 65534), ("root", 0), ("www-data", 33))
    verify_command: str = "/bin/bash"
    verify_args: tuple[str, ...] = ("-c", "{path}/test.sh {image}")
    container_limits: str = ""
    driver: str = ""
    endpoint: str = ""
    aliases: tuple[str, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    archives: tuple[Repository, ...] = ()
    keep: Keeping = field(default_factory=Keeping)
    network: Network = Network.HOST
    keys: str = ""
    test_seconds: int = 600
    refuse: tuple[Concern, ...] = ()
    refresh: Renewal = field(default_factory=Renewal)
    directories: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    path: Path | None = None

    def distributions(self, today: date) -> frozenset[str]:
        """Return the distributions beside Debian whose images may be published on a day."""
        return frozenset(entry.distribution for entry in self.foreign if entry.distribution and entry.expires >= today)

    def full_name(self, name: str) -> str:
        """Return ``registry/namespace/name``, empty parts left out."""
        return "/".join(part for part in (self.registry, self.namespace, name) if part)

    @property
    def limits(self) -> Limits:
        """What one build may use: ``container_limits``, read."""
        return parse_limits(self.container_limits, str(self.path or "config"))

    def context(self) -> dict[str, Any]:
        """Return what templates see: docker-pkg's keys and the free ones, but not the password."""
        own = {name: getattr(self, name) for name in _READERS if name != "password"}
        own["base_images"] = list(self.base_images)
        own["verify_args"] = list(self.verify_args)
        own["known_uid_mappings"] = dict(self.known_uid_mappings)
        return {**own, **self.variables}


def _limits(node: Node) -> str:
    parse_limits(node.text(), node.where)
    return node.text()


def _uids(node: Node) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, child.number()) for name, child in node.fields().items()))


_READERS: Mapping[str, Callable[[Node], Any]] = {
    "registry": Node.text,
    "namespace": Node.text,
    "base_images": Node.texts,
    "apt_options": Node.text,
    "http_proxy": Node.text,
    "apt_only_proxy": Node.text,
    "username": Node.text,
    "password": Node.text,
    "scan_workers": Node.number,
    "fallback_author": Node.text,
    "fallback_email": Node.text,
    "distribution": Node.text,
    "update_id": Node.text,
    "ca_bundle": Node.text,
    "force_numeric_user": Node.flag,
    "known_uid_mappings": _uids,
    "verify_command": Node.filled,
    "verify_args": lambda node: tuple(item.text() for item in node.items()),
    "container_limits": _limits,
    "driver": Node.text,
}
"""docker-pkg's keys and how each is read."""


def _foreign(node: Node) -> tuple[Foreign, ...]:
    names = [item.name for item in fields(Foreign) if item.name != "where"]
    found = []
    for item in node.items():
        item.fields(names)
        image, reason, contact = (item.need(name).filled() for name in ("image", "reason", "contact"))
        given = item.fields().get("distribution")
        distribution = given.filled() if given is not None else ""
        found.append(Foreign(image, reason, contact, item.need("expires").day(), item.where, distribution))
    return tuple(found)


def _concerns(node: Node) -> tuple[Concern, ...]:
    words = [str(word) for word in Concern]
    for item in node.items():
        if item.text() not in words:
            raise item.fault(f"nothing that a build can refuse is called `{item.text()}`", nearest(item.text(), words))
    return tuple(Concern(item.text()) for item in node.items())


def _network(node: Node) -> Network:
    words = [str(word) for word in Network]
    if node.text() not in words:
        raise node.fault(f"no network is called `{node.text()}`", nearest(node.text(), words))
    return Network(node.text())


_OUR_READERS: Mapping[str, Callable[[Node], Any]] = {
    "endpoint": Node.text,
    "aliases": Node.texts,
    "foreign": _foreign,
    "keep": read_keeping,
    "archives": lambda node: read_archives(node, node.path.parent),
    "network": _network,
    "keys": Node.text,
    "test_seconds": Node.number,
    "refuse": _concerns,
    "refresh": read_renewal,
    "directories": Node.texts,
}
_LATER = ("compressor",)


def _read(path: Path, tree: Path | None = None) -> dict[str, Any]:
    """Return the fields that a file sets."""
    root = load(path, tree)
    if root.value is None:
        return {"doubts": (Doubt(path, 1, "is empty", "begin with `registry: NAME`, the registry's name in recipes"),)}
    given = root.fields()
    found = {name: read(given[name]) for name, read in _READERS.items() if name in given}
    if _OURS in given:
        ours = given[_OURS].fields(_OUR_READERS, _LATER)
        found |= {name: read(ours[name]) for name, read in _OUR_READERS.items() if name in ours}
    free = {name: child for name, child in given.items() if name not in _READERS and name != _OURS}
    found["variables"] = {name: child.plain() for name, child in free.items()}
    found["doubts"] = tuple(filter(None, (_doubt(name, child) for name, child in free.items())))
    return found


def _doubt(name: str, node: Node) -> Doubt | None:
    """Say what a free key may have been meant as: docker-pkg takes every one for a variable of templates."""
    near = difflib.get_close_matches(name, (*_READERS, _OURS), n=1, cutoff=_NEAR)
    meant = f"{_OURS}: {name}" if name in _OUR_READERS else near[0] if near else ""
    message = f"`{name}` is no key of ours or docker-pkg's, only a variable for templates"
    return Doubt(node.path, node.line, message, f"did you mean `{meant}`?") if meant else None


def load_config(path: Path | None, user: Path | None) -> TreeConfig:
    """Read a tree's configuration.

    Args:
        path: The tree's ``config.yaml``; None for docker-pkg's defaults.
        user: The user's ``docker-pkg.yaml``, whose keys the tree's override; it need not exist.

    Returns:
        Both, on docker-pkg's defaults.

    Raises:
        InputError: A file cannot be read, a value is wrong, or a key below ``ropewalk:`` is unknown.
    """
    below = _read(user) if user is not None and user.exists() else {}
    own = _read(path, _tree(path)) if path is not None else {}
    variables = {**below.pop("variables", {}), **own.pop("variables", {})}
    doubts = (*below.pop("doubts", ()), *own.pop("doubts", ()))
    config = replace(TreeConfig(), **{**below, **own}, variables=variables, doubts=doubts, path=path)
    _check_name(config)
    if config.http_proxy is not None and config.apt_only_proxy is None:
        config = replace(config, apt_only_proxy=config.http_proxy)
    return config


def _tree(path: Path) -> Path | None:
    """Return the repository that a config file must not lead out of by a link; None where it is no link."""
    return repository(path.absolute().parent.resolve()) if path.is_symlink() else None


def _check_name(config: TreeConfig) -> None:
    for name in (config.registry, *config.aliases):
        if "://" in name or name.endswith("/"):
            raise InputError(
                f"`{name}` is an address, no registry's name",
                where=str(config.path or "config"),
                hint="write the name alone; the address goes to `ropewalk.endpoint`",
            )
