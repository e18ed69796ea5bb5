import pytest
from debian.changelog import Changelog
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.debian import ChangelogEntry, new_entry, newest, versions
from ropewalk.errors import InputError

ENTRY = """nginx (1.22.1-3) wikimedia; urgency=medium

  * A change
    of two lines

 -- Jane Doe <jane@example.org>  Mon, 05 Jan 2026 13:00:00 +0100
"""
HEADING = "a (1) unstable; urgency=low\n"


def test_newest() -> None:
    older = ENTRY.replace("1.22.1-3", "1.22.1-2")
    expected = ChangelogEntry("nginx", "1.22.1-3", "wikimedia", 1767614400, "Jane Doe <jane@example.org>")
    assert newest(f"\n{ENTRY}\n{older}", "changelog") == expected


def test_versions_of_all_entries() -> None:
    texts = [ENTRY.replace("1.22.1-3", version) for version in ("2-1", "1.22.1-3", "1.22.1-2-20260816")]
    assert versions("\n# a comment\n" + "nonsense (1)\n".join(texts)) == ("2-1", "1.22.1-3", "1.22.1-2-20260816")
    assert versions("") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c:1: the changelog is empty"),
        ("\n\n", "c:1: the changelog is empty"),
        ("\nnginx 1.0 unstable\n", "c:2: is no changelog heading"),
        ("a (1_2) unstable; urgency=low\n", "c:1: '1_2' is no Debian version"),
        (HEADING + "\n  * x\n", "c:3: the entry does not end"),
        (HEADING + "\n  * x\n\nb (1) unstable; urgency=low\n", "c:5: the entry does not end"),
        (HEADING + "\n -- Jane <j@e> Mon, 05 Jan 2026 13:00:00 +0100\n", "c:3: is no last line of an entry"),
        (HEADING + "\n -- Jane <j@e>  yesterday\n", "c:3: 'yesterday' is no date"),
        (HEADING + "\n -- Jane <j@e>  Mon, 45 Jan 2026 13:00:00 +0000000000100\n", "c:3: '"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        newest(text, "c")
    assert str(caught.value).startswith(message)
    assert caught.value.hint


@given(st.text())
def test_only_input_errors(text: str) -> None:
    for candidate in (text, HEADING + text, f"{HEADING} -- A <a>  {text}"):
        try:
            newest(candidate, "c")
        except InputError:
            continue


@given(st.integers(0, 4_000_000_000))
def test_a_new_entry_reads_back(date: int) -> None:
    text = new_entry("nginx", "1:2-3", ["One", "Two\nlines"], author="Jane <j@example.org>", date=date)
    entry = newest(text + ENTRY, "changelog")
    assert entry == ChangelogEntry("nginx", "1:2-3", "unstable", date, "Jane <j@example.org>")
    parsed = Changelog(text, strict=True)
    assert str(parsed.version) == "1:2-3"
    assert str(parsed) == text
