"""The proxy where a build has no network, and two runs at once on one pool."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit.archive import Archive, Deb
from ropewalk.archive import ArchiveProxy, Pool, ViewBook
from ropewalk.events import silent
from ropewalk.process import Command, run

pytestmark = pytest.mark.system

HELLO = Deb("hello", "2.10-3", files=(("usr/share/hello", "hello\n"),))
FETCH = """
import socket, sys, urllib.request
proxy, address, outside = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
print(len(opener.open(address, timeout=10).read()))
try:
    socket.create_connection(("127.0.0.1", int(outside)), 2)
    print("reached")
except OSError as error:
    print(error.strerror)
"""


def test_a_process_in_a_builds_own_network_reaches_the_proxy_and_nothing_else(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", [HELLO])
    book = ViewBook(tmp_path / "views", archive.keyring)
    size = (archive.root / "debian" / HELLO.filename).stat().st_size
    with (
        archive.serve() as served,
        ArchiveProxy(book, Pool(tmp_path / "pool"), served.upstream, silent) as proxy,
    ):
        view = book.make(["bookworm"], ["main"], "amd64", served.upstream, silent)
        address = f"http://deb.debian.org/debian/{HELLO.filename}"

        def ask(build: str, network: Path | None) -> tuple[int, str]:
            argv = (sys.executable, "-c", FETCH, proxy.url(view.id, build), address, served.url.rpartition(":")[2])
            done = run(Command(argv, network=network, timeout=60), check=False)
            return done.returncode, (done.stdout or done.stderr).decode().strip()

        with proxy.limited("one", None), proxy.limited("two", None), proxy.apart("one") as network:
            assert ask("one", network) == (0, f"{size}\nConnection refused")
            assert ask("two", None) == (0, f"{size}\nreached")
            for build, place in (("two", network), ("one", None), ("", network)):
                status, said = ask(build, place)
                assert (status, "407" in said) == (1, True), "a word is good at its own door only"
            with proxy.limited("three", None), proxy.apart("three") as another:
                assert ask("three", another)[0] == 0
                assert ask("one", another)[0] == 1, "builds with networks of their own are apart from each other, too"
        assert [deb.package for deb in proxy.take_used("one")] == ["hello"]
    assert proxy.errors == ()


RUN = """
import json, sys
from pathlib import Path
from ropewalk.archive import ArchiveProxy, Pool, Upstream, ViewBook
from ropewalk.events import silent
place, url, keyring, names = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4].split(",")
upstream = Upstream(f"{url}/debian", f"{url}/debian-security")
book = ViewBook(place / "views", keyring)
view = book.make(["bookworm"], ["main"], "amd64", upstream, silent)
with ArchiveProxy(book, Pool(place / "pool"), upstream, silent) as proxy:
    got = [proxy.answer(view.id, f"http://deb.debian.org/debian/{name}").status.value for name in names]
print(json.dumps([view.id, got]))
"""


def test_two_runs_at_once_share_views_and_pool(tmp_path: Path) -> None:
    debs = [Deb(f"p{number}", "1", files=(("usr/share/x", f"{number}\n" * 50_000),)) for number in range(12)]
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", debs)
    with archive.serve() as served:
        names = ",".join(deb.filename for deb in debs)
        argv = (sys.executable, "-c", RUN, tmp_path, served.url, archive.keyring, names)
        running = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(2)]
        answers = [json.loads(process.communicate(timeout=60)[0]) for process in running]
        assert answers[0] == answers[1]
        assert answers[0][1] == [200] * len(debs)
        assert served.asked(".deb") == len(debs), "each .deb is fetched once"
        assert served.asked("Packages.xz") + sum("by-hash" in path for path in served.requests) == 1
    pool = Pool(tmp_path / "pool")
    assert len(list(pool.files())) == len(debs)
    assert pool.beginnings() == ()
