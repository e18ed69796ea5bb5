"""Byte code of old Pythons: the order of sets and the marks of shared objects no longer depend on the process."""

import marshal
import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.build.marshalled import ordered

BULLSEYE = struct.pack("<H", 3425) + b"\r\n" + bytes(12)
"""The head of a .pyc of Python 3.9."""
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(plain, max_size=4))


def a_set(members: list[Any]) -> bytes:
    """Write a set in the order given; Python 3.11's own marshal would order it."""
    return b">" + struct.pack("<I", len(members)) + b"".join(marshal.dumps(member, 2) for member in members)


def code(constants: bytes) -> bytes:
    """Write a code object of Python 3.9 with some constants."""
    empty = b")\x00"
    name = b"\xda\x01f"
    numbers = bytes(24)
    return b"\xe3" + numbers + b"s\0\0\0\0" + constants + empty * 4 + b"r\1\0\0\0" + name + bytes(4) + b"s\0\0\0\0"


@given(st.lists(plain, max_size=6, unique_by=repr), st.randoms())
def test_the_order_of_a_set_does_not_matter(members: list[Any], random: Random) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)
    assert ordered(BULLSEYE + a_set(members)) == ordered(BULLSEYE + a_set(shuffled))


@given(values)
def test_the_value_stays_and_twice_is_once(value: Any) -> None:
    once = ordered(BULLSEYE + marshal.dumps(value))
    assert once[:16] == BULLSEYE
    assert marshal.loads(once[16:]) == value  # noqa: S302  our own bytes
    assert ordered(once) == once


def test_a_mark_without_a_reference_goes_and_shared_objects_stay_shared() -> None:
    text, mark = "z\x01a", "\xfa\x01a"
    assert (
        ordered(BULLSEYE + f"){chr(2)}{mark}{mark}".encode("latin-1")) == BULLSEYE + f"){chr(2)}{text}{text}".encode()
    )
    shared = b")\x02\xfa\x01ar\0\0\0\0"
    assert ordered(BULLSEYE + shared) == BULLSEYE + shared


def test_references_are_counted_anew_where_members_change_places() -> None:
    first = code(b")\x02>\x02\0\0\0\xda\x01b\xda\x01ar\1\0\0\0")
    other = code(b")\x02>\x02\0\0\0\xda\x01a\xda\x01br\2\0\0\0")
    named = [data.replace(b"r\1\0\0\0\xda\x01f", b"\xda\x01g\xda\x01f") for data in (first, other)]
    assert ordered(BULLSEYE + named[0]) == ordered(BULLSEYE + named[1])
    assert ordered(BULLSEYE + named[0]) != BULLSEYE + named[0]


def strange() -> dict[str, bytes]:
    whole = code(a_set(["a", "b"]))
    return {
        "empty": b"",
        "cut": whole[:40],
        "too-many-members": b">\xff\xff\xff\x7f",
        "negative-size": b"s\xff\xff\xff\xff",
        "refers-to-itself": b"\xa9\x01r\0\0\0\0",
        "refers-to-nothing": b"r\5\0\0\0",
        "negative-reference": b"r\xff\xff\xff\xff",
        "very-deep": b")\x01" * 100_000 + b"N",
        "unknown-letter": b"?",
        "endless-dictionary": b"{NN",
        "something-follows": b"NN",
    }


@pytest.mark.parametrize("defect", strange())
def test_what_is_no_byte_code_stays(defect: str) -> None:
    data = BULLSEYE + strange()[defect]
    assert ordered(data) == data


@pytest.mark.parametrize("magic", [3394, 3495, 3571])
def test_other_pythons_byte_code_stays(magic: int) -> None:
    data = struct.pack("<H", magic) + b"\r\n" + bytes(12) + a_set(["b", "a"])
    assert ordered(data) == data


def test_references_to_references_take_no_longer() -> None:
    layers = b")\x1f\xa9\x02NN" + b"".join(b"\xa9\x02" + 2 * (b"r" + struct.pack("<I", level)) for level in range(30))
    assert len(ordered(BULLSEYE + layers)) == len(BULLSEYE + layers)
