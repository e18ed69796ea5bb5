import hashlib
import threading
from pathlib import Path

import pytest

from ropewalk.archive import Pool, WrongContent
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
        path.write_bytes(self.content)


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
    assert "fetched again" in heard[0].detail


@pytest.mark.parametrize("wrong", [CONTENT[::-1], b"", CONTENT + b"x"])
def test_wrong_content_from_the_mirror_is_not_kept(tmp_path: Path, wrong: bytes) -> None:
    pool = Pool(tmp_path)
    with pytest.raises(WrongContent, match=f"{NAME}: the mirror's content"):
        pool.open(SHA, len(CONTENT), Mirror(wrong), NAME, silent)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
