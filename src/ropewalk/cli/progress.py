"""Shows events on standard error: a line a finished step, and on a terminal a line for each image that is under way."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ropewalk.cli.output import err
from ropewalk.events import Event, EventKind

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

_MARKS = {
    EventKind.FINISHED: ("done", "green"),
    EventKind.FAILED: ("failed", "red"),
    EventKind.NOTE: ("note", "cyan"),
    EventKind.WARNING: ("warning", "yellow"),
}

_GAP = "  "
"""Between columns."""
_BRIEF_SECONDS = 0.05
"""Steps that took less are not worth a line."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A step that has started: what is shown of it, and since when (monotonic, in seconds)."""

    event: Event
    since: float


class Progress:
    """A listener that renders events of any thread; use it as a context manager so that the terminal is left clean."""

    def __init__(self, *, quiet: bool) -> None:
        """Show warnings and failures only where ``quiet`` is true."""
        self._quiet = quiet
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, str], _UnderWay] = {}
        self._live: Live | None = None
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        """Start to show."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the terminal as it was."""
        with self._lock:
            self._under_way.clear()
            self._show()

    def __call__(self, event: Event) -> None:
        """Render one event."""
        key = (event.subject, event.step)
        with self._lock:
            if event.kind is EventKind.STARTED:
                self._under_way[key] = _UnderWay(event, time.monotonic())
            elif event.kind in (EventKind.FINISHED, EventKind.FAILED):
                self._under_way.pop(key, None)
            self._show()
            self._print(event)

    def _show(self) -> None:
        """Keep the display up while something is under way, and only then: other output belongs to the command."""
        if self._under_way and self._live is None and not self._quiet and err().is_terminal:
            from rich.live import Live

            self._live = Live(
                console=err(),
                get_renderable=self._table,
                transient=True,
                refresh_per_second=5,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        elif not self._under_way and self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> "Table":
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        spinner = self._spinner = self._spinner or Spinner("dots")
        now = time.monotonic()
        rows = tuple(
            (item.event.subject, step_of(item.event), f"{now - item.since:.0f} s")
            for item in tuple(self._under_way.values())
        )
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            table.add_column(no_wrap=True)
        # Behind the spinner; and a terminal echoes ^C behind the last line, which must not wrap: it would stay.
        for row in fitted(rows, err().width - len("*  ^C")):
            table.add_row(spinner, *(Text(cell) for cell in row))
        return table

    def _print(self, event: Event) -> None:
        if event.kind is EventKind.STARTED:
            return
        brief = event.kind is EventKind.FINISHED and event.seconds < _BRIEF_SECONDS
        if brief or (self._quiet and event.kind not in (EventKind.WARNING, EventKind.FAILED)):
            return
        from rich.markup import escape

        mark, colour = _MARKS[event.kind]
        detail = f" ({event.detail})" if event.detail else ""
        seconds = f"  {event.seconds:.1f} s" if event.seconds else ""
        err().print(f"[{colour}]{mark:<8}[/]{escape(f'{event.subject}: {event.step}{detail}')}{seconds}")


def fitted(rows: Sequence[tuple[str, str, str]], width: int) -> tuple[tuple[str, str, str], ...]:
    """Cut names and steps so that every row keeps all of its columns in one line.

    The time stays whole. A name gets what steps leave, at least half; it is cut at its front, since names end in what
    tells them apart. A step is cut at its end.

    Args:
        rows: Name, step and time.
        width: How many characters there are, with two between columns.
    """
    if not rows:
        return ()
    names, steps, times = (max(map(len, column)) for column in zip(*rows, strict=True))
    room = max(width - times - 2 * len(_GAP), 2)
    names = min(names, max(room // 2, room - steps))
    steps = min(steps, room - names)
    return tuple(
        (
            name if len(name) <= names else f"…{name[len(name) - names + 1 :]}",
            (step if len(step) <= steps else f"{step[: steps - 1]}…").ljust(steps),
            elapsed.rjust(times),
        )
        for name, step, elapsed in rows
    )


def step_of(event: Event) -> str:
    """Return what a started step is doing now: its name, and the instruction that its log has come to.

    Args:
        event: The started event; its detail names the log where there is one.
    """
    from ropewalk.build import current_step

    found = current_step(Path(event.detail)) if event.step == "build" and event.detail else ""
    return " ".join((event.step, *found.split())).replace("build STEP", "build", 1)
