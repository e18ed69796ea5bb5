import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Key
from ropewalk.archive import (
    DEBIAN,
    SECURITY,
    BadSignature,
    Damaged,
    FromTheFuture,
    Pockets,
    Receding,
    Upstream,
    View,
    ViewBook,
    WrongIndex,
    WrongSuite,
    suite_names,
    uri_of,
)
from ropewalk.archive.index import packages, rows, table
from ropewalk.archive.suite import SuiteView, view_of
from ropewalk.errors import InputError, RopewalkError
from ropewalk.events import Event, EventKind, silent

HELLO = Deb("hello", "2.10-3")
FIXED = Deb("hello", "2.10-3+deb12u1")
LIBRARY = Deb("libhello1", "1:2.10-3+b1", fields=(("Source", "hello-lib (1:2.10-3)"),))
ALL = suite_names("bookworm", Pockets.ALL)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "archive")
    made.publish("bookworm", [HELLO, LIBRARY])
    made.publish("bookworm-updates", [], date=NEW_YEAR + 10)
    made.publish("bookworm-security", [FIXED], date=NEW_YEAR + 86400)
    return made


@pytest.fixture
def book(archive: Archive, tmp_path: Path) -> ViewBook:
    return ViewBook(tmp_path / "views", archive.keyring)


def make(book: ViewBook, upstream: Upstream, suites: tuple[str, ...] = ALL) -> View:
    return book.make(suites, ("main",), "amd64", upstream, silent)


def test_suite_names() -> None:
    assert suite_names("bookworm", Pockets.RELEASE) == ("bookworm",)
    assert ALL == ("bookworm", "bookworm-updates", "bookworm-security")
    assert suite_names("sid", Pockets.ALL) == ("sid",)
    assert [uri_of(name) for name in ALL] == [DEBIAN, DEBIAN, SECURITY]


def test_a_view_names_what_the_archive_offers(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream)
    assert view.id.startswith("20260102-")
    assert [(suite.suite, suite.codename, suite.label) for suite in view.suites] == [
        ("bookworm", "bookworm", "Debian"),
        ("bookworm-updates", "bookworm-updates", "Debian"),
        ("bookworm-security", "bookworm-security", "Debian-Security"),
    ]
    assert view.newest_date(["bookworm", "bookworm-updates", "sid"]) == NEW_YEAR + 10
    with pytest.raises(InputError, match="holds none of the suites sid"):
        view.newest_date(["sid"])
    assert book.load(view.id) == view
    assert book.file(view.suites[0].inrelease) == archive.inrelease("bookworm").read_bytes()
    assert served.asked("Packages.xz") == 0, "indexes are fetched by hash"


def test_its_packages(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream)
    for _ in range(2):
        found = list(book.packages(view))
        assert [(one.package, one.version, one.suite) for one in found] == [
            ("hello", "2.10-3", "bookworm"),
            ("libhello1", "1:2.10-3+b1", "bookworm"),
            ("hello", "2.10-3+deb12u1", "bookworm-security"),
        ]
        assert (found[1].source, found[1].source_version) == ("hello-lib", "1:2.10-3")
        assert (found[2].uri, found[2].filename) == (SECURITY, FIXED.filename)
        assert found[2].size == (archive.root / "debian-security" / FIXED.filename).stat().st_size
    assert [one.suite for one in book.packages(view, ["bookworm-security"])] == ["bookworm-security"]


def test_an_unchanged_archive_gives_the_same_id_and_fetches_release_files_only(
    archive: Archive, book: ViewBook
) -> None:
    with archive.serve() as served:
        first = make(book, served.upstream)
        served.requests.clear()
        assert make(book, served.upstream) == first
        assert [path.rpartition("/")[2] for path in served.requests] == ["InRelease"] * 3
        assert served.unchanged == served.requests
        other = ViewBook(archive.root / "elsewhere", archive.keyring)
        assert make(other, served.upstream) == first


@pytest.mark.parametrize("tags", [True, False])
def test_one_conditional_request_a_suite(archive: Archive, book: ViewBook, *, tags: bool) -> None:
    with archive.serve(tags=tags) as served:
        first = make(book, served.upstream)
        assert served.unchanged == []
        archive.publish("bookworm-security", [HELLO, FIXED], date=NEW_YEAR + 2 * 86400)
        os.utime(archive.inrelease("bookworm-security"), (1, 1))
        second = make(book, served.upstream)
        assert second.id != first.id
        assert len(served.unchanged) == 2
        book.file_path(second.suites[0].inrelease).unlink()
        assert make(book, served.upstream) == second
        assert len(served.unchanged) == 4, "what is not at hand is fetched whole"
    with archive.serve(tags=tags) as another:
        make(book, another.upstream)
        assert another.unchanged == [], "another server's marks say nothing"


def test_dates_are_remembered_without_the_views(archive: Archive, book: ViewBook, tmp_path: Path) -> None:
    with archive.serve() as served:
        make(book, served.upstream)
        for path in tmp_path.glob("views/*-*.json"):
            path.unlink()
        set_back(archive)
        with pytest.raises(Receding, match="went back by 1 s"):
            make(book, served.upstream)
        (tmp_path / "views" / "suites.json").write_text('{"x": {}}')
        with pytest.raises(InputError, match=r"suites\.json: is damaged"):
            make(book, served.upstream)


def test_views_of_older_programs_are_read_and_their_dates_count(
    archive: Archive, book: ViewBook, tmp_path: Path
) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream)
        (tmp_path / "views" / "suites.json").unlink()
        path = tmp_path / "views" / f"{view.id}.json"
        data = json.loads(path.read_text())
        for suite in data["suites"]:
            del suite["keyring"]
        path.write_text(json.dumps(data))
        assert book.load(view.id) == view
        set_back(archive)
        with pytest.raises(Receding):
            make(book, served.upstream)


def test_views_are_ordered_by_date_then_by_when_they_were_made(archive: Archive, book: ViewBook) -> None:
    assert book.newest() is None
    with archive.serve() as served:
        everything = make(book, served.upstream)
        release = make(book, served.upstream, ("bookworm",))
        assert [view.id for view in book] == [release.id, everything.id]
        security = make(book, served.upstream, ("bookworm-security",))
        assert [view.id for view in book] == [release.id, everything.id, security.id]
        make(book, served.upstream)
        assert book.newest() == everything


def test_the_id_follows_each_input() -> None:
    suite = SuiteView(DEBIAN, "bookworm", "bookworm", "Debian", NEW_YEAR, ("main",), "aa", ())
    other = SuiteView(DEBIAN, "bookworm", "bookworm", "Debian", NEW_YEAR, ("main", "contrib"), "aa", ())
    ids = {view_of("amd64", [suite]).id, view_of("arm64", [suite]).id, view_of("amd64", [other]).id}
    assert len(ids) == 3


def test_unknown_views(archive: Archive, book: ViewBook) -> None:
    with pytest.raises(InputError, match="view 1: there is no such view") as caught:
        book.load("1")
    assert "none yet" in caught.value.hint
    with archive.serve() as served:
        view = make(book, served.upstream)
    with pytest.raises(InputError) as caught:
        book.load(view.id[:-1] + "x")
    assert f"did you mean {view.id}" in caught.value.hint
    with pytest.raises(InputError, match="there is no such view"):
        book.load(f"../views/{view.id}")


def test_a_damaged_view_file(archive: Archive, book: ViewBook, tmp_path: Path) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream, ("bookworm",))
    path = tmp_path / "views" / f"{view.id}.json"
    path.write_text(json.dumps({"id": view.id}))
    with pytest.raises(InputError, match="is no view: KeyError"):
        book.load(view.id)


def test_a_damaged_index_is_never_given_out_and_is_fetched_again(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream, ("bookworm",))
        path = book.file_path(view.suites[0].indexes[0].sha256)
        path.write_bytes(path.read_bytes()[::-1])
        with pytest.raises(Damaged, match="is not what was recorded"):
            list(book.packages(view))
        assert make(book, served.upstream, ("bookworm",)) == view
        assert len(list(book.packages(view))) == 2


def test_a_table_of_another_program_version_is_made_anew(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        view = make(book, served.upstream, ("bookworm",))
    list(book.packages(view))
    book.file_path(view.suites[0].indexes[0].sha256).with_suffix(".packages").write_text("ropewalk packages 0\nx\n")
    assert len(list(book.packages(view))) == 2


def set_back(archive: Archive) -> None:
    archive.publish("bookworm", [HELLO], date=NEW_YEAR - 1)


def swap(archive: Archive) -> None:
    archive.inrelease("bookworm").write_bytes(archive.inrelease("bookworm-updates").read_bytes())


def sign_with_another_key(archive: Archive) -> None:
    archive.publish("bookworm", [HELLO], key=Key())


def test_a_date_ahead_of_the_clock_is_not_recorded(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        before = make(book, served.upstream)
        archive.publish("bookworm", [HELLO], date=NEW_YEAR + 10 * 86400)
        with pytest.raises(FromTheFuture, match=r"has a date 192 hours ahead of this machine's clock"):
            book.make(ALL, ("main",), "amd64", served.upstream, silent, now=NEW_YEAR + 2 * 86400)
        archive.publish("bookworm", [HELLO], date=NEW_YEAR + 2 * 86400)
        assert book.make(ALL, ("main",), "amd64", served.upstream, silent, now=NEW_YEAR + 2 * 86400) != before


def tamper(archive: Archive) -> None:
    path = archive.inrelease("bookworm")
    path.write_bytes(path.read_bytes().replace(b"Origin: Debian", b"Origin: Xebian"))


def damage_indexes(archive: Archive) -> None:
    archive.publish("bookworm", [HELLO], date=NEW_YEAR + 5)
    for path in archive.root.glob("debian/dists/bookworm/**/by-hash/SHA256/*"):
        path.write_bytes(path.read_bytes()[::-1])


def remove(archive: Archive) -> None:
    archive.inrelease("bookworm").unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (set_back, Receding, "debian bookworm: went back by 1 s against the view made before"),
        (swap, WrongSuite, "is signed, but it is the release file of bookworm-updates"),
        (sign_with_another_key, BadSignature, "bookworm/InRelease: has no valid signature by a known key"),
        (tamper, BadSignature, "bookworm/InRelease: was changed after it was signed"),
        (damage_indexes, WrongIndex, "Packages.xz: is not what the signed InRelease says"),
        (remove, InputError, "debian bookworm: the archive has no such suite"),
    ],
)
def test_what_is_refused(
    archive: Archive, book: ViewBook, spoil: Callable[[Archive], None], error: type[RopewalkError], message: str
) -> None:
    with archive.serve() as served:
        before = make(book, served.upstream)
        spoil(archive)
        with pytest.raises(error, match=message) as caught:
            make(book, served.upstream)
    assert caught.value.hint
    assert list(book) == [before]
    assert not list(archive.root.parent.glob("views/**/*.tmp"))


def test_missing_components_and_architectures(archive: Archive, book: ViewBook) -> None:
    with archive.serve() as served:
        with pytest.raises(InputError, match="has no component contrib"):
            book.make(["bookworm"], ["contrib"], "amd64", served.upstream, silent)
        with pytest.raises(InputError, match="has no architecture arm64") as caught:
            book.make(["bookworm"], ["main"], "arm64", served.upstream, silent)
        assert caught.value.hint == "it has main for amd64"
        with pytest.raises(InputError, match="needs suites and components"):
            book.make([], ["main"], "amd64", served.upstream, silent)


def test_an_archive_without_by_hash(archive: Archive, book: ViewBook) -> None:
    archive.publish("bookworm", [HELLO], fields={"Acquire-By-Hash": "no"})
    archive.publish("bookworm-updates", [])
    for path in archive.root.glob("debian/dists/*/main/binary-amd64/by-hash/SHA256/*"):
        path.unlink()
    with archive.serve() as served:
        view = make(book, served.upstream, ("bookworm", "bookworm-updates"))
    assert [one.package for one in book.packages(view)] == ["hello"]
    assert served.asked("Packages.xz") == 2


def test_an_expired_release_file_is_told(archive: Archive, book: ViewBook) -> None:
    archive.publish("bookworm", [HELLO], fields={"Valid-Until": "Thu, 08 Jan 2026 00:00:00 UTC"})
    heard: list[Event] = []
    with archive.serve() as served:
        for days in (7, 10):
            now = NEW_YEAR + days * 86400
            book.make(["bookworm"], ["main"], "amd64", served.upstream, heard.append, now=now)
    warnings = [event.detail for event in heard if event.kind is EventKind.WARNING]
    assert warnings == ["its Valid-Until passed 3 days ago: the mirror is stale"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no xz", "cannot be read"),
        (lzma.compress(b"\xff"), "cannot be read"),
        (lzma.compress(b"Package: a\nVersion: 1\n"), r"a package \(a\) has no Filename"),
        (
            lzma.compress(
                b"Package: a\nVersion: 1\nFilename: f\nArchitecture: all\nSize: 1\nSHA256: ../../etc/passwd\n"
            ),
            "a has a size or a SHA256 that is none",
        ),
    ],
)
def test_broken_indexes(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(content, "Packages.xz")


@pytest.mark.parametrize("line", ["", "x", "a\tb\tnone\tc\td\te\tf\tg"])
def test_a_damaged_table_is_named(line: str) -> None:
    with pytest.raises(InputError, match="http://a x: the table of its index is damaged"):
        list(packages([line], "x", "http://a"))


def test_an_empty_index_has_no_rows() -> None:
    assert rows(table(lzma.compress(b""), "Packages.xz")) == []
    assert rows("something else") is None
