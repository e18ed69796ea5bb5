import itertools
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ropewalk.debian import Version, compare, parts_key, sort_key, upstream_version
from ropewalk.errors import InputError

ASCENDING = (
    "0~",
    "0",
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0~deb12u1",
    "1.0",
    "1.0-0ubuntu1",
    "1.0-1~bpo12+1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+b10",
    "1.0-1.1",
    "1.0-2",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.9-1",
    "1.10-1",
    "2.36-9+deb12u10",
    "2.36-9+deb12u13",
    "20230311+deb12u1",
    f"1.{'9' * 60}-1".replace("1.", "30000000.", 1),
    f"30000000.1{'0' * 60}-1",
    "1:0.1",
    "1:1.0",
    "2:0~",
    "10:0~",
)
EQUAL = (("1.0", "0:1.0"), ("1.0", "1.00"), ("1.0", "1.0-0"), ("1a", "1a0"), ("1.01-001", "1.1-1"), ("00:1", "1"))
PARTS = st.lists(st.sampled_from(["~", "+", ".", "0", "00", "1", "09", "10", "a", "b", "Z", "deb", "u"]), max_size=6)
VERSIONS = st.builds(
    lambda epoch, upstream, revision: f"{epoch}0{''.join(upstream)}{revision}",
    st.sampled_from(["", "", "0:", "1:"]),
    PARTS,
    st.one_of(st.just(""), PARTS.filter(bool).map(lambda parts: "-" + "".join(parts))),
)


def dpkg(a: str, sign: str, b: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", a, sign, b], check=False).returncode == 0


def test_real_versions_ascend_as_dpkg_says() -> None:
    assert sorted(set(ASCENDING), key=sort_key) == list(ASCENDING)
    assert all(dpkg(a, "lt", b) for a, b in itertools.pairwise(ASCENDING))
    assert all(compare(a, b) == -1 and compare(b, a) == 1 for a, b in itertools.combinations(ASCENDING, 2))


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_versions_have_one_key(a: str, b: str) -> None:
    assert dpkg(a, "eq", b)
    assert sort_key(a) == sort_key(b)
    assert compare(a, b) == 0


ONE_HYPHEN = st.builds(
    lambda upstream, revision: "-".join("0" + "".join(parts).replace("-", "") for parts in (upstream, revision)),
    PARTS,
    PARTS,
)


@settings(max_examples=250, deadline=None)
@given(VERSIONS, VERSIONS)
@example("0a", "0")
@example("0a1", "0a.")
@example("0.~", "0.")
@example("0-~", "0")
def test_order_is_dpkgs(a: str, b: str) -> None:
    result = compare(a, b)
    sign = {-1: "lt", 0: "eq", 1: "gt"}[result]
    assert dpkg(a, sign, b)


@given(VERSIONS)
def test_keys_are_printable_ascii(version: str) -> None:
    assert sort_key(version).isascii()
    assert sort_key(version).isprintable()


@pytest.mark.parametrize(
    ("text", "version", "again"),
    [
        ("1.2-3", Version(0, "1.2", "3"), "1.2-3"),
        ("1:1.2-3-4", Version(1, "1.2-3", "4"), "1:1.2-3-4"),
        ("0:20230311", Version(0, "20230311", ""), "20230311"),
        ("1:2:3-1", Version(1, "2:3", "1"), "1:2:3-1"),
    ],
)
def test_parts(text: str, version: Version, again: str) -> None:
    assert Version.parse(text) == version
    assert str(version) == again
    assert upstream_version(text) == version.upstream


@pytest.mark.parametrize("text", ["", "1 2", ":1", "1:", "a:1", "1:-1", "1-", "1_2", "1.0-1\n", "\uff11"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no Debian version"):
        sort_key(text)


@pytest.mark.parametrize(
    "order", [("4.0.2-3", "4.0.2-3-20260816", "4.0.2-3-20260823", "4.0.2-3-s1", "4.0.2-4", "4.0.10-1")]
)
def test_every_hyphen_parts_a_version(order: tuple[str, ...]) -> None:
    assert sorted(order, key=parts_key) == list(order)
    assert sort_key("4.0.2-3-20260816") > sort_key("4.0.2-4")


@given(ONE_HYPHEN, ONE_HYPHEN)
def test_with_one_hyphen_the_order_is_dpkgs(a: str, b: str) -> None:
    assert (parts_key(a) > parts_key(b)) == (sort_key(a) > sort_key(b))
