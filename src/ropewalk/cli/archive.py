"""``ropewalk archive``: views of the Debian archive."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.archive import Pockets
from ropewalk.cli.output import Format, FormatOption, count, human_size, print_json, print_line, print_table
from ropewalk.cli.session import DAY, Session, host_architecture, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ropewalk.archive import SuiteView, View, ViewBook

app = typer.Typer(no_args_is_help=True, help="Views of the Debian archive: what builds see of it at one moment.")


@app.command()
def view(
    context: typer.Context,
    suites: Annotated[
        list[str] | None,
        typer.Option("--suite", help="A release; may be given again. By default those of the tree's bases."),
    ] = None,
    pockets: Annotated[
        Pockets, typer.Option("--pockets", help="The release alone, or with its -updates and -security.")
    ] = Pockets.ALL,
    components: Annotated[
        list[str] | None, typer.Option("--component", help="A component; by default those of the tree's bases.")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Record the archive as it is now and print the new view's id.

    Every InRelease is verified with Debian's keyring and every index by its hash; the tree's `archives` are recorded
    too, each verified with its own keyring. An unchanged archive gives the same id. Without a tree (config.yaml here, -c, or an earlier build) it is bookworm's.
    """
    session: Session = context.obj
    made = new_view(session, suites or (), pockets, components or ())
    if output is Format.JSON:
        print_json({"view": made.id, "suites": [suite.suite for suite in made.suites]})
    else:
        print_line(made.id)


def new_view(
    session: Session, suites: "Sequence[str]" = (), pockets: Pockets = Pockets.ALL, components: "Sequence[str]" = ()
) -> "View":
    """Record the archive as it is now.

    Args:
        session: The run.
        suites: Releases; those of the tree's bases where none is given.
        pockets: The release alone, or with its -updates and -security.
        components: Likewise those of the tree's bases.

    Raises:
        InputError: The archive lacks a suite or a component.
        TrustError: A signature or a checksum is wrong, or a suite is older than before.
        NetworkError: The archive cannot be reached.
    """
    from ropewalk.archive import suite_names

    bases = () if suites and components else session.bases()
    releases = suites or list(dict.fromkeys(base.suites[0] for base in bases)) or ["bookworm"]
    return session.views().make(
        tuple(name for release in releases for name in suite_names(release, pockets)),
        tuple(components or dict.fromkeys(name for base in bases for name in base.components) or ["main"]),
        host_architecture(),
        session.upstream(),
        session.listener,
        archives=session.archives(),
        sources=session.keeping().sources,
        now=session.now(),
    )


@app.command("list")
def list_views(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """List the recorded views, the oldest first."""
    session: Session = context.obj
    views = list(session.views())
    if output is Format.JSON:
        print_json(
            {
                "views": [
                    {
                        "id": view.id,
                        "architecture": view.architecture,
                        "suites": [
                            {"suite": suite.suite, "uri": suite.uri, "date": suite.date} for suite in view.suites
                        ],
                    }
                    for view in views
                ]
            }
        )
        return
    rows = (
        (view.id, view.architecture, ", ".join(f"{suite.suite} of {when(suite.date)}" for suite in view.suites))
        for view in views
    )
    print_table(("view", "architecture", "suites"), rows)


@app.command()
def show(
    context: typer.Context,
    view: Annotated[str, typer.Argument(metavar="ID", help="The view.")],
    output: FormatOption = Format.TEXT,
) -> None:
    """Show a view: its suites with their signed release files, who signed them, and which images need it."""
    session: Session = context.obj
    book = session.views()
    found = book.load(view)
    shown = [_suite(book, suite, session.now()) for suite in found.suites]
    needed = session.needs().views.get(view, ())
    if output is Format.JSON:
        print_json({"id": view, "architecture": found.architecture, "suites": shown, "needed_by": needed})
        return
    columns = ("suite", "components", "packages", "date", "valid until", "keys")
    print_table(columns, (_row(one) for one in shown), right=("packages",))
    print_line(f"needed by {count(len(needed), 'image')}" + "".join(f"\n  {name}" for name in needed))


def _suite(book: "ViewBook", suite: "SuiteView", now: int) -> dict[str, Any]:
    """Describe a suite; its release file's signature was checked when it was recorded."""
    until = book.valid_until(suite)
    return {
        "suite": suite.suite,
        "uri": suite.uri,
        "codename": suite.codename,
        "label": suite.label,
        "components": suite.components,
        "date": suite.date,
        "valid_until": until,
        "expired": until is not None and until < now,
        "inrelease": suite.inrelease,
        "keyring": suite.keyring,
        "packages": sum(len(book.rows(index)) for index in suite.indexes),
        "indexes": [index.path for index in (*suite.indexes, *suite.sources)],
    }


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    until = "for ever" if one["valid_until"] is None else when(one["valid_until"])
    expired = " (expired)" if one["expired"] else ""
    keys = f"keyring {one['keyring'][:12]}" if one["keyring"] else "Debian's"
    name = f"{one['uri']} {one['suite']}"
    return name, " ".join(one["components"]), one["packages"], when(one["date"]), f"{until}{expired}", keys


@app.command()
def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="V1", help="The older view.")],
    second: Annotated[str, typer.Argument(metavar="V2", help="The newer view.")],
    output: FormatOption = Format.TEXT,
) -> None:
    """Show what changed between two views: packages that are new, gone, newer or older, suite by suite."""
    from ropewalk.archive import changed_packages

    session: Session = context.obj
    book = session.views()
    old, new = book.load(first), book.load(second)
    changed = changed_packages(book, old, new)
    if output is Format.JSON:
        keys = ("package", "architecture", "suite", "change", "old", "new")
        rows = [{key: getattr(one, key) for key in keys} for one in changed]
        print_json({"suites": _suites(old, new), "packages": rows})
        return
    for one in _suites(old, new):
        print_line(f"{one['change']}: {one['suite']}")
    if changed:
        columns = ("package", "architecture", "change", "old", "new", "suite")
        print_table(columns, ((c.package, c.architecture, c.change, c.old, c.new, c.suite) for c in changed))
    print_line(
        (f"{len(changed)} packages differ" if len(changed) > 1 else "1 package differs")
        if changed
        else "the same packages"
    )


def _suites(old: "View", new: "View") -> list[dict[str, str]]:
    before = {suite.name: suite.inrelease for suite in old.suites}
    after = {suite.name: suite.inrelease for suite in new.suites}
    found = []
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            change = "added" if name not in before else "removed" if name not in after else "changed"
            found.append({"suite": name, "change": change})
    return found


@app.command()
def gc(
    context: typer.Context,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; otherwise they are only shown.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show, and with --apply remove, views that no image needs and that were not made again for long.

    A view stays as long as an image of the store, a verified one of the registry, or a lock file names it, with its signed
    release files and indexes; so does the newest. Others go after `view_days` (30). How new each suite was is remembered.
    Nothing may build meanwhile.
    """
    from ropewalk import atomic
    from ropewalk.archive import plan_views, sweep_views

    session: Session = context.obj
    book = session.views()
    with session.pool().alone(), atomic.locked(book.lock_file()):
        needed = session.needs().views
        plan = plan_views(book, needed, session.now() - session.keeping().view_days * DAY)
        if apply:
            sweep_views(book, plan)
    if output is Format.JSON:
        gone = [view.id for view in plan.views]
        print_json({"applied": apply, "views": gone, "files": len(plan.files), "bytes": plan.size})
        return
    if plan.views:
        rows = ((view.id, ", ".join(suite.suite for suite in view.suites)) for view in plan.views)
        print_table(("view", "suites"), rows)
    done = "removed" if apply else "would be removed; --apply does it"
    counted = f"{count(len(plan.views), 'view')}, {count(len(plan.files), 'file')}, {human_size(plan.size)} {done}"
    print_line(counted if plan.files or plan.views else "nothing to remove")
