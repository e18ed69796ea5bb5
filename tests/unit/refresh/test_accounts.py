from hypothesis import given
from hypothesis import strategies as st

from ropewalk.refresh.accounts import GROUP, PASSWD, merge_accounts, same_names, shared_ids
from ropewalk.refresh.refusal import Refusal

NAMES = st.dictionaries(st.sampled_from(["root", "mail", "www", "app", "db"]), st.integers(0, 5), max_size=5)


def table(accounts: dict[str, int]) -> bytes:
    return "".join(f"{name}:x:{number}:\n" for name, number in accounts.items()).encode()


@given(NAMES, NAMES)
def test_one_side_alone_wins(old: dict[str, int], other: dict[str, int]) -> None:
    assert merge_accounts("etc/shadow", table(old), table(other), table(old)) == table(other)
    child = merge_accounts("etc/shadow", table(old), table(old), table(other))
    assert isinstance(child, bytes)
    assert sorted(child.splitlines()) == sorted(table(other).splitlines())


@given(NAMES, NAMES, NAMES)
def test_a_merge_never_makes_two_accounts_share_a_number(
    old: dict[str, int], new: dict[str, int], child: dict[str, int]
) -> None:
    merged = merge_accounts(GROUP, table(old), table(new), table(child))
    if isinstance(merged, Refusal):
        return
    known = shared_ids(table(new).decode().splitlines()) | shared_ids(table(child).decode().splitlines())
    assert shared_ids(merged.decode().splitlines()) <= known


def test_a_name_that_stands_twice_is_refused() -> None:
    refusal = merge_accounts(PASSWD, b"", b"a:x:1:\na:x:2:\n", b"b:x:1:\n")
    assert isinstance(refusal, Refusal)
    assert "twice" in refusal.reason


def test_names_and_numbers_tell_whether_accounts_stand() -> None:
    assert same_names({PASSWD: b"a:x:1:5:\n"}, {PASSWD: b"a:*:1:6:\n"})
    assert not same_names({PASSWD: b"a:x:1:\n"}, {PASSWD: b"a:x:2:\n"})
    assert not same_names({}, {GROUP: b"a:x:2:\n"})
