"""YAML with line numbers: every value knows where it stands, so that an error can say it.

Read with libyaml's loader. Duplicate keys are refused: YAML leaves open which one counts.
"""

import difflib
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from ropewalk.errors import InputError
from ropewalk.recipe.opened import read_bytes

_MOST_NODES = 100_000
"""Aliases may multiply a small file; no honest one comes near."""

_DEEPEST = 64
"""Levels of nesting; no honest file comes near."""

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file and its place.

    Attributes:
        value: A scalar, a tuple of nodes, or a mapping of keys to nodes.
        path: The file.
        line: Its line, counted from 1; in a mapping, the line of its key.
        name: What it is called in messages: ``runs.environment``.
    """

    value: Any
    path: Path
    line: int
    name: str

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"

    def fault(self, message: str, hint: str) -> InputError:
        """Return an error at this place; the caller raises it."""
        return InputError(message, where=self.where, hint=hint)

    def _wrong(self, wanted: str) -> InputError:
        hint = (
            "put it in quotes" if wanted == "text" and not isinstance(self.value, tuple | dict) else f"write {wanted}"
        )
        what = f"`{self.name}`" if self.name else "the whole file"
        return self.fault(f"{what} must be {wanted}", hint)

    def text(self) -> str:
        """Return a string.

        Raises:
            InputError: It is none; numbers and booleans need quotes.
        """
        if not isinstance(self.value, str):
            raise self._wrong("text")
        return self.value

    def filled(self) -> str:
        """Return a string that is not empty; see `text`."""
        text = self.text()
        if not text.strip():
            raise self.fault(f"`{self.name}` is empty", "fill it in or leave it out")
        return text

    def number(self) -> int:
        """Return a whole number that is not negative.

        Raises:
            InputError: It is none.
        """
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self._wrong("a whole number")
        return self.value

    def flag(self) -> bool:
        """Return a boolean.

        Raises:
            InputError: It is none.
        """
        if not isinstance(self.value, bool):
            raise self._wrong("true or false")
        return self.value

    def day(self) -> date:
        """Return a date, written 2026-01-31.

        Raises:
            InputError: It is none.
        """
        if isinstance(self.value, date) and not isinstance(self.value, datetime):
            return self.value
        try:
            return date.fromisoformat(self.text())
        except (ValueError, InputError):
            raise self._wrong("a date (2026-01-31)") from None

    def items(self) -> tuple["Node", ...]:
        """Return a list's values.

        Raises:
            InputError: It is no list.
        """
        if not isinstance(self.value, tuple):
            raise self._wrong("a list")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return a list of strings that are not empty."""
        return tuple(item.filled() for item in self.items())

    def fields(self, known: Collection[str] | None = None, later: Collection[str] = ()) -> Mapping[str, "Node"]:
        """Return a mapping's values by key, those that are null left out.

        Args:
            known: The keys that may stand here; None allows all.
            later: Keys that exist but that Ropewalk does not read yet.

        Raises:
            InputError: It is no mapping, a key is no text, or a key is unknown: with its line and the nearest right one.
        """
        if not isinstance(self.value, dict):
            raise self._wrong("a mapping")
        for key, child in self.value.items():
            if not isinstance(key, str):
                raise child.fault(f"the key `{key}` must be text", "put it in quotes")
            if known is not None and key not in known:
                raise _unknown(child, key, known, later)
        return {key: child for key, child in self.value.items() if child.value is not None}

    def need(self, key: str) -> "Node":
        """Return a value that must be there.

        Raises:
            InputError: It is not.
        """
        found = self.fields().get(key)
        if found is None:
            raise self.fault(f"`{key}` is missing", f"add `{key}:`")
        return found

    def plain(self) -> Any:
        """Return the value as Python's own dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        return self.value


def nearest(word: str, known: Collection[str]) -> str:
    """Return the hint that names the nearest known word, or all of them when none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else "known: " + (", ".join(sorted(known)) or "none")


def _unknown(child: Node, key: str, known: Collection[str], later: Collection[str]) -> InputError:
    if key in later:
        return child.fault(f"Ropewalk does not read the key `{child.name}` yet", "leave it out")
    return child.fault(f"unknown key `{child.name}`", nearest(key, known))


class _Reader:
    """Turns composed YAML nodes into ours."""

    def __init__(self, loader: yaml.CSafeLoader, path: Path) -> None:
        self._loader = loader
        self._path = path
        self._seen = 0
        self._open: set[int] = set()
        self._flat: set[int] = set()

    def read(self, node: yaml.Node, name: str, line: int | None = None) -> Node:
        self._seen += 1
        at = line or node.start_mark.line + 1
        if self._seen > _MOST_NODES or id(node) in self._open or len(self._open) > _DEEPEST:
            raise InputError(
                "is nested too deeply, or aliases make it endless or too large",
                where=f"{self._path}:{node.start_mark.line + 1}",
                hint="write the values out",
            )
        self._open.add(id(node))
        try:
            return Node(self._value(node, name), self._path, at, name)
        finally:
            self._open.remove(id(node))

    def _value(self, node: yaml.Node, name: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, name)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.read(item, f"{name}[{index}]") for index, item in enumerate(node.value))
        try:
            return self._loader.construct_object(node)
        except ValueError as error:  # it looks like a date or a number and is none: 2026-02-31
            where = f"{self._path}:{node.start_mark.line + 1}"
            raise InputError(f"`{node.value}` is no value: {error}", where=where, hint="put it in quotes") from error

    def _mapping(self, node: yaml.MappingNode, name: str) -> dict[Hashable, Node]:
        if id(node) not in self._flat:
            self._check_twice(node)
            self._loader.flatten_mapping(node)
            self._flat.add(id(node))
        found: dict[Hashable, Node] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            found[key] = self.read(value_node, f"{name}.{key}".lstrip("."), key_node.start_mark.line + 1)
        return found

    def _check_twice(self, node: yaml.MappingNode) -> None:
        own: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key in own:
                raise InputError(
                    f"the key `{key}` stands twice (first in line {own[key]})",
                    where=f"{self._path}:{line}",
                    hint="keep one of them",
                )
            own[key] = line

    def _key(self, node: yaml.Node) -> Hashable:
        if not isinstance(node, yaml.ScalarNode):
            where = f"{self._path}:{node.start_mark.line + 1}"
            raise InputError("a key must be a plain word", where=where, hint="put it in quotes")
        key: Hashable = self._value(node, "")
        return key


def load(path: Path, tree: Path | None = None) -> Node:
    """Read a YAML file.

    Args:
        path: The file, in UTF-8, with one document.
        tree: The root of the tree that it must be in; None for a file that the user named.

    Returns:
        Its value; null for an empty file.

    Raises:
        InputError: It cannot be read, is no YAML, or has a key twice.
    """
    return parse(read_bytes(path, tree), path)


def parse(data: bytes, path: Path) -> Node:
    """Read YAML; see `load`.

    Args:
        data: The text.
        path: What to name in errors.
    """
    loader = yaml.CSafeLoader(data)
    try:
        root = loader.get_single_node()
        return Node(None, path, 1, "") if root is None else _Reader(loader, path).read(root, "")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"is no YAML: {problem}", where=where, hint="mend the line") from error
    finally:
        loader.dispose()
