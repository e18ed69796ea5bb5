"""Views, proxy and pool against Debian's real archive, as this host's apt reaches it."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ropewalk.archive import (
    DEBIAN,
    SECURITY,
    ArchiveProxy,
    BadSignature,
    Pockets,
    Pool,
    Upstream,
    View,
    ViewBook,
    from_apt,
    suite_names,
)
from ropewalk.archive.release import DEBIAN_KEYRING, verify
from ropewalk.debian import Version
from ropewalk.events import Event, EventKind, silent

pytestmark = pytest.mark.system

NOWHERE = Upstream("http://127.0.0.1:9/debian", "http://127.0.0.1:9/debian-security")
"""Nobody answers there: what is served comes from the views and the pool."""


@dataclass(frozen=True)
class World:
    directory: Path
    upstream: Upstream
    book: ViewBook
    pool: Pool
    release: View
    everything: View

    def files(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in (self.directory / "pool").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("archive")
    upstream, book = from_apt(), ViewBook(directory / "views")
    release, everything = (
        book.make(suite_names("bookworm", pockets), ["main"], "amd64", upstream, silent) for pockets in Pockets
    )
    return World(directory, upstream, book, Pool(directory / "pool"), release, everything)


@pytest.fixture
def proxy(world: World) -> Iterator[ArchiveProxy]:
    with ArchiveProxy(world.book, world.pool, world.upstream, silent) as running:
        yield running
        assert running.errors == ()


def sources(view: View) -> list[str]:
    return [f"deb {suite.uri} {suite.suite} main" for suite in view.suites]


def apt(root: Path, proxy: str, view: View, *arguments: str) -> str:
    """Run the host's apt-get in a root of its own, which holds nothing but its settings."""
    for name in ("etc/apt/apt.conf.d", "var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    lines = (line.replace("deb ", f"deb [signed-by={DEBIAN_KEYRING}] ", 1) for line in sources(view))
    (root / "etc/apt/sources.list").write_text("\n".join(lines))
    options = {
        "Dir": root,
        "Dir::State::status": root / "var/lib/dpkg/status",
        "Dir::Bin::methods": "/usr/lib/apt/methods",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "",
    }
    config = root / "apt.conf"
    config.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
    done = subprocess.run(
        ["apt-get", "-y", *arguments],
        env={"PATH": os.environ["PATH"], "APT_CONFIG": str(config), "http_proxy": proxy, "LANG": "C.UTF-8"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def download(root: Path, proxy: ArchiveProxy, view: View, package: str) -> list[str]:
    assert "W:" not in apt(root, proxy.url(view.id), view, "update")
    apt(root, proxy.url(view.id), view, "--download-only", "--no-install-recommends", "install", package)
    return sorted(path.name for path in (root / "var/cache/apt/archives").glob("*.deb"))


def test_views_have_stable_ids(world: World, tmp_path: Path) -> None:
    assert world.release.id != world.everything.id
    other = ViewBook(tmp_path)
    suites = suite_names("bookworm", Pockets.ALL)
    assert other.make(suites, ["main"], "amd64", world.upstream, silent).id == world.everything.id
    assert [suite.label for suite in world.everything.suites] == ["Debian", "Debian", "Debian-Security"]
    assert [suite.uri for suite in world.everything.suites] == [DEBIAN, DEBIAN, SECURITY]
    assert world.book.newest() == world.everything


def test_every_package_of_the_archive_is_read(world: World) -> None:
    found = list(world.book.packages(world.everything))
    assert len(found) > 60_000
    assert all(Version.parse(one.version) for one in found)
    openssl = {one.suite: one for one in found if one.package == "libssl3"}
    assert openssl["bookworm-security"].source == "openssl"


def test_apt_gets_the_views_packages_and_each_is_kept_once(world: World, proxy: ArchiveProxy, tmp_path: Path) -> None:
    first = download(tmp_path / "1", proxy, world.everything, "hello")
    kept = world.files()
    assert {name.partition("_")[0] for name in first} == {"hello", "libc6", "libgcc-s1", "gcc-12-base"}
    assert download(tmp_path / "2", proxy, world.everything, "hello") == first
    assert world.files() == kept
    with ArchiveProxy(world.book, world.pool, NOWHERE, silent) as offline:
        assert download(tmp_path / "3", offline, world.everything, "hello") == first
        assert offline.errors == ()


def test_a_corrupt_deb_of_the_right_size_is_told_and_fetched_again(world: World, tmp_path: Path) -> None:
    heard: list[Event] = []
    with ArchiveProxy(world.book, world.pool, world.upstream, heard.append) as proxy:
        names = download(tmp_path / "1", proxy, world.everything, "hello")
        offers = {one.sha256: one for one in world.book.packages(world.everything) if one.package == "hello"}
        sha256 = next(sha256 for sha256 in offers if sha256 in world.files())
        path = world.pool.path(sha256)
        good = path.read_bytes()
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:])
        assert download(tmp_path / "2", proxy, world.everything, "hello") == names
    warnings = [event for event in heard if event.kind is EventKind.WARNING]
    assert [event.subject for event in warnings] == [offers[sha256].filename.rpartition("/")[2]]
    assert path.read_bytes() == good


def test_mmdebstrap_bootstraps_from_a_view(world: World, proxy: ArchiveProxy, tmp_path: Path) -> None:
    target = tmp_path / "root.tar"
    argv = ["mmdebstrap", "--variant=extract", "--include=hello", "bookworm", str(target), *sources(world.release)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "http_proxy": proxy.url(world.release.id)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = subprocess.run(["tar", "-tf", target], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "./usr/bin/hello" in names


def test_trixie_works_too(world: World, tmp_path: Path) -> None:
    book = ViewBook(tmp_path)
    view = book.make(suite_names("trixie", Pockets.RELEASE), ["main"], "amd64", world.upstream, silent)
    assert view.suites[0].codename == "trixie"
    assert "hello" in {one.package for one in book.packages(view)}


def test_a_real_release_file_that_was_changed(world: World) -> None:
    data = world.book.file(world.release.suites[0].inrelease)
    assert verify(data, DEBIAN_KEYRING)
    with pytest.raises(BadSignature, match="was changed after it was signed"):
        verify(data.replace(b"bookworm", b"bookwarm", 1), DEBIAN_KEYRING)
