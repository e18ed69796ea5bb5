"""npm's ``package-lock.json``: which package names no integrity (npm's manual: package-lock.json, versions 1 to 3)."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_COMMIT = re.compile(r"^git\+.*#[0-9a-f]{40}$|^github:.*#[0-9a-f]{40}$")
_DEEPEST = 64
"""Levels of dependencies below dependencies (version 1); no honest file comes near."""


def without_integrity(text: str) -> tuple[str, ...] | None:
    """Say which packages of a ``package-lock.json`` npm could not check.

    What lies in the context itself (a link, a ``file:``) or comes with another package needs no integrity; a commit of 40
    digits is one.

    Args:
        text: The file.

    Returns:
        Their names, sorted; None where the file is no lock file.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    packages, dependencies = data.get("packages"), data.get("dependencies")
    if isinstance(packages, dict):
        found = _of_packages(packages)
    elif isinstance(dependencies, dict):
        found = _of_dependencies(dependencies, 0)
    elif data.get("lockfileVersion"):
        found = iter(())
    else:
        return None
    return tuple(sorted(set(found)))


def _of_packages(packages: Mapping[str, Any]) -> Iterator[str]:
    """Read versions 2 and 3: places in the tree, the project's own parts among them."""
    for place, entry in packages.items():
        if "node_modules/" in place and not (isinstance(entry, dict) and _checked(entry, entry.get("resolved"))):
            yield place.rpartition("node_modules/")[2]


def _of_dependencies(dependencies: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Read version 1: dependencies below dependencies."""
    for name, entry in dependencies.items():
        if not isinstance(entry, dict) or depth > _DEEPEST:
            yield name
            continue
        if not _checked(entry, entry.get("resolved", entry.get("version"))):
            yield name
        below = entry.get("dependencies")
        if isinstance(below, dict):
            yield from _of_dependencies(below, depth + 1)


def _checked(entry: Mapping[str, Any], resolved: object) -> bool:
    if entry.get("integrity") or entry.get("link") or entry.get("inBundle") or entry.get("bundled"):
        return True
    return isinstance(resolved, str) and (resolved.startswith("file:") or _COMMIT.match(resolved) is not None)
