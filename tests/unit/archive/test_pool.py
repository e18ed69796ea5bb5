import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ropewalk.archive import NotInArchive, Pool, WrongContent
from ropewalk.errors import HostError
from ropewalk.events import Event, EventKind, silent

CONTENT = b"a package"
SHA = hashlib.sha256(CONTENT).hexdigest()
NAME = "hello_1_all.deb"


class Mirror:
    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.fetched = 0

    def __call__(self, path: Path) -> None:
        self.fetched += 1
        with path.open("ab") as out:
            out.write(self.content[path.stat().st_size :])


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    mirror = Mirror()
    pool = Pool(tmp_path)
    paths = {pool.open(SHA, len(CONTENT), mirror, NAME, silent) for _ in range(3)}
    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert paths == {pool.path(SHA)}
    assert mirror.fetched == 1


def test_threads_share_one_fetch(tmp_path: Path) -> None:
    mirror = Mirror()
    pool = Pool(tmp_path)
    threads = [threading.Thread(target=pool.open, args=(SHA, len(CONTENT), mirror, NAME, silent)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mirror.fetched == 1


@pytest.mark.parametrize("damaged", [CONTENT[::-1], b"", CONTENT + b"x"])
def test_a_damaged_file_is_told_and_fetched_again(tmp_path: Path, damaged: bytes) -> None:
    pool = Pool(tmp_path)
    pool.open(SHA, len(CONTENT), Mirror(), NAME, silent).write_bytes(damaged)
    heard: list[Event] = []
    mirror = Mirror()
    assert pool.open(SHA, len(CONTENT), mirror, NAME, heard.append).read_bytes() == CONTENT
    assert mirror.fetched == 1
    assert [(event.kind, event.subject) for event in heard] == [(EventKind.WARNING, NAME)]
    assert heard[0].detail == "its copy in the pool was damaged and is removed"


@pytest.mark.parametrize("wrong", [CONTENT[::-1], b"", CONTENT + b"x"])
def test_wrong_content_from_the_mirror_is_not_kept(tmp_path: Path, wrong: bytes) -> None:
    pool = Pool(tmp_path)
    with pytest.raises(WrongContent, match=f"{NAME}: the mirror's content"):
        pool.open(SHA, len(CONTENT), Mirror(wrong), NAME, silent)
    assert list(pool.files()) == [] == list(pool.beginnings())


def test_a_fetch_that_broke_off_goes_on(tmp_path: Path) -> None:
    pool = Pool(tmp_path)

    def broken(path: Path) -> None:
        path.write_bytes(CONTENT[:3])
        raise NotInArchive("is gone", where="x", hint="x")

    with pytest.raises(NotInArchive):
        pool.open(SHA, len(CONTENT), broken, NAME, silent)
    assert [path.read_bytes() for path in pool.beginnings()] == [CONTENT[:3]]
    seen = []

    def rest(path: Path) -> None:
        seen.append(path.read_bytes())
        Mirror()(path)

    assert pool.open(SHA, len(CONTENT), rest, NAME, silent).read_bytes() == CONTENT
    assert seen == [CONTENT[:3]]
    assert list(pool.beginnings()) == []


def test_a_use_is_noted(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    path = pool.open(SHA, len(CONTENT), Mirror(), NAME, silent)
    os.utime(path, (1, 1))
    pool.open(SHA, len(CONTENT), Mirror(), NAME, silent)
    assert path.stat().st_mtime > 1


def test_nobody_is_alone_while_it_is_used(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    with pool.in_use(), Pool(tmp_path).in_use(), pytest.raises(HostError), pool.alone():
        pass
    with pool.alone():
        pass


TWO = """
import sys, time
from pathlib import Path
from ropewalk.archive import Pool
from ropewalk.events import silent
directory, log, sha = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def fetch(path):
    with log.open("a") as out:
        out.write("fetch\\n")
    for number in range(9):
        time.sleep(0.05)
        with path.open("ab") as out:
            out.write(b"a package"[number:number + 1])
path = Pool(directory).open(sha, 9, fetch, "hello", silent)
assert path.read_bytes() == b"a package"
"""


def test_two_processes_share_one_fetch(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", TWO, str(tmp_path / "pool"), str(tmp_path / "log"), SHA]
    running = [subprocess.Popen(argv) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert (tmp_path / "log").read_text() == "fetch\n"
    assert len(list(Pool(tmp_path / "pool").files())) == 1
    assert list(Pool(tmp_path / "pool").beginnings()) == []
