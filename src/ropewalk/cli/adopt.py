"""``ropewalk adopt``: take over images that others published."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.session import DirectoriesArgument, RegistryOption, Session
from ropewalk.errors import Exit, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ropewalk.oci import RegistryClient
    from ropewalk.publish import Adopter, Candidate
    from ropewalk.recipe import Recipe


def adopt(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="GLOB", help="Only these; matches registry/name:version.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; otherwise only say what would happen.")] = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Take over a registry that docker-pkg filled, without building anything.

    The version tag of every recipe, and of the base images that the config names, is read layer by layer; its packages
    go into the inventory; a signed statement binds it to the recipe as it stands now; nodes get their signatures. No tag
    and no digest changes. From then on only what changes is built. Without --apply nothing is written. Run again, nothing
    happens. Exits with 7 where an image cannot be taken over.
    """
    from ropewalk.oci import parse
    from ropewalk.publish import State, Surveyor
    from ropewalk.trust import public

    session: Session = context.obj
    recipes = session.recipes(directories)
    bases = {parse(entry).name for entry in session.config().base_images}
    with session.client(offline=False, registry=registry) as client:
        if client is None:
            hint = "set ropewalk.endpoint in config.yaml, or give --registry URL"
            raise InputError("no registry is known", where="adopt", hint=hint)
        surveyor = Surveyor(client, session.book(), public(session.settings.keys))
        found = surveyor.survey(recipes, bases)
        chosen = [one for one in found if not select or any(fnmatchcase(one.reference, glob) for glob in select)]
        rows = list(map(_adopter(session, client, recipes).take, chosen)) if apply else chosen
    _print(rows, output, applied=apply)
    if any(row.state is State.REFUSED for row in rows):
        raise typer.Exit(Exit.REFUSED)


def _adopter(session: Session, client: "RegistryClient", recipes: "tuple[Recipe, ...]") -> "Adopter":
    from ropewalk.publish import Adopter

    newest = session.views().newest()
    return Adopter(
        client=client,
        store=session.store(),
        book=session.book(),
        engine=session.engine(),
        keys=session.settings.keys,
        lookaside=session.settings.registry / "lookaside",
        recipes=recipes,
        view=newest.id if newest else "",
        clock=session.now,
        listener=session.listener,
        distributions=session.distributions(),
    )


def _print(rows: "Sequence[Candidate]", output: Format, *, applied: bool) -> None:
    if output is Format.JSON:
        print_json({"applied": applied, "images": [_row(row) for row in rows]})
        return
    print_table(
        ("image", "generation", "state", "digest", "why"),
        ((row.reference, row.generation, row.state, row.digest[7:19], row.reason) for row in rows),
    )
    waiting = sum(row.state == "adopt" for row in rows)
    if applied or not waiting:
        adopted = sum(row.state == "adopted" for row in rows)
        print_line(f"{adopted} of {len(rows)} adopted")
    else:
        print_line(f"{waiting} of {len(rows)} can be adopted; nothing was changed: --apply does it")


def _row(row: "Candidate") -> dict[str, Any]:
    return {
        "reference": row.reference,
        "name": row.name,
        "generation": row.generation,
        "state": row.state,
        "digest": row.digest or None,
        "reason": row.reason,
    }
