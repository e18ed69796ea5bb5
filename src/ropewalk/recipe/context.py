"""The build context: a recipe's files, less what ``.dockerignore`` names, links followed inside the tree.

Modes are those that git keeps: 0755 for directories and executable files, 0644 for the rest, whatever umask the
checkout had. ``.git`` is never part of it, nor is a lock: it says what a build of the recipe took, and is no part of it.
"""

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from ropewalk.errors import InputError
from ropewalk.recipe.lock import LOCK_FILE
from ropewalk.recipe.opened import inside, is_there, read_text
from ropewalk.recipe.recipe import ContextFile

Ignored = Callable[[str], bool]
"""Says of a path, relative to the context, that it is left out."""

_IGNORE = ".dockerignore"
_OWNER_RUNS = 0o100
_PIECE = 1 << 15


def tree_of(directory: Path, config: Path | None) -> Path:
    """Return the tree that a directory of recipes belongs to.

    Args:
        directory: A directory that was given.
        config: The config file.

    Returns:
        The git repository of the config file if it holds the directory, else the directory's own; without git the
        config file's directory if it holds the directory, else the directory itself.
    """
    for start in (config, directory):
        found = None if start is None else repository(start.resolve())
        if found is not None and directory.resolve().is_relative_to(found):
            return found
    if config is not None and directory.resolve().is_relative_to(config.resolve().parent):
        return config.resolve().parent
    return directory


def repository(path: Path) -> Path | None:
    """Return the git repository that holds a path; None where none does.

    Args:
        path: Absolute, without links.
    """
    return next((above for above in (path, *path.parents) if (above / ".git").exists()), None)


def _patterns(directory: Path, tree: Path) -> list[str]:
    """Return the lines of ``.dockerignore`` that count."""
    path = directory / _IGNORE
    if not is_there(path):
        return []
    lines = (line.strip() for line in read_text(path, tree).splitlines() if not line.startswith("#"))
    return [line for line in lines if line]


def _regex(pattern: str) -> re.Pattern[str]:
    """Turn one of Docker's patterns into a regular expression for a path or one of its parents."""
    out = ""
    rest = pattern
    while rest:
        if rest.startswith("**"):
            rest = rest[2:].removeprefix("/")
            out += "(?:.*/)?" if rest else ".*"
        elif match := re.match(r"\[\^?[^]]+\]", rest):
            out, rest = out + match[0].replace("\\", "\\\\"), rest[match.end() :]
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0]))
            rest = rest[1:]
    return re.compile(rf"(?:{out})(?:/.*)?", re.DOTALL)


def docker_ignored(directory: Path, tree: Path) -> Ignored:
    """Return Docker's reading of ``.dockerignore``: ``**``, ``!`` for exceptions, the last match counts.

    Args:
        directory: The context.
        tree: The tree's root.
    """
    rules: list[tuple[bool, re.Pattern[str]]] = []
    for line in _patterns(directory, tree):
        keep = line.startswith("!")
        clean = os.path.normpath(line.removeprefix("!").strip().lstrip("/"))
        try:
            rules.append((keep, _regex(clean)))
        except re.error as error:
            hint = "see Docker's manual on .dockerignore"
            where = str(directory / _IGNORE)
            raise InputError(f"`{line}` is no pattern: {error}", where=where, hint=hint) from error

    def ignored(path: str) -> bool:
        verdicts = [not keep for keep, regex in rules if regex.fullmatch(path)]
        return bool(verdicts) and verdicts[-1]

    return ignored


def docker_pkg_ignored(directory: Path, tree: Path) -> Ignored:
    """Return docker-pkg's reading of ``.dockerignore``: plain globs; then Docker's, which reads the file again.

    Args:
        directory: The context.
        tree: The tree's root.
    """
    found: set[str] = set()
    lines = _patterns(directory, tree)
    if not lines:
        return lambda _: False
    for line in lines:
        found.update(path.rstrip("/") for path in glob.glob(line, root_dir=directory))  # noqa: PTH207 - docker-pkg's glob: `*` takes no dot files
    docker = docker_ignored(directory, tree)

    def ignored(path: str) -> bool:
        parents = (str(above) for above in PurePosixPath(path).parents)
        return path in found or any(above in found for above in parents) or docker(path)

    return ignored


def _walk(
    directory: str, real: str, root: str, prefix: str, above: frozenset[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every path below a directory, links followed, with its entry; what cannot be followed as it is.

    Names are plain text here, as every file of a tree is looked at in every plan.
    """
    with os.scandir(directory) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = prefix + entry.name
        if entry.name in {".git", LOCK_FILE}:
            continue
        yield path, entry
        place = f"{real}/{entry.name}"
        if entry.is_symlink():
            place = os.path.realpath(entry.path)
            if not (os.path.isdir(place) and _below(place, root)):  # noqa: PTH112  # no Path for each link
                continue
            if any(_below(one, place) for one in above):
                raise InputError("the link leads to a directory above it", where=entry.path, hint="remove the link")
        elif not entry.is_dir():
            continue
        yield from _walk(entry.path, place, root, path + "/", above | {place})


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _file(path: str, entry: os.DirEntry[str], tree: Path) -> ContextFile:
    real = Path(entry.path)
    if entry.is_symlink():
        real = inside(real, tree)
        is_directory, is_file, mode = real.is_dir(), real.is_file(), real.stat().st_mode
    else:
        is_directory, is_file, mode = entry.is_dir(), entry.is_file(), entry.stat().st_mode
    if is_directory:
        return ContextFile(path, real, 0o755, directory=True, sha256="")
    if not is_file:
        hint = "remove it or name it in .dockerignore"
        raise InputError("is neither a file nor a directory", where=entry.path, hint=hint)
    mode = 0o755 if mode & _OWNER_RUNS else 0o644
    return ContextFile(path, real, mode, directory=False, sha256=_hash(real))


def _hash(file: Path) -> str:
    """Hash a file in pieces that suit a recipe's: `hashlib.file_digest` clears a quarter of a megabyte for each."""
    found = hashlib.sha256()
    with file.open("rb", buffering=0) as handle:
        while piece := handle.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def _ancestors(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def load_context(directory: Path, tree: Path, ignored: Ignored) -> tuple[ContextFile, ...]:
    """Read a build context.

    Args:
        directory: The context.
        tree: The tree's root; links may lead anywhere inside it.
        ignored: What is left out.

    Returns:
        Its paths, sorted; the directories above a kept path are kept.

    Raises:
        InputError: A link leads out of the tree, nowhere or in a circle, or something is neither file nor directory.
    """
    real = str(directory.resolve())
    found = dict(_walk(str(directory.absolute()), real, str(tree.resolve()), "", frozenset({real})))
    kept = {path for path in found if not ignored(path)}
    kept |= _ancestors(kept)
    return tuple(_file(path, found[path], tree) for path in sorted(kept))
