"""Packages out of layers, and whose they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.images import add_files, add_image, digest, opaque, owners, stanza, status, whiteout
from ropewalk.debian import parse_status
from ropewalk.errors import InputError
from ropewalk.inventory.read import LayerFacts, is_database, owned, read_packages, read_release
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, Image, Layer
from ropewalk.oci.store import Store
from ropewalk.recipe.record import LayerKind, OwnedLayer

STATUS = "var/lib/dpkg/status"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def listed(store: Store, *named: tuple[Layer, str]) -> list[str]:
    image = add_image(store, *(layer for layer, _ in named))
    found = read_packages(store, image, owners(*named))
    return [f"{one.name}:{one.architecture}={one.version} {one.owner}" for one in found]


def test_a_package_belongs_to_the_lowest_layer_that_has_exactly_it(store: Store) -> None:
    base = add_files(store, {STATUS: status("libc6=2.36-9", "libssl3=3.0.1", "tzdata:all=2025a")})
    own = add_files(store, {STATUS: status("libc6=2.36-9", "libssl3=3.0.2", "tzdata:all=2025a", "nginx=1.22")})
    assert listed(store, (base, "bookworm"), (own, "nginx")) == [
        "libc6:amd64=2.36-9 bookworm",
        "libssl3:amd64=3.0.2 nginx",
        "nginx:amd64=1.22 nginx",
        "tzdata:all=2025a bookworm",
    ]


def test_a_reconcile_layer_never_owns(store: Store) -> None:
    base = add_files(store, {STATUS: status("libc6=2.36-10")})
    own = add_files(store, {STATUS: status("libc6=2.36-9", "nginx=1.22")})
    merged = add_files(store, {STATUS: status("libc6=2.36-10", "nginx=1.22")})
    assert listed(store, (base, "bookworm"), (own, "nginx"), (merged, "~nginx")) == [
        "libc6:amd64=2.36-10 bookworm",
        "nginx:amd64=1.22 nginx",
    ]


def test_removed_packages_are_left_out(store: Store) -> None:
    text = status("a=1").decode() + stanza("b=1", "deinstall ok config-files") + stanza("c=1", "install ok unpacked")
    layer = add_files(store, {STATUS: text.encode()})
    assert listed(store, (layer, "x")) == ["a:amd64=1 x", "c:amd64=1 x"]
    above = add_files(store, {STATUS: status("c=1")})
    assert listed(store, (layer, "x"), (above, "y")) == ["c:amd64=1 x"]


def test_status_d_of_images_without_dpkg_is_read(store: Store) -> None:
    files = {
        "var/lib/dpkg/status.d/base-files": b"Package: base-files\nVersion: 12.4\nArchitecture: amd64\n",
        "var/lib/dpkg/status.d/base-files.md5sums": b"0123  etc/debian_version\n",
    }
    base = add_files(store, files)
    own = add_files(store, {"var/lib/dpkg/status.d/tzdata": b"Package: tzdata\nVersion: 1\nArchitecture: all\n"})
    assert listed(store, (base, "static"), (own, "app")) == ["base-files:amd64=12.4 static", "tzdata:all=1 app"]


@pytest.mark.parametrize(
    "items",
    [
        [whiteout("var/lib/dpkg/status")],
        [whiteout("var/lib/dpkg")],
        [whiteout("var")],
        [TarItem(Entry("var/lib/dpkg", EntryType.DIRECTORY, 0o755)), opaque("var/lib/dpkg")],
        [TarItem(Entry("var", EntryType.DIRECTORY, 0o755)), opaque("var")],
        [TarItem(Entry("var/lib", EntryType.SYMLINK, 0o777, link="/elsewhere"))],
    ],
    ids=["file", "directory", "ancestor", "opaque", "opaque ancestor", "symlink in its place"],
)
def test_a_database_that_a_layer_takes_away_is_gone(store: Store, items: list[TarItem]) -> None:
    base = add_files(store, {STATUS: status("libc6=1")})
    assert listed(store, (base, "bookworm"), (store.add_layer(items), "bare")) == []


def test_whiteouts_of_other_paths_do_no_harm(store: Store) -> None:
    base = add_files(store, {STATUS: status("libc6=1")})
    gone = store.add_layer([whiteout("var/lib/dpkg/statusx"), whiteout("var/cache"), whiteout("usr")])
    assert listed(store, (base, "bookworm"), (gone, "bare")) == ["libc6:amd64=1 bookworm"]


def test_a_damaged_database_is_an_error_that_names_the_layer(store: Store) -> None:
    layer = add_files(store, {STATUS: b"Package: a\nVersion: 1\nDepends: (((\n\n"})
    with pytest.raises(InputError, match=r"var/lib/dpkg/status in layer sha256:"):
        listed(store, (layer, "x"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (STATUS, True),
        ("var/lib/dpkg/status.d/libc6", True),
        ("var/lib/dpkg/status.d/libc6.md5sums", False),
        ("var/lib/dpkg/status.d/a/b", False),
        ("var/lib/dpkg/status-old", False),
        ("srv/var/lib/dpkg/status", False),
    ],
)
def test_which_paths_are_dpkgs(path: str, *, expected: bool) -> None:
    assert is_database(path) is expected


RELEASE = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"usr/lib/os-release": RELEASE}, ("debian", "bookworm")),
        ({"usr/lib/os-release": RELEASE, "etc/os-release": b"ID='mine'\nVERSION_CODENAME=\"x\"\n"}, ("mine", "x")),
        ({"etc/os-release": b"ID=debian\n"}, ("debian", "")),
        ({"etc/hostname": b"x\n"}, ("", "")),
    ],
)
def test_the_release_is_read(store: Store, files: dict[str, bytes], expected: tuple[str, str]) -> None:
    assert read_release(store, add_image(store, add_files(store, files))) == expected


def test_an_upper_layer_decides_on_the_release(store: Store) -> None:
    low = add_files(store, {"usr/lib/os-release": RELEASE, "etc/os-release": b"ID=old\n"})
    link = store.add_layer([TarItem(Entry("etc/os-release", EntryType.SYMLINK, 0o777, link="../usr/lib/os-release"))])
    bare = store.add_layer([whiteout("etc"), whiteout("usr")])
    assert read_release(store, add_image(store, low)) == ("old", "")
    assert read_release(store, add_image(store, low, link)) == ("debian", "bookworm")
    assert read_release(store, add_image(store, low, link, bare)) == ("", "")


PACKAGES = st.dictionaries(st.sampled_from(["aa", "bb", "cc"]), st.sampled_from(["1", "2"]))
STACKS = st.lists(st.tuples(PACKAGES, st.booleans()), min_size=1, max_size=6)


@given(STACKS)
def test_owners_follow_their_definition(stack: list[tuple[dict[str, str], bool]]) -> None:
    """Each layer has a whole status file; the last says what is installed, the lowest own layer with it owns."""
    layers = []
    named = []
    for index, (versions, reconcile) in enumerate(stack):
        text = status(*(f"{name}={version}" for name, version in versions.items()))
        layers.append(LayerFacts(((STATUS, parse_status(text)),)))
        kind = LayerKind.RECONCILE if reconcile and index else LayerKind.OWN
        named.append(OwnedLayer(digest(str(index)), f"line{index}", kind))
    found = owned(layers, named)
    assert {(one.name, one.version) for one in found} == set(stack[-1][0].items())
    for one in found:
        own = [owner for owner in named if owner.kind is LayerKind.OWN]
        having = [owner for owner in own if stack[named.index(owner)][0].get(one.name) == one.version]
        assert one.owner == (having[0] if having else own[-1]).owner


def test_an_image_needs_an_owner_for_each_layer(store: Store) -> None:
    image: Image = add_image(store, add_files(store, {"a": b""}))
    with pytest.raises(ValueError, match="shorter"):
        read_packages(store, image, ())
