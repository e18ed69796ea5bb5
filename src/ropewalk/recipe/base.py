"""``base.yaml``: a base image, made from packages of the Debian archive."""

import re
from pathlib import Path

from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.digest import Says
from ropewalk.recipe.head import Head, check_name, check_version
from ropewalk.recipe.recipe import BaseSpec, Generation, Recipe
from ropewalk.recipe.script import script_test
from ropewalk.recipe.yamlfile import Node, load

FILE = "base.yaml"
_KEYS = ("name", "version", "suites", "components", "packages", "env", "labels")
_LATER = ("archives", "files", "users", "certificates", "strip")
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
    root = load(directory / FILE)
    given = root.fields(_KEYS, _LATER)
    name, version = root.need("name"), root.need("version")
    check_name(name.filled(), name.where)
    check_version(version.filled(), version.where)
    suites = root.need("suites")
    spec = BaseSpec(
        suites=_words(suites),
        components=_words(given["components"]) if "components" in given else ("main",),
        packages=_words(given["packages"]) if "packages" in given else (),
        env=_environment(given["env"]) if "env" in given else (),
        labels=_pairs(given["labels"]) if "labels" in given else (),
    )
    for key, words in (("suites", spec.suites), ("components", spec.components)):
        if not words:
            raise given[key].fault(f"`{key}` is empty", "name at least one")
    test, tested = script_test(directory, config)
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
        base=spec,
        test=test,
    )
