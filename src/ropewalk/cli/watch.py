"""``ropewalk watch``: follow the archive."""

import json
import os
import pwd
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk import atomic
from ropewalk.cli.archive import new_view
from ropewalk.cli.build import JobsOption, default_jobs
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.publish import publisher
from ropewalk.cli.refresh import Work, run
from ropewalk.cli.session import RegistryOption, Session, when
from ropewalk.errors import Exit, InputError

if TYPE_CHECKING:
    from ropewalk.archive import View
    from ropewalk.plan import Observed
    from ropewalk.recipe import Recipe
    from ropewalk.refresh import Pending, RefreshReport, RefreshRow, Round, Survey, Waiting, Watch

app = typer.Typer(invoke_without_command=True)


@app.callback()
def watch(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Look once and end: for cron and timers.")] = False,
    jobs: JobsOption = None,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Follow the archive: make a view every few minutes, renew what has security updates, and measure the time to patch.

    What is renewed without being asked is said below `ropewalk.refresh` in config.yaml: `security` and `updates`, each
    `automatic` or `approval`, and `every`. The rest waits for `ropewalk watch approve ID` or `ropewalk refresh`. The tree
    is the one of -c, else of the last build. It runs until Ctrl-C or SIGTERM; a look that fails is told and tried again,
    and the next run goes on where this one was. One watch at a time works in a state directory. With --format json each
    look is an object on a line. With --once it exits with 1 where an image could not be renewed.
    """
    if context.invoked_subcommand is not None:
        return
    session: Session = context.obj
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with atomic.locked(session.settings.state / "watch.lock", wait=False):
        watching = _watch(session, registry, jobs or default_jobs())
        if not once:
            watching.run(time.sleep, lambda done: _print(done, output))
        done = watching.round()
    _print(done, output)
    if done.errors:
        raise typer.Exit(Exit.FAILED)


@app.command()
def approve(
    context: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="ID", help="What waits; see `status`.", show_default=False)],
    *,
    jobs: JobsOption = None,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Let go what waits under an id, and renew it at once on the view that it waits on.

    Who approved it and when stands in the history. Where it fails, a running watch tries it again.
    """
    from ropewalk.refresh import Approved, History, standing_of

    session: Session = context.obj
    standing = standing_of(session.settings)
    waiting = [one.id for one in standing.waiting]
    if wanted not in waiting:
        hint = f"there is {', '.join(waiting)}" if waiting else "nothing waits; `ropewalk watch --once` looks again"
        raise InputError("does not wait", where=wanted, hint=hint)
    History(session.settings).add(Approved(wanted, session.now(), pwd.getpwuid(os.getuid()).pw_name))
    done = _watch(session, registry, jobs or default_jobs()).round(session.view(standing.view))
    _print(done, output)
    if done.errors:
        raise typer.Exit(Exit.FAILED)


@app.command()
def status(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """Show the last look at the archive and what waits for approval."""
    from ropewalk.refresh import standing_of

    session: Session = context.obj
    standing = standing_of(session.settings)
    if output is Format.JSON:
        waiting = [_waiting_json(one) for one in standing.waiting]
        print_json({"view": standing.view, "at": standing.at, "error": standing.error or None, "waiting": waiting})
        return
    print_line(f"view {standing.view}, looked at {when(standing.at)}" if standing.view else "not looked yet")
    if standing.error:
        print_line(f"the last look failed: {standing.error}", "red")
    _print_waiting(standing.waiting)


def _watch(session: Session, registry: str | None, jobs: int) -> "Watch":
    from ropewalk.refresh import Hands, Watch

    ours = _Ours(session, registry, jobs)
    hands = Hands(lambda: new_view(session), ours.survey, ours.renew, session.renewal)
    return Watch(session.settings, hands, session.listener, time.time)


@dataclass(slots=True)
class _Ours:
    """The tree and the registry of a watch; read anew for each view that has something new."""

    session: Session
    registry: str | None
    jobs: int
    recipes: "tuple[Recipe, ...]" = ()
    observed: "Observed | None" = field(default=None)

    def survey(self, view: "View") -> "Survey":
        """Read the tree and say what a view means for it."""
        from ropewalk.refresh import survey

        session = self.session
        with session.client(offline=False, registry=self.registry) as client:
            self.recipes = session.recipes(None)
            self.observed = session.observe(self.recipes, client)
        return survey(
            self.recipes,
            view,
            observed=self.observed,
            store=session.store(),
            views=session.views(),
            engine=session.engine(),
        )

    def renew(self, view: "View", lines: frozenset[str]) -> "RefreshReport":
        """Renew some lines and publish them, as `ropewalk refresh` does."""
        from ropewalk.refresh import Ask

        session = self.session
        with session.client(offline=False, registry=self.registry) as client:
            observed = self.observed or session.observe(self.recipes, client)
            work = Work(self.recipes, view, Ask(lines=lines), None, observed, self.jobs)
            with session.workshop() as shop, publisher(session, self.registry) as send:
                return run(session, shop, work, client, send).report


def _print(done: "Round", output: Format) -> None:
    if output is Format.JSON:
        images = [
            {"name": row.name, "from": row.old, "to": row.new, "how": row.how, "error": row.error or None}
            for row in _shown(done)
        ]
        waiting = [_waiting_json(one) for one in done.standing.waiting]
        sys.stdout.write(json.dumps({"view": done.view, "images": images, "waiting": waiting}) + "\n")
        sys.stdout.flush()
        return
    rows = _shown(done)
    if rows:
        print_table(
            ("image", "to", "how", "seconds", "reason"),
            ((row.name, row.new, row.how, f"{row.seconds:.1f}", row.error or row.reason) for row in rows),
            right=("seconds",),
        )
        _print_waiting(done.standing.waiting)
    sys.stdout.flush()


def _shown(done: "Round") -> "list[RefreshRow]":
    return [row for row in done.rows if row.how != "unchanged" or row.error]


def _waiting_json(one: "Waiting") -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "images": [asdict(pending) for pending in one.pending]}


def _print_waiting(waiting: "tuple[Waiting, ...]") -> None:
    for one in waiting:
        print_line(f"{one.id} waits: `ropewalk watch approve {one.id}`", "yellow")
        print_table(("image", "why", "newer"), (_pending(pending) for pending in one.pending))


def _pending(one: "Pending") -> tuple[str, str, str]:
    from ropewalk.refresh import told

    return one.reference, one.reason, told(one.updates)
