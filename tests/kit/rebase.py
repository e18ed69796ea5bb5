"""Small trees, dpkg files and Dockerfiles for tests of rebases."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import flatten
from ropewalk.recipe.dockerfile import parse
from ropewalk.refresh.inputs import INFO, STATUS, DpkgFiles, RebaseInputs
from ropewalk.refresh.rebase import READ

Said = str | Entry
"""A file by its content, or any entry."""


def entry(path: str, said: Said) -> Entry:
    """Make a file of a text; an entry gets the path."""
    if isinstance(said, Entry):
        return replace(said, path=path)
    data = said.encode()
    return Entry(path, EntryType.FILE, 0o644, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def file(text: str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    """Make a file with other attributes than the usual."""
    return replace(entry("", text), mode=mode, uid=uid, gid=gid)


GONE = Entry("", EntryType.WHITEOUT)
OPAQUE = Entry("", EntryType.OPAQUE)
DIRECTORY = Entry("", EntryType.DIRECTORY, 0o755)


def link(target: str) -> Entry:
    """Make a symbolic link."""
    return Entry("", EntryType.SYMLINK, 0o777, link=target)


def layer(paths: Mapping[str, Said]) -> tuple[Entry, ...]:
    """Make a layer of paths; directories above them are added."""
    above = {"/".join(path.split("/")[:n]) for path in paths for n in range(1, path.count("/") + 1)}
    directories = {path: DIRECTORY for path in above if path not in paths}
    return tuple(entry(path, said) for path, said in sorted({**directories, **paths}.items()))


def tree(paths: Mapping[str, Said]) -> dict[str, Entry]:
    """Make a flattened tree of paths; directories above them are added."""
    return flatten([layer(paths)])


def stanza(package: str, version: str, *more: str) -> str:
    """Make a paragraph of dpkg's status."""
    fields = (
        f"Package: {package}",
        "Status: install ok installed",
        "Architecture: amd64",
        f"Version: {version}",
        *more,
    )
    return "".join(f"{field}\n" for field in fields)


def status(*stanzas: str) -> str:
    """Make dpkg's status."""
    return "".join(f"{one}\n" for one in stanzas)


def dpkg(paths: Mapping[str, Said]) -> DpkgFiles:
    """Take dpkg's files out of a tree that was written with texts."""
    texts = {path: said.encode() for path, said in paths.items() if isinstance(said, str)}
    lists = {path: data for path, data in texts.items() if path.startswith(INFO) and path.endswith(".list")}
    triggers = {path: data for path, data in texts.items() if path.startswith(INFO) and path.endswith(".triggers")}
    return DpkgFiles(texts.get(STATUS, b""), lists, triggers, {p: data for p, data in texts.items() if p in READ})


def inputs(
    old: Mapping[str, Said], new: Mapping[str, Said], own: Mapping[str, Said], run: str = "RUN apt-get install -y x"
) -> RebaseInputs:
    """Make a rebase's inputs.

    Args:
        old: The old parent, path to content.
        new: What the new parent has otherwise; `GONE` for what it lacks.
        own: The child's own layer.
        run: The Dockerfile's instructions.
    """
    after = {path: said for path, said in {**old, **new}.items() if said is not GONE}
    child = {path: said for path, said in {**old, **own}.items() if said is not GONE}
    return RebaseInputs(
        old=tree(old),
        new=tree(after),
        own=(layer(own),),
        old_dpkg=dpkg(old),
        new_dpkg=dpkg(after),
        child_dpkg=dpkg(child),
        dockerfile=parse(f"FROM registry.example.org/parent:1\n{run}\n"),
        context=frozenset(),
    )
