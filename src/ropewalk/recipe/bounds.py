"""Renders templates in a process of its own with bounds of time and memory: one that never ends is an error like others.

Jinja's sandbox keeps a template from leading out of it, but not from counting to `9 ** 9 ** 9`. That happens inside one call
of C, which no signal handler and no clock in a thread interrupts; the kernel does (decision 0014). The process is a copy of
this one, made before there are threads, and works beside it: what it rendered is there by the time it is wanted.
"""

import math
import os
import pickle
import resource
import select
import signal
import struct
import traceback
import warnings as python_warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from ropewalk.errors import InputError
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.kind import Kind

_T = TypeVar("_T")

SECONDS = 5
"""Processor time for one recipe; the largest honest ones need a tenth of a second."""
MEMORY = 2 << 30
"""Bytes beside those that this process has."""
LARGEST = 16 << 20
"""Bytes of a rendered Dockerfile."""
_STUCK_SECONDS = 300.0
"""Without an answer, whatever the processor does."""
_LENGTH = struct.Struct("<I")
_HINT = "make its loops and repetitions smaller; see `ropewalk tree check`"


class Rendering(Protocol):
    """Renders the templates of one tree; see `ropewalk.recipe.template.Templates`."""

    @property
    def config(self) -> TreeConfig:
        """The tree's configuration."""

    @property
    def known(self) -> Mapping[str, str]:
        """Full names to references."""

    @property
    def warnings(self) -> list[str]:
        """What was odd."""

    def render(self, directory: Path, tree: Path) -> str:
        """Return a recipe's Dockerfile."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of one template: its text, or what is wrong with it (where, what, hint), or what else failed."""

    text: str = ""
    warnings: tuple[str, ...] = ()
    fault: tuple[str, str, str] | None = None
    error: OSError | None = None
    bug: str = ""


@dataclass(frozen=True, slots=True)
class _Bounded:
    """Takes what the other process rendered, in the order in which it was asked for."""

    config: TreeConfig
    known: Mapping[str, str]
    pipe: int
    process: int
    seconds: int
    warnings: list[str] = field(default_factory=list)

    def render(self, directory: Path, tree: Path) -> str:  # noqa: ARG002  # the other process knows the tree
        answer = self._answer(directory / Kind.PRODUCTION)
        self.warnings.extend(answer.warnings)
        if answer.error is not None:
            raise answer.error
        if answer.bug:
            raise RuntimeError(f"rendering failed:\n{answer.bug}")
        if answer.fault:
            where, message, hint = answer.fault
            raise InputError(message, where=where, hint=hint)
        return answer.text

    def _answer(self, template: Path) -> _Answer:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, template))
        # Only our own process writes into this pipe.
        answer: _Answer = pickle.loads(self._read(length, template))  # noqa: S301
        return answer

    def _read(self, size: int, template: Path) -> bytes:
        data = b""
        while len(data) < size:
            ready = select.select([self.pipe], [], [], _STUCK_SECONDS)[0]
            piece = os.read(self.pipe, size - len(data)) if ready else b""
            if not piece:
                message = self._ended() if ready else f"rendering it did not end within {_STUCK_SECONDS:g} s"
                raise InputError(message, where=str(template), hint=_HINT)
            data += piece
        return data

    def _ended(self) -> str:
        """Say why the other process wrote no answer."""
        _, status = os.waitpid(self.process, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            return f"rendering it did not end within {self.seconds} s of processor time"
        return f"rendering it was ended from outside (status {os.waitstatus_to_exitcode(status)})"


@contextmanager
def bounded(
    config: TreeConfig,
    known: Mapping[str, str],
    places: Sequence[tuple[Path, Path]],
    make: Callable[[], Rendering],
    seconds: int = SECONDS,
) -> Iterator[Rendering]:
    """Render templates in a process with bounds.

    Args:
        config: The tree's configuration.
        known: Full names to references.
        places: Each recipe's directory and its tree's root, in the order in which they will be asked for.
        make: Gives what renders; called in that process.
        seconds: Processor time for each.

    Yields:
        What gives the rendered Dockerfiles, in that order.
    """
    out, into = os.pipe()
    with python_warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads, of which another one's locks could be held for ever. What renders takes
        # none of theirs, and is ended if it ever waits.
        python_warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _render_all(into, places, make, seconds)
    os.close(into)
    try:
        yield _Bounded(config, known, out, process, seconds)
    finally:
        os.close(out)
        with suppress(ChildProcessError):
            if os.waitpid(process, os.WNOHANG) == (0, 0):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _render_all(into: int, places: Sequence[tuple[Path, Path]], make: Callable[[], Rendering], seconds: int) -> None:
    """Render and write the answers; the end of this process."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other's to answer: it ends this one
        _bound_memory()
        with os.fdopen(into, "wb") as pipe:
            rendering = _attempt(make)
            for directory, tree in places:
                _bound_time(seconds)
                _write(pipe, _rendered(rendering, directory, tree) if not isinstance(rendering, _Answer) else rendering)
    except BrokenPipeError:
        pass
    finally:
        os._exit(0)


def _write(pipe: BinaryIO, answer: _Answer) -> None:
    data = pickle.dumps(answer)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _rendered(rendering: Rendering, directory: Path, tree: Path) -> _Answer:
    before, where = len(rendering.warnings), str(directory / Kind.PRODUCTION)
    try:
        text = _attempt(lambda: rendering.render(directory, tree))
    except MemoryError:
        return _Answer(fault=(where, f"rendering it needs more than {MEMORY >> 30} GiB of memory", _HINT))
    if isinstance(text, _Answer):
        return text
    if len(text) > LARGEST:
        return _Answer(fault=(where, f"its Dockerfile is larger than {LARGEST >> 20} MiB", _HINT))
    return _Answer(text, tuple(rendering.warnings[before:]))


def _attempt(what: Callable[[], _T]) -> _T | _Answer:
    """Do something; what goes wrong is the answer, which the other process raises."""
    try:
        return what()
    except InputError as error:
        return _Answer(fault=(error.where, error.message, error.hint))
    except OSError as error:
        return _Answer(error=error)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # the other process raises it
        return _Answer(bug=traceback.format_exc())


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY)
    _lower(resource.RLIMIT_CORE, 0)


def _bound_time(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)


def _lower(which: int, wanted: int) -> None:
    """Set a soft limit, within the hard one that this process was given."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
