"""``ropewalk inventory``: the index over store and records."""

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="The index of packages in images.")


@app.command()
def rebuild(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """Make the index anew from the store and the build records."""
    from ropewalk.inventory import rebuild as rebuild_index

    session: Session = context.obj
    count = rebuild_index(session.engine(), session.store(), session.book())
    if output is Format.JSON:
        print_json({"images": count})
    else:
        print_line(f"{count} images read")
