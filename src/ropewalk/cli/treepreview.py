"""``ropewalk tree preview``: build and test what a change affects, in scratch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.build import JobsOption, default_jobs, fetch, outcome_row, print_outcomes, tell_failures
from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.plan import make_plan
from ropewalk.cli.session import NetworkOption, OfflineOption, RegistryOption, Session, ViewOption
from ropewalk.cli.tree import SinceOption, TreesArgument, app, bounded, print_report
from ropewalk.errors import Exit
from ropewalk.recipe import Network

if TYPE_CHECKING:
    from ropewalk.build import Outcome
    from ropewalk.recipe import Recipe


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says of the builds."""

    chroot: bool
    network: Network | None
    jobs: int | None
    view: str | None
    offline: bool
    registry: str | None


@app.command()
def preview(
    context: typer.Context,
    directories: TreesArgument = None,
    *,
    since: SinceOption = None,
    chroot: Annotated[
        bool,
        typer.Option(
            "--allow-chroot", help="Build also where only chroot isolation works: for changes that you trust."
        ),
    ] = False,
    network: NetworkOption = None,
    jobs: JobsOption = None,
    view: ViewOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Build the images that a change affects, and all that stand on them, test them, and throw them away.

    The tree is checked first. Builds see the images that are there, the archive view and the pool, but no keys and no
    credentials; nothing is kept but the logs, nothing is published, and a version is not used up.

    Exits with 1 where the check finds errors or a build or a test fails, with 4 where this host cannot isolate a build.
    """
    session: Session = context.obj
    report = bounded(session, directories, since=since, offline=offline, registry=registry)
    if report["errors"] or report["merge"] is None:
        if output is Format.JSON:
            print_json({"check": report, "images": []})
        else:
            print_report(report, notes=False)
        raise typer.Exit(Exit.FAILED)
    affected = tuple(row["reference"] for row in report["merge"])
    outcomes = (
        _build(
            session,
            directories,
            affected,
            _Options(chroot, network, jobs=jobs, view=view, offline=offline, registry=registry),
        )
        if affected
        else ()
    )
    if output is Format.JSON:
        print_json({"check": report, "images": [outcome_row(outcome) for outcome in outcomes]})
    elif outcomes:
        print_outcomes(outcomes, report["recipes"])
    else:
        print_line(f"nothing to build: the change affects none of {report['recipes']} recipes")
    tell_failures(outcomes)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(Exit.FAILED)


def _build(
    session: Session, directories: list[Path] | None, affected: tuple[str, ...], options: _Options
) -> "tuple[Outcome, ...]":
    """Build the affected images in scratch."""
    from ropewalk.build import open_preview, run_plan
    from ropewalk.plan import Action

    recipes = _recipes(session, directories)
    used = session.view(options.view)
    with session.client(offline=options.offline, registry=options.registry) as client:
        if client is not None:
            now = make_plan(session, recipes, client, view=used.id, select=affected)
            fetch(session, client, {record for entry in now.entries for record in entry.fetch})
    wanted = (Action.BUILD, Action.REFRESH)
    isolated = session.isolated(options.network)
    with open_preview(
        session.settings, session.upstream(), session.listener, chroot=options.chroot, isolated=isolated
    ) as shop:
        apart = replace(session, settings=shop.settings)
        # Forced: what is current in this store is what the change replaces or stands on what it replaces.
        plan = make_plan(apart, recipes, None, view=used.id, select=affected, force=affected)
        return run_plan(shop, plan, wanted, used, jobs=options.jobs or default_jobs(), keep_going=True)


def _recipes(session: Session, directories: list[Path] | None) -> "tuple[Recipe, ...]":
    """Read the tree without the user's own docker-pkg.yaml, which may hold credentials, and do not remember it."""
    from ropewalk.recipe import load_config, load_tree, own_directories

    config = load_config(session.config().path, None)
    chosen = directories or list(own_directories(config))
    return load_tree(chosen, config, session.today()).recipes
