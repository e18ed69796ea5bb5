"""A tree as it was at a commit, written out beside the present one: git's objects are read, nothing of them is run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ropewalk.errors import InputError
from ropewalk.process import Command, CommandFailed, ProgramMissing, run
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import Commit

_LINK, _SUBMODULE = "120000", "160000"
_MOST = 1 << 30
"""Bytes that a tree may have."""
_BATCH = 32 << 20
"""Bytes that are read from git at a time."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit.

    Attributes:
        mode: As git writes it: ``100644``, ``100755``, a link's or a submodule's.
        identifier: The blob's id.
        size: Bytes.
        path: Relative to the repository.
    """

    mode: str
    identifier: str
    size: int
    path: str


def git(repository: Path, *arguments: str, before: tuple[str, ...] = (), stdin: bytes = b"") -> bytes:
    """Run git without what a repository's own configuration could start.

    Args:
        repository: The work tree.
        arguments: Of git.
        before: Options that stand before them.
        stdin: What git reads.

    Returns:
        What it writes.

    Raises:
        CommandFailed: It does not succeed.
    """
    # What the repository's own configuration could start is switched off; its owner may be another user (CI's checkout).
    quiet = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    environment = (("GIT_NO_LAZY_FETCH", "1"), ("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"))
    command = Command(("git", *quiet, "-C", str(repository), *before, *arguments), environment=environment, stdin=stdin)
    return run(command).stdout


def repository_of(path: Path) -> Path:
    """Return the git repository that holds a path.

    Args:
        path: A file or directory.

    Raises:
        InputError: There is none.
    """
    for place in (path.resolve(), *path.resolve().parents):
        if (place / ".git").exists():
            return place
    raise InputError("is in no git repository", where=str(path), hint="leave --since out, or clone the tree with git")


def is_repository(path: Path) -> bool:
    """Say whether git reads a path as a repository.

    Args:
        path: A work tree, a directory of one, or a bare repository.
    """
    try:
        return bool(git(path, "rev-parse", "--git-dir"))
    except CommandFailed:
        return False


def write_out(repository: Path, revision: str, into: Path) -> str:
    """Write the files of a commit.

    Args:
        repository: The git repository's work tree.
        revision: A commit; where the present one has left it behind, their common ancestor counts.
        into: An empty directory.

    Returns:
        The id of the commit whose files were written.

    Raises:
        InputError: There is no such commit, or it holds paths that may not be.
    """
    commit = _commit(repository, revision)
    write_commit(repository, commit, into)
    return commit


def write_commit(repository: Path, commit: str, into: Path) -> None:
    """Write the files of this very commit.

    Args:
        repository: The git repository's work tree.
        commit: Its id.
        into: An empty directory.

    Raises:
        InputError: There is no such commit, or it holds paths that may not be.
    """
    _resolve(repository, commit)
    blobs = [blob for blob in blobs_of(repository, commit) if blob.mode != _SUBMODULE]
    if sum(blob.size for blob in blobs) > _MOST:
        raise InputError("has more than 1 GiB of files", where=commit, hint="keep large files out of git")
    links = []
    for blob, data in contents(repository, blobs):
        target = into / blob.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if blob.mode == _LINK:
            links.append((target, data.decode("utf-8", "surrogateescape")))
        else:
            target.write_bytes(data)
            target.chmod(0o755 if blob.mode == "100755" else 0o644)
    for target, text in links:  # last, so that no file is written through one
        target.symlink_to(text)


def holds(repository: Path, commit: str) -> bool:
    """Say whether a git repository has a commit.

    Args:
        repository: Its work tree.
        commit: The commit's id.
    """
    try:
        return _resolve(repository, commit) == commit
    except InputError:
        return False


def standing(recipe: Recipe) -> Commit | None:
    """Say where a recipe stands in git.

    Args:
        recipe: A recipe; the directories and the config that it was read with count as read.

    Returns:
        The commit that is checked out, and whether what was read differs from it; None where git knows nothing of it.
    """
    try:
        repository = repository_of(recipe.directory)
        commit = git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        config = _within(repository, recipe.config)
        directories = tuple(filter(None, (_within(repository, root) for root in recipe.roots)))
        read = [*directories, *([config] if config else [])]
        changes = git(repository, "status", "--porcelain", "-z", "--untracked-files=normal", "--", *read)
        remote = remote_of(repository)
    except (InputError, CommandFailed, ProgramMissing):
        return None
    return Commit(commit, bool(changes), anonymous(remote), config, directories)


def remote_of(repository: Path) -> str:
    """Return where a git repository was cloned from, as its configuration has it; empty where that says nothing.

    Args:
        repository: Its work tree.
    """
    return git(repository, "config", "--default", "", "--get", "remote.origin.url").decode().strip()


def _within(repository: Path, path: Path | None) -> str:
    """Return a path relative to the repository; empty where it lies elsewhere."""
    real = None if path is None else path.resolve()
    return str(real.relative_to(repository)) if real is not None and real.is_relative_to(repository) else ""


def anonymous(remote: str) -> str:
    """Return a repository's address without user and password; an address without scheme (ssh's) has no password.

    Args:
        remote: As git's configuration holds it.
    """
    scheme, separator, rest = remote.partition("://")
    if not separator:
        return remote
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _commit(repository: Path, revision: str) -> str:
    commit = _resolve(repository, revision)
    try:
        return git(repository, "merge-base", commit, "HEAD").decode().strip() or commit
    except CommandFailed:
        return commit


def _resolve(repository: Path, revision: str) -> str:
    try:
        found = git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except CommandFailed as error:
        hint = "fetch it: git fetch --unshallow, or let CI clone with the whole history"
        raise InputError("there is no such commit here", where=revision, hint=hint) from error
    return found.decode().strip()


def blobs_of(repository: Path, commit: str) -> Iterator[Blob]:
    """Return the files of a commit, links and submodules among them.

    Args:
        repository: The git repository.
        commit: The commit's id.

    Raises:
        InputError: It holds paths that may not be.
    """
    for record in git(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
        if not record:
            continue
        head, _, name = record.partition(b"\t")
        mode, _, identifier, size = head.decode().split()
        path = name.decode("utf-8", "surrogateescape")
        parts = PurePosixPath(path).parts
        if path.startswith("/") or {"..", ".git"} & {part.lower() for part in parts}:
            raise InputError(f"holds the path `{path}`", where=commit, hint="take it out of the history")
        yield Blob(mode, identifier, int(size) if size.isdigit() else 0, path)


def contents(repository: Path, blobs: Sequence[Blob]) -> Iterator[tuple[Blob, bytes]]:
    """Read files of commits, some megabytes at a time.

    Args:
        repository: The git repository.
        blobs: What to read; their sizes, which bound what is read at a time, may be guesses.
    """
    batch: list[Blob] = []
    for index, blob in enumerate(blobs):
        batch.append(blob)
        if sum(one.size for one in batch) < _BATCH and index + 1 < len(blobs):
            continue
        asked = "".join(f"{one.identifier}\n" for one in batch).encode()
        data, offset = git(repository, "cat-file", "--batch", stdin=asked), 0
        for one in batch:
            start = data.index(b"\n", offset) + 1
            size = int(data[offset : start - 1].rpartition(b" ")[2])
            yield one, data[start : start + size]
            offset = start + size + 1
        batch = []
