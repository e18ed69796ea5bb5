"""``blubber.yaml`` (Blubber v4) as values: what each mapping sets, and where.

Read are the keys that Ropewalk gives a meaning to; any other is an error, those that Blubber knows say so.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ropewalk.recipe.yamlfile import Node, load

LOCAL = "local"
DEFAULT = "default"

_COMMON = ("apt", "base", "builders", "entrypoint", "lives", "python", "runs")
_COMMON_LATER = ("arguments", "builder", "node", "php")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+|/[a-z][a-z0-9-]*)?")
_RELEASE = re.compile(r"[a-z0-9][a-z0-9./-]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]*\$?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIANT = re.compile(r"[a-zA-Z][a-zA-Z0-9.-]+[a-zA-Z0-9]")
_PYTHON = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files that are copied in.

    Attributes:
        origin: ``local`` for the context, else a variant or an image.
        source: What is copied; empty for all that the origin has.
        destination: Where to; empty for the source's own place.
        where: File and line.
    """

    origin: str
    source: str
    destination: str
    where: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A user that owns or runs the application; None is not set.

    Attributes:
        name: ``as``.
        uid: User number.
        gid: Group number.
        directory: ``in``.
    """

    name: str | None = None
    uid: int | None = None
    gid: int | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """How the application runs; None is not set.

    Attributes:
        account: The user and the directory.
        insecurely: It runs as the user who owns its files.
        environment: Variables, in order.
    """

    account: Account = Account()
    insecurely: bool | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Python:
    """The python builder; it is active when both are set.

    Attributes:
        version: The interpreter (``python3``).
        requirements: Requirements files; None is not set.
    """

    version: str | None = None
    requirements: tuple[Artifact, ...] | None = None


@dataclass(frozen=True, slots=True)
class Custom:
    """A builder with a command of its own.

    Attributes:
        command: A shell command and arguments that are quoted.
        requirements: Files that it needs first.
    """

    command: tuple[str, ...] = ()
    requirements: tuple[Artifact, ...] = ()


Builder = Python | Custom


@dataclass(frozen=True, slots=True)
class Settings:
    """What one mapping sets: the top level or a variant. Empty and None are not set.

    Attributes:
        base: The image; empty is not set, which in the end means scratch.
        packages: Release to packages; ``default`` names no release.
        lives: Who owns the application's files, and where they are.
        runs: How it runs.
        builders: In order.
        python: The python builder that stands apart.
        entrypoint: The command.
        includes: Variants that it builds on.
        copies: What is copied in.
        where: File and line.
        base_where: File and line of ``base``.
    """

    base: str = ""
    packages: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lives: Account = Account()
    runs: Runs = Runs()
    builders: tuple[Builder, ...] = ()
    python: Python = Python()
    entrypoint: tuple[str, ...] | None = None
    includes: tuple[str, ...] = ()
    copies: tuple[Artifact, ...] = ()
    where: str = ""
    base_where: str = ""


@dataclass(frozen=True, slots=True)
class Blubber:
    """A whole file.

    Attributes:
        common: The top level, which every variant starts from.
        variants: By name, in order.
        where: The file.
    """

    common: Settings
    variants: Mapping[str, Settings]
    where: str


def _matching(node: Node, pattern: re.Pattern[str], what: str) -> str:
    text = node.filled()
    if not pattern.fullmatch(text):
        raise node.fault(f"`{text}` is no {what}", f"see `{node.name}` in Blubber's reference")
    return text


def _packages(node: Node) -> tuple[tuple[str, tuple[str, ...]], ...]:
    def names(listed: Node) -> tuple[str, ...]:
        return tuple(_matching(item, _PACKAGE, "Debian package") for item in listed.items())

    if isinstance(node.value, tuple):
        return ((DEFAULT, names(node)),)
    for release, child in node.fields().items():
        if not _RELEASE.fullmatch(release):
            raise child.fault(f"`{release}` is no release", "write such as bookworm-backports")
    return tuple((release, names(child)) for release, child in node.fields().items())


def _directory(node: Node) -> str:
    text = node.filled()
    if not text.startswith("/"):
        raise node.fault(f"`{node.name}` must be an absolute path", f"write `/{text}`")
    return str(PurePosixPath(text))


def _account(given: Mapping[str, Node]) -> Account:
    return Account(
        name=_matching(given["as"], _USER, "user name") if "as" in given else None,
        uid=given["uid"].number() if "uid" in given else None,
        gid=given["gid"].number() if "gid" in given else None,
        directory=_directory(given["in"]) if "in" in given else None,
    )


def _environment(node: Node) -> tuple[tuple[str, str], ...]:
    found = []
    for name, child in node.fields().items():
        if not _VARIABLE.fullmatch(name):
            raise child.fault(f"`{name}` is no variable's name", "use letters, digits and _")
        if "\n" in child.text():
            raise child.fault(f"`{child.name}` has a line break", "a Dockerfile's ENV cannot hold one; use a file")
        found.append((name, child.text()))
    return tuple(found)


def _runs(node: Node) -> Runs:
    given = node.fields(("as", "uid", "gid", "in", "insecurely", "environment"))
    return Runs(
        account=_account(given),
        insecurely=given["insecurely"].flag() if "insecurely" in given else None,
        environment=_environment(given["environment"]) if "environment" in given else (),
    )


def _check_local(node: Node, source: str) -> None:
    if source.startswith("/") or ".." in PurePosixPath(source).parts:
        raise node.fault(f"`{source}` leaves the service's directory", "write a path below it, without ..")


def _artifact(node: Node) -> Artifact:
    given = node.fields(("from", "source", "destination"), ("exclude",))
    origin = node.need("from").filled()
    source = given["source"].filled() if "source" in given else ""
    destination = given["destination"].filled() if "destination" in given else ""
    if destination and not source:
        raise node.fault("`destination` stands without `source`", "add `source:`")
    if origin == LOCAL:
        _check_local(given.get("source", node), source)
    return Artifact(origin, source, destination, node.where)


def _artifacts(node: Node, short: Callable[[Node], Artifact]) -> tuple[Artifact, ...]:
    """Read a list of objects, or one of strings."""
    items = node.items()
    if len({isinstance(item.value, str) for item in items}) > 1:
        raise node.fault(f"`{node.name}` mixes names and mappings", "write all of them one way")
    return tuple(short(item) if isinstance(item.value, str) else _artifact(item) for item in items)


def _copies(node: Node) -> tuple[Artifact, ...]:
    return _artifacts(node, lambda item: Artifact(item.filled(), "", "", item.where))


def _requirements(node: Node) -> tuple[Artifact, ...]:
    def short(item: Node) -> Artifact:
        _check_local(item, item.filled())
        return Artifact(LOCAL, item.filled(), "", item.where)

    found = _artifacts(node, short)
    for item, artifact in zip(node.items(), found, strict=True):
        if not artifact.source:
            raise item.fault("a requirement needs `source`", "add `source:`")
    return found


def _python(node: Node) -> Python:
    later = (
        "no-deps",
        "pip-version",
        "poetry",
        "setuptools-version",
        "tox-version",
        "use-system-site-packages",
        "venv",
    )
    given = node.fields(("version", "requirements"), (*later, "wheel-version"))
    return Python(
        version=_matching(given["version"], _PYTHON, "interpreter") if "version" in given else None,
        requirements=_requirements(given["requirements"]) if "requirements" in given else None,
    )


def _command(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str):
        return (node.filled(),)
    words = tuple(item.text() for item in node.items())
    if not words or not words[0].strip():
        raise node.fault(f"`{node.name}` is empty", "write the command")
    return words


def _builder(node: Node) -> Builder:
    given = node.fields(("python", "custom"), ("node", "php"))
    if len(given) != 1:
        raise node.fault("a builder is one of `python` and `custom`", "write each as a list item of its own")
    if "python" in given:
        return _python(given["python"])
    inner = given["custom"].fields(("command", "requirements"), ("script", "mounts", "caches"))
    command = _command(given["custom"].need("command"))
    return Custom(command, _requirements(inner["requirements"]) if "requirements" in inner else ())


def _builders(node: Node) -> tuple[Builder, ...]:
    found = tuple(_builder(item) for item in node.items())
    if sum(isinstance(item, Python) for item in found) > 1:
        raise node.fault("`python` stands twice in `builders`", "keep one of them")
    return found


_READERS: Mapping[str, tuple[str, Callable[[Node], Any]]] = {
    "base": ("base", Node.filled),
    "lives": ("lives", lambda node: _account(node.fields(("as", "uid", "gid", "in")))),
    "runs": ("runs", _runs),
    "builders": ("builders", _builders),
    "python": ("python", _python),
    "entrypoint": ("entrypoint", lambda node: tuple(item.text() for item in node.items())),
    "includes": ("includes", Node.texts),
    "copies": ("copies", _copies),
}


def _settings(node: Node, given: Mapping[str, Node]) -> Settings:
    if "builders" in given and "python" in given:
        raise given["python"].fault("`python` stands beside `builders`", "write it as a list item of `builders`")
    found = {name: read(given[key]) for key, (name, read) in _READERS.items() if key in given}
    if "base" in given:
        found["base_where"] = given["base"].where
    if "apt" in given:
        apt = given["apt"].fields(("packages",), ("sources", "proxies"))
        found["packages"] = _packages(apt["packages"]) if "packages" in apt else ()
    return Settings(**found, where=node.where)


def _variant(node: Node) -> Settings:
    if node.value is None:
        return Settings(where=node.where)
    return _settings(node, node.fields((*_COMMON, "copies", "includes"), _COMMON_LATER))


def read_blubber(path: Path, tree: Path | None = None) -> Blubber:
    """Read a service's ``blubber.yaml``.

    Args:
        path: The file.
        tree: The tree's root; see `read_text`.

    Returns:
        What its top level and its variants set.

    Raises:
        InputError: It is not version 4, a key is unknown or not read yet, or a value is wrong; names file and line.
    """
    root = load(path, tree)
    given = root.fields((*_COMMON, "variants", "version"), _COMMON_LATER)
    version = root.need("version")
    if version.value != "v4":
        raise version.fault(f"is Blubber {version.value}; Ropewalk reads v4", "move the file to `version: v4`")
    variants = root.need("variants")
    for name, child in variants.fields().items():
        if not _VARIANT.fullmatch(name) or name == LOCAL:
            raise child.fault(f"`{name}` is no variant's name", "use letters, digits, - and ., at least three")
    common = {key: child for key, child in given.items() if key in _COMMON}
    values: dict[str, Node] = variants.value
    return Blubber(
        common=_settings(root, common),
        variants={name: _variant(child) for name, child in values.items()},
        where=str(path),
    )
