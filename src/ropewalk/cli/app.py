"""The command line as a whole: its commands, its global options, and the edge where errors become words and exit codes."""

import errno
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ropewalk import __version__
from ropewalk.cli import (
    adopt,
    affected,
    archive,
    build,
    diff,
    doctor,
    images,
    init,
    inventory,
    keys,
    packages,
    plan,
    prove,
    prune,
    publish,
    refresh,
    registry,
    render,
    restrict,
    show,
    tree,
    treepreview,
    update,
    upgrades,
    verify,
)
from ropewalk.cli.output import err
from ropewalk.cli.session import open_session
from ropewalk.errors import Exit, RopewalkError

_REFUSED_BY_HOST = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT})
"""What the system says that is no bug of ours: no right, no room."""

_USAGE: Any = typer.BadParameter.__mro__[1]
"""A wrong command line: the base of what typer exports of its own copy of click."""

app = typer.Typer(
    name="ropewalk",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Container images from the Debian archive to the node: built, published, signed, listed, renewed, enforced.

    A first run: [bold]ropewalk doctor[/], [bold]ropewalk archive view[/], then
    [bold]ropewalk -c config.yaml build DIR...[/], [bold]ropewalk registry up[/], [bold]ropewalk publish[/].
    State is kept in $ROPEWALK_STATE (XDG's state directory by default).""",
)


def _version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        typer.echo(f"ropewalk {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="The tree's config.yaml (docker-pkg's format).")
    ] = None,
    *,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress, only warnings and errors.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep the global options for the command."""
    context.obj = context.with_resource(open_session(config, quiet=quiet))


_MAKE = "Make images"
_LOOK = "Look at images"
_ENFORCE = "Registry, trust and nodes"

app.command("adopt", rich_help_panel=_MAKE)(adopt.adopt)
app.command("doctor", rich_help_panel=_MAKE)(doctor.doctor)
app.command("init", rich_help_panel=_MAKE)(init.init)
app.add_typer(archive.app, name="archive", rich_help_panel=_MAKE)
app.command("plan", rich_help_panel=_MAKE)(plan.plan)
app.command("render", rich_help_panel=_MAKE)(render.render)
app.command("build", rich_help_panel=_MAKE)(build.build)
app.command("update", rich_help_panel=_MAKE)(update.update)
app.command("refresh", rich_help_panel=_MAKE)(refresh.refresh)
app.command("prove", rich_help_panel=_MAKE)(prove.prove)
tree.app.command("preview")(treepreview.preview)
app.add_typer(tree.app, name="tree", rich_help_panel=_MAKE)
app.command("prune", rich_help_panel=_MAKE)(prune.prune)
app.command("images", rich_help_panel=_LOOK)(images.images)
app.command("show", rich_help_panel=_LOOK)(show.show)
app.command("diff", rich_help_panel=_LOOK)(diff.diff)
app.command("packages", rich_help_panel=_LOOK)(packages.packages)
app.command("upgrades", rich_help_panel=_LOOK)(upgrades.upgrades)
app.command("affected", rich_help_panel=_LOOK)(affected.affected)
app.add_typer(inventory.app, name="inventory", rich_help_panel=_LOOK)
app.add_typer(keys.app, name="keys", rich_help_panel=_ENFORCE)
app.add_typer(registry.app, name="registry", rich_help_panel=_ENFORCE)
app.command("publish", rich_help_panel=_ENFORCE)(publish.publish)
app.command("verify", rich_help_panel=_ENFORCE)(verify.verify)
app.add_typer(restrict.app, name="restrict", rich_help_panel=_ENFORCE)


def main() -> None:
    """Run the command and end the process with the exit code that tells.

    A Ropewalk error is one line and a hint on standard error; a bug shows its traceback.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What follows the program's name.

    Returns:
        A value of `ropewalk.errors.Exit`.
    """
    try:
        result = app(arguments, prog_name="ropewalk", standalone_mode=False)
    except RopewalkError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        err.print(f"  {escape(error.hint)}")
        return int(error.exit_code)
    except _USAGE as error:
        error.show()
        return int(Exit.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        result = Exit.INTERRUPTED
    except OSError as error:
        if error.errno not in _REFUSED_BY_HOST:
            raise
        where = error.filename or "the state directory"
        err.print(f"[bold red]error:[/] {escape(f'{where}: {error.strerror}')}")
        err.print("  give us a state directory that we may write, with room: ROPEWALK_STATE=DIR; or run as root")
        return int(Exit.HOST)
    if result == Exit.INTERRUPTED:
        err.print("interrupted; the next run goes on")
    return int(result or 0)
