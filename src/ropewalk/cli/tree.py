"""``ropewalk tree``: what a tree's own CI asks about a change before it is merged."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ropewalk.cli.output import Format, FormatOption, count, err, print_json, print_line
from ropewalk.cli.session import OfflineOption, RegistryOption, Session
from ropewalk.errors import Exit

app = typer.Typer(no_args_is_help=True, help="A tree's own CI: check a change, build it in scratch, publish nothing.")

TreesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Directories with recipes; the config's `directories` by default, else where it stands.",
        show_default=False,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="REV", help="Compare with this commit: what changed needs a changelog entry."),
]
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@app.command()
def check(
    context: typer.Context,
    directories: TreesArgument = None,
    *,
    since: SinceOption = None,
    notes: Annotated[bool, typer.Option("--notes", help="Show notes too, not only their number.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail the check too.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print every rule with its reason and exit.")] = False,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    inside: Annotated[bool, typer.Option("--inside", hidden=True)] = False,
    skip: Annotated[list[Path] | None, typer.Option("--skip", hidden=True)] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Look at every recipe and say all that is wrong, each with file and line, and what a merge would build.

    Fit for a change that nobody has read: nothing of the tree is run. Templates are rendered in Jinja's sandbox, in a
    process with bounds of time and memory that gets no variable of this environment.

    Exits with 1 where there are errors, with 0 where there are warnings and notes only.
    """
    session: Session = context.obj
    if explain:
        _explain(output)
        return
    if inside:
        from ropewalk.cli.treecheck import look

        sys.stdout.write(
            json.dumps(look(session, directories, since=since, skip=skip or (), offline=offline, registry=registry))
        )
        return
    report = bounded(session, directories, since=since, offline=offline, registry=registry)
    if output is Format.JSON:
        print_json(report)
    else:
        print_report(report, notes=notes)
    if report["errors"] or (strict and report["warnings"]):
        raise typer.Exit(Exit.FAILED)


def bounded(
    session: Session, directories: list[Path] | None, *, since: str | None, offline: bool, registry: str | None
) -> dict[str, Any]:
    """Look at a tree in a process with bounds; see `ropewalk.cli.treecheck`."""
    from ropewalk.cli.treecheck import look_bounded

    more = [str(path) for path in directories or ()]
    more += ["--since", since] if since else []
    more += ["--offline"] if offline else []
    more += ["--registry", registry] if registry else []
    return look_bounded(session, tuple(more))


def _explain(output: Format) -> None:
    from ropewalk.recipe.lint import RULES

    rows = [{"rule": rule.value, "level": level.value, "why": why} for rule, (level, why) in RULES.items()]
    if output is Format.JSON:
        print_json({"rules": rows})
        return
    for row in rows:
        print_line(f"{row['rule']:<16} {row['level']:<8} {row['why']}")


def print_report(report: dict[str, Any], *, notes: bool) -> None:
    """Print the findings as compilers do, then what a merge would build.

    Args:
        report: What `ropewalk.cli.treecheck.look` gave.
        notes: Notes too, not only their number.
    """
    from rich.markup import escape

    from ropewalk.cli.output import out, printable

    for one in report["findings"]:
        if one["level"] == "note" and not notes:
            continue
        where = f"{one['path']}:{one['line']}" if one["line"] else one["path"]
        level = f"[{_COLOURS[one['level']]}]{one['level']}[/]"
        said = f"{printable(one['message'])} [{one['rule']}]"
        out().print(f"{escape(printable(where))}: {level}: {escape(said)}")
        out().print(f"  {escape(printable(one['hint']))}")
    for entry in report["merge"] or ():
        print_line(f"{entry['action']:<8} {entry['reference']}  ({', '.join(entry['reasons']) or 'changed'})")
    kept = "" if notes or not report["notes"] else " (--notes shows them)"
    counts = ", ".join(count(report[f"{level}s"], level) for level in _COLOURS) + kept
    merge = report["merge"]
    built = (
        "no plan: the tree cannot be ordered" if merge is None else f"a merge would build {count(len(merge), 'image')}"
    )
    print_line(f"{count(report['recipes'], 'recipe')}: {counts}; {built}")
    if report["errors"]:
        err().print("the tree is not fit to be merged")
