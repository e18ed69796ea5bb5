"""``ropewalk affected``: which images hold a package at certain versions."""

from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_table
from ropewalk.cli.session import Session


def affected(
    context: typer.Context,
    relation: Annotated[
        str, typer.Argument(help="A package and versions, e.g. 'libssl3 < 3.0.17-1'.", show_default=False)
    ],
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Older builds too, not only each repository's current image.")
    ] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the images that hold a package at these versions, and who owns it there.

    Operators are < <= = >= >, as dpkg compares; a name alone means any version.
    """
    from ropewalk.inventory import affected as affected_by

    session: Session = context.obj
    current = {record.digest for record in session.current().values()}
    found = [row for row in affected_by(session.engine(), relation) if every or row.digest in current]
    fields = ("reference", "package", "version", "owner", "generation", "digest")
    if output is Format.JSON:
        print_json({"affected": [{field: getattr(row, field) for field in fields} for row in found]})
        return
    print_table(
        ("image", "package", "version", "owner", "generation"),
        ((row.reference, row.package, row.version, row.owner, row.generation) for row in found),
    )
