from hypothesis import given
from hypothesis import strategies as st

from kit.rebase import file, link, stanza, status
from ropewalk.debian import stanzas
from ropewalk.oci.model import Entry, ImageConfig
from ropewalk.refresh.inputs import equal
from ropewalk.refresh.merge import merge_config, merge_entry
from ropewalk.refresh.merge import merge_status as merge_packages
from ropewalk.refresh.refusal import Refusal

_ENTRIES = st.none() | st.builds(
    file,
    st.sampled_from(["a", "b", "c"]),
    mode=st.sampled_from([0o644, 0o755, 0o4755]),
    uid=st.sampled_from([0, 33]),
    gid=st.sampled_from([0, 33]),
)


@given(_ENTRIES, _ENTRIES)
def test_what_only_the_child_changed_is_the_childs(old: Entry | None, child: Entry | None) -> None:
    assert merge_entry("x", old, old, child) == child


@given(_ENTRIES, _ENTRIES)
def test_what_only_the_parent_changed_is_the_parents(old: Entry | None, new: Entry | None) -> None:
    assert equal(_entry(merge_entry("x", old, new, old)), new)


@given(_ENTRIES, _ENTRIES)
def test_the_same_change_on_both_sides_is_no_conflict(old: Entry | None, new: Entry | None) -> None:
    assert equal(_entry(merge_entry("x", old, new, new)), new)


@given(_ENTRIES, _ENTRIES, _ENTRIES)
def test_a_merge_takes_each_attribute_from_one_side(old: Entry | None, new: Entry | None, child: Entry | None) -> None:
    merged = merge_entry("x", old, new, child)
    if merged is None or isinstance(merged, Refusal):
        return
    for name in ("mode", "uid", "gid", "sha256"):
        sides = [getattr(side, name) for side in (new, child) if side is not None]
        assert getattr(merged, name) in sides


@given(_ENTRIES, _ENTRIES, _ENTRIES)
def test_a_merge_does_not_depend_on_who_is_who(old: Entry | None, new: Entry | None, child: Entry | None) -> None:
    one, other = merge_entry("x", old, new, child), merge_entry("x", old, child, new)
    assert isinstance(one, Refusal) == isinstance(other, Refusal)
    if not isinstance(one, Refusal) and not isinstance(other, Refusal):
        assert equal(one, other)


def test_chmod_on_an_updated_binary_gives_the_rebuilt_file() -> None:
    merged = merge_entry("usr/bin/su", file("1", 0o4755), file("2", 0o4755), file("1", 0o755))
    assert merged == file("2", 0o755)


def test_two_contents_are_a_conflict() -> None:
    assert merge_entry("x", file("1"), file("2"), file("3")) == Refusal(
        1, "x", "parent and child both changed its content"
    )


def test_a_link_and_a_file_are_a_conflict() -> None:
    refusal = merge_entry("x", file("1"), link("y"), file("1", 0o755))
    assert refusal == Refusal(1, "x", "parent or child made it a thing of another type")


def test_each_kind_of_conflict_about_presence_is_told() -> None:
    reasons = [merge_entry("x", *sides) for sides in ((file("1"), file("2"), None), (file("1"), None, file("2")))]
    reasons.append(merge_entry("x", None, file("1"), file("2")))
    assert [reason.reason for reason in reasons if isinstance(reason, Refusal)] == [
        "the child deleted what the parent changed",
        "the parent deleted what the child changed",
        "parent and child both added it, each in its own way",
    ]


def _entry(value: Entry | Refusal | None) -> Entry | None:
    assert not isinstance(value, Refusal)
    return value


# dpkg's status

_NAMES = [f"lib{letter}" for letter in "abcdefgh"]
_PACKAGES = st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(["1", "2", "3"]))


def merge_status(old: bytes, new: bytes, child: bytes) -> bytes | Refusal:
    return merge_packages(stanzas(old), stanzas(new), stanzas(child))


def _status(packages: dict[str, str]) -> bytes:
    return status(*(stanza(name, version) for name, version in sorted(packages.items()))).encode()


@given(_PACKAGES, _PACKAGES)
def test_a_child_without_packages_gets_the_parents_status(old: dict[str, str], new: dict[str, str]) -> None:
    assert merge_status(_status(old), _status(new), _status(old)) == _status(new)


@given(_PACKAGES, _PACKAGES, _PACKAGES)
def test_packages_merge_by_name(old: dict[str, str], new: dict[str, str], child: dict[str, str]) -> None:
    merged = merge_status(_status(old), _status(new), _status(child))
    names = {*old, *new, *child}
    clash = [n for n in names if new.get(n) != child.get(n) and old.get(n) not in (new.get(n), child.get(n))]
    if clash:
        assert isinstance(merged, Refusal)
        return
    expected = {n: child.get(n) if new.get(n) == old.get(n) else new.get(n) for n in names}
    assert merged == _status({name: version for name, version in expected.items() if version is not None})


def test_a_merged_status_is_sorted_as_dpkg_sorts_it() -> None:
    old = status(stanza("apt", "1"), stanza("zlib", "1"))
    new = status(stanza("apt", "2"), stanza("zlib", "1"))
    child = status(stanza("apt", "1"), stanza("nginx", "1"), stanza("zlib", "1"))
    merged = merge_status(old.encode(), new.encode(), child.encode())
    assert merged == status(stanza("apt", "2"), stanza("nginx", "1"), stanza("zlib", "1")).encode()


def test_a_package_that_both_upgraded_is_named() -> None:
    old, new, child = (status(stanza("apt", version)).encode() for version in "123")
    refusal = merge_status(old, new, child)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "parent and child both changed package apt"


def test_bytes_that_are_no_text_survive() -> None:
    new = status(stanza("apt", "2", "Maintainer: Ren")).encode().replace(b"Ren", b"Ren\xe9")
    old = status(stanza("apt", "1")).encode()
    child = status(stanza("apt", "1"), stanza("b", "1")).encode()
    merged = merge_status(old, new, child)
    assert isinstance(merged, bytes)
    assert b"Ren\xe9" in merged
    assert len(stanzas(merged)) == 2


# configuration


def test_environment_merges_by_name() -> None:
    old = ImageConfig(env=(("PATH", "/bin"), ("LANG", "C")), cmd=("sh",))
    new = ImageConfig(env=(("PATH", "/bin"), ("LANG", "C.UTF-8")), cmd=("sh",), labels=(("b", "1"),))
    child = ImageConfig(env=(("PATH", "/bin"), ("LANG", "C"), ("X", "1")), cmd=("run",), labels=(("a", "1"),))
    assert merge_config(old, new, child) == ImageConfig(
        env=(("PATH", "/bin"), ("LANG", "C.UTF-8"), ("X", "1")), cmd=("run",), labels=(("a", "1"), ("b", "1"))
    )


def test_variables_stand_in_the_order_of_a_build() -> None:
    old = ImageConfig(env=(("PATH", "/bin"), ("LANG", "C")))
    child = ImageConfig(env=(("LANG", "C"), ("HOME", "/x"), ("PATH", "/venv:/bin")))
    same = merge_config(old, old, child)
    other = merge_config(old, ImageConfig(env=(("NEW", "1"), ("PATH", "/bin"), ("LANG", "C.UTF-8"))), child)
    assert isinstance(same, ImageConfig)
    assert isinstance(other, ImageConfig)
    assert same.env == child.env
    assert other.env == (("NEW", "1"), ("LANG", "C.UTF-8"), ("HOME", "/x"), ("PATH", "/venv:/bin"))


def test_a_configuration_that_both_changed_is_refused() -> None:
    old, new, child = (ImageConfig(env=(("PATH", path),)) for path in ("/bin", "/usr/bin", "/opt/bin"))
    assert merge_config(old, new, child) == Refusal(1, "configuration", "parent and child both set PATH")
    old, new, child = (ImageConfig(user=user) for user in ("", "1", "2"))
    assert merge_config(old, new, child) == Refusal(1, "configuration", "parent and child both changed its user")
