"""``ropewalk render``: the Dockerfiles that recipes become."""

from pathlib import Path
from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import Session
from ropewalk.errors import InputError


def render(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="A directory with recipes.", show_default=False)],
    name: Annotated[str | None, typer.Argument(help="Only the recipe of this name.", show_default=False)] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show the rendered Dockerfile of every recipe, or of one. Builds nothing."""
    session: Session = context.obj
    recipes = [recipe for recipe in session.recipes([directory]) if name in (None, recipe.name, recipe.path)]
    if name is not None and not recipes:
        raise InputError(f"no recipe named {name}", where=str(directory), hint="`ropewalk plan DIR` lists the names")
    rendered = {recipe.reference: recipe.dockerfile for recipe in recipes if recipe.dockerfile}
    if output is Format.JSON:
        print_json(rendered)
        return
    for reference, dockerfile in rendered.items():
        print_line(f"# {reference}", "bold")
        print_line(dockerfile.rstrip() + "\n")
