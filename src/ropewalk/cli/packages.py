"""``ropewalk packages``: what is installed in an image, read from its layers."""

from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_table
from ropewalk.cli.session import Session


def packages(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version or digest.", show_default=False)],
    output: FormatOption = Format.TEXT,
) -> None:
    """List an image's packages, each with its source and the image whose layer brought it in."""
    from ropewalk.inventory import packages as packages_of

    session: Session = context.obj
    _, record = session.find(image)
    rows = [
        {
            "name": row.name,
            "version": row.version,
            "source": row.source,
            "source_version": row.source_version,
            "architecture": row.architecture,
            "owner": row.owner,
        }
        for row in packages_of(session.engine(), record.digest)
    ]
    if output is Format.JSON:
        print_json({"packages": rows})
        return
    columns = ("name", "version", "architecture", "source", "owner")
    print_table(columns, ([row[column] for column in columns] for row in rows))
