import pytest
from debian.deb822 import Deb822
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.debian import fields, paragraphs, stanza_texts

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
VALUES = st.from_regex(r"([!-~]([ -~]{0,10}[!-~])?)?(\n [!-~][ -~]{0,10}){0,2}", fullmatch=True)
PARAGRAPHS = st.lists(
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=4).filter(lambda d: len({k.lower() for k in d}) == len(d)),
    max_size=4,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n\n", []),
        ("A: 1\nB:2\n", [{"A": "1", "B": "2"}]),
        ("A: 1\n\n\n\nA: 2", [{"A": "1"}, {"A": "2"}]),
        ("\nA: 1\n \t\nA: 2\n", [{"A": "1"}, {"A": "2"}]),
        ("A: x\n y\n .\n\tz\nB:\n c\n", [{"A": "x\n y\n .\n\tz", "B": "\n c"}]),
        ("# A: 0\nA: http://x\nnonsense\n", [{"A": "http://x"}]),
        (" lost\nA: 1", [{"A": "1"}]),
        (":\nA: 1", [{"A": "1"}]),
    ],
)
def test_paragraphs(text: str, expected: list[dict[str, str]]) -> None:
    assert list(paragraphs(text)) == expected


def test_stanza_text_is_as_written() -> None:
    text = "A: 1\n  x\n\nB:  2  \n\n"
    assert list(stanza_texts(text)) == ["A: 1\n  x\n", "B:  2  \n"]


@given(PARAGRAPHS)
def test_python_debian_reads_the_same(wanted: list[dict[str, str]]) -> None:
    text = "\n".join("".join(f"{name}: {value}\n" for name, value in one.items()) for one in wanted)
    ours = [{name: value.strip() for name, value in one.items()} for one in paragraphs(text)]
    theirs = [{name: value.strip() for name, value in one.items()} for one in Deb822.iter_paragraphs(text)]
    assert ours == theirs


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(isinstance(fields(stanza), dict) for stanza in stanza_texts(text))
