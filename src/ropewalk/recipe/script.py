"""docker-pkg's test of an image: ``verify_command`` with ``verify_args``, if what they name is there."""

import hashlib
import shlex
from pathlib import Path

from ropewalk.errors import InputError
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.opened import inside, is_there, read_bytes
from ropewalk.recipe.recipe import ScriptTest


def _fill(text: str, directory: Path, image: str, config: TreeConfig) -> str:
    try:
        return text.format(path=directory, image=image)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"`verify_args` has `{text}`, where {error} is not known",
            where=str(config.path or "config"),
            hint="use {path} and {image}; write other braces double",
        ) from error


def _named_files(directory: Path, config: TreeConfig) -> list[Path]:
    """Return what the arguments name below ``{path}``."""
    try:
        words = [word for argument in config.verify_args for word in shlex.split(argument)]
    except ValueError as error:
        raise InputError(
            f"`verify_args` is no shell text: {error}", where=str(config.path or "config"), hint="close the quotes"
        ) from error
    return [Path(_fill(word, directory, "", config)) for word in words if "{path}" in word]


def script_test(directory: Path, config: TreeConfig, tree: Path) -> tuple[ScriptTest | None, tuple[str, ...]]:
    """Say how a recipe's image is tested.

    Args:
        directory: The recipe's directory: ``{path}``.
        config: The tree's configuration.
        tree: The tree's root.

    Returns:
        The test, None where an argument names a file that is not there; and what of it goes into the recipe digest.

    Raises:
        InputError: The arguments cannot be filled in, or a file is none or leads out of the tree.
    """
    directory = directory.absolute()
    files = _named_files(directory, config)
    if not all(is_there(file) for file in files):
        return None, ()
    real = [inside(file, tree) for file in files]
    hashes = tuple(hashlib.sha256(read_bytes(file, tree)).hexdigest() for file in real if not file.is_dir())
    argv = tuple(_fill(argument, directory, "{image}", config) for argument in config.verify_args)
    return ScriptTest((config.verify_command, *argv)), (config.verify_command, *config.verify_args, *hashes)
