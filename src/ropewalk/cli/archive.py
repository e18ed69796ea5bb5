"""``ropewalk archive``: views of the Debian archive."""

from typing import Annotated

import typer

from ropewalk.archive import Pockets
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.session import Session, host_architecture, when

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
    from ropewalk.archive import suite_names

    session: Session = context.obj
    bases = () if suites and components else session.bases()
    releases = suites or list(dict.fromkeys(base.suites[0] for base in bases)) or ["bookworm"]
    made = session.views().make(
        tuple(name for release in releases for name in suite_names(release, pockets)),
        tuple(components or dict.fromkeys(name for base in bases for name in base.components) or ["main"]),
        host_architecture(),
        session.upstream(),
        session.listener,
        archives=session.archives(),
        now=session.now(),
    )
    if output is Format.JSON:
        print_json({"view": made.id, "suites": [suite.suite for suite in made.suites]})
    else:
        print_line(made.id)


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
