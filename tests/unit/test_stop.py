"""All programs of several threads end when the work is stopped."""

import threading
import time

import pytest

from ropewalk.errors import RopewalkError
from ropewalk.process import Command, Stop, Stopped, run


def test_programs_of_every_covered_thread_end() -> None:
    stop, ended = Stop(), []

    def work(script: str) -> None:
        try:
            with stop.covering():
                run(Command(("sh", "-c", script)))
        except RopewalkError as error:
            ended.append(type(error))

    scripts = ("sleep 60", "trap '' TERM; sleep 60 & wait; sleep 60")
    threads = [threading.Thread(target=work, args=(script,)) for script in scripts]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    stop.now()
    for thread in threads:
        thread.join(10)
    assert ended == [Stopped, Stopped]
    assert time.monotonic() - start < 10


def test_nothing_starts_afterwards_in_a_covered_thread() -> None:
    stop = Stop()
    stop.now()
    with stop.covering(), pytest.raises(Stopped):
        run(Command(("true",)))
    assert run(Command(("true",))).returncode == 0
