"""Long work tells what it does by events; only ``cli`` and ``web`` render them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What an event says about its step."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    NOTE = "note"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: What it says about the step.
        subject: What is worked on: an image's reference, a view, a file.
        step: The step in a few words ("bootstrap", "run test.sh").
        detail: One line more; may be empty.
        seconds: How long the step took; 0.0 where it has not ended.
    """

    kind: EventKind
    subject: str
    step: str
    detail: str = ""
    seconds: float = 0.0


Listener = Callable[[Event], None]
"""Takes each event as it happens; must not raise."""


def silent(_event: Event) -> None:
    """Listen to nothing."""


@contextmanager
def step(
    listener: Listener, subject: str, name: str, clock: Callable[[], float] = time.monotonic, *, log: str = ""
) -> Iterator[None]:
    """Tell the listener when a step starts, and how and after how long it ends.

    Args:
        listener: Who is told.
        subject: What is worked on.
        name: The step in a few words.
        clock: A monotonic clock, in seconds.
        log: The file that the step writes to, if any; the started event's detail.

    Yields:
        Nothing; the step is the body of the ``with``.
    """
    start = clock()
    listener(Event(EventKind.STARTED, subject, name, log))
    try:
        yield
    except BaseException as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        listener(Event(EventKind.FAILED, subject, name, detail, clock() - start))
        raise
    listener(Event(EventKind.FINISHED, subject, name, seconds=clock() - start))
