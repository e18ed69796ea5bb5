"""``ropewalk keys``: the signing keys of the generations."""

from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_table
from ropewalk.cli.session import Session
from ropewalk.recipe import Generation

app = typer.Typer(no_args_is_help=True, help="Signing keys: a pair of each kind per generation.")


@app.command()
def new(
    context: typer.Context,
    generations: Annotated[
        list[Generation] | None, typer.Argument(help="Generations; all by default.", show_default=False)
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Make a cosign key (ECDSA P-256) and an OpenPGP key for each generation. Never overwrites one.

    Without arguments it makes those that are not there yet.
    """
    from ropewalk.trust import new_keys, public

    session: Session = context.obj
    there = {key.generation for key in public(session.settings.keys)}
    for generation in generations or [generation for generation in Generation if generation not in there]:
        new_keys(session.settings.keys, generation)
    list_keys(context, output)


@app.command("list")
def list_keys(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """List the public keys and where they stand."""
    from ropewalk.trust import public

    session: Session = context.obj
    found = public(session.settings.keys)
    if output is Format.JSON:
        print_json({"keys": [{"generation": key.generation, "fingerprint": key.fingerprint} for key in found]})
        return
    rows = ((key.generation, key.fingerprint, session.settings.keys) for key in found)
    print_table(("generation", "OpenPGP fingerprint", "directory"), rows)
