"""Changes of a tree, committed with git: nothing is pushed, and nothing of the repository (its hooks) is run."""

from collections.abc import Sequence
from pathlib import Path

from ropewalk.errors import InputError
from ropewalk.process import CommandFailed
from ropewalk.recipe.revision import git


def check_clean(repository: Path) -> None:
    """Refuse a work tree that differs from its commit.

    Args:
        repository: The work tree.

    Raises:
        InputError: It does; names the first file.
    """
    changed = git(repository, "status", "--porcelain", "-z", "--untracked-files=normal").split(b"\0")
    first = changed[0].decode(errors="replace")
    if first:
        more = len(changed) - 2
        message = f"is not committed{f', and {more} more' if more > 0 else ''}: the tree must be clean"
        hint = f"commit or stash it; `git -C {repository} status` shows all"
        raise InputError(message, where=str(repository / first[3:]), hint=hint)


def committed(repository: Path, trailer: str) -> str:
    """Return the last commit of the present branch whose message has a line; empty where there is none.

    Args:
        repository: The work tree.
        trailer: The line.
    """
    try:
        found = git(repository, "log", "-n1", "--format=%H", "--fixed-strings", f"--grep={trailer}")
    except CommandFailed:
        return ""
    return found.decode().strip()


def commit(repository: Path, paths: Sequence[Path], message: str, author: str) -> str:
    """Commit some files as they are now, and nothing else.

    Args:
        repository: The work tree.
        paths: The files.
        message: What the commit says.
        author: ``Name <address>``; who commits, too.

    Returns:
        The commit's id.

    Raises:
        InputError: git refuses.
    """
    name, _, address = author.rstrip(">").partition(" <")
    who = ("-c", f"user.name={name}", "-c", f"user.email={address}")
    names = [str(path.resolve().relative_to(repository.resolve())) for path in paths]
    try:
        git(repository, "commit", "--quiet", "--no-verify", "-F", "-", "--", *names, before=who, stdin=message.encode())
    except CommandFailed as error:
        said = error.message.splitlines()[-1] if error.message else "git commit failed"
        hint = f"the files are written: `git -C {repository} diff` shows them; commit them, or `git checkout` undoes it"
        raise InputError(said, where=str(repository), hint=hint) from error
    return git(repository, "rev-parse", "HEAD").decode().strip()


def files_of(repository: Path, identifier: str) -> frozenset[Path]:
    """Return the files that a commit changed.

    Args:
        repository: The work tree.
        identifier: The commit.
    """
    names = git(repository, "diff-tree", "--root", "--no-commit-id", "--name-only", "-r", "-z", identifier).split(b"\0")
    return frozenset((repository / name.decode("utf-8", "surrogateescape")).resolve() for name in names if name)
