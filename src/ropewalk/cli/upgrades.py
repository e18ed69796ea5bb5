"""``ropewalk upgrades``: what is newer in a view than in the images."""

from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, print_json, print_line, print_table
from ropewalk.cli.session import Session, ViewOption


def upgrades(
    context: typer.Context,
    view: ViewOption = None,
    *,
    security: Annotated[bool, typer.Option("--security", help="Security updates only.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """List, for each repository's current image, the packages that have a newer version in the view."""
    from ropewalk.inventory import upgrades as upgrades_of

    session: Session = context.obj
    chosen = session.view(view)
    views, records = session.views(), session.current().values()
    beside = views.beside(record.view for record in records)
    digests = {record.digest for record in records}
    rows = upgrades_of(session.engine(), views.packages(chosen), digests, beside)
    found = [row for row in rows if row.security or not security]
    fields = ("reference", "package", "installed", "candidate", "source", "owner", "security")
    if output is Format.JSON:
        print_json({"view": chosen.id, "upgrades": [{field: getattr(row, field) for field in fields} for row in found]})
        return
    print_table(
        ("image", "package", "installed", "candidate", "owner", "security"),
        ((r.reference, r.package, r.installed, r.candidate, r.owner, "yes" if r.security else "") for r in found),
    )
    print_line(
        f"{count(len(found), 'upgrade')} in {count(len({row.reference for row in found}), 'image')}; view {chosen.id}"
    )
