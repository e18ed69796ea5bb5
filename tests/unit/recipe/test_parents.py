from dataclasses import replace
from datetime import date

import pytest

from ropewalk.errors import InputError
from ropewalk.recipe import Forbidden, Foreign, ParentRole, Rules, TreeConfig, parse
from ropewalk.recipe.parents import parents

DIGEST = "sha256:" + "0" * 64
CONFIG = TreeConfig(
    registry="r.example.org",
    aliases=("old.example.org",),
    foreign=(
        Foreign("docker.io/library/alpine", "musl", "a@example.org", date(2026, 6, 30), "c.yaml:3"),
        Foreign("ghcr.io/x/y:1", "tool", "b@example.org", date(2026, 1, 1), "c.yaml:7"),
        Foreign("quay.io/z@" + DIGEST, "tool", "b@example.org", date(2026, 6, 30), "c.yaml:9"),
    ),
)
RULES = Rules(CONFIG, {"r.example.org/gcc"}, date(2026, 3, 1), "F")


def found(text: str, rules: Rules = RULES, build: tuple[str, ...] = ()) -> list[tuple[str, str | None, str, str]]:
    roles = {ParentRole.FINAL: "final", ParentRole.BUILD: "build"}
    return [(p.reference, p.name, p.tag, roles[p.role]) for p in parents(parse(text, "F"), rules, build)]


def forbidden(text: str, rules: Rules) -> Forbidden:
    """Return why the one foreign image of a Dockerfile is forbidden."""
    (said,) = [parent.forbidden for parent in parents(parse(text), rules) if parent.forbidden is not None]
    return said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM r.example.org/a:1", [("r.example.org/a:1", "a", "1", "final")]),
        ("FROM r.example.org/a", [("r.example.org/a:latest", "a", "latest", "final")]),
        ("FROM old.example.org/a", [("old.example.org/a:latest", "a", "latest", "final")]),
        ("FROM scratch", []),
        ("ARG B=a:2\nFROM r.example.org/${B}", [("r.example.org/a:2", "a", "2", "final")]),
        (
            "FROM r.example.org/b:1 AS build\nFROM r.example.org/a:1\nCOPY --from=build /x /x",
            [("r.example.org/a:1", "a", "1", "final"), ("r.example.org/b:1", "b", "1", "build")],
        ),
        (
            "FROM r.example.org/b:1 AS Build\nFROM build AS more\nFROM more",
            [("r.example.org/b:1", "b", "1", "final")],
        ),
        (
            "FROM r.example.org/a\nCOPY --from=r.example.org/b:2 /x /x\nRUN --mount=type=bind,from=r.example.org/c,target=/c x",
            [
                ("r.example.org/a:latest", "a", "latest", "final"),
                ("r.example.org/b:2", "b", "2", "build"),
                ("r.example.org/c:latest", "c", "latest", "build"),
            ],
        ),
        (
            "FROM r.example.org/a AS x\nFROM r.example.org/a\nCOPY --from=0 /x /x\nCOPY --from=x /y /y",
            [("r.example.org/a:latest", "a", "latest", "final"), ("r.example.org/a:latest", "a", "latest", "build")],
        ),
        (
            "FROM r.example.org/a\nARG V=b:1\nCOPY --from=r.example.org/$V /x /x",
            [("r.example.org/a:latest", "a", "latest", "final"), ("r.example.org/b:1", "b", "1", "build")],
        ),
        ("FROM alpine:3", [("alpine:3", None, "3", "final")]),
        ("FROM docker.io/library/alpine", [("docker.io/library/alpine:latest", None, "latest", "final")]),
        (f"FROM quay.io/z@{DIGEST}", [(f"quay.io/z@{DIGEST}", None, "", "final")]),
    ],
)
def test_parents(text: str, expected: list[tuple[str, str | None, str, str]]) -> None:
    assert found(text) == expected


def test_an_alias_is_resolved_in_the_repository() -> None:
    (parent,) = parents(parse("FROM old.example.org/a:1"), RULES)
    assert (parent.repository, parent.reference) == ("r.example.org/a", "old.example.org/a:1")


def test_the_namespace_is_a_part_of_the_name() -> None:
    rules = replace(RULES, config=replace(CONFIG, namespace="istio"))
    text = "FROM r.example.org/istio/build:1 AS b\nFROM r.example.org/trixie"
    made = parents(parse(text), rules)
    assert [(p.repository, p.name) for p in made] == [
        ("r.example.org/trixie", "trixie"),
        ("r.example.org/istio/build", "istio/build"),
    ]


def test_what_control_names_is_a_build_parent_unless_the_dockerfile_has_it() -> None:
    build = ("r.example.org/a:1-1", "r.example.org/gcc:12")
    assert found("FROM r.example.org/a", build=build) == [
        ("r.example.org/a:latest", "a", "latest", "final"),
        ("r.example.org/gcc:12", "gcc", "12", "build"),
    ]


def test_without_a_registry_only_known_names_are_ours() -> None:
    rules = Rules(TreeConfig(), {"ns/a"}, date(2026, 3, 1), "F")
    assert found("FROM ns/a:1", rules) == [("ns/a:1", "ns/a", "1", "final")]
    assert "`debian` is not from this tree" in forbidden("FROM debian", rules).reason


def test_another_file_may_name_the_place() -> None:
    rules = replace(RULES, places={"debian:12": "blubber.yaml:7"})
    assert forbidden("FROM debian:12", rules).reason.startswith("blubber.yaml:7: `debian:12` is not from")


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("FROM debian:12", "F:1: `debian:12` is not from r.example.org", "build on an image of your own"),
        ("FROM scratch\nCOPY --from=golang /x /x", "F:2: `golang` is not from r.example.org", "build on an image"),
        ("FROM r.example.org.evil/a", "F:1: `r.example.org.evil/a` is not from r.example.org", "build on an image"),
        ("FROM docker.io/alpine2/alpine", "F:1: `docker.io/alpine2/alpine` is not from", "build on"),
        (
            "FROM ghcr.io/x/y:1",
            "F:1: `ghcr.io/x/y:1` was allowed until 2026-01-01 only",
            "replace it, or ask b@example.org",
        ),
        ("FROM ghcr.io/x/y:2", "F:1: `ghcr.io/x/y:2` is not from r.example.org", "build on an image"),
    ],
)
def test_a_foreign_image_says_why_it_is_forbidden_and_the_key_that_allows_it(text: str, reason: str, hint: str) -> None:
    said = forbidden(text, RULES)
    assert said.reason.startswith(reason)
    assert said.hint.startswith(hint)
    assert "`ropewalk.foreign`" in said.hint or "`expires`" in said.hint


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        (
            f"FROM r.example.org/a@{DIGEST}",
            f"F:1: `r.example.org/a@{DIGEST}` pins one of our own images",
            "name its tag",
        ),
        (
            "FROM r.example.org/A",
            "F:1: `r.example.org/A` is no image: 'A' is no repository",
            "write it as registry/name:tag",
        ),
    ],
)
def test_faults_name_the_line_and_the_remedy(text: str, error: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        found(text)
    assert str(caught.value).startswith(error)
    assert caught.value.hint.startswith(hint)


def test_without_a_date_nothing_foreign_is_allowed() -> None:
    assert "was allowed until" in forbidden("FROM alpine:3", replace(RULES, today=None)).reason
    allowed = parents(parse("FROM alpine:3"), replace(RULES, today=date(2026, 6, 30)))
    assert [parent.forbidden for parent in allowed] == [None]
    late = forbidden("FROM alpine:3", replace(RULES, today=date(2026, 7, 1)))
    assert "was allowed until 2026-06-30 only" in late.reason


@pytest.mark.parametrize(
    ("word", "reason", "hint"),
    [
        ("biuld", "F:2: `biuld` is no stage above and not from r.example.org", "did you mean the stage `build`?"),
        ("last", "F:2: `last` is no stage above", "the stage `last` comes later: move it up"),
        ("golang", "F:2: `golang` is no stage above", "build on an image of your own"),
        ("golang:1", "F:2: `golang:1` is not from r.example.org", "build on an image of your own"),
    ],
)
def test_a_misspelt_stage_is_not_only_foreign(word: str, reason: str, hint: str) -> None:
    text = f"FROM r.example.org/a AS build\nCOPY --from={word} /x /x\nFROM r.example.org/a AS last\n"
    said = forbidden(text, RULES)
    assert said.reason.startswith(reason)
    assert said.hint.startswith(hint)
