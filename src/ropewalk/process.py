"""The one place that starts programs.

Pure functions elsewhere build a `Command`; here it runs with a clean environment. A contained command lives in PID and
mount namespaces of its own and dies with us, also by kill -9: the kernel then ends its children and drops its mounts.
"""

import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import IO

from ropewalk.errors import Exit, HostError, RopewalkError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL_LINES = 20
_GRACE_SECONDS = 10.0
_STOP_SECONDS = 2.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run.

    Attributes:
        argv: Program and arguments; never a shell line.
        environment: Variables beside PATH, HOME, LANG and TMPDIR, as (name, value).
        directory: Working directory.
        stdin: What the program reads; nothing by default.
        timeout: Seconds until it is ended; None waits for ever.
        contained: Give it PID and mount namespaces that vanish with it and with us.
        network: A network namespace's path (``/run/netns/X``) to enter first.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    directory: Path | None = None
    stdin: bytes = b""
    timeout: float | None = None
    contained: bool = False
    network: Path | None = None

    def full_argv(self) -> tuple[str, ...]:
        """Return the arguments with the wrappers that ``network`` and ``contained`` ask for."""
        argv = self.argv
        if self.contained:
            shell = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
            argv = (*shell, *argv)
        if self.network is not None:
            argv = ("nsenter", f"--net={self.network}", "--", *argv)
        return ("setpriv", "--pdeathsig", "KILL", "--", *argv) if self.contained else argv


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended.

    Attributes:
        returncode: Its exit status; negative is a signal's number.
        stdout: What it wrote; empty where a log took it.
        stderr: Likewise.
    """

    returncode: int
    stdout: bytes
    stderr: bytes


class CommandFailed(RopewalkError):
    """A program ended with another status than 0.

    Attributes:
        returncode: Its exit status.
        tail: The last lines of what it wrote.
    """

    exit_code = Exit.FAILED

    def __init__(self, command: Command, returncode: int, output: bytes, log: Path | None) -> None:
        """Keep the status and the last lines of the output."""
        lines = output.decode(errors="replace").strip().splitlines()
        self.returncode = returncode
        self.tail = tuple(lines[-_TAIL_LINES:])
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        hint = f"read {log}" if log else "run it by hand: " + " ".join(command.argv)
        super().__init__(f"ended with status {returncode}: {last}", where=command.argv[0], hint=hint)


class ProgramMissing(HostError):
    """A program is not installed."""


class Stopped(RopewalkError):
    """A program was not started, or was ended, because all work is being stopped."""

    exit_code = Exit.INTERRUPTED


class Stop:
    """Ends the programs that several threads run, when the work as a whole is stopped (Ctrl-C reaches one thread only)."""

    def __init__(self) -> None:
        """Nothing is stopped yet."""
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    @contextmanager
    def covering(self) -> Iterator[None]:
        """Let this stop reach what this thread runs during the ``with``."""
        token = _STOP.set(self)
        try:
            yield
        finally:
            _STOP.reset(token)

    def now(self) -> None:
        """End what runs, politely first, and let nothing new start."""
        with self._lock:
            self._stopped = True
        for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 0.0)):
            end = time.monotonic() + seconds
            for process in self._signalled(number):
                while process.returncode is None and time.monotonic() < end:
                    time.sleep(_POLL_SECONDS)

    def _signalled(self, number: signal.Signals) -> tuple[subprocess.Popen[bytes], ...]:
        with self._lock:
            for process in self._running:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            return tuple(self._running)

    def check(self) -> None:
        """Raise `Stopped` once everything is to stop."""
        if self._stopped:
            raise Stopped("was stopped", where="ropewalk", hint="run the command again: it goes on")

    @contextmanager
    def watching(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Know a program while its thread waits for it.

        Args:
            process: The program; its thread reaps it.
        """
        with self._lock:
            self._running.add(process)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._running.discard(process)
        self.check()


_STOP: ContextVar[Stop | None] = ContextVar("stop", default=None)


def clean_environment(extra: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the environment that programs get: nothing of ours but where home and temporary files are.

    Args:
        extra: Variables to add, as (name, value).
    """
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR") if name in os.environ}
    return {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/root", **kept, **dict(extra)}


def _spawn(command: Command, stdout: int | IO[bytes], stderr: int | IO[bytes]) -> subprocess.Popen[bytes]:
    stop = _STOP.get()
    if stop is not None:
        stop.check()
    try:
        return subprocess.Popen(
            command.full_argv(),
            stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=command.directory,
            env=clean_environment(command.environment),
            start_new_session=True,
        )
    except FileNotFoundError as error:
        missing = command.argv[0] if error.filename in (None, command.argv[0]) else str(error.filename)
        raise ProgramMissing(
            f"{missing} is not there", where=command.argv[0], hint="run `make setup`, then `ropewalk doctor`"
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its process group, politely first, so that it can unmount; its pipes are closed."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    for number, wait in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            continue
        return


def run(command: Command, *, log: Path | None = None, check: bool = True) -> Completed:
    """Run a program to its end.

    Args:
        command: What to run.
        log: Append both outputs to this file instead of keeping them.
        check: Raise when the status is not 0.

    Returns:
        Its status and outputs.

    Raises:
        CommandFailed: It ended with another status than 0 and ``check`` is true, or its time was over (status 124).
        ProgramMissing: The program is not installed.
    """
    if log is None:
        return _run_captured(command, check=check)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = _spawn(command, sink, subprocess.STDOUT)
        _communicate(process, command)
    if check and process.returncode != 0:
        raise CommandFailed(command, process.returncode, tail_of(log), log)
    return Completed(process.returncode, b"", b"")


def _run_captured(command: Command, *, check: bool) -> Completed:
    process = _spawn(command, subprocess.PIPE, subprocess.PIPE)
    stdout, stderr = _communicate(process, command)
    if check and process.returncode != 0:
        raise CommandFailed(command, process.returncode, stderr or stdout, None)
    return Completed(process.returncode, stdout, stderr)


def _communicate(process: subprocess.Popen[bytes], command: Command) -> tuple[bytes, bytes]:
    stop = _STOP.get()
    try:
        with stop.watching(process) if stop is not None else nullcontext():
            stdout, stderr = process.communicate(command.stdin or None, timeout=command.timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        raise CommandFailed(command, 124, f"not ended after {command.timeout:g} s".encode(), None) from None
    except BaseException:
        _end(process)
        raise
    return stdout or b"", stderr or b""


@contextmanager
def paused(command: Command, log: Path, at: Path, on: Path) -> Iterator[None]:
    """Run a program that pauses once: it writes to the pipe ``at``, then reads from the pipe ``on``.

    Args:
        command: What to run.
        log: Where both outputs go; what comes after the pause is left out.
        at: A named pipe to make.
        on: Another one.

    Yields:
        While the program pauses. How it ends afterwards does not count.

    Raises:
        CommandFailed: It ended before it paused.
    """
    os.mkfifo(at, 0o600)
    os.mkfifo(on, 0o600)
    log.parent.mkdir(parents=True, exist_ok=True)
    stop = _STOP.get()
    with log.open("ab") as sink, at.open("r+b", buffering=0) as waiting, on.open("r+b", buffering=0) as going:
        process = _spawn(command, sink, subprocess.STDOUT)
        try:
            with stop.watching(process) if stop is not None else nullcontext():
                if not _has_paused(process, waiting):
                    raise CommandFailed(command, process.returncode, tail_of(log), log)
                size = log.stat().st_size
                yield
                going.write(b"yes\n")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_SECONDS)
                os.truncate(log, size)
        finally:
            if process.poll() is None:
                _end(process)


def _has_paused(process: subprocess.Popen[bytes], waiting: IO[bytes]) -> bool:
    """Wait until a program writes to a pipe; false where it ended before."""
    ended = False
    while not (written := bool(select.select([waiting], [], [], _POLL_SECONDS)[0])) and not ended:
        ended = process.poll() is not None
    return written


def tail_of(log: Path, size: int = 8192) -> bytes:
    """Return the last ``size`` bytes of a log file."""
    with log.open("rb") as handle:
        handle.seek(0, os.SEEK_END)
        handle.seek(max(0, handle.tell() - size))
        return handle.read()


@contextmanager
def started(command: Command, log: Path) -> Iterator[int]:
    """Run a program beside us and end it afterwards.

    Args:
        command: What to run.
        log: Where both outputs go.

    Yields:
        Its process id.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = _spawn(command, sink, subprocess.STDOUT)
        try:
            yield process.pid
        finally:
            _end(process)


def detach(command: Command, log: Path) -> int:
    """Start a program that outlives us (the embedded registry).

    Args:
        command: What to run.
        log: Where both outputs go.

    Returns:
        Its process id.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = _spawn(command, sink, subprocess.STDOUT)
    process.returncode = 0  # nobody waits for it; otherwise its handle warns that it still runs
    return process.pid


_OWN_NAMESPACE = ("unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--")
_OWN_LOCKS = ("sh", "-c", '[ ! -d /run/lock ] || mount -t tmpfs -o mode=1777 ropewalk /run/lock; exec "$@"', "sh")
"""Debian 13's buildah takes this root for the host's and wants netavark's lock, which may be the real root's file."""


def become_root() -> None:
    """Start this program anew as root of a user namespace of its own, with the caller's subordinate ids (subuid(5)).

    Root stays as it is. Files that this root makes are the caller's, those of other users have his subordinate ids.

    Raises:
        HostError: This host or this user has no such namespaces.
    """
    user = os.geteuid()
    if user == 0:
        return
    done = run(Command((*_OWN_NAMESPACE, "true")), check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        name = pwd.getpwuid(user).pw_name
        raise HostError(
            f"an ordinary user cannot build here: {said[-1] if said else 'no user namespace'}",
            where=f"user {name}",
            hint=f"as root: usermod --add-subuids 200000-265535 --add-subgids 200000-265535 {name}; apt-get install "
            "uidmap; sysctl user.max_user_namespaces=15000; or build as root",
        )
    argv = (*_OWN_NAMESPACE, *_OWN_LOCKS, sys.executable, *sys.orig_argv[1:])
    os.execvpe(argv[0], argv, {**os.environ, "ROPEWALK_RUN": str(_run_directory(user))})  # noqa: S606  our own program


def _run_directory(user: int) -> Path:
    """Make the caller's directory for running work, which nobody else may write."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(given) / "ropewalk" if given else Path(gettempdir()) / f"ropewalk-{user}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != user:
        raise HostError("belongs to someone else", where=str(path), hint="remove it, or set XDG_RUNTIME_DIR")
    return path
