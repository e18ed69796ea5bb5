import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.layers import directory, entries_of, file, hardlink, lines, opaque, symlink, whiteout
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tar import LayerError
from ropewalk.oci.tree import changed, describe, flatten, same


def paths(*layers: list[TarItem]) -> list[str]:
    return sorted(flatten(entries_of(*items) for items in layers))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        pytest.param([[directory(""), file("a")]], ["a"], id="the root is left out"),
        pytest.param([[file("a")], [file("b")]], ["a", "b"], id="layers add up"),
        pytest.param([[file("a"), file("b")], [whiteout("a")]], ["b"], id="a whiteout hides a file"),
        pytest.param(
            [[directory("d"), file("d/x"), file("d-x")], [whiteout("d")]], ["d-x"], id="a whiteout hides a directory"
        ),
        pytest.param([[directory("d"), file("d/e/f/x")], [whiteout("d/e")]], ["d"], id="with all that is below"),
        pytest.param([[file("a")], [whiteout("a"), file("a")]], ["a"], id="a whiteout spares its own layer"),
        pytest.param(
            [[directory("d"), file("d/x")], [directory("d"), opaque("d"), file("d/y")]],
            ["d", "d/y"],
            id="an opaque directory hides what was in it",
        ),
        pytest.param([[directory("d"), file("d/x")], [opaque("d")]], ["d"], id="but stays itself"),
        pytest.param([[file("a"), file("b")], [opaque(""), file("c")]], ["c"], id="an opaque root hides all"),
        pytest.param([[directory("d"), file("d/x")], [file("d")]], ["d"], id="a file replaces a directory"),
        pytest.param([[file("d")], [directory("d"), file("d/x")]], ["d", "d/x"], id="a directory replaces a file"),
        pytest.param([[file("d")], [file("d/e/x")]], ["d/e/x"], id="also one that has no entry"),
        pytest.param([[file("a")], [whiteout("nothing")]], ["a"], id="a whiteout of nothing does nothing"),
        pytest.param([[file("a")], [whiteout("a")], [file("a")]], ["a"], id="a later layer brings it back"),
        pytest.param(
            [[directory("usr/lib"), symlink("lib", "usr/lib")], [file("lib/x")]],
            ["lib", "usr/lib", "usr/lib/x"],
            id="an entry below a symlink stands where it leads",
        ),
        pytest.param(
            [[directory("usr/lib"), file("usr/lib/x"), symlink("lib", "/usr/lib")], [whiteout("lib/x")]],
            ["lib", "usr/lib"],
            id="so does a whiteout",
        ),
        pytest.param(
            [[directory("usr/lib"), symlink("lib", "usr/lib")], [directory("lib"), file("lib/x")]],
            ["lib", "lib/x", "usr/lib"],
            id="but a directory replaces a symlink",
        ),
        pytest.param(
            [[symlink("a", "../../b/./c"), symlink("b", "d")], [file("a/x")]],
            ["a", "b", "d/c/x"],
            id="symlinks never leave the root",
        ),
    ],
)
def test_flattens(layers: list[list[TarItem]], expected: list[str]) -> None:
    assert paths(*layers) == expected


def test_what_a_replaced_symlink_led_to_stays() -> None:
    tree = flatten([entries_of(directory("usr"), symlink("x", "usr")), entries_of(directory("x"), file("x/y", b"1"))])
    assert lines(tree.values()) == ("usr dir 0755", "x dir 0755", "x/y file 0644 6b86b273")


def test_hard_links_are_files_of_their_own() -> None:
    lower = entries_of(file("b", b"old", 0o755, uid=5), hardlink("a", "b"))
    tree = flatten([lower, entries_of(file("b", b"new"))])
    assert tree["a"] == replace(lower[0], path="a")
    assert tree["b"].sha256 != tree["a"].sha256


def test_a_hard_link_out_of_its_layer_is_refused() -> None:
    link = Entry("a", EntryType.HARDLINK, link="b")
    with pytest.raises(LayerError, match="not before it"):
        flatten([entries_of(file("b")), [link]])


def test_a_loop_of_symlinks_is_refused() -> None:
    with pytest.raises(LayerError, match="loop"):
        flatten([entries_of(symlink("a", "b"), symlink("b", "a")), entries_of(file("a/x"))])


FILE = Entry("x", EntryType.FILE, 0o755, 1, 2, 10, "aa" * 32, "", 1000)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (FILE, "equal"),
        (replace(FILE, mtime=5), "equal"),
        (replace(FILE, mode=0o4755), "mode 0755 -> 4755"),
        (replace(FILE, uid=0, gid=0), "uid 1 -> 0, gid 2 -> 0"),
        (replace(FILE, sha256="bb" * 32, size=12), "content differs (10 -> 12 bytes)"),
        (replace(FILE, xattrs=(("user.a", b"\1"),)), "xattrs none -> user.a=01"),
        (
            replace(FILE, type=EntryType.SYMLINK, sha256="", size=0, link="y"),
            "type file -> symlink, link none -> y, content differs (10 -> 0 bytes)",
        ),
        (
            replace(FILE, type=EntryType.CHARACTER, sha256="", size=0, device=(1, 3)),
            "type file -> char, content differs (10 -> 0 bytes), device 0:0 -> 1:3",
        ),
    ],
)
def test_says_what_differs(other: Entry, text: str) -> None:
    assert describe("x", FILE, other) == f"x: {text}"
    assert same(FILE, other) is (text == "equal")
    assert changed({"x": FILE}, {"x": other}) == (() if text == "equal" else ("x",))


def test_says_what_is_on_one_side_only() -> None:
    assert describe("x", None, FILE) == "x: only in the new (file)"
    assert describe("x", FILE, None) == "x: only in the old (file)"
    assert changed({"b": FILE}, {"a": FILE}) == ("a", "b")


def test_a_symlinks_mode_means_nothing() -> None:
    link = Entry("x", EntryType.SYMLINK, 0o777, link="y")
    assert same(link, replace(link, mode=0o755))
    assert describe("x", link, replace(link, mode=0o755)) == "x: equal"


names = st.sampled_from("abc")
all_paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def apply_slowly(tree: dict[str, EntryType], layer: list[TarItem]) -> dict[str, EntryType]:
    """Do what an unpacker does, path by path: first what the layer hides, then what it adds."""

    def remove(path: str, *, itself: bool) -> None:
        for found in list(tree):
            if found.startswith(f"{path}/") or (itself and found == path):
                del tree[found]

    for item in layer:
        if item.entry.type is EntryType.WHITEOUT:
            remove(item.entry.path, itself=True)
        elif item.entry.type is EntryType.OPAQUE:
            remove(item.entry.path, itself=False)
        elif item.entry.type is not EntryType.DIRECTORY and tree.get(item.entry.path) is EntryType.DIRECTORY:
            remove(item.entry.path, itself=True)
    for item in layer:
        if item.entry.type not in (EntryType.WHITEOUT, EntryType.OPAQUE):
            tree[item.entry.path] = item.entry.type
    return tree


@st.composite
def layers(draw: st.DrawFn) -> list[TarItem]:
    chosen = draw(st.lists(all_paths, max_size=6, unique=True))
    inner = {"/".join(path.split("/")[:n]) for path in chosen for n in range(1, path.count("/") + 1)}
    made = [directory(path) for path in inner]
    made += [file(path) if draw(st.booleans()) else directory(path) for path in chosen if path not in inner]
    made += [whiteout(path) for path in draw(st.lists(all_paths, max_size=2, unique=True))]
    made += [opaque(path) for path in draw(st.lists(st.sampled_from(sorted(inner)), max_size=1))] if inner else []
    plain = {item.entry.path for item in made if item.entry.type is EntryType.FILE}
    return [item for item in made if not any(item.entry.path.startswith(f"{path}/") for path in plain)]


@given(st.lists(layers(), max_size=4))
def test_flattens_as_an_unpacker_does(stack: list[list[TarItem]]) -> None:
    expected: dict[str, EntryType] = {}
    for layer in stack:
        expected = apply_slowly(expected, layer)
    tree = flatten(entries_of(*layer) for layer in stack)
    assert {path: entry.type for path, entry in tree.items()} == expected
    assert all(path == entry.path for path, entry in tree.items())


@given(st.lists(layers(), max_size=3))
def test_a_tree_is_a_layer_that_flattens_to_itself(stack: list[list[TarItem]]) -> None:
    tree = flatten(entries_of(*layer) for layer in stack)
    again = flatten([entries_of(*(TarItem(entry, io.BytesIO) for entry in tree.values()))])
    assert changed(tree, again) == ()
