"""``ropewalk refresh``: bring images up to date with a view, by rebase where that equals a rebuild."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.build import JobsOption, default_jobs, enter, fetch
from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line, print_table
from ropewalk.cli.publish import publisher
from ropewalk.cli.session import DirectoriesArgument, OfflineOption, RegistryOption, Session, ViewOption
from ropewalk.errors import Exit

if TYPE_CHECKING:
    from ropewalk.archive import View
    from ropewalk.build import Workshop
    from ropewalk.oci import RegistryClient
    from ropewalk.plan import Observed
    from ropewalk.publish import Outcome
    from ropewalk.recipe import BuildRecord, Recipe
    from ropewalk.refresh import RefreshReport, RefreshRow


def refresh(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    view: ViewOption = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would happen and why; change nothing.")] = False,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Renew in the local store only.")] = False,
    jobs: JobsOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Renew every image that the view makes old: base images are rebuilt, descendants rebased or rebuilt.

    A rebase is done only where it gives what a full rebuild would give; the reason of every rebuild is told. Each
    renewed image is tested and published as its line's next -rN. Images that only the registry has, and parents whose
    layers are not here, are fetched. Run again, nothing happens.
    """
    from ropewalk.refresh import plan_refresh

    session: Session = context.obj
    recipes = session.recipes(directories)
    chosen = session.view(view)
    with session.client(offline=offline, registry=registry) as client:
        observed = session.observe(recipes, client)
        if only_plan:
            store, views = session.store(), session.views()
            rows = plan_refresh(recipes, chosen, observed=observed, store=store, views=views)
            _print_plan(rows, chosen.id, output)
            return
        sends = nullcontext() if no_publish or offline else publisher(session, registry)
        with session.workshop() as shop, sends as send:
            report = _run(session, _Work(shop, recipes, chosen, observed, jobs or default_jobs()), client, send)
    _print(report, output)
    if any(row.error for row in report.images):
        raise typer.Exit(Exit.FAILED)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a refresh works on."""

    shop: "Workshop"
    recipes: "tuple[Recipe, ...]"
    view: "View"
    observed: "Observed"
    jobs: int


def _run(
    session: Session,
    work: _Work,
    client: "RegistryClient | None",
    send: "Callable[[BuildRecord], Outcome] | None",
) -> "RefreshReport":
    """Refresh; what it makes or fetches enters the inventory."""
    from ropewalk.refresh import refresh as run_refresh

    def renewed(record: "BuildRecord") -> int:
        enter(session, record)
        return send(record).bytes if send is not None else 0

    def bring(record: "BuildRecord") -> None:
        if client is not None:
            fetch(session, client, {record})

    return run_refresh(
        work.shop,
        work.recipes,
        work.view,
        renewed,
        observed=work.observed,
        fetch=None if client is None else bring,
        jobs=work.jobs,
    )


def _print_plan(rows: "tuple[RefreshRow, ...]", view: str, output: Format) -> None:
    if output is Format.JSON:
        print_json({"view": view, "images": [_row(row) for row in rows]})
    else:
        print_table(
            ("image", "from", "how", "reason"), ((row.name, row.old, row.how, row.error or row.reason) for row in rows)
        )


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
