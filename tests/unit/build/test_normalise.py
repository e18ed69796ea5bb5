"""What an own layer keeps: a case a rule of REBASE.md's table."""

import hashlib
import io
from dataclasses import replace
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.build.normalise import APT_CONF, MOUNT, concerns, normalise
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType

EPOCH = 1_700_000_000


def directory(path: str, mode: int = 0o755, mtime: int = 5) -> TarItem:
    return TarItem(Entry(path, EntryType.DIRECTORY, mode, mtime=mtime), None)


def file(path: str, data: bytes = b"x", mode: int = 0o644, mtime: int = 5) -> TarItem:
    return TarItem(Entry(path, EntryType.FILE, mode, size=len(data), mtime=mtime), partial(io.BytesIO, data))


def link(path: str, target: str) -> TarItem:
    return TarItem(Entry(path, EntryType.HARDLINK, 0o644, link=target), None)


def mark(path: str, kind: EntryType) -> TarItem:
    return TarItem(Entry(path, kind), None)


def tree(*items: TarItem) -> dict[str, Entry]:
    found = {}
    for item in items:
        entry = item.entry
        if item.content is not None:
            with item.content() as stream:
                entry = replace(entry, sha256=hashlib.sha256(stream.read()).hexdigest())
        found[entry.path] = entry
    return found


def kept(items: tuple[TarItem, ...]) -> list[str]:
    return [f"{item.entry.path} {item.entry.type}" for item in items]


def content(items: tuple[TarItem, ...], path: str) -> bytes:
    item = next(item for item in items if item.entry.path == path)
    assert item.content is not None
    with item.content() as stream:
        return stream.read()


@pytest.mark.parametrize(
    "path",
    [
        "var/log/dpkg.log",
        "var/log/alternatives.log",
        "var/log/apt/history.log",
        "var/log/lastlog",
        "var/cache/ldconfig/aux-cache",
        "var/cache/man/de/index.db",
        "var/cache/apt/pkgcache.bin",
        "var/cache/apt/archives/x_1_all.deb",
        "var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease",
        "var/cache/debconf/config.dat-old",
        "var/lib/dpkg/status-old",
        "etc/passwd-",
        "etc/shadow-",
        "etc/aliases.db",
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/ssh_host_ed25519_key.pub",
        "etc/ssl/private/ssl-cert-snakeoil.key",
        "var/lib/rabbitmq/.erlang.cookie",
        "var/lib/dbus/machine-id",
        "var/lib/postgresql/15/main/PG_VERSION",
        "var/lib/mysql/ibdata1",
        "var/lib/texmf/web2c/luatex.log",
        "tmp/hsperfdata_root/1802",
        "usr/lib/jvm/java-11-openjdk-amd64/lib/server/classes.jsa",
        "dev/null",
        APT_CONF,
        f"{MOUNT}/pip.conf",
    ],
)
def test_what_differs_from_build_to_build_is_dropped(path: str) -> None:
    assert normalise([file(path)], {}, EPOCH) == ()


@pytest.mark.parametrize(
    "path",
    [
        "var/log/nginx/access.log",
        "etc/passwd",
        "srv/app/my-old",
        "opt/data/dpkg.log",
        "etc/ssh/sshd_config",
        "etc/hosts",
        "usr/lib/jvm/java-17-openjdk-amd64/lib/server/classes.jsa",
    ],
)
def test_what_a_recipe_means_is_kept(path: str) -> None:
    assert kept(normalise([file(path)], {}, EPOCH)) == [f"{path} file"]


def test_a_symlink_to_a_log_device_is_kept() -> None:
    item = TarItem(Entry("var/log/nginx/access.log", EntryType.SYMLINK, 0o777, link="/dev/stdout"), None)
    assert kept(normalise([item], {}, EPOCH)) == ["var/log/nginx/access.log symlink"]


def test_times_after_the_epoch_are_clamped_and_others_stay() -> None:
    found = normalise(
        [directory("a", mtime=EPOCH + 9), file("a/late", mtime=EPOCH + 1), file("a/old", mtime=3)], {}, EPOCH
    )
    assert {item.entry.path: item.entry.mtime for item in found} == {"a": EPOCH, "a/late": EPOCH, "a/old": 3}


def test_what_equals_the_parents_is_dropped_and_ancestors_of_changes_stay() -> None:
    parent = tree(
        directory("usr"), directory("usr/bin"), directory("tmp", 0o1777), file("usr/bin/a", b"1"), file("usr/bin/b")
    )
    layer = [
        directory("tmp", 0o1777, mtime=99),
        directory("usr"),
        directory("usr/bin", mtime=99),
        file("usr/bin/a", b"2"),
        file("usr/bin/b", mtime=99),
    ]
    assert kept(normalise(layer, parent, EPOCH)) == ["usr dir", "usr/bin dir", "usr/bin/a file"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (file("a", b"x", 0o755), ["a file"]),
        (TarItem(Entry("a", EntryType.SYMLINK, 0o777, link="b"), None), ["a symlink"]),
        (directory("a"), ["a dir"]),
        (mark("a", EntryType.WHITEOUT), ["a whiteout"]),
        (mark("b", EntryType.WHITEOUT), []),
        (file("a"), []),
    ],
)
def test_a_changed_kind_or_mode_is_news(changed: TarItem, expected: list[str]) -> None:
    assert kept(normalise([changed], tree(file("a")), EPOCH)) == expected


def test_a_new_directory_is_never_opaque() -> None:
    layer = [directory("opt/new"), mark("opt/new", EntryType.OPAQUE), file("opt/new/a")]
    assert kept(normalise(layer, {}, EPOCH)) == ["opt/new dir", "opt/new/a file"]


def test_an_opaque_directory_hides_the_parents_files_and_keeps_equal_ones() -> None:
    parent = tree(directory("doc"), file("doc/a"), file("doc/b"))
    layer = [directory("doc"), mark("doc", EntryType.OPAQUE), file("doc/a")]
    assert kept(normalise(layer, parent, EPOCH)) == ["doc dir", "doc opaque", "doc/a file"]


def test_an_untouched_ancestor_comes_from_the_parent() -> None:
    found = normalise([file("etc/new")], tree(directory("etc", 0o750)), EPOCH)
    assert [(item.entry.path, item.entry.mode) for item in found] == [("etc", 0o750), ("etc/new", 0o644)]


def test_a_hard_link_to_an_unchanged_file_becomes_a_file() -> None:
    layer = [file("bin/perl", b"p"), link("bin/perl2", "bin/perl"), link("bin/perl3", "bin/perl")]
    found = normalise(layer, tree(file("bin/perl", b"p")), EPOCH)
    assert [(i.entry.path, i.entry.type, i.entry.link) for i in found] == [
        ("bin/perl2", EntryType.FILE, ""),
        ("bin/perl3", EntryType.HARDLINK, "bin/perl2"),
    ]
    assert content(found, "bin/perl2") == b"p"


def test_hard_links_that_the_parent_has_are_dropped() -> None:
    parent = tree(file("a", b"1"), file("b", b"1"))
    assert normalise([file("a", b"1"), link("b", "a")], parent, EPOCH) == ()


def test_stubs_of_mounts_are_dropped_with_the_directories_that_only_held_them() -> None:
    layer = [
        directory("etc"),
        directory("etc/apt"),
        directory("etc/apt/apt.conf.d"),
        file(APT_CONF, b"", 0o755),
        file("etc/hosts", b"", 0o755),
        file("etc/resolv.conf", b"", 0o755),
        directory("run"),
        directory(MOUNT),
    ]
    assert normalise(layer, {}, EPOCH) == ()


def test_a_directory_of_our_mount_that_holds_something_else_stays() -> None:
    layer = [directory("etc"), directory("etc/apt"), directory("etc/apt/apt.conf.d"), file(APT_CONF), file("etc/apt/x")]
    assert kept(normalise(layer, {}, EPOCH)) == ["etc dir", "etc/apt dir", "etc/apt/x file"]


def test_the_machine_id_is_emptied() -> None:
    found = normalise([file("etc/machine-id", b"1234\n")], {}, EPOCH)
    assert (found[0].entry.size, content(found, "etc/machine-id")) == (0, b"")
    assert normalise([file("etc/machine-id", b"1234\n")], tree(file("etc/machine-id", b"")), EPOCH) == ()


def test_what_no_image_should_have_is_named_whether_it_goes_or_stays() -> None:
    shadow = file("etc/shadow", b"root:*:1::::::\nme:$y$j9T$salt$hash:1::::::\n")
    key = file("srv/app/tls.key", b"-----BEGIN PRIVATE KEY-----\n")
    layer = [shadow, key, file("etc/aliases.db"), file("etc/ssh/ssh_host_rsa_key"), directory("var/lib/mysql/mysql")]
    found = [(str(row.concern), str(row.treatment), paths) for row, paths in concerns(layer)]
    assert found == [
        ("keys", "left out", ("etc/ssh/ssh_host_rsa_key",)),
        ("keys", "kept", ("etc/shadow",)),
        ("keys", "kept", ("srv/app/tls.key",)),
        ("data", "left out", ("etc/aliases.db",)),
    ]
    assert kept(normalise(layer, {}, EPOCH)) == ["etc/shadow file", "srv/app/tls.key file"]


@pytest.mark.parametrize(
    "item",
    [
        file("etc/shadow", b"root:*:1::::::\nwww-data:!:1::::::\n"),
        file("etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----\n"),
        file("usr/lib/python3.11/test/keycert.pem", b"-----BEGIN PRIVATE KEY-----\n"),
        TarItem(Entry("etc/ssh/ssh_host_rsa_key", EntryType.SYMLINK, link="/run/keys/rsa"), None),
    ],
)
def test_what_is_no_key_is_not_named_and_stays(item: TarItem) -> None:
    assert concerns([item]) == ()
    assert kept(normalise([item], {}, EPOCH)) == [f"{item.entry.path} {item.entry.type}"]


def test_a_link_to_the_snakeoil_certificate_goes_with_it() -> None:
    snakeoil = TarItem(Entry("etc/ssl/certs/1.0", EntryType.SYMLINK, link="ssl-cert-snakeoil.pem"), None)
    layer = [snakeoil, file("etc/ssl/certs/ca.pem")]
    assert kept(normalise(layer, {}, EPOCH)) == ["etc/ssl/certs/ca.pem file"]


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
items = st.builds(file, paths, st.sampled_from([b"1", b"2"]), st.sampled_from([0o644, 0o755]))


@given(st.lists(items, max_size=8), st.lists(items, max_size=8), st.randoms())
def test_the_order_of_items_does_not_matter_and_twice_is_once(
    layer: list[TarItem], parent: list[TarItem], random: Random
) -> None:
    unique = list({item.entry.path: item for item in layer}.values())
    below = tree(*parent)
    first = normalise(unique, below, EPOCH)
    random.shuffle(unique)
    again = normalise(first, below, EPOCH)
    assert [i.entry for i in normalise(unique, below, EPOCH)] == [i.entry for i in first]
    assert [i.entry.path for i in again] == [i.entry.path for i in first]
