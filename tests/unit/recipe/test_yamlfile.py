from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.errors import InputError
from ropewalk.recipe.yamlfile import nearest, parse

FILE = Path("x.yaml")


def test_values_know_their_lines_and_names() -> None:
    root = parse(b"# note\na: 1\nb:\n  c:\n    - x\n    - y\n", FILE)
    inner = root.fields()["b"].fields()["c"]
    assert (inner.line, inner.name, inner.where) == (4, "b.c", "x.yaml:4")
    assert [(item.line, item.name, item.value) for item in inner.items()] == [(5, "b.c[0]", "x"), (6, "b.c[1]", "y")]
    assert root.plain() == {"a": 1, "b": {"c": ["x", "y"]}}


def test_an_empty_file_is_null() -> None:
    assert parse(b"# nothing\n", FILE).value is None


def test_merge_keys_and_aliases_are_put_in() -> None:
    root = parse(b"base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n", FILE)
    assert root.plain()["own"] == {"x": 1, "y": 3}
    again = parse(b"base: &b {x: 1}\none: &o {<<: *b, x: 2}\ntwo: *o\n", FILE)
    assert again.plain()["two"] == {"x": 2}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: the key `a` stands twice (first in line 1)"),
        ("a:\n  b: 1\n  b: 2\n", "x.yaml:3: the key `b` stands twice (first in line 2)"),
        ("a: [1\nb: 2\n", "x.yaml:2: is no YAML: did not find expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", "x.yaml:2: is no YAML: found a tab character that violates indentation"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: is no YAML: but found another document"),
        ("a: &x [*x]\n", "x.yaml:1: is nested too deeply, or aliases make it endless or too large"),
        (f"a: {'[' * 500}{']' * 500}\n", "x.yaml:1: is nested too deeply"),
        (f"a: {'[' * 5000}{']' * 5000}\n", "x.yaml:1: is no YAML: exceeded maximum nesting depth"),
        ("? [a, b]\n: 1\n", "x.yaml:1: a key must be a plain word"),
        ("a: !!python/object:os.system x\n", "x.yaml:1: is no YAML: could not determine a constructor"),
        ("a: 2026-02-31\n", "x.yaml:1: `2026-02-31` is no value: day is out of range for month"),
    ],
)
def test_faults_name_the_line(text: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text.encode(), FILE)
    assert str(caught.value).startswith(error)


def test_a_billion_laughs_ends() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="endless or too large"):
        parse("\n".join(lines).encode(), FILE)


@pytest.mark.parametrize(
    ("text", "read", "error"),
    [
        ("a: 1.0", "text", "`a` must be text (put it in quotes)"),
        ("a: [x]", "text", "`a` must be text (write text)"),
        ("a: '  '", "filled", "`a` is empty (fill it in or leave it out)"),
        ("a: -1", "number", "`a` must be a whole number (write a whole number)"),
        ("a: true", "number", "`a` must be a whole number (write a whole number)"),
        ("a: maybe", "flag", "`a` must be true or false (write true or false)"),
        ("a: soon", "day", "`a` must be a date (2026-01-31) (write a date (2026-01-31))"),
        ("a: x", "items", "`a` must be a list (write a list)"),
        ("a: x", "fields", "`a` must be a mapping (write a mapping)"),
        ("a: {1: x}", "fields", "the key `1` must be text (put it in quotes)"),
    ],
)
def test_a_wrong_value_says_what_it_must_be(text: str, read: str, error: str) -> None:
    node = parse(text.encode(), FILE).fields()["a"]
    with pytest.raises(InputError) as caught:
        getattr(node, read)()
    assert (
        str(caught.value)
        == f"x.yaml:1: {error.rpartition(' (')[0] if '(2026' not in error else '`a` must be a date (2026-01-31)'}"
    )
    assert f"({caught.value.hint})" in error


def test_a_file_that_is_no_mapping_is_named_as_a_whole() -> None:
    with pytest.raises(InputError, match=r"x\.yaml:1: the whole file must be a mapping"):
        parse(b"[]", FILE).fields()


def test_dates_are_read_in_both_spellings() -> None:
    root = parse(b"a: 2026-01-31\nb: '2026-01-31'\n", FILE).fields()
    assert root["a"].day() == root["b"].day() == date(2026, 1, 31)


def test_an_unknown_key_gets_the_nearest_right_one() -> None:
    node = parse(b"alpha: 1\nbetta: 2\n", FILE)
    with pytest.raises(InputError, match=r"x\.yaml:2: unknown key `betta`") as caught:
        node.fields(("alpha", "beta"))
    assert caught.value.hint == "did you mean `beta`?"


def test_a_key_that_comes_later_says_so() -> None:
    with pytest.raises(InputError, match="Ropewalk does not read the key `gamma` yet"):
        parse(b"gamma: 1\n", FILE).fields(("alpha",), ("gamma",))


def test_nearest_names_all_where_none_is_near() -> None:
    assert nearest("zzz", ("b", "a")) == "known: a, b"
    assert nearest("zzz", ()) == "known: none"


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match=r"x\.yaml:1: `b` is missing"):
        parse(b"a: 1\n", FILE).need("b")


@given(st.text(alphabet="ab01-:&*<>[]{},'\"!|\n \t#?"))
def test_any_text_gives_a_value_or_an_error_of_ours(text: str) -> None:
    with suppress(InputError):
        parse(text.encode(), FILE).plain()
