"""A new tree: a base image, a production image on it with a test, and files for the tree's CI."""

from email.utils import formatdate
from pathlib import Path

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.recipe.head import check_name
from ropewalk.recipe.newtree.texts import FILES, PROGRAMS

__all__ = ["write_tree"]


def write_tree(directory: Path, registry: str, author: str, now: int) -> tuple[Path, ...]:
    """Write a tree that builds at once.

    Args:
        directory: Where; it need not exist. What is in it stays.
        registry: The registry's name: a host, with a port if it has one, and a path if it has one.
        author: ``Name <address>`` for the changelog.
        now: Seconds since 1970.

    Returns:
        The files, in the order in which they are best read.

    Raises:
        InputError: One of the files is there already, or the registry is no name; nothing is written then.
    """
    _check_registry(registry)
    there = next((name for name in FILES if (directory / name).exists() or (directory / name).is_symlink()), None)
    if there is not None:
        hint = "name an empty directory; nothing was written"
        raise InputError("is there already", where=str(directory / there), hint=hint)
    values = {"@REGISTRY@": registry, "@AUTHOR@": author, "@DATE@": formatdate(now).replace("-0000", "+0000")}
    written = []
    for name, text in FILES.items():
        for word, value in values.items():
            text = text.replace(word, value)  # noqa: PLW2901  # each word is put into what the last one left
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, text, 0o755 if name in PROGRAMS else 0o644)
        written.append(path)
    return tuple(written)


def _check_registry(registry: str) -> None:
    first, slash, path = registry.partition("/")
    host, _, port = first.partition(":")
    if not host or "://" in registry or not (port.isdigit() or not port):
        hint = "write the name alone, e.g. registry.example.org; the address goes to `ropewalk.endpoint`"
        raise InputError(f"`{registry}` is no registry's name", where="--registry", hint=hint)
    for part in (host, path) if slash else (host,):
        check_name(part, "--registry")
