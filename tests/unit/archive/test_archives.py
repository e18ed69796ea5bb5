"""Archives beside Debian's: http and https, flat ones, each signed by its own keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Key, Served, armoured, certificate
from ropewalk.archive import BadSignature, Receding, Upstream, View, ViewBook, WrongSuite
from ropewalk.debian import Repository, suite_path
from ropewalk.errors import InputError
from ropewalk.events import silent

HELLO, TOOL = Deb("hello", "2.10-3"), Deb("tool", "1.0")


@pytest.fixture
def debian(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "debian")
    made.publish("bookworm", [HELLO])
    return made


@pytest.fixture
def other(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "other")
    made.publish("bookworm", [TOOL], place="apt")
    return made


@pytest.fixture
def book(debian: Archive, tmp_path: Path) -> ViewBook:
    return ViewBook(tmp_path / "views", debian.keyring)


def make(book: ViewBook, upstream: Upstream, *archives: Repository, suites: tuple[str, ...] = ("bookworm",)) -> View:
    return book.make(suites, ("main",) if suites else (), "amd64", upstream, silent, archives=archives)


def alone(book: ViewBook, served: Served, archive: Archive, suite: str) -> View:
    return make(book, served.upstream, archive.repository(served.url, "apt", suite), suites=())


@pytest.mark.parametrize(
    ("suite", "path"),
    [("bookworm", "dists/bookworm/"), ("./", ""), ("/", ""), ("amd64/", "amd64/"), ("./x/y/", "x/y/")],
)
def test_where_a_suite_is(suite: str, path: str) -> None:
    assert suite_path(suite) == path


@pytest.mark.parametrize("tls", [False, True])
def test_a_view_of_debian_and_another(
    debian: Archive, other: Archive, book: ViewBook, tmp_path: Path, *, tls: bool
) -> None:
    pem = certificate(tmp_path) if tls else None
    with debian.serve() as first, other.serve(pem) as second:
        archive = other.repository(second.url, "apt", "bookworm")
        upstream = replace(first.upstream, certificates=pem)
        view = make(book, upstream, archive)
        assert view.id != make(book, upstream).id
        assert make(book, upstream, archive, archive) == view == book.load(view.id)
    assert [(one.uri.partition(":")[0], one.suite, one.of_debian) for one in view.suites] == [
        ("http", "bookworm", True),
        ("https" if tls else "http", "bookworm", False),
    ]
    assert book.file(view.suites[1].keyring) == other.key.public
    assert view.suites[0].keyring == ""
    assert [(one.package, one.uri) for one in book.packages(view)] == [
        ("hello", view.suites[0].uri),
        ("tool", archive.uri),
    ]


@pytest.mark.parametrize("packed", [".xz", ".gz", ""])
@pytest.mark.parametrize("suite", ["./", "amd64/", "bookworm"])
def test_flat_ones_and_each_way_to_pack(book: ViewBook, tmp_path: Path, suite: str, packed: str) -> None:
    archive = Archive(tmp_path / "other")
    archive.publish(suite, [TOOL], place="apt", packed=packed)
    with archive.serve() as served:
        view = alone(book, served, archive, suite)
    assert [one.package for one in book.packages(view)] == ["tool"]
    assert view.suites[0].indexes[0].path.endswith(f"Packages{packed}")


def test_packages_for_all_architectures_in_an_index_of_their_own(book: ViewBook, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "other")
    archive.publish("x", [TOOL], place="apt", apart=[HELLO])
    with archive.serve() as served:
        view = alone(book, served, archive, "x")
    assert [one.package for one in book.packages(view)] == ["tool", "hello"]


@pytest.mark.parametrize("text", [False, True])
def test_a_key_that_is_not_its_own_is_refused(
    debian: Archive, other: Archive, book: ViewBook, tmp_path: Path, *, text: bool
) -> None:
    good, wrong = tmp_path / "good", tmp_path / "wrong"
    good.write_bytes(armoured(Key(), other.key).encode() if text else other.key.public)
    wrong.write_bytes(armoured(debian.key).encode() if text else debian.key.public)
    with debian.serve() as first, other.serve() as second:
        archive = other.repository(second.url, "apt", "bookworm")
        make(book, first.upstream, replace(archive, keyring=good))
        with pytest.raises(BadSignature, match="bookworm/InRelease: has no valid signature by a known key") as caught:
            make(book, first.upstream, replace(archive, keyring=wrong))
        assert str(wrong) in caught.value.hint
        other.publish("bookworm", [TOOL], place="apt", key=debian.key, date=NEW_YEAR + 1)
        with pytest.raises(BadSignature):
            make(book, first.upstream, archive)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP"])
def test_a_keyring_without_keys(other: Archive, book: ViewBook, tmp_path: Path, content: bytes) -> None:
    empty = tmp_path / "keys.asc"
    empty.write_bytes(content)
    with other.serve() as served, pytest.raises(InputError, match=r"keys\.asc: holds no public key"):
        make(book, served.upstream, replace(other.repository(served.url, "apt", "bookworm"), keyring=empty), suites=())


def test_two_keyrings_of_one_suite_are_refused(other: Archive, book: ViewBook, tmp_path: Path) -> None:
    same, another = tmp_path / "same", tmp_path / "another"
    same.write_bytes(other.key.public)
    another.write_bytes(Key().public)
    with other.serve() as served:
        archive = other.repository(served.url, "apt", "bookworm")
        assert make(book, served.upstream, archive, replace(archive, keyring=same), suites=())
        with pytest.raises(InputError, match="is named with two keyrings"):
            make(book, served.upstream, archive, replace(archive, keyring=another), suites=())


def test_dates_and_names_are_held_to(other: Archive, book: ViewBook) -> None:
    with other.serve() as served:
        view = alone(book, served, other, "bookworm")
        other.publish("bookworm", [TOOL], place="apt", date=NEW_YEAR - 1)
        with pytest.raises(Receding, match="apt bookworm: went back by 1 s"):
            alone(book, served, other, "bookworm")
        other.publish("trixie", [TOOL], place="apt", fields={"Codename": "bookworm", "Suite": ""})
        with pytest.raises(WrongSuite, match="trixie: is signed, but it is the release file of bookworm"):
            alone(book, served, other, "trixie")
        other.publish("trixie", [TOOL], place="apt", fields={"Codename": "", "Suite": ""})
        with pytest.raises(WrongSuite, match="is the release file of none that it names"):
            alone(book, served, other, "trixie")
    assert list(book) == [view]


def test_a_flat_repository_goes_on_naming_itself_as_it_did(book: ViewBook, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "other")
    archive.publish("a/", [TOOL], place="apt", fields={"Label": "A"})
    archive.publish("b/", [HELLO], place="apt", fields={"Label": "B"}, date=NEW_YEAR + 1)
    with archive.serve() as served:
        for suite in ("a/", "b/"):
            alone(book, served, archive, suite)
        archive.inrelease("a/", "apt").write_bytes(archive.inrelease("b/", "apt").read_bytes())
        with pytest.raises(
            WrongSuite, match=r"apt a/: is signed, but it names itself `B b/ b/`; before it was `A a/ a/`"
        ):
            alone(book, served, archive, "a/")


def test_what_it_lacks_is_told(other: Archive, book: ViewBook) -> None:
    with other.serve() as served:
        with pytest.raises(InputError, match="apt sid: the archive has no such suite") as caught:
            alone(book, served, other, "sid")
        assert "without an InRelease file" in caught.value.hint
        bare = replace(other.repository(served.url, "apt", "bookworm"), components=("extra",))
        with pytest.raises(InputError, match="has no component extra"):
            make(book, served.upstream, bare, suites=())
