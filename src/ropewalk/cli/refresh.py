"""``ropewalk refresh``: bring images up to date with a view, by rebase where that equals a rebuild."""

from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.build import JobsOption, default_jobs, enter
from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line, print_table
from ropewalk.cli.publish import publisher
from ropewalk.cli.session import DirectoriesArgument, RegistryOption, Session, ViewOption
from ropewalk.errors import Exit

if TYPE_CHECKING:
    from ropewalk.recipe import BuildRecord
    from ropewalk.refresh import RefreshReport, RefreshRow


def refresh(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    view: ViewOption = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would happen and why; change nothing.")] = False,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Renew in the local store only.")] = False,
    jobs: JobsOption = None,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Renew every image that the view makes old: base images are rebuilt, descendants rebased or rebuilt.

    A rebase is done only where it gives what a full rebuild would give; the reason of every rebuild is told. Each
    renewed image is tested and published as its line's next -rN. Run again, nothing happens.
    """
    from ropewalk.refresh import plan_refresh
    from ropewalk.refresh import refresh as run_refresh

    session: Session = context.obj
    recipes = session.recipes(directories)
    chosen = session.view(view)
    if only_plan:
        rows = plan_refresh(recipes, chosen, book=session.book(), store=session.store(), views=session.views())
        _print_plan(rows, chosen.id, output)
        return

    def renewed(record: "BuildRecord") -> int:
        enter(session, record)
        return 0 if no_publish else send(record).bytes

    at_once = jobs or default_jobs()
    with session.workshop() as shop:
        if no_publish:
            report = run_refresh(shop, recipes, chosen, renewed, jobs=at_once)
        else:
            with publisher(session, registry) as send:
                report = run_refresh(shop, recipes, chosen, renewed, jobs=at_once)
    _print(report, output)
    if any(row.error for row in report.images):
        raise typer.Exit(Exit.FAILED)


def _print_plan(rows: "tuple[RefreshRow, ...]", view: str, output: Format) -> None:
    if output is Format.JSON:
        print_json({"view": view, "images": [_row(row) for row in rows]})
    else:
        print_table(("image", "from", "how", "reason"), ((row.name, row.old, row.how, row.reason) for row in rows))


def _print(report: "RefreshReport", output: Format) -> None:
    if output is Format.JSON:
        print_json({"view": report.view, "images": [_row(row) for row in report.images]})
        return
    print_table(
        ("image", "to", "how", "seconds", "pushed", "reason"),
        (
            (row.name, row.new, row.how, f"{row.seconds:.1f}", human_size(row.bytes_pushed), row.error or row.reason)
            for row in report.images
        ),
        right=("seconds", "pushed"),
    )
    done = sum(row.how != "unchanged" for row in report.images)
    words = f"{done} of {len(report.images)} renewed" if done else "nothing to do"
    print_line(f"{words}; view {report.view}")


def _row(row: "RefreshRow") -> dict[str, object]:
    return {
        "name": row.name,
        "from": row.old,
        "to": row.new,
        "how": row.how,
        "reason": row.reason,
        "seconds": round(row.seconds, 2),
        "bytes_pushed": row.bytes_pushed,
        "proven": row.proven,
        "error": row.error or None,
    }
