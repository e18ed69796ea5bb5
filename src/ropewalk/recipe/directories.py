"""Which directories hold a config's recipes where nobody names one: a tree may have several configs side by side."""

import re
from collections.abc import Iterator
from pathlib import Path

from ropewalk.errors import InputError
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.context import tree_of

_REGISTRY = re.compile(rb"^registry[ \t]*:", re.MULTILINE)
_SUFFIXES = frozenset({".yaml", ".yml"})
_START = 1 << 16
"""Bytes of a file that are looked at."""


def own_directories(config: TreeConfig) -> tuple[Path, ...]:
    """Return where a config's recipes are: below ``ropewalk: directories``, else below the directory that it stands in.

    Args:
        config: The tree's configuration.

    Raises:
        InputError: One is outside the tree; or it does not say, and others stand beside it: their recipes have other names and parents.
    """
    path = config.path or Path("config.yaml")
    if config.directories:
        tree = tree_of(path.parent, path)
        return tuple(_within(path.parent / name, tree, path) for name in config.directories)
    other = next(_beside(path), None)
    if other is not None:
        hint = f"name this config's directories, or write them into {path}: `ropewalk: {{directories: [DIR, ...]}}`"
        raise InputError(
            f"says not which recipes are its own, and {other.name} stands beside it", where=str(path), hint=hint
        )
    return (path.parent,)


def _within(directory: Path, tree: Path, config: Path) -> Path:
    """Refuse a directory outside the tree: who changes a config does not say what else is read."""
    if not directory.resolve().is_relative_to(tree.resolve()):
        raise InputError(
            f"`directories` has {directory}, which is not in the tree", where=str(config), hint=f"stay in {tree}"
        )
    return directory


def _beside(path: Path) -> Iterator[Path]:
    """Yield the other configs in a config's directory: YAML files that name a registry."""
    for other in sorted(path.parent.iterdir()):
        if other.suffix in _SUFFIXES and other.name != path.name and other.is_file():
            with other.open("rb") as file:
                if _REGISTRY.search(file.read(_START)):
                    yield other
