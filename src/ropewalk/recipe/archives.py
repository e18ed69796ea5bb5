"""``archives`` in ``base.yaml`` and ``config.yaml``: signed apt repositories beside Debian's own, each with its keys."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from ropewalk.debian import Repository, is_flat
from ropewalk.recipe.yamlfile import Node

_KEYS = ("uri", "suites", "components", "signed-by")
_SUITE = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9./~+_-]+")
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9./~+_-]*")


def read_archives(node: Node, directory: Path) -> tuple[Repository, ...]:
    """Read a list of archives.

    Args:
        node: The list.
        directory: What ``signed-by`` is relative to.

    Returns:
        The archives, in the file's order.

    Raises:
        InputError: An entry is wrong, or its keyring is not there; names file and line.
    """
    return tuple(_archive(item, directory) for item in node.items())


def _archive(node: Node, directory: Path) -> Repository:
    given = node.fields(_KEYS)
    suites = _names(node.need("suites"), _SUITE)
    components = _names(given["components"], _COMPONENT) if "components" in given else ()
    flat = [suite for suite in suites if is_flat(suite)]
    if not suites:
        raise given["suites"].fault("`suites` is empty", "name at least one")
    if flat and (components or len(flat) < len(suites)):
        raise node.fault("mixes flat suites and others", "a suite that ends in `/` has no components; give it an entry")
    if not flat and not components:
        raise node.fault("`components` is missing", "name at least one; a flat repository's suite ends in `/`")
    return Repository(_uri(node.need("uri")), suites, components, _keyring(node.need("signed-by"), directory))


def _names(node: Node, allowed: re.Pattern[str]) -> tuple[str, ...]:
    for item in node.items():
        if not allowed.fullmatch(item.filled()):
            raise item.fault(
                f"`{item.text()}` cannot stand in `{node.name}`", "write the name as apt's sources have it"
            )
    return tuple(dict.fromkeys(node.texts()))


def _uri(node: Node) -> str:
    uri = node.filled().rstrip("/")
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise node.fault(f"`{uri}` is no address of a repository", "write http://HOST/PATH or https://HOST/PATH")
    if parts.username is not None:
        raise node.fault("has a user in its address", "a password would stand in images; use a mirror that needs none")
    return uri


def _keyring(node: Node, directory: Path) -> Path:
    path = directory / node.filled()
    if not path.is_file():
        raise node.fault(f"the keyring `{node.text()}` is not there", "put its public keys beside the recipe")
    return path
