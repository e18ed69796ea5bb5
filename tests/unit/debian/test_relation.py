import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.debian import Package, Relation, package_of, parse_relation, parse_relations, unmet
from ropewalk.errors import InputError


def package(name: str, version: str = "1", **fields: str) -> Package:
    values = {"Package": name, "Version": version, "Architecture": "amd64"}
    return package_of(values | {key.replace("_", "-"): value for key, value in fields.items()})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a", ((Relation("a"),),)),
        ("a, b|c", ((Relation("a"),), (Relation("b"), Relation("c")))),
        ("libc6 (>= 2.36), ", ((Relation("libc6", "", ">=", "2.36"),),)),
        ("python3:any(<<3.12)", ((Relation("python3", "any", "<<", "3.12"),),)),
        (
            "a (< 1) | b (> 2),\n c ( = 3 )",
            ((Relation("a", "", "<=", "1"), Relation("b", "", ">=", "2")), (Relation("c", "", "=", "3"),)),
        ),
    ],
)
def test_parse_relations(text: str, expected: tuple[tuple[Relation, ...], ...]) -> None:
    assert parse_relations(text) == expected


@pytest.mark.parametrize("text", ["a b", "a (1)", "a (>= )", "(>= 1)", "a | ", "a (~ 1)", "a (>= 1", "ä"])
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no package relation"):
        parse_relations(text)


@given(st.text(alphabet="ab1 ():|,<>=~\n"))
def test_only_input_errors(text: str) -> None:
    try:
        relations = parse_relations(text)
    except InputError:
        return
    again = ", ".join(" | ".join(map(str, clause)) for clause in relations)
    assert parse_relations(again) == relations


@pytest.mark.parametrize(
    ("relation", "version", "expected"),
    [
        ("a", "1", True),
        ("a (<< 2)", "1", True),
        ("a (<< 1)", "1", False),
        ("a (<= 1)", "1~", True),
        ("a (= 1)", "1.0", False),
        ("a (>> 1)", "1:0", True),
    ],
)
def test_allows(relation: str, version: str, *, expected: bool) -> None:
    assert parse_relation(relation).allows(version) is expected


def test_package_of_a_paragraph() -> None:
    made = package("libssl3", "3.0.17-1", Source="openssl (3.0.17)", Essential="yes", Depends="libc6")
    assert (made.source, made.source_version, made.essential) == ("openssl", "3.0.17", True)
    assert made.depends == ((Relation("libc6"),),)
    assert (package("a", "1+b1").source, package("a", "1+b1").source_version) == ("a", "1+b1")
    with pytest.raises(InputError, match="no Package or no Version"):
        package_of({"Package": "a"})


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ([package("a", Depends="b (>= 2) | c"), package("c")], ()),
        ([package("a", Depends="b (>= 2)"), package("b", "1")], ("a 1: Depends: b (>= 2): b 1 is installed",)),
        ([package("a", Pre_Depends="b")], ("a 1: Pre-Depends: b: not installed",)),
        ([package("a", Depends="mta"), package("b", Provides="mta")], ()),
        ([package("a", Depends="mta (>= 1)"), package("b", Provides="mta")], ("a 1: Depends: mta (>= 1): b 1 is installed",)),
        ([package("a", Depends="api (= 5)"), package("b", Provides="api (= 5)")], ()),
        ([package("a", Depends="b:any, b:amd64"), package("b")], ()),
        ([package("a", Depends="b:i386"), package("b")], ("a 1: Depends: b:i386: b 1 is installed",)),
        ([package("a", Breaks="b (<< 2)"), package("b")], ("a 1: Breaks: b (<< 2): b 1 is installed",)),
        ([package("a", Breaks="b (<< 2)"), package("b", "2")], ()),
        ([package("a", Conflicts="mta", Provides="mta"), package("b", Provides="mta")], ("a 1: Conflicts: mta: b 1 is installed",)),
        ([package("a", Conflicts="mta", Provides="mta")], ()),
    ],
)  # fmt: skip
def test_unmet(packages: list[Package], expected: tuple[str, ...]) -> None:
    assert unmet(packages) == expected
