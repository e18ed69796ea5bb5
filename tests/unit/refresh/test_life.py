"""The life of an image."""

from dataclasses import replace

from kit.images import recipe, record
from ropewalk.recipe import How, Proof, Published
from ropewalk.recipe.record import Withdrawn
from ropewalk.refresh.history import Approved, Deployed, Due, Patched, Update
from ropewalk.refresh.life import Papers, Step, life, told

SSL = Update("libssl3", "amd64", "3.0-1", "3.0-2", security=True, released=90, suite="bookworm-security")
TZ = Update("tzdata", "all", "2025a", "2025b", security=False, released=80, suite="bookworm-updates")
FIRST = replace(record(recipe("site", "base"), record(recipe("base")), made=50), reasons=("never built",), tested=True)
SECOND = replace(FIRST, digest="sha256:two", build=2, how=How.REBASED, made=120, reasons=("parent base renewed",))
NAME = FIRST.repository


def test_it_is_told_in_order() -> None:
    papers = [
        Papers(
            SECOND, Published("http://r", 130), Proof(equal=True, differences=(), seconds=12.4, at=125), seconds=0.6
        ),
        Papers(FIRST, Published("http://r", 60)),
    ]
    past = [
        Due(NAME, FIRST.digest, "view-2", 100, (TZ, SSL)),
        Due("r/other", "sha256:other", "view-2", 100, (SSL,)),
        Patched(NAME, SECOND.reference, SECOND.digest, 130, 100, "rebased", (SSL, TZ)),
        Approved("security-1", 110, "root"),
        Deployed(SECOND.digest, 200, "shop"),
        Deployed("sha256:other", 201, "shop"),
    ]
    found = life(papers, past)
    assert [(one.at, one.step, one.reference.rpartition(":")[2]) for one in found] == [
        (50, Step.BUILT, "1"),
        (60, Step.PUBLISHED, "1"),
        (100, Step.DUE, "1"),
        (120, Step.REBASED, "1-r2"),
        (125, Step.PROVEN, "1-r2"),
        (130, Step.PUBLISHED, "1-r2"),
        (130, Step.PATCHED, "1-r2"),
        (200, Step.DEPLOYED, "1-r2"),
    ]
    details = {one.step: one.detail for one in found}
    assert details[Step.REBASED] == f"parent base renewed; view {SECOND.view}; tested; 1 s"
    assert details[Step.DUE] == "libssl3 3.0-1 -> 3.0-2 (security), tzdata 2025a -> 2025b; view view-2"
    assert details[Step.PROVEN] == "equal to a full rebuild; 12 s"


def test_what_was_pruned_or_never_here_is_told_as_far_as_it_is_known() -> None:
    past = [Patched(NAME, f"{NAME}:1-r3", "sha256:three", 300, 290, "rebuilt", (SSL,)), Deployed("sha256:three", 400)]
    found = life([Papers(FIRST, registry="http://r")], past)
    assert [(one.at, one.step, one.digest == FIRST.digest) for one in found] == [
        (50, Step.BUILT, True),
        (50, Step.PUBLISHED, True),
        (300, Step.PUBLISHED, False),
        (300, Step.PATCHED, False),
        (400, Step.DEPLOYED, False),
    ]
    assert found[1].detail == "http://r attests it; the hour is not known"


def test_a_rebase_that_a_rebuild_contradicts_is_withdrawn() -> None:
    proof = Proof(equal=False, differences=("etc/x: content",), seconds=9, at=140)
    papers = Papers(SECOND, proof=proof, withdrawn=Withdrawn("rule 9, etc/x", "r/site:1-r3", 150))
    assert [(one.step, one.detail) for one in life([papers], [])[1:]] == [
        (Step.DIFFERS, "etc/x: content; 9 s"),
        (Step.WITHDRAWN, "rule 9, etc/x; now r/site:1-r3"),
    ]


def test_security_updates_are_named_first() -> None:
    others = tuple(replace(TZ, package=name) for name in "abc")
    assert told((*others, SSL)).startswith("libssl3 3.0-1 -> 3.0-2 (security), a ")
    assert told((*others, SSL)).endswith(" and 1 more")
