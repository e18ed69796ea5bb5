from hypothesis import given
from hypothesis import strategies as st

from ropewalk.refresh.automatic import PATH, merge_automatic
from ropewalk.refresh.refusal import Refusal

NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


def marks(names: list[str]) -> bytes:
    return "".join(f"Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n" for name in names).encode()


@given(NAMES)
def test_a_parent_that_changed_alone_is_taken_as_it_is(new: list[str]) -> None:
    assert merge_automatic(marks(["a"]), marks([*new, "z"]), marks(["a"]), ()) == marks([*new, "z"])


def test_new_marks_of_the_child_follow_the_parents() -> None:
    assert merge_automatic(marks(["a", "b"]), marks(["c", "a"]), marks(["b", "a", "d"]), ()) == marks(["c", "a", "d"])


def test_what_both_got_is_automatic_where_both_say_so() -> None:
    both = [("x", "amd64")]
    assert merge_automatic(marks(["a"]), marks(["a", "x"]), marks(["a"]), both) == marks(["a"])
    assert merge_automatic(marks(["a"]), marks(["a"]), marks(["a", "x"]), both) == marks(["a"])
    assert merge_automatic(marks(["a"]), marks(["a", "x"]), marks(["x", "a"]), both) == marks(["a", "x"])


def test_a_package_for_all_architectures_is_marked_as_one_of_the_images_own() -> None:
    assert merge_automatic(marks(["a"]), marks(["a"]), marks(["a", "x"]), [("x", "all")]) == marks(["a"])


def test_a_file_that_would_be_empty_is_refused_where_the_parent_has_none() -> None:
    refusal = merge_automatic(b"", b"", marks(["x"]), [("x", "amd64")])
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.path) == ("merge 6", PATH)
    other = merge_automatic(marks(["a"]), marks(["a"]).replace(b"1", b"0"), marks(["a"]).replace(b"1", b"2"), ())
    assert isinstance(other, Refusal)
    assert other.reason == "parent and child both changed the mark of a"
