"""The proxy where a build has no network, and two runs at once on one pool."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.archive import Archive, Deb
from ropewalk.archive import ArchiveProxy, Pool, ViewBook
from ropewalk.errors import HostError
from ropewalk.events import silent
from ropewalk.process import Command, run, started

pytestmark = pytest.mark.system

HELLO = Deb("hello", "2.10-3", files=(("usr/share/hello", "hello\n"),))
FETCH = """
import socket, sys, urllib.request
proxy, address, outside = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
print(len(opener.open(address, timeout=10).read()))
try:
    socket.create_connection(("127.0.0.1", int(outside)), 2)
except OSError as error:
    print(error.strerror)
"""


@contextmanager
def namespace(log: Path) -> Iterator[Path]:
    """Make a network namespace with nothing in it, as `unshare` and container runtimes do."""
    ours = Path("/proc/self/ns/net").readlink()
    with started(Command(("unshare", "--net", "sleep", "60")), log) as pid:
        path = Path(f"/proc/{pid}/ns/net")
        while path.readlink() == ours:
            pass
        yield path


def test_a_process_without_a_network_fetches_through_the_proxy(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", [HELLO])
    book = ViewBook(tmp_path / "views", archive.keyring)
    size = (archive.root / "debian" / HELLO.filename).stat().st_size
    with (
        archive.serve() as served,
        ArchiveProxy(book, Pool(tmp_path / "pool"), served.upstream, silent) as proxy,
        namespace(tmp_path / "log") as inside,
    ):
        view = book.make(["bookworm"], ["main"], "amd64", served.upstream, silent)
        address = f"http://deb.debian.org/debian/{HELLO.filename}"
        argv = (sys.executable, "-c", FETCH, proxy.url(view.id, "b"), address, served.url.rpartition(":")[2])
        fetch = Command(argv, network=inside, timeout=60)
        assert run(fetch, check=False).returncode != 0, "there is no network"
        with proxy.inside(inside):
            assert run(fetch).stdout.decode().split("\n")[:2] == [str(size), "Connection refused"]
            with pytest.raises(HostError, match="cannot be entered"), proxy.inside(tmp_path / "none"):
                pass
        assert run(fetch, check=False).returncode != 0, "the door is shut again"
        assert [deb.package for deb in proxy.take_used("b")] == ["hello"]
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
