"""``ropewalk report``: what the history says."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk import atomic
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.session import Session, when
from ropewalk.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ropewalk.refresh import Due, Patch

app = typer.Typer(no_args_is_help=True, help="What the history says.")

_NAMED = 3


@app.callback()
def report() -> None:
    """Say what the history says."""


@app.command("time-to-patch")
def time_to_patch(
    context: typer.Context,
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="SPAN", help="What was published in this span: 24h, 90d.")
    ] = "90d",
    every: Annotated[bool, typer.Option("--all", help="Other updates too, not only security updates.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw it into this file too.")] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show how long images took from the archive's release of an update to the published image, and to its deployment.

    The clock starts with the Date of the first release file in which `ropewalk watch` saw the fixed version, and with the
    first update where an image got several. Percentiles are measured values (nearest rank). Images that still wait are
    listed with how long they have waited.
    """
    from ropewalk.refresh import History, open_dues, patches

    session: Session = context.obj
    past = tuple(History(session.settings))
    start = session.now() - _seconds(since)
    found = [one for one in patches(past) if one.published >= start and (every or one.security)]
    waiting = _waiting(session, open_dues(past), every=every)
    if svg is not None:
        from ropewalk.refresh import draw_patches

        what = "updates" if every else "security updates"
        atomic.write_text(svg, draw_patches(found, f"Time to patch: {what} of the last {since}"))
    if output is Format.JSON:
        print_json(_facts(since, found, waiting))
    else:
        _print(found, waiting)


def _seconds(since: str) -> int:
    from ropewalk.recipe import span

    seconds = span(since)
    if seconds is None:
        raise InputError("is no span of time", where=f"--since {since}", hint="write a number with s, m, h or d: 90d")
    return seconds


def _waiting(session: Session, dues: "dict[str, tuple[Due, ...]]", *, every: bool) -> list[dict[str, Any]]:
    """Describe the current images that lack something; what is due for an image that was replaced does not count."""
    from ropewalk.refresh import first_released

    current, now, found = session.current(), session.now(), []
    for name, all_due in sorted(dues.items()):
        record = current.get(name)
        updates = [update for due in all_due if record and due.digest == record.digest for update in due.updates]
        security = any(update.security for update in updates)
        if record is None or not updates or not (every or security):
            continue
        shown = [update for update in updates if every or update.security]
        row = {"reference": record.reference, "digest": record.digest, "security": security}
        waits = max(now - first_released(updates), 0)
        found.append({**row, "waits_seconds": waits, "updates": [asdict(update) for update in shown]})
    return found


def _facts(since: str, found: "Sequence[Patch]", waiting: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "since": since,
        "images": len(found),
        "seconds_to_published": _spread([one.to_published for one in found]),
        "seconds_to_deployed": _spread([one.to_deployed for one in found if one.to_deployed is not None]),
        "patches": [
            {**asdict(one), "seconds_to_published": one.to_published, "seconds_to_deployed": one.to_deployed}
            for one in found
        ],
        "waiting": waiting,
    }


def _spread(times: list[int]) -> dict[str, int] | None:
    from ropewalk.refresh import spread

    summary = spread(times)
    return asdict(summary) if summary else None


def _print(found: "Sequence[Patch]", waiting: list[dict[str, Any]]) -> None:
    from ropewalk.refresh import human_time

    rows = []
    for name, times in (
        ("published", [one.to_published for one in found]),
        ("deployed", [one.to_deployed for one in found if one.to_deployed is not None]),
    ):
        summary = _spread(times)
        told = [human_time(summary[key]) if summary else "-" for key in ("p50", "p90", "p99", "longest")]
        rows.append((name, len(times), *told))
    columns = ("to", "images", "median", "90 %", "99 %", "longest")
    print_table(columns, rows, right=columns[1:])
    if found:
        print_line("")
        print_table(
            ("image", "how", "released", "seen after", "published after", "deployed after", "updates"),
            (_row(one) for one in found),
        )
    for one in waiting:
        updates = ", ".join(f"{update['package']} {update['candidate']}" for update in one["updates"][:_NAMED])
        print_line(f"waits for {human_time(one['waits_seconds'])}: {one['reference']}: {updates}", "yellow")


def _row(one: "Patch") -> tuple[object, ...]:
    from ropewalk.refresh import human_time

    deployed = "-" if one.to_deployed is None else human_time(one.to_deployed)
    seen = human_time(max(one.noticed - one.released, 0))
    more = f" and {len(one.updates) - _NAMED} more" if len(one.updates) > _NAMED else ""
    updates = ", ".join(map(str, one.updates[:_NAMED])) + more
    return one.reference, one.how, when(one.released), seen, human_time(one.to_published), deployed, updates
