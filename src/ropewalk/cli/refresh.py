"""``ropewalk refresh``: bring images up to date with a view, by rebase where that equals a rebuild."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.build import JobsOption, default_jobs, enter, fetch
from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line, print_table
from ropewalk.cli.publish import publisher
from ropewalk.cli.session import DirectoriesArgument, OfflineOption, RegistryOption, Session, ViewOption
from ropewalk.errors import Exit, InputError

if TYPE_CHECKING:
    from ropewalk.archive import Tracker, View
    from ropewalk.build import Workshop
    from ropewalk.oci import RegistryClient
    from ropewalk.plan import Observed
    from ropewalk.publish import Outcome
    from ropewalk.recipe import BuildRecord, Recipe
    from ropewalk.refresh import Ask, Newer, Ran, RefreshRow, Scope

AdvisoryOption = Annotated[
    str | None,
    typer.Option("--advisory", metavar="ID", help="Only images that this issue affects: CVE-2024-4741."),
]
PackageOption = Annotated[
    str | None,
    typer.Option(
        "--package", metavar="NAME", help="Only images that hold an older version of this binary or source package."
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Everything that the view has newer; so it is without options.")]
AdvisoriesOption = Annotated[
    str | None,
    typer.Option(
        "--advisories",
        metavar="FILE|URL",
        help="The Debian security tracker's JSON; ropewalk.refresh.advisories of the config by default.",
    ),
]


def refresh(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    advisory: AdvisoryOption = None,
    package: PackageOption = None,
    every: AllOption = False,
    advisories: AdvisoriesOption = None,
    view: ViewOption = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would happen and why; change nothing.")] = False,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Renew in the local store only.")] = False,
    jobs: JobsOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Renew every image that the view makes old: base images are rebuilt, descendants rebased or rebuilt.

    With --advisory or --package only those that hold the package, and what was built with them. The most severe first,
    then by depth in the tree. A rebase is done only where it gives what a full rebuild would give; the reason of every
    rebuild is told. Each renewed image is tested and published as its line's next -rN. Images that only the registry
    has, and parents whose layers are not here, are fetched. Stopped, even by kill -9, the same command goes on.
    """
    from ropewalk.recipe import Versions

    session: Session = context.obj
    ask = _ask(advisory, package, every=every)
    tracker = _tracker(session, ask, advisories, offline=offline)
    recipes = session.recipes(directories)
    chosen = session.view(view)
    with session.client(offline=offline, registry=registry) as client:
        work = Work(recipes, chosen, ask, tracker, session.observe(recipes, client), jobs or default_jobs())
        if only_plan:
            _plan(session, work, output)
            return
        sends = nullcontext() if no_publish or offline else publisher(session, registry)
        with session.workshop() as shop, sends as send:
            if session.renewal().version is Versions.CHANGELOG:
                ran = _bumped(session, shop, work, client, send, directories=directories)
            else:
                ran = run(session, shop, work, client, send)
    _print(ran, output)
    if any(row.error for row in ran.report.images):
        raise typer.Exit(Exit.FAILED)


@dataclass(frozen=True, slots=True)
class Work:
    """What a refresh works on."""

    recipes: "tuple[Recipe, ...]"
    view: "View"
    ask: "Ask"
    tracker: "Tracker | None"
    observed: "Observed"
    jobs: int


def _ask(advisory: str | None, package: str | None, *, every: bool) -> "Ask":
    from ropewalk.refresh import Ask

    if (advisory is not None) + (package is not None) + every > 1:
        raise typer.BadParameter("--advisory, --package and --all exclude each other")
    return Ask(advisory or "", package or "")


def _tracker(session: Session, ask: "Ask", place: str | None, *, offline: bool) -> "Tracker | None":
    """Read the security tracker's JSON where one is named; an advisory needs one."""
    from ropewalk.archive import load_tracker

    named = place or session.renewal().advisories
    if not named:
        if ask.advisory:
            hint = "give --advisories FILE|URL, or set ropewalk.refresh.advisories in the config"
            raise InputError("no security tracker is known", where=ask.advisory, hint=hint)
        return None
    if offline and "://" in named:
        if ask.advisory:
            raise InputError("is not asked with --offline", where=named, hint="give a file with --advisories")
        return None
    return load_tracker(named, session.upstream(), session.settings.advisories)


def _plan(session: Session, work: Work, output: Format) -> None:
    rows, scope = _planned(session, work)
    _print_plan(rows, scope, work, output)


def _planned(session: Session, work: Work) -> "tuple[tuple[RefreshRow, ...], Scope]":
    from ropewalk.refresh import CampaignBook, costs_of, lines_of, measured, plan_refresh, scope_of

    store, book, views = session.store(), session.book(), session.views()
    campaigns = CampaignBook(session.settings.campaigns)
    before = campaigns.find(work.ask.campaign(work.view.id))
    lines = lines_of(work.recipes, work.observed, store)
    begun = before.lines if before else ()
    scope = scope_of(work.ask, lines, work.view, views, store, tracker=work.tracker, begun=begun)
    rows = plan_refresh(
        work.recipes,
        work.view,
        observed=work.observed,
        store=store,
        views=views,
        scope=scope,
        tracker=work.tracker,
        measure=measured(book, store, costs_of(campaigns)),
    )
    return rows, scope


def _bumped(
    session: Session,
    shop: "Workshop",
    work: Work,
    client: "RegistryClient | None",
    send: "Callable[[BuildRecord], Outcome] | None",
    *,
    directories: "list[Path] | None",
) -> "Ran":
    """Renew base images, give what would be renewed of the rest new versions in one commit, and build it."""
    from ropewalk.cli.bump import Bumper, joined, refuse_failed
    from ropewalk.refresh.bump import bases_of

    sending = None if send is None else lambda record: send(record).bytes
    bumper = Bumper(session, directories, work.ask, work.view, client, work.jobs, sending)
    bumper.check(work.recipes)
    rows, _ = _planned(session, work)
    ran = run(session, shop, work, client, send, only=bases_of(work.recipes))
    refuse_failed(ran.report.images)
    if not bumper.begun(work.recipes):
        bumper.commit(work.recipes, rows)
    commits = bumper.begun(work.recipes)
    return joined(ran, commits, bumper.build(shop, commits), session) if commits else ran


def run(
    session: Session,
    shop: "Workshop",
    work: Work,
    client: "RegistryClient | None",
    send: "Callable[[BuildRecord], Outcome] | None",
    *,
    only: frozenset[str] | None = None,
) -> "Ran":
    """Refresh; what it makes or fetches enters the inventory."""
    from ropewalk.refresh import CampaignBook, run_campaign

    def renewed(record: "BuildRecord") -> int:
        enter(session, record)
        return send(record).bytes if send is not None else 0

    def bring(record: "BuildRecord") -> None:
        if client is not None:
            fetch(session, client, {record})

    return run_campaign(
        shop,
        work.recipes,
        work.view,
        work.ask,
        CampaignBook(session.settings.campaigns),
        publish=renewed,
        observed=work.observed,
        fetch=None if client is None else bring,
        tracker=work.tracker,
        only=only,
        jobs=work.jobs,
    )


def _print_plan(rows: "tuple[RefreshRow, ...]", scope: "Scope", work: Work, output: Format) -> None:
    from ropewalk.refresh import Way

    if output is Format.JSON:
        said = {"campaign": work.ask.campaign(work.view.id), "asked": str(work.ask), "view": work.view.id}
        print_json({**said, "images": [_row(row) for row in rows], "not_mended": _helpless(scope), **_sum(rows)})
        return
    shown = [row for row in rows if work.ask.everything or row.how is not Way.UNCHANGED or row.packages or row.error]
    print_table(
        ("image", "from", "how", "severity", "expected", "packages", "reason"),
        (
            (row.name, row.old, row.how, row.severity, _expected(row), _packages(row), row.error or row.reason)
            for row in shown
        ),
    )
    _print_helpless(scope)
    renewed = sum(row.how is not Way.UNCHANGED for row in rows)
    total = _sum(rows)["expected"]
    unknown = f"; unknown for {total['unknown']}" if total["unknown"] else ""
    words = f"{total['seconds']} s of work, {human_size(total['bytes'])} to send{unknown}"
    print_line(f"{renewed} of {len(rows)} images would be renewed; {words}; view {work.view.id}")


def _sum(rows: "tuple[RefreshRow, ...]") -> dict[str, dict[str, int]]:
    """Add up what is known; images of which something is not are counted."""
    known = [row.expected for row in rows]
    return {
        "expected": {
            "seconds": round(sum(one.seconds or 0 for one in known)),
            "bytes": sum(one.bytes or 0 for one in known),
            "unknown": sum(None in (one.seconds, one.bytes) for one in known),
        }
    }


def _expected(row: "RefreshRow") -> str:
    from ropewalk.refresh import Way

    if row.how is Way.UNCHANGED:
        return ""
    seconds = "unknown time" if row.expected.seconds is None else f"{row.expected.seconds:.1f} s"
    size = "unknown size" if row.expected.bytes is None else human_size(row.expected.bytes)
    return f"{seconds}, {size}"


def _packages(row: "RefreshRow") -> str:
    """Name the packages that are newer in the view, with their owner where it is another image."""
    told = [f"{one}{'' if one.owner in ('', row.name) else f' of {one.owner}'}" for one in row.packages]
    return ", ".join(told[:2]) + (f" and {len(told) - 2} more" if len(told) > 2 else "")  # noqa: PLR2004  # two are named


def _helpless(scope: "Scope") -> list[dict[str, object]]:
    return [{"image": one.line, **_package(one.package), "reason": one.reason} for one in scope.helpless]


def _print_helpless(scope: "Scope") -> None:
    for one in scope.helpless:
        package = f"{one.package.package} {one.package.installed} of {one.package.owner}"
        print_line(f"not mended  {one.line}: {package}: {one.reason}", "yellow")


def _print(ran: "Ran", output: Format) -> None:
    report = ran.report
    if output is Format.JSON:
        campaign = {"campaign": ran.campaign.id, "asked": ran.campaign.asked, "view": report.view}
        rows = [_row(row) for row in report.images]
        commit = ran.campaign.commit or None
        print_json(
            {
                **campaign,
                "commit": commit,
                "state": ran.campaign.state,
                "images": rows,
                "not_mended": _helpless(ran.scope),
            }
        )
        return
    shown = [row for row in report.images if ran.scope.ask.everything or row.how != "unchanged" or row.error]
    print_table(
        ("image", "to", "how", "seconds", "pushed", "reason"),
        (
            (row.name, row.new, row.how, f"{row.seconds:.1f}", human_size(row.bytes_pushed), row.error or row.reason)
            for row in shown
        ),
        right=("seconds", "pushed"),
    )
    _print_helpless(ran.scope)
    done = sum(row.how != "unchanged" for row in report.images)
    words = f"{done} of {len(report.images)} renewed; campaign {ran.campaign.id}" if done else "nothing to do"
    print_line(f"{words}; view {report.view}")


def _package(one: "Newer") -> dict[str, object]:
    return {
        "package": one.package,
        "installed": one.installed,
        "candidate": one.candidate or None,
        "source": one.source,
        "owner": one.owner,
        "security": one.security,
    }


def _row(row: "RefreshRow") -> dict[str, object]:
    return {
        "name": row.name,
        "from": row.old,
        "to": row.new,
        "digest": row.digest or None,
        "how": row.how,
        "reason": row.reason,
        "severity": row.severity,
        "packages": [_package(one) for one in row.packages],
        "seconds": round(row.seconds, 2),
        "bytes_pushed": row.bytes_pushed,
        "seconds_expected": None if row.expected.seconds is None else round(row.expected.seconds, 1),
        "bytes_expected": row.expected.bytes,
        "proven": row.proven,
        "error": row.error or None,
    }
