"""``ropewalk registry``: the embedded registry and its signatures."""

from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import Session
from ropewalk.errors import Exit

if TYPE_CHECKING:
    from ropewalk.registry import Address

app = typer.Typer(
    no_args_is_help=True, help="Our own registry: Debian's docker-registry and a lookaside for signatures."
)


def _print(address: "Address", output: Format) -> None:
    if output is Format.JSON:
        print_json({"registry": address.registry, "lookaside": address.lookaside})
    else:
        print_line(f"registry   {address.registry}\nlookaside  {address.lookaside}")


@app.command()
def up(
    context: typer.Context,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="ADDR[:PORT]", help="Where; 127.0.0.1 and a free port by default.")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Start the registry and the lookaside server; they stay up until `ropewalk registry down`. Idempotent."""
    from ropewalk.registry import up as registry_up

    session: Session = context.obj
    _print(registry_up(session.settings, listen), output)


@app.command()
def down(context: typer.Context) -> None:
    """Stop both servers. Their data stays."""
    from ropewalk.registry import down as registry_down

    session: Session = context.obj
    print_line("stopped" if registry_down(session.settings) else "nothing was running")


@app.command()
def status(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """Say where the registry answers. Exits with 1 where it is not up."""
    from ropewalk.registry import status as registry_status

    session: Session = context.obj
    address = registry_status(session.settings)
    if address is None:
        if output is Format.JSON:
            print_json({"registry": None, "lookaside": None})
        else:
            print_line("not up; start it with `ropewalk registry up`")
        raise typer.Exit(Exit.FAILED)
    _print(address, output)
