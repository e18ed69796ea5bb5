"""``deploy.yaml``: which repository says what runs, in which waves it changes, and what must hold between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ropewalk.recipe.yamlfile import Node, load

_KEYS = (
    "repository",
    "branch",
    "images",
    "keys",
    "waves",
    "wait-for-proof",
    "merge-request",
    "author",
)
_WAVE_KEYS = ("name", "paths", "namespaces", "health", "seconds")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_AUTHOR = re.compile(r"[^<>\n]+ <[^<>\s]+>")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_SECONDS = 600
_OURSELVES = "Ropewalk <ropewalk@localhost>"


class Way(StrEnum):
    """How a wave's commit reaches the branch."""

    PUSH = "push"
    """It is pushed to the branch itself."""
    BRANCH = "branch"
    """To a branch of its own, with GitLab's push options where the server takes push options."""
    REFS_FOR = "refs-for"
    """To ``refs/for/BRANCH``: Gerrit, and the AGit flow of Forgejo and Gitea."""


@dataclass(frozen=True, slots=True)
class Wave:
    """What changes at once.

    Attributes:
        name: Small letters, digits and dashes.
        paths: Globs of files; none stands for all.
        namespaces: Globs of Kubernetes' namespaces; none stands for all, and for files that name none.
        health: The program that says whether the wave is well, with its arguments; empty for none.
        seconds: How long it may take.
    """

    name: str
    paths: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    seconds: int = _SECONDS

    def reads(self, path: str) -> bool:
        """Say whether a file may hold what changes in this wave."""
        return not self.paths or any(_matches(path, glob) for glob in self.paths)

    def takes(self, path: str, namespace: str) -> bool:
        """Say whether what stands in a file, for a namespace, changes in this wave."""
        return self.reads(path) and (not self.namespaces or any(fnmatchcase(namespace, n) for n in self.namespaces))


@dataclass(frozen=True, slots=True)
class DeployConfig:
    """What ``deploy.yaml`` says.

    Attributes:
        path: The file.
        repository: Path or URL for git; empty for the origin of the repository that holds the file.
        branch: The branch that says what runs.
        waves: In their order; what several take changes in the first.
        images: Globs of images, without registry; none stands for all.
        keys: Keys of values that hold a version alone, with their images.
        wait_for_proof: Waves behind the first wait until a rebased image is proven.
        way: How commits reach the branch.
        author: Of the commits: ``Name <address>``.
    """

    path: Path
    repository: str
    branch: str
    waves: tuple[Wave, ...]
    images: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    wait_for_proof: bool = True
    way: Way = Way.PUSH
    author: str = _OURSELVES

    def wave_of(self, path: str, namespace: str) -> Wave | None:
        """Return the wave in which something changes; None where nothing of ours does."""
        return next((wave for wave in self.waves if wave.takes(path, namespace)), None)

    def wants(self, image: str) -> bool:
        """Say whether an image, named without registry, is among those that are deployed from here."""
        return not self.images or any(fnmatchcase(image, glob) for glob in self.images)


def _matches(path: str, glob: str) -> bool:
    """Match a path: ``**`` stands for any directories, ``*`` stays within one; a directory stands for all in it."""
    parts = PurePosixPath(path).parts
    wanted = tuple(part for part in glob.strip("/").split("/") if part)
    return any(_parts(parts[:end], wanted) for end in range(1, len(parts) + 1))


def _parts(parts: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    if not globs:
        return not parts
    if globs[0] == "**":
        return any(_parts(parts[start:], globs[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _parts(parts[1:], globs[1:])


def _wave(node: Node) -> Wave:
    found = node.fields(_WAVE_KEYS)
    name = node.need("name")
    if not _NAME.fullmatch(name.filled()):
        raise name.fault(f"`{name.value}` is no name of a wave", "write small letters, digits and single dashes")
    health = found.get("health")
    if health is not None and not health.items():
        raise health.fault("names no program", "write [PROGRAM, ARGUMENT...] or leave it out")
    seconds = found["seconds"].number() if "seconds" in found else _SECONDS
    if seconds == 0:
        raise found["seconds"].fault("0 seconds are no time", "write how long the health command may take")
    return Wave(
        name=name.text(),
        paths=found["paths"].texts() if "paths" in found else (),
        namespaces=found["namespaces"].texts() if "namespaces" in found else (),
        health=health.texts() if health is not None else (),
        seconds=seconds,
    )


def _waves(node: Node) -> tuple[Wave, ...]:
    waves = tuple(_wave(item) for item in node.items())
    if not waves:
        raise node.fault("names no wave", "write one at least: - {name: all}")
    names = [wave.name for wave in waves]
    for item, name in zip(node.items(), names, strict=True):
        if names.count(name) > 1:
            raise item.fault(f"the wave `{name}` stands twice", "give each its own name")
    return waves


def _way(node: Node) -> Way:
    words = (Way.BRANCH, Way.REFS_FOR)
    if isinstance(node.value, bool):
        return Way.BRANCH if node.value else Way.PUSH
    if node.text() not in words:
        raise node.fault(f"`{node.text()}` is no way to ask for a merge", f"write true, false or {Way.REFS_FOR}")
    return Way(node.text())


def _branch(node: Node) -> str:
    if not _BRANCH.fullmatch(node.filled()) or ".." in node.text():
        raise node.fault(f"`{node.text()}` is no name of a branch", "write it without refs/heads/")
    return node.text()


def _repository(node: Node) -> str:
    text = node.filled()
    if text.startswith("-") or "::" in text:  # an option of git, or a program to run (gitremote-helpers(7))
        raise node.fault(f"`{text}` is no repository", "write a path, or a URL: https://HOST/PATH, ssh://HOST/PATH")
    local = "://" not in text and not re.match(r"[^/]+:", text)
    return str((node.path.parent / text).resolve()) if local else text


def _author(node: Node) -> str:
    if not _AUTHOR.fullmatch(node.filled()):
        raise node.fault(f"`{node.text()}` is no author", "write Name <address@example.org>")
    return node.text()


def load_deploy(path: Path) -> DeployConfig:
    """Read ``deploy.yaml``.

    Args:
        path: The file; a relative path of a repository is relative to it.

    Raises:
        InputError: The file cannot be read, or a key or a value is wrong: with its line and what would be right.
    """
    root = load(path)
    found = root.fields(_KEYS)
    return DeployConfig(
        path=path,
        repository=_repository(found["repository"]) if "repository" in found else "",
        branch=_branch(found["branch"]) if "branch" in found else "main",
        waves=_waves(root.need("waves")),
        images=found["images"].texts() if "images" in found else (),
        keys={key: node.filled() for key, node in found["keys"].fields().items()} if "keys" in found else {},
        wait_for_proof=found["wait-for-proof"].flag() if "wait-for-proof" in found else True,
        way=_way(found["merge-request"]) if "merge-request" in found else Way.PUSH,
        author=_author(found["author"]) if "author" in found else _OURSELVES,
    )
