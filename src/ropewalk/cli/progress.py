"""Shows events on standard error: a line a finished step, and on a terminal what is under way."""

from typing import Self

from rich.markup import escape
from rich.status import Status

from ropewalk.cli.output import err
from ropewalk.events import Event, EventKind

_MARKS = {
    EventKind.FINISHED: ("done", "green"),
    EventKind.FAILED: ("failed", "red"),
    EventKind.NOTE: ("note", "cyan"),
    EventKind.WARNING: ("warning", "yellow"),
}

_BRIEF_SECONDS = 0.05
"""Steps that took less are not worth a line."""


class Progress:
    """A listener that renders events; use it as a context manager so that the terminal is left clean."""

    def __init__(self, *, quiet: bool) -> None:
        """Show warnings and failures only where ``quiet`` is true."""
        self._quiet = quiet
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Start to show."""
        if err.is_terminal and not self._quiet:
            self._status = err.status("")
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the terminal as it was."""
        if self._status is not None:
            self._status.stop()

    def __call__(self, event: Event) -> None:
        """Render one event."""
        words = f"{event.subject}: {event.step}"
        if event.kind is EventKind.STARTED:
            if self._status is not None:
                self._status.update(escape(words))
                self._status.start()
            return
        brief = event.kind is EventKind.FINISHED and event.seconds < _BRIEF_SECONDS
        if brief or (self._quiet and event.kind not in (EventKind.WARNING, EventKind.FAILED)):
            return
        mark, colour = _MARKS[event.kind]
        detail = f" ({event.detail})" if event.detail else ""
        seconds = f"  {event.seconds:.1f} s" if event.seconds else ""
        err.print(f"[{colour}]{mark:<8}[/]{escape(words + detail)}{seconds}")
