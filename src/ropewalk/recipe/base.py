"""``base.yaml``: a base image, made from packages of the Debian archive."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from ropewalk.debian import Repository
from ropewalk.recipe.archives import read_archives
from ropewalk.recipe.baseparts import Beside, named_files, read_certificates, read_files, read_users
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.context import tree_of
from ropewalk.recipe.digest import Says
from ropewalk.recipe.head import Head, check_name, check_version
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.recipe import BaseSpec, ContextFile, Generation, Recipe, Strip
from ropewalk.recipe.script import script_test
from ropewalk.recipe.strip import read_strip
from ropewalk.recipe.yamlfile import Node, load

_KEYS = (
    "name",
    "version",
    "suites",
    "components",
    "archives",
    "packages",
    "files",
    "users",
    "certificates",
    "strip",
    "env",
    "labels",
)
_WORDS = {
    "suites": re.compile(r"[a-z0-9][a-z0-9./-]*"),
    "components": re.compile(r"[a-z][a-z0-9-]*"),
    "packages": re.compile(r"[a-z0-9][a-z0-9+.-]+"),
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _words(node: Node) -> tuple[str, ...]:
    """Read a list of names, each allowed and none twice."""
    seen: list[str] = []
    for item in node.items():
        word = item.filled()
        if not _WORDS[node.name].fullmatch(word):
            raise item.fault(f"`{word}` cannot stand in `{node.name}`", "write the plain name")
        if word in seen:
            raise item.fault(f"`{word}` stands twice in `{node.name}`", "keep one of them")
        seen.append(word)
    return tuple(seen)


def _pairs(node: Node) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, child.text()) for name, child in node.fields().items()))


def _environment(node: Node) -> tuple[tuple[str, str], ...]:
    for name, child in node.fields().items():
        if not _VARIABLE.fullmatch(name):
            raise child.fault(f"`{name}` is no variable's name", "use letters, digits and _")
    return _pairs(node)


def _spec(given: Mapping[str, Node], beside: Beside) -> BaseSpec:
    packages = _words(given["packages"]) if "packages" in given else ()
    certificates = given.get("certificates")
    return BaseSpec(
        suites=_words(given["suites"]),
        components=_words(given["components"]) if "components" in given else ("main",),
        packages=packages,
        env=_environment(given["env"]) if "env" in given else (),
        labels=_pairs(given["labels"]) if "labels" in given else (),
        files=read_files(given["files"], beside) if "files" in given else (),
        users=read_users(given["users"]) if "users" in given else (),
        certificates=read_certificates(certificates, beside, packages) if certificates else (),
        strip=read_strip(given["strip"]) if "strip" in given else Strip(),
        archives=_archives(given["archives"], beside) if "archives" in given else (),
    )


def _archives(node: Node, beside: Beside) -> tuple[Repository, ...]:
    """Read ``archives``; apt tells a keyring's form by its name, and an image holds each under that name."""
    found = read_archives(node, beside.directory)
    names: dict[str, Path] = {}
    for item, archive in zip(node.items(), found, strict=True):
        keyring, place = archive.keyring, item.need("signed-by")
        suffix = ".asc" if beside.read(place).startswith(b"-----BEGIN PGP") else ".gpg"
        if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]*\{suffix}", keyring.name):
            raise place.fault(f"`{keyring.name}` is no name for such a keyring", f"apt wants one that ends in {suffix}")
        if names.setdefault(keyring.name, keyring) != keyring:
            raise place.fault(f"two keyrings are called `{keyring.name}`", "rename one: an image holds both")
    return found


def _context(beside: Beside, node: Node) -> ContextFile:
    path = beside.path(node)
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return ContextFile(node.text(), path, 0o644, directory=False, sha256=sha256)


def load_base(directory: Path, config: TreeConfig) -> Recipe:
    """Read a base image's recipe.

    Args:
        directory: Holds ``base.yaml``.
        config: The tree's configuration, which names registry and namespace.

    Returns:
        The recipe.

    Raises:
        InputError: The file is wrong; names file and line.
    """
    tree = tree_of(directory, config.path)
    root = load(directory / Kind.BASE, tree)
    given = root.fields(_KEYS)
    name, version = root.need("name"), root.need("version")
    check_name(name.filled(), name.where)
    check_version(version.filled(), version.where)
    root.need("suites")
    beside = Beside(directory, tree)
    spec = _spec(given, beside)
    for key, words in (("suites", spec.suites), ("components", spec.components)):
        if not words:
            raise given[key].fault(f"`{key}` is empty", "name at least one")
    test, tested = script_test(directory, config, tree)
    head = Head(name.text(), version.text(), 0)
    return Recipe(
        generation=Generation.BASE,
        registry=config.registry,
        namespace=config.namespace,
        name=head.name,
        version=head.version,
        directory=directory.absolute(),
        digest=Says(Generation.BASE, head, base=spec, test=tested).digest(),
        epoch=None,
        context=tuple(sorted((_context(beside, node) for node in named_files(root)), key=lambda file: file.path)),
        base=spec,
        test=test,
    )
