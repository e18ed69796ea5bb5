"""A signed apt repository as a recipe, a config or a user names it (sources.list(5), Debian wiki, DebianRepository/Format)."""

import posixpath
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Repository:
    """An archive beside Debian's own.

    Attributes:
        uri: Its public address, http or https, without a slash at its end.
        suites: Its suites; one that ends in ``/`` is a directory of a flat repository.
        components: Its components; none for a flat repository.
        keyring: The file with the public keys that may sign it, binary or armoured.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: Path


def is_flat(suite: str) -> bool:
    """Tell whether a suite's name is a directory of a flat repository (``./``, ``amd64/``)."""
    return suite.endswith("/")


def suite_path(suite: str) -> str:
    """Return where a suite's files are, relative to its repository.

    Args:
        suite: Its name as a sources list has it.

    Returns:
        A directory with a slash at its end: ``dists/bookworm/``; empty for the root of a flat repository.
    """
    if not is_flat(suite):
        return f"dists/{suite}/"
    path = posixpath.normpath(suite).strip("/")
    return "" if path in {"", "."} else f"{path}/"
