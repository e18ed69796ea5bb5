"""The command line as a whole: its commands, its global options, and the edge where errors become words and exit codes."""

import errno
import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from ropewalk import __version__
from ropewalk.cli.output import err, printable
from ropewalk.cli.session import open_session
from ropewalk.errors import Exit, RopewalkError
from ropewalk.process import become_root

_REFUSED_BY_HOST = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT})
"""What the system says that is no bug of ours: no right, no room."""

_USAGE: Any = typer.BadParameter.__mro__[1]
"""A wrong command line: the base of what typer exports of its own copy of click."""

_COLLECT = (50_000, 20, 100)
"""How many new objects, and how many rounds, make Python look for garbage (`gc.set_threshold`)."""

_HELP = """Container images from the Debian archive to the node: built, published, signed, listed, renewed, enforced.

    A first run: [bold]ropewalk doctor[/], [bold]ropewalk archive view[/], then
    [bold]ropewalk -c config.yaml build DIR...[/], [bold]ropewalk registry up[/], [bold]ropewalk publish[/].
    State is kept in $ROPEWALK_STATE (XDG's state directory by default)."""


def _version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        typer.echo(f"ropewalk {__version__}")
        raise typer.Exit


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

_COMMANDS = {
    "adopt": _MAKE,
    "doctor": _MAKE,
    "init": _MAKE,
    "archive": _MAKE,
    "plan": _MAKE,
    "render": _MAKE,
    "build": _MAKE,
    "lock": _MAKE,
    "update": _MAKE,
    "refresh": _MAKE,
    "watch": _MAKE,
    "prove": _MAKE,
    "reproduce": _MAKE,
    "tree": _MAKE,
    "pool": _MAKE,
    "prune": _MAKE,
    "images": _LOOK,
    "show": _LOOK,
    "explain": _LOOK,
    "diff": _LOOK,
    "packages": _LOOK,
    "upgrades": _LOOK,
    "affected": _LOOK,
    "inventory": _LOOK,
    "report": _LOOK,
    "keys": _ENFORCE,
    "registry": _ENFORCE,
    "publish": _ENFORCE,
    "deploy": _ENFORCE,
    "verify": _ENFORCE,
    "restrict": _ENFORCE,
}
"""Each command with its panel in the help: a module of that name, which holds a group, or a function of that name."""
_BUILDERS = frozenset({"build", "doctor", "prove", "refresh", "reproduce", "watch"})
_HOMES = {"tree": "treepreview"}
"""Commands that are elsewhere: `treepreview` adds to the group of `tree`, which it loads."""


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line.

    Args:
        arguments: Where they name a command, it alone is loaded: a quarter of a plan's time went into loading all.

    Returns:
        The command line with that command, otherwise with all of them.
    """
    app = typer.Typer(
        name="ropewalk",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=_HELP,
    )
    app.callback()(options)
    named = _named(arguments)
    for name in _COMMANDS if named is None else (named,):
        module = import_module(f"ropewalk.cli.{_HOMES.get(name, name)}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=_COMMANDS[name])
        else:
            app.command(name, rich_help_panel=_COMMANDS[name])(getattr(module, name))
    return app


def _named(arguments: Sequence[str]) -> str | None:
    """Return the command that arguments name behind the usual global options; None where that is not plain."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-c", "--config"):
            next(rest, None)
        elif argument not in ("-q", "--quiet"):
            return argument if argument in _COMMANDS else None
    return None


def main() -> None:
    """Run the command and end the process with the exit code that tells.

    A Ropewalk error is one line and a hint on standard error; a bug shows its traceback.
    """
    # Modules and a tree's values live as long as the process. To look through them for garbage as often as Python does by
    # itself, and again at the end, takes a tenth of a plan.
    gc.set_threshold(*_COLLECT)
    code = run(sys.argv[1:], become_root)
    gc.freeze()
    sys.exit(code)


def builds(arguments: Sequence[str]) -> bool:
    """Say whether a command line makes images, which needs root, be it that of a user namespace.

    Args:
        arguments: What follows the program's name.
    """
    named = _named(arguments)
    asks = {"-h", "--help"} & set(arguments)
    return not asks and (named in _BUILDERS or (named == "tree" and "preview" in arguments))


def run(arguments: list[str], before: Callable[[], None] = lambda: None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What follows the program's name.
        before: What to do first where the command makes images.

    Returns:
        A value of `ropewalk.errors.Exit`.
    """
    try:
        if builds(arguments):
            before()
        result = application(arguments)(arguments, prog_name="ropewalk", standalone_mode=False)
    except RopewalkError as error:
        _say(str(error), error.hint)
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
        hint = "give us a state directory that we may write, with room: ROPEWALK_STATE=DIR; or run as root"
        _say(f"{where}: {error.strerror}", hint)
        return int(Exit.HOST)
    if result == Exit.INTERRUPTED:
        err().print("interrupted; the next run goes on")
    return int(result or 0)


def _say(message: str, hint: str) -> None:
    """Show an error and what helps."""
    from rich.markup import escape

    err().print(f"[bold red]error:[/] {escape(_printable(message))}")
    err().print(f"  {escape(_printable(hint))}")


def _printable(text: str) -> str:
    """Show what a recipe says without what it could tell the terminal or CI; an error may have several lines."""
    return "\n".join(map(printable, text.split("\n")))
