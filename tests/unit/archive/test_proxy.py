import base64
import hashlib
import http.client
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Served
from ropewalk.archive import (
    ArchiveProxy,
    Lists,
    NotInPool,
    NotLocked,
    Pockets,
    Pool,
    View,
    ViewBook,
    WrongContent,
    suite_names,
)
from ropewalk.archive.server import view_of_header
from ropewalk.events import Event, EventKind, silent

HELLO = Deb("hello", "2.10-3", fields=(("Depends", "libhello+1"),), files=(("usr/share/hello", "hello\n"),))
LIBRARY = Deb("libhello+1", "1:2.10-3~1+b1")
FIXED = Deb("hello", "2.10-3+deb12u1", fields=(("Depends", "libhello+1"),))
INRELEASE = "http://deb.debian.org/debian/dists/bookworm/InRelease"
PACKAGES = "http://deb.debian.org/debian/dists/bookworm/main/binary-amd64"
HELLO_URL = f"http://deb.debian.org/debian/{HELLO.filename}"


@dataclass(frozen=True)
class World:
    archive: Archive
    served: Served
    book: ViewBook
    pool: Pool
    proxy: ArchiveProxy
    heard: list[Event]
    release: View
    everything: View

    @contextmanager
    def connected(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, url: str, view: str | None = None, method: str = "GET", word: str = "") -> tuple[int, str, bytes]:
        user = self.everything.id if view is None else view
        with self.connected() as connection:
            connection.request(method, url, headers=authorization(user, word))
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.read()


def authorization(user: str, word: str = "") -> dict[str, str]:
    return {"Proxy-Authorization": "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", [HELLO, LIBRARY])
    archive.publish("bookworm-updates", [])
    archive.publish("bookworm-security", [FIXED], date=NEW_YEAR + 86400)
    book, pool, heard = ViewBook(tmp_path / "views", archive.keyring), Pool(tmp_path / "pool"), list[Event]()
    with archive.serve() as served:
        views = [
            book.make(suite_names("bookworm", pockets), ["main"], "amd64", served.upstream, silent)
            for pockets in Pockets
        ]
        served.requests.clear()
        with ArchiveProxy(book, pool, served.upstream, heard.append) as proxy:
            yield World(archive, served, book, pool, proxy, heard, *views)


def deb_bytes(world: World, deb: Deb) -> bytes:
    return (world.archive.root / "debian" / deb.filename).read_bytes()


def test_recorded_files_are_served_after_the_archive_moved_on(world: World) -> None:
    inrelease = world.archive.inrelease("bookworm").read_bytes()
    index = world.release.suites[0].indexes[0]
    world.archive.publish("bookworm", [], date=NEW_YEAR + 500)
    assert world.ask(INRELEASE) == (200, "OK", inrelease)
    by_hash = world.ask(f"{PACKAGES}/by-hash/SHA256/{index.sha256}")
    assert by_hash == world.ask(f"{PACKAGES}/Packages.xz") == (200, "OK", world.book.file(index.sha256))
    assert world.served.requests == []


def test_debs_come_from_the_archive_once(world: World) -> None:
    content = deb_bytes(world, HELLO)
    assert [world.ask(HELLO_URL) for _ in range(3)] == [(200, "OK", content)] * 3
    assert world.ask(HELLO_URL, world.release.id)[2] == content
    assert world.served.asked(".deb") == 1


@pytest.mark.parametrize("quoted", ["libhello+1_2.10-3~1+b1", "libhello%2b1_2.10-3%7e1%2Bb1"])
def test_quoted_names(world: World, quoted: str) -> None:
    url = f"http://deb.debian.org/debian/pool/main/l/libhello+1/{quoted}_all.deb"
    assert world.ask(url) == (200, "OK", deb_bytes(world, LIBRARY))


def test_each_request_sees_its_own_view(world: World) -> None:
    url = f"http://deb.debian.org/debian-security/{FIXED.filename}"
    assert world.ask(url)[0] == 200
    assert world.ask(url.replace("deb.debian.org", "security.debian.org"))[0] == 200
    assert world.ask(url, world.release.id)[0] == 404
    inrelease = "http://deb.debian.org/debian-security/dists/bookworm-security/InRelease"
    assert world.ask(inrelease)[0] == 200
    status, reason, _ = world.ask(inrelease, world.release.id)
    assert (status, reason) == (404, f"not in view {world.release.id}")


@pytest.mark.parametrize(
    "path",
    [
        "debian/dists/trixie/InRelease",
        "debian/dists/bookworm/main/binary-amd64/Packages.gz",
        "debian/dists/bookworm/main/binary-amd64/by-hash/SHA256/" + "0" * 64,
        "debian/dists/bookworm/main/i18n/Translation-en.xz",
        "debian/pool/main/h/hello/hello_2.10-3+deb12u1_all.deb",
        "debian/../../../etc/passwd",
        "debian/pool/main/h/hello/",
        "",
    ],
)
def test_what_the_view_lacks_is_404(world: World, path: str) -> None:
    assert world.ask(f"http://deb.debian.org/{path}")[0] == 404


@pytest.mark.parametrize(
    "url", ["http://apt.example.org/debian/dists/bookworm/InRelease", "http://127.0.0.1/", "http:///x"]
)
def test_another_repository_is_403_with_the_remedy(world: World, url: str) -> None:
    status, reason, body = world.ask(url)
    assert status == 403
    assert reason.endswith(f"is not in view {world.everything.id}: add it to the view")
    assert body.decode().strip() == reason


@pytest.mark.parametrize("user", ["", "20260101-0123456789", "../x"])
def test_an_unknown_user_is_407(world: World, user: str) -> None:
    status, reason, _ = world.ask(INRELEASE, user)
    assert (status, reason) == (407, "there is no such view" if user else "name an archive view as the proxy's user")


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !", "Bearer eDo=", "Basic /w=="])
def test_headers_that_name_no_user(header: str | None) -> None:
    assert view_of_header(header) == ("", "")


def test_a_tunnel_is_refused(world: World) -> None:
    for user, message in (
        (world.everything.id, "403 apt.example.org is not in view"),
        ("", "407 name an archive view"),
    ):
        with world.connected() as connection:
            connection.set_tunnel("apt.example.org", 443, headers=authorization(user))
            with pytest.raises(OSError, match=message):
                connection.connect()


@contextmanager
def tunnel(world: World, host: str) -> Iterator[http.client.HTTPSConnection]:
    trusting = ssl.create_default_context(cadata=world.proxy.certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", world.proxy.port, timeout=10, context=trusting)
    connection.set_tunnel(host, 443, headers=authorization(world.everything.id))
    yield connection
    connection.close()


def test_a_tunnel_to_an_archive_of_the_view_ends_here(world: World) -> None:
    with tunnel(world, "deb.debian.org") as connection:
        for path, status in (
            (f"/debian/{HELLO.filename}", 200),
            ("/debian/none", 404),
            (f"/debian/{HELLO.filename}", 200),
        ):
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == status
        assert content == deb_bytes(world, HELLO)
        connection.request("CONNECT", "deb.debian.org:443")
        assert connection.getresponse().status == 400
    assert [deb.package for deb in world.proxy.take_used("")] == ["hello"]
    assert world.proxy.take_used("") == ()


def test_a_client_that_does_not_trust_the_proxy_leaves(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", world.proxy.port, timeout=10)
    connection.set_tunnel("deb.debian.org", 443, headers=authorization(world.everything.id))
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.connect()
    connection.close()
    assert world.ask(HELLO_URL)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_open_tunnels_end_with_the_proxy(world: World) -> None:
    with ArchiveProxy(world.book, world.pool, world.served.upstream, silent) as proxy:
        trusting = ssl.create_default_context(cadata=proxy.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=10, context=trusting)
        connection.set_tunnel("deb.debian.org", 443, headers=authorization(world.everything.id))
        connection.connect()
        inner = connection.sock
    assert inner.recv(1) == b""
    connection.close()


def test_only_absolute_addresses(world: World) -> None:
    status, reason, _ = world.ask("/debian/dists/bookworm/InRelease")
    assert (status, reason) == (400, "this is a proxy: ask for an absolute http address")


def test_a_connection_is_kept_and_head_works(world: World) -> None:
    size = len(deb_bytes(world, HELLO))
    with world.connected() as connection:
        for method, length in (("HEAD", 0), ("GET", size), ("HEAD", 0), ("GET", size)):
            connection.request(method, HELLO_URL, headers=authorization(world.everything.id))
            socket = connection.sock
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Content-Length"]) == (200, str(size))
            assert len(answer.read()) == length
            assert connection.sock is socket
        connection.request("HEAD", INRELEASE.replace("bookworm", "sid"), headers=authorization(world.everything.id))
        assert connection.getresponse().status == 404


def test_a_damaged_pool_heals_with_a_warning(world: World) -> None:
    content = deb_bytes(world, HELLO)
    world.ask(HELLO_URL)
    for path in (path for path in (world.archive.root.parent / "pool").rglob("*") if path.is_file()):
        path.write_bytes(path.read_bytes()[::-1])
    assert world.ask(HELLO_URL) == (200, "OK", content)
    assert world.served.asked(".deb") == 2
    assert [(event.kind, event.subject) for event in world.heard] == [(EventKind.WARNING, "hello_2.10-3_all.deb")]
    assert world.proxy.errors == ()


@pytest.mark.parametrize("what", ["index", "inrelease"])
def test_a_changed_file_of_a_view_is_not_served(world: World, what: str) -> None:
    suite = world.everything.suites[0]
    path = world.book.file_path(suite.indexes[0].sha256 if what == "index" else suite.inrelease)
    path.write_bytes(path.read_bytes()[::-1])
    status, reason, _ = world.ask(f"{PACKAGES}/Packages.xz" if what == "index" else INRELEASE)
    assert status == 502
    assert reason.startswith("a view's file is not what was recorded: ")
    assert [event.kind for event in world.heard] == [EventKind.FAILED]


def test_a_wrong_deb_from_the_mirror_reaches_the_caller(world: World) -> None:
    path = world.archive.root / "debian" / HELLO.filename
    path.write_bytes(path.read_bytes()[::-1])
    status, reason, _ = world.ask(HELLO_URL)
    assert status == 502
    assert "is not what the signed index says: hello_2.10-3_all.deb" in reason
    assert [type(error) for error in world.proxy.errors] == [WrongContent]
    assert [event.kind for event in world.heard] == [EventKind.FAILED]
    assert world.proxy.take_errors("another") == ()
    assert len(world.proxy.take_errors("")) == 1
    assert world.proxy.errors == ()


def test_each_build_hears_of_its_own_errors(world: World) -> None:
    (world.archive.root / "debian" / HELLO.filename).unlink()
    for build in ("one", "two", "two"):
        assert world.proxy.answer(world.everything.id, HELLO_URL, build).status == HTTPStatus.BAD_GATEWAY
    assert [len(world.proxy.take_errors(build)) for build in ("two", "one", "three", "two")] == [2, 1, 0, 0]


def test_a_build_has_a_word_of_its_own_while_it_runs(world: World) -> None:
    with world.proxy.limited("one", None), world.proxy.limited("two", set()):
        addresses = [urlsplit(world.proxy.url(world.release.id, build)) for build in ("one", "two", "")]
        words = [address.password or "" for address in addresses]
        assert [address.port for address in addresses] == [world.proxy.port] * 3
        assert [len(word) for word in words] == [32, 32, 0]
        assert words[0] != words[1]
        answers = [world.ask(HELLO_URL, word=word)[0] for word in (*words, "one", "two", "\N{SNOWMAN}")]
        assert answers == [200, 502, 502, 407, 407, 407]
        assert [deb.package for deb in world.proxy.take_used("one")] == ["hello"]
        assert world.proxy.take_used("two") == ()
    assert world.ask(HELLO_URL, word=words[0])[0] == 407
    with world.connected() as connection:
        connection.set_tunnel("deb.debian.org", 443, headers=authorization(world.everything.id, words[0]))
        with pytest.raises(OSError, match="407"):
            connection.request("GET", "/")


def test_a_build_is_kept_to_a_lock_and_the_pool(world: World) -> None:
    library_url = f"http://deb.debian.org/debian/{LIBRARY.filename}"
    ours, foreign = (hashlib.sha256(deb_bytes(world, deb)).hexdigest() for deb in (HELLO, LIBRARY))
    with world.proxy.limited("one", {ours}):
        statuses = [world.proxy.answer(world.release.id, url, "one").status for url in (library_url, HELLO_URL)]
        assert statuses == [HTTPStatus.BAD_GATEWAY] * 2
        errors = world.proxy.take_errors("one")
        assert [type(error) for error in errors] == [NotLocked, NotInPool]
        assert (
            str(errors[0])
            == f"libhello+1_2.10-3~1+b1_all.deb: the lock does not name libhello+1 1:2.10-3~1+b1 (all) with sha256 {foreign}"
        )
        assert str(errors[1]) == f"hello_2.10-3_all.deb: the pool has no hello 2.10-3 (all) with sha256 {ours}"
        assert world.proxy.take_used("one") == ()
        assert world.served.requests == []
        for name in ("", "two"):
            assert world.proxy.answer(world.release.id, HELLO_URL, name).status == HTTPStatus.BAD_GATEWAY
            assert [type(error) for error in world.proxy.take_errors(name)] == [NotLocked]
        with world.proxy.limited("two", None):
            assert world.proxy.answer(world.release.id, HELLO_URL, "two").status == HTTPStatus.OK
        assert world.proxy.answer(world.release.id, HELLO_URL, "one").status == HTTPStatus.OK
    assert [deb.sha256 for deb in world.proxy.take_used("one")] == [ours]
    assert world.proxy.answer(world.release.id, library_url, "one").status == HTTPStatus.OK


def test_a_damaged_deb_in_the_pool_is_not_fetched_for_a_lock(world: World) -> None:
    sha256 = hashlib.sha256(deb_bytes(world, HELLO)).hexdigest()
    assert world.proxy.answer(world.release.id, HELLO_URL, "one").path == world.pool.path(sha256)
    world.pool.path(sha256).write_bytes(b"another")
    with world.proxy.limited("one", {sha256}):
        assert world.proxy.answer(world.release.id, HELLO_URL, "one").status == HTTPStatus.BAD_GATEWAY
    assert [type(error) for error in world.proxy.take_errors("one")] == [NotInPool]
    assert world.served.asked(".deb") == 1


def test_a_deb_that_the_mirror_lost_is_502(world: World) -> None:
    (world.archive.root / "debian" / HELLO.filename).unlink()
    status, reason, _ = world.ask(HELLO_URL)
    assert (status, reason) == (502, f"is not there: {world.served.url}/debian/{HELLO.filename}")


def test_a_disk_that_does_not_take_it_is_502(world: World) -> None:
    (world.archive.root.parent / "pool" / "partial").write_text("not a directory")
    status, reason, _ = world.ask(HELLO_URL)
    assert status == 502
    assert reason.startswith("cannot be kept: ")
    assert world.proxy.errors[0].hint == "look at the disk's space"


def test_a_client_that_leaves_harms_nobody(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with world.connected() as connection:
        connection.request("GET", HELLO_URL, headers=authorization(world.everything.id))
    assert world.ask(HELLO_URL)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_open_connections_end_with_the_proxy(world: World) -> None:
    with ArchiveProxy(world.book, world.pool, world.served.upstream, silent) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        connection.request("GET", INRELEASE, headers=authorization(world.everything.id))
        connection.getresponse().read()
        sock = connection.sock
    assert sock.recv(1) == b""
    connection.close()


def apt(world: World, root: Path, *arguments: str, scheme: str = "http") -> str:
    """Run the host's apt-get in a root of its own, through the proxy."""
    for directory in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"):  # fmt: skip
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    signed = f"[signed-by={world.archive.keyring}]"
    (root / "etc/apt/sources.list").write_text(
        f"deb {signed} {scheme}://deb.debian.org/debian bookworm main\n"
        f"deb {signed} {scheme}://deb.debian.org/debian-security bookworm-security main\n"
    )
    (root / "ca.pem").write_text(world.proxy.certificate)
    config = root / "etc/apt/apt.conf.d/zz"
    config.write_text(
        f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nDir::Bin::methods "/usr/lib/apt/methods";\n'
        f'Acquire::http::Proxy "{world.proxy.url(world.everything.id)}";\nAcquire::Retries "0";\n'
        f'Acquire::https::CAInfo "{root}/ca.pem";\n'
        'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "";\n'
    )
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "APT_CONFIG": str(config), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["apt-get", "-y", *arguments], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_apt_reads_a_view(world: World, tmp_path: Path, scheme: str) -> None:
    root = tmp_path / "root"
    shown = apt(world, root, "update", scheme=scheme)
    assert "W:" not in shown
    assert "E:" not in shown
    shown = apt(world, root, "--download-only", "--no-install-recommends", "install", "hello", scheme=scheme)
    assert "E:" not in shown
    names = sorted(path.name for path in (root / "var/cache/apt/archives").glob("*.deb"))
    assert names == ["hello_2.10-3+deb12u1_all.deb", "libhello+1_1%3a2.10-3~1+b1_all.deb"]
    assert world.served.asked(".deb") == 2
    assert world.served.asked("InRelease") == 0
    assert world.proxy.errors == ()


def test_apt_takes_lists_that_are_laid_out_for_it(world: World, tmp_path: Path) -> None:
    root = tmp_path / "root"
    apt(world, root, "update")
    fetched = {path.name: path.read_bytes() for path in (root / "var/lib/apt/lists").glob("*_*")}

    lists, laid = Lists(world.book, tmp_path / "lists"), tmp_path / "laid"
    lists.link(world.everything, ["bookworm", "bookworm-security", "trixie", "suites:"], laid)
    assert {path.name: path.read_bytes() for path in laid.iterdir()} == fetched

    again = tmp_path / "again"
    (again / "var/lib/apt/lists").mkdir(parents=True)
    for path in laid.iterdir():
        (again / "var/lib/apt/lists" / path.name).symlink_to(path)
    shown = apt(world, again, "update")
    assert [line.split(":")[0] for line in shown.splitlines()] == ["Hit", "Hit", "Reading package lists..."]
    apt(world, again, "--download-only", "--no-install-recommends", "install", "hello")
    assert (again / "var/cache/apt/archives/hello_2.10-3+deb12u1_all.deb").exists()


def test_lists_of_a_changed_index_are_not_laid_out(world: World, tmp_path: Path) -> None:
    suite = world.release.suites[0]
    other = replace(suite, indexes=world.everything.suites[2].indexes)
    Lists(world.book, tmp_path / "lists").link(replace(world.release, suites=(other,)), ["bookworm"], tmp_path / "laid")
    assert list((tmp_path / "laid").iterdir()) == []


def test_apt_shows_the_remedy(world: World, tmp_path: Path) -> None:
    root = tmp_path / "root"
    apt(world, root, "update")
    (root / "etc/apt/sources.list.d").mkdir()
    (root / "etc/apt/sources.list.d/x.list").write_text("deb [trusted=yes] http://apt.example.org/x bookworm main\n")
    assert f"403  apt.example.org is not in view {world.everything.id}: add it to the view" in apt(
        world, root, "update"
    )
