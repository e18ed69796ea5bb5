"""``ropewalk prove``: does a full rebuild give the same image?"""

from pathlib import Path
from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, print_json, print_line
from ropewalk.cli.session import OfflineOption, RegistryOption, Session
from ropewalk.errors import Exit, InputError


def prove(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version or digest.", show_default=False)],
    directories: Annotated[
        list[Path] | None, typer.Argument(help="Directories with recipes; those of the last build by default.")
    ] = None,
    *,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Rebuild an image in full on its view and parents and compare path by path: type, mode, owner, content.

    Exits with 1 where they differ.
    """
    from ropewalk.refresh import prove as prove_image

    session: Session = context.obj
    _, record = session.find(image)
    recipes = {recipe.repository: recipe for recipe in session.recipes(directories)}
    recipe = recipes.get(record.repository)
    if recipe is None:
        raise InputError("its recipe is not here", where=record.reference, hint="name the directory that holds it")
    # Its inputs come by digest from the store; a registry would only be asked for parents that are not in it.
    with session.client(offline=offline, registry=registry), session.workshop() as shop:
        proof = prove_image(shop, record, recipe, session.view(record.view))
    unpinned = record.lock.unpinned if record.lock else ()
    if output is Format.JSON:
        print_json(
            {
                "reference": record.reference,
                "digest": record.digest,
                "equal": proof.equal,
                "differences": list(proof.differences),
                "unpinned": list(unpinned),
                "seconds": round(proof.seconds, 2),
            }
        )
    else:
        verdict = "equal to a full rebuild" if proof.equal else f"{count(len(proof.differences), 'path')} not the same"
        print_line(f"{record.reference}: {verdict}, {proof.seconds:.1f} s")
        for difference in proof.differences:
            print_line(f"  {difference}")
        for reason in unpinned:
            print_line(f"  not pinned, so another day may give another image: {reason}", "yellow")
    if not proof.equal:
        raise typer.Exit(Exit.FAILED)
