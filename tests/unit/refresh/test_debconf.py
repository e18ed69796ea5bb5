from hypothesis import given
from hypothesis import strategies as st

from ropewalk.refresh.debconf import CONFIG, TEMPLATES, merge_debconf
from ropewalk.refresh.refusal import Refusal

OWNERS = st.frozensets(st.sampled_from(["apt", "libc6", "libc6:amd64", "ssh"]), min_size=1)
ITEMS = st.dictionaries(st.sampled_from(["a/x", "b/y", "c/z"]), st.tuples(st.sampled_from("12"), OWNERS))


def database(items: dict[str, tuple[str, frozenset[str]]]) -> bytes:
    return "".join(
        f"Name: {name}\nTemplate: {name}\nValue: {value}\nOwners: {', '.join(sorted(owners))}\nFlags: seen\n\n"
        for name, (value, owners) in sorted(items.items())
    ).encode()


@given(ITEMS, ITEMS)
def test_one_side_alone_wins_byte_for_byte(
    old: dict[str, tuple[str, frozenset[str]]], other: dict[str, tuple[str, frozenset[str]]]
) -> None:
    for new, child in ((old, other), (other, old), (other, other)):
        assert merge_debconf(CONFIG, *map(database, (old, new, child)), converged=False) == database(other)


@given(ITEMS, ITEMS, ITEMS)
def test_a_merge_does_not_depend_on_who_is_who(
    old: dict[str, tuple[str, frozenset[str]]],
    new: dict[str, tuple[str, frozenset[str]]],
    child: dict[str, tuple[str, frozenset[str]]],
) -> None:
    one = merge_debconf(CONFIG, *map(database, (old, new, child)), converged=False)
    other = merge_debconf(CONFIG, *map(database, (old, child, new)), converged=False)
    assert one == other or isinstance(one, Refusal) == isinstance(other, Refusal) is True


def _one(text: str, *owners: str) -> bytes:
    return f"Name: libraries/restart\nDefault: false\nDescription: {text}\nOwners: {', '.join(owners)}\n\n".encode()


def test_owners_are_united() -> None:
    old, new, child = _one("x", "libc6"), _one("x", "libc6", "pam"), _one("x", "libc6", "libssl")
    assert merge_debconf(TEMPLATES, old, new, child, converged=False) == _one("x", "libc6", "libssl", "pam")
    assert merge_debconf(TEMPLATES, new, _one("x", "pam"), new + b"", converged=False) == _one("x", "pam")


def test_two_texts_are_a_conflict() -> None:
    refusal = merge_debconf(TEMPLATES, _one("x", "a"), _one("y", "a"), _one("z", "a", "b"), converged=True)
    assert refusal == Refusal("merge 3", TEMPLATES, "parent and child both changed debconf's libraries/restart")


def test_the_new_parents_text_wins_where_the_child_only_upgraded() -> None:
    old, new, child = _one("x", "a"), _one("y", "a"), _one("z", "a")
    assert merge_debconf(TEMPLATES, old, new, child, converged=True) == new
    assert merge_debconf(TEMPLATES, old, old, child, converged=True) == old
    assert merge_debconf(TEMPLATES, old, old, child, converged=False) == child
    assert merge_debconf(CONFIG, old, old, child, converged=True) == child


def test_bytes_that_are_no_text_and_variables_survive() -> None:
    item = b"Name: a\nTemplate: a\nOwners: \xe9\nFlags: seen\nVariables:\n choices = 1, 2\n\n"
    assert merge_debconf(CONFIG, b"", item, b"", converged=False) == item
    ownerless = b"Name: a\nTemplate: a\n\n"
    assert merge_debconf(CONFIG, ownerless, ownerless, b"", converged=False) == b""
