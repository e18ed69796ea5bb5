"""``ropewalk doctor``: what this host can and cannot do."""

import typer

from ropewalk.cli.output import Format, FormatOption, out, print_json
from ropewalk.cli.session import Session
from ropewalk.errors import Exit


def doctor(context: typer.Context, output: FormatOption = Format.TEXT) -> None:
    """Say what this host can and cannot do, one line each with the fix.

    Exits with 4 where something that every build needs is missing.
    """
    from rich.markup import escape

    from ropewalk.build import checks

    session: Session = context.obj
    found = checks(session.settings, session.upstream())
    if output is Format.JSON:
        rows = [{"name": c.name, "ok": c.ok, "required": c.required, "found": c.found, "fix": c.fix} for c in found]
        print_json({"checks": rows})
    else:
        for check in found:
            mark = "[green]ok  [/]" if check.ok else ("[red]no  [/]" if check.required else "[yellow]note[/]")
            fix = f"\n     fix: {escape(check.fix)}" if not check.ok and check.fix else ""
            out().print(f"{mark} {escape(check.name):<22} {escape(check.found)}{fix}")
    if any(check.required and not check.ok for check in found):
        raise typer.Exit(Exit.HOST)
