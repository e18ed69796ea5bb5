"""``ropewalk init``: a new tree that builds at once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ropewalk import atomic
from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import Session


def init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Where the tree goes; it is made if it is not there.")],
    *,
    registry: Annotated[
        str, typer.Option("--registry", metavar="NAME", help="The registry's name in recipes and signatures.")
    ] = "registry.example.org",
    output: FormatOption = Format.TEXT,
) -> None:
    """Make a new tree: a base image, a production image on it with a test, and files for its own CI.

    CI files are for GitLab, Forgejo and plain git (hooks/pre-receive); they call `ropewalk tree check` and
    `ropewalk tree preview`. Nothing is ever overwritten: where one of the files is there, none is written.
    """
    from ropewalk.recipe import TreeConfig
    from ropewalk.recipe.newtree import write_tree
    from ropewalk.recipe.update import author

    session: Session = context.obj
    at = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.is_dir())
    with atomic.named(directory):
        written = write_tree(directory, registry, author(TreeConfig(), os.environ, at), session.now())
    if output is Format.JSON:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        print_line(str(path))
    print_line(f"now: cd {directory}; git init; ropewalk archive view; ropewalk build")
