"""``ropewalk.lock``: an image's lock beside its recipe, for people to review and for `build --locked` to build from.

JSON with one .deb a line, so that a change is a line of a diff. It is no part of the recipe digest, which it names.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ropewalk.errors import Exit, RopewalkError
from ropewalk.recipe import yamlfile
from ropewalk.recipe.lock import LOCK_FILE, Lock, LockedDeb
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord
from ropewalk.recipe.yamlfile import Node

_KEYS = ("line", "recipe", "view", "parents", "debs", "test", "unpinned")
_PARENT_KEYS = ("reference", "role", "digest", "layers")
_DEB = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+) (?P<version>[A-Za-z0-9.+:~-]+) (?P<arch>[a-z0-9-]+) (?P<sha>[0-9a-f]{64})"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WRITE = "write it anew: `ropewalk lock`"


class LockRefused(RopewalkError):
    """A lock cannot be built from: it is missing, of another recipe, or says something else than archive and pool."""

    exit_code = Exit.REFUSED


@dataclass(frozen=True, slots=True)
class LockedParent:
    """A parent as it was used.

    Attributes:
        reference: As the recipe names it, with tag.
        role: Final or build.
        layers: Its layers by diff_id, the lowest first: what makes it the same image on every machine.
        digest: Its manifest digest where it was made; a machine that compresses otherwise has another one.
    """

    reference: str
    role: ParentRole
    layers: tuple[str, ...]
    digest: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class LockFile:
    """What ``ropewalk.lock`` says.

    Attributes:
        line: ``registry/namespace/name:version``.
        recipe: The recipe digest that it holds for.
        lock: View, .debs, and what is not pinned.
        parents: The parents, the final one first.
    """

    line: str
    recipe: str
    lock: Lock
    parents: tuple[LockedParent, ...]


def lock_file(record: BuildRecord, layers: Mapping[str, tuple[str, ...]]) -> LockFile:
    """Return the lock file of an image.

    Args:
        record: Its build record.
        layers: The diff_ids of each parent by its manifest digest, as far as they are known.

    Raises:
        LockRefused: Nothing recorded what its build took.
    """
    if record.lock is None:
        message = "nothing recorded which .debs it was made of"
        raise LockRefused(message, where=record.reference, hint="build it again: `ropewalk build --force`")
    parents = (LockedParent(pin.reference, pin.role, layers.get(pin.digest, ()), pin.digest) for pin in record.parents)
    return LockFile(record.line, record.recipe_digest, record.lock, tuple(parents))


def lock_text(file: LockFile) -> str:
    """Return the text of a lock file; `read_lock` reads it back."""
    parents = [
        {"reference": one.reference, "role": one.role.value, "digest": one.digest, "layers": list(one.layers)}
        for one in file.parents
    ]
    values: dict[str, str | list[Any]] = {
        "line": file.line,
        "recipe": file.recipe,
        "view": file.lock.view,
        "parents": parents,
        "debs": [_row(deb) for deb in file.lock.debs],
        "test": [_row(deb) for deb in file.lock.test],
        "unpinned": list(file.lock.unpinned),
    }
    return "{\n" + ",\n".join(f' "{name}": {_value(value)}' for name, value in values.items()) + "\n}\n"


def _row(deb: LockedDeb) -> str:
    return f"{deb.name} {deb.version} {deb.architecture} {deb.sha256}"


def _value(value: str | list[Any]) -> str:
    if isinstance(value, str) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in value) + "\n ]"


def read_lock(directory: Path) -> LockFile | None:
    """Read the lock beside a recipe.

    Args:
        directory: The recipe's directory.

    Returns:
        What it says; None where there is none.

    Raises:
        InputError: It is damaged; names file and line.
    """
    path = directory / LOCK_FILE
    if not path.is_file():
        return None
    root = yamlfile.load(path)
    root.fields(_KEYS)
    lock = Lock(
        root.need("view").filled(),
        tuple(map(_deb, root.need("debs").items())),
        tuple(map(_deb, root.need("test").items())),
        root.need("unpinned").texts(),
    )
    parents = tuple(map(_parent, root.need("parents").items()))
    return LockFile(root.need("line").filled(), _digest(root.need("recipe")), lock, parents)


def _deb(node: Node) -> LockedDeb:
    match = _DEB.fullmatch(node.text())
    if match is None:
        raise node.fault(f"`{node.text()}` is not name, version, architecture and sha256 of a .deb", _WRITE)
    return LockedDeb(match["name"], match["version"], match["arch"], match["sha"])


def _digest(node: Node) -> str:
    if _DIGEST.fullmatch(node.text()) is None:
        raise node.fault(f"`{node.name}` is no sha256 digest", _WRITE)
    return node.text()


def _parent(node: Node) -> LockedParent:
    node.fields(_PARENT_KEYS)
    role = node.need("role")
    if role.text() not in {one.value for one in ParentRole}:
        raise role.fault(
            f"`{role.text()}` is no role", yamlfile.nearest(role.text(), [one.value for one in ParentRole])
        )
    layers = tuple(map(_digest, node.need("layers").items()))
    return LockedParent(node.need("reference").filled(), ParentRole(role.text()), layers, _digest(node.need("digest")))


def why_stale(file: LockFile | None, recipe: Recipe, made: LockFile | None) -> str:
    """Say why a lock file is not current.

    Args:
        file: What stands beside the recipe; None where nothing does.
        recipe: The recipe as it is now.
        made: What `lock_file` gives of the image that was made from this recipe; None where none was made here.

    Returns:
        The reason; empty where it is current.
    """
    if file is None:
        return f"there is no {LOCK_FILE}"
    if file.recipe != recipe.digest:
        return "the recipe changed since it was locked"
    if made is None:
        return ""
    if made.lock.view != file.lock.view:
        return f"the image was made from view {made.lock.view}, the lock says {file.lock.view}"
    # A lock is an upper bound: a newer parent may bring a package that was locked.
    more = {*made.lock.debs, *made.lock.test} - {*file.lock.debs, *file.lock.test}
    if more:
        return f"the image was made of {min(more)}, which the lock does not name"
    return "the image was made on other parents" if made.parents != file.parents else ""


def of_recipe(recipe: Recipe) -> LockFile:
    """Return the lock that a recipe is to be built from.

    Args:
        recipe: The recipe.

    Raises:
        LockRefused: There is none, or the recipe changed since.
        InputError: It is damaged.
    """
    file = read_lock(recipe.directory)
    stale = why_stale(file, recipe, None)
    if file is None or stale:
        hint = f"build it without --locked, then `ropewalk lock {recipe.name}`"
        raise LockRefused(stale, where=str(recipe.directory / LOCK_FILE), hint=hint)
    return file
