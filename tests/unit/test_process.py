import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ropewalk.errors import Exit
from ropewalk.process import Command, CommandFailed, ProgramMissing, clean_environment, paused, run, started


def test_output_and_status_come_back() -> None:
    done = run(Command(("sh", "-c", "cat; echo err >&2; exit 3"), stdin=b"in"), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in", b"err\n")


def test_failure_names_program_status_and_last_line() -> None:
    with pytest.raises(CommandFailed, match=r"^sh: ended with status 7: worse$") as caught:
        run(Command(("sh", "-c", "echo bad >&2; echo worse >&2; exit 7")))
    assert caught.value.tail == ("bad", "worse")


def test_a_log_takes_both_outputs_and_the_error_names_it(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "image.log"
    with pytest.raises(CommandFailed) as caught:
        run(Command(("sh", "-c", "echo one; echo two >&2; exit 1")), log=log)
    assert log.read_text() == "one\ntwo\n"
    assert str(log) in caught.value.hint


def test_a_missing_program_is_a_host_error() -> None:
    with pytest.raises(ProgramMissing, match="no-such-program is not there") as caught:
        run(Command(("no-such-program",)))
    assert caught.value.exit_code is Exit.HOST


def test_nothing_of_our_environment_but_where_home_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HOME", "/home/someone")
    given = clean_environment((("SOURCE_DATE_EPOCH", "1"),))
    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert given["HOME"] == "/home/someone"
    assert given["SOURCE_DATE_EPOCH"] == "1"


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = Command(("sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"), timeout=0.5)
    with pytest.raises(CommandFailed, match=r"not ended after 0\.5 s"):
        run(command)
    wait_gone(int(pid_file.read_text()))


def test_started_programs_end_with_the_body(tmp_path: Path) -> None:
    with started(Command(("sleep", "600")), tmp_path / "log") as pid:
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_wrappers_of_contained_and_network() -> None:
    command = Command(("buildah", "x"), contained=True, network=Path("/run/netns/n"))
    argv = command.full_argv()
    assert argv[:4] == ("setpriv", "--pdeathsig", "KILL", "--")
    assert argv[4:7] == ("nsenter", "--net=/run/netns/n", "--")
    assert argv[7] == "unshare"
    assert argv[-2:] == ("buildah", "x")


def test_a_killed_parent_takes_its_program_along(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import sys; from ropewalk.process import Command, run;"
        "run(Command(('setpriv','--pdeathsig','KILL','--','sh','-c', f'echo $$ > {sys.argv[1]}; exec sleep 600')))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(pid_file)])
    while not pid_file.exists() or not pid_file.read_text().strip():
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_gone(int(pid_file.read_text()))


def wait_gone(pid: int) -> None:
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.02)
    pytest.fail(f"process {pid} still lives")


def test_a_program_pauses_while_the_body_runs(tmp_path: Path) -> None:
    at, on, log = tmp_path / "at", tmp_path / "on", tmp_path / "log"
    script = f"echo before; echo yes >{at}; read -r x <{on}; echo after; touch {tmp_path}/end; exit 75"
    with paused(Command(("sh", "-c", script)), log, at, on):
        assert log.read_text() == "before\n"
        assert not (tmp_path / "end").exists()
    assert (tmp_path / "end").exists()
    assert log.read_text() == "before\n"


def test_a_program_that_ends_before_it_pauses_failed(tmp_path: Path) -> None:
    command = Command(("sh", "-c", "echo wrong; exit 3"))
    with (
        pytest.raises(CommandFailed, match=r"^sh: ended with status 3: wrong$"),
        paused(command, tmp_path / "log", tmp_path / "at", tmp_path / "on"),
    ):
        pytest.fail("it did not pause")


def test_a_paused_program_ends_with_an_exception_of_the_body(tmp_path: Path) -> None:
    at, on = tmp_path / "at", tmp_path / "on"
    script = f"echo $$ >{tmp_path}/pid; echo yes >{at}; read -r x <{on}; touch {tmp_path}/end"
    with pytest.raises(KeyError), paused(Command(("sh", "-c", script)), tmp_path / "log", at, on):
        raise KeyError
    assert not (tmp_path / "end").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
