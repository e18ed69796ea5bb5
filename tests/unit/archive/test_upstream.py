import hashlib
from pathlib import Path

import pytest

from kit.archive import Archive
from ropewalk.archive import DEBIAN, SECURITY, ArchiveUnreachable, NotInArchive, Upstream, from_apt
from ropewalk.archive.fetch import complete, download, get
from ropewalk.archive.upstream import Source, choose, parse_sources

DEB822 = """# a comment
Types: deb deb-src
# another
URIs: http://mirror.example.org/debian/ https://second.example.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example.org/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """# deb http://off.example.org/debian bookworm main
deb-src http://mirror.example.org/debian bookworm main
deb http://mirror.example.org/debian bookworm main contrib # note
deb [arch=amd64 signed-by=/etc/apt/keyrings/x.gpg] https://x.example.org/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb http://mirror.example.org/debian-security bookworm-security main
"""


def test_deb822() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    found = parse_sources(DEB822, "debian.sources")
    assert found[0] == Source("http://mirror.example.org/debian", "bookworm", ("main", "contrib"), keyring)
    assert [(one.uri, one.suite) for one in found[1:]] == [
        ("http://mirror.example.org/debian", "bookworm-updates"),
        ("https://second.example.org/debian", "bookworm"),
        ("https://second.example.org/debian", "bookworm-updates"),
        ("https://mirror.example.org/debian-security", "bookworm-security"),
    ]


def test_one_line() -> None:
    assert parse_sources(ONE_LINE, "sources.list")[:2] == (
        Source("http://mirror.example.org/debian", "bookworm", ("main", "contrib"), ""),
        Source("https://x.example.org/debian", "bookworm", ("main",), "/etc/apt/keyrings/x.gpg"),
    )


@pytest.mark.parametrize(
    ("lines", "debian", "security"),
    [
        ("", DEBIAN, SECURITY),
        (ONE_LINE, "http://mirror.example.org/debian", "http://mirror.example.org/debian-security"),
        ("deb https://download.example.org/linux/debian bookworm stable", DEBIAN, SECURITY),
        ("deb [signed-by=/k/vendor.gpg] http://vendor.example.org/debian bookworm main", DEBIAN, SECURITY),
        ("deb http://vendor.example.org/debian nodistro main", DEBIAN, SECURITY),
        ("deb file:/srv/debian bookworm main", DEBIAN, SECURITY),
        ("deb https://m.example.org/d trixie main\ndeb https://m.example.org/debian trixie main", "https://m.example.org/debian", SECURITY),
        ("deb [signed-by=/k/debian-archive-keyring.gpg] http://m.example.org/mirror bookworm main", "http://m.example.org/mirror", SECURITY),
        ("deb http://m.example.org/debian-security bookworm/updates main", DEBIAN, "http://m.example.org/debian-security"),
        ("deb http://m.example.org/debian bookworm-updates main", "http://m.example.org/debian", SECURITY),
    ],
)  # fmt: skip
def test_the_mirror_among_sources(lines: str, debian: str, security: str) -> None:
    assert choose(parse_sources(lines, "sources.list")) == Upstream(debian, security)


def test_from_apt(tmp_path: Path) -> None:
    assert from_apt(tmp_path) == Upstream()
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "apt.conf.d").mkdir()
    (tmp_path / "apt.conf.d" / "proxy").write_text('Acquire { http { Proxy "http://proxy.example.org:3128"; }; };\n')
    expected = Upstream(
        "http://mirror.example.org/debian",
        "https://mirror.example.org/debian-security",
        "http://proxy.example.org:3128",
    )
    assert from_apt(tmp_path) == expected
    (tmp_path / "apt.conf.d" / "proxy").write_text('Acquire::http::Proxy "DIRECT";\n')
    assert from_apt(tmp_path).proxy is None


def test_url() -> None:
    upstream = Upstream("https://m.example.org/d", "http://s.example.org")
    path = "pool/main/g/g++/g++_4%3a1~x+b1_amd64.deb"
    quoted = "pool/main/g/g%2B%2B/g%2B%2B_4%253a1~x%2Bb1_amd64.deb"
    assert upstream.url(DEBIAN, path) == f"https://m.example.org/d/{quoted}"
    assert upstream.url(SECURITY, "a") == "http://s.example.org/a"
    assert upstream.url("http://apt.example.org/x", "a") == "http://apt.example.org/x/a"


def test_fetching(tmp_path: Path) -> None:
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian" / "a").write_bytes(b"content")
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        url = served.upstream.url(DEBIAN, "a")
        served.failing["/debian/a"] = 1
        assert get(client, url, 100) == b"content"
        assert served.asked("/a") == 2
        download(client, url, tmp_path / "copy", 100)
        assert (tmp_path / "copy").read_bytes() == b"content"
        with pytest.raises(NotInArchive, match="/debian/none: is not there"):
            get(client, f"{served.url}/debian/none", 100)
        served.failing["/debian/a"] = 9
        with pytest.raises(ArchiveUnreachable, match="answered 503"):
            get(client, url, 100)
    with Upstream().client() as client, pytest.raises(ArchiveUnreachable, match="does not answer"):
        get(client, url, 100)


CONTENT = bytes(range(256)) * 1024
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("cuts", [1, 2])
def test_what_broke_off_goes_on(tmp_path: Path, cuts: int) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    copy = tmp_path / "copy"
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        served.cutting["/a"] = 100_000
        copy.write_bytes(CONTENT[:5] if cuts == 2 else b"")
        assert complete(copy, lambda path: download(client, f"{served.url}/a", path, len(CONTENT)), SHA, len(CONTENT))
        starts = [start for _, start in served.ranges]
    assert copy.read_bytes() == CONTENT
    assert len(starts) == cuts
    assert starts[-1] > 50_000


@pytest.mark.parametrize("begun", [CONTENT, CONTENT + b"x", b"x" * len(CONTENT), b"x" * 10, CONTENT[::-1][:70_000]])
def test_a_beginning_of_something_else_is_thrown_away(tmp_path: Path, begun: bytes) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    copy = tmp_path / "copy"
    copy.write_bytes(begun)
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        assert complete(copy, lambda path: download(client, f"{served.url}/a", path, len(CONTENT)), SHA, len(CONTENT))
    assert copy.read_bytes() == CONTENT
    assert len(served.requests) == {True: 0, False: 1 + (len(begun) < len(CONTENT))}[begun == CONTENT]


def test_a_mirror_with_another_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"short")
    copy = tmp_path / "copy"
    copy.write_bytes(CONTENT[:70_000])
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        assert not complete(
            copy, lambda path: download(client, f"{served.url}/a", path, len(CONTENT)), SHA, len(CONTENT)
        )


@pytest.mark.parametrize("begun", [b"", CONTENT[:70_000]])
def test_of_a_mirror_that_sends_more_than_it_should_one_byte_is_kept(tmp_path: Path, begun: bytes) -> None:
    (tmp_path / "a").write_bytes(CONTENT * 9)
    copy = tmp_path / "copy"
    copy.write_bytes(begun)
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        download(client, f"{served.url}/a", copy, len(CONTENT))
    assert copy.stat().st_size == len(CONTENT) + 1


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    with Archive(tmp_path).serve() as served, served.upstream.client() as client:
        with pytest.raises(ArchiveUnreachable, match="is larger than 6 bytes"):
            get(client, f"{served.url}/a", 6)
        assert served.asked("/a") == 1
