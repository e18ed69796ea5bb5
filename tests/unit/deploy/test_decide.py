"""What becomes of a version: one row a rule."""

from dataclasses import replace

import pytest

from ropewalk.deploy import Build, Facts, Place, Policy, State, Step, judge
from ropewalk.deploy.decide import put_back
from ropewalk.recipe import Proven

R = "registry.example.org"
DIGEST = "sha256:" + "b" * 64
PLACE = Place("v.yaml", 1, "image", f"{R}/a", "1.0-1", "")
TARGET = Build(f"{R}/a", "1.0-1", 3, DIGEST)
FACTS = Facts(("1.0-1", 1), target=TARGET)
WAIT = Policy(wait=True)


def _steps(*versions: tuple[str, int] | None) -> tuple[Step, ...]:
    return tuple(Step(version, f"{n}" * 40, "Ada", "2026-01-31") for n, version in enumerate(versions))


@pytest.mark.parametrize(
    ("place", "facts", "state", "reason"),
    [
        (PLACE, FACTS, State.CHANGE, ""),
        (PLACE, replace(FACTS, stands=("1.0-1", 3)), State.CURRENT, ""),
        (replace(PLACE, pin="pinned"), replace(FACTS, stands=("1.0-1", 3)), State.CURRENT, ""),
        (replace(PLACE, pin="see T1: ropewalk: pin"), FACTS, State.LEFT, "pinned: see T1: ropewalk: pin"),
        (replace(PLACE, obstacle="is a template"), FACTS, State.LEFT, "is a template"),
        (replace(PLACE, tag="latest"), Facts(("latest", 1)), State.LEFT, "names `latest`, which says no version"),
        (PLACE, Facts(None), State.LEFT, "its digest is of no build that is known"),
        (PLACE, Facts(("1.1-1", 1)), State.LEFT, "nothing of a:1.1-1 is published and verified"),
        (PLACE, replace(FACTS, mismatch=True), State.LEFT, "its digest is not the image of its tag 1.0-1"),
        (
            PLACE,
            replace(FACTS, stands=("1.0-1", 3), mismatch=True),
            State.LEFT,
            "its digest is not the image of its tag 1.0-1",
        ),
        (
            PLACE,
            replace(FACTS, stands=("1.0-1", 10)),
            State.LEFT,
            "is newer than 1.0-1-r3, the newest that is published and verified",
        ),
        (
            PLACE,
            replace(FACTS, target=replace(TARGET, proven=Proven.WITHDRAWN)),
            State.LEFT,
            "1.0-1-r3 differs from a full rebuild: it is withdrawn",
        ),
        (
            PLACE,
            replace(FACTS, target=replace(TARGET, proven=Proven.NOT_YET)),
            State.WAITS,
            f"1.0-1-r3 waits for its proof: ropewalk prove {R}/a:1.0-1-r3",
        ),
        (PLACE, replace(FACTS, target=replace(TARGET, proven=Proven.EQUAL)), State.CHANGE, ""),
        (
            PLACE,
            replace(FACTS, rolled_back={("1.0-1", 3)}),
            State.LEFT,
            "1.0-1-r3 was rolled back here; --again sets it once more",
        ),
        (PLACE, replace(FACTS, rolled_back={("1.0-1", 2)}), State.CHANGE, ""),
        (
            PLACE,
            replace(FACTS, steps=_steps(("1.0-1", 1), ("1.0-1", 2))),
            State.LEFT,
            "put back from 1.0-1-r2 by Ada on 2026-01-31 (0000000000); --again moves it on",
        ),
    ],
)
def test_verdicts(place: Place, facts: Facts, state: State, reason: str) -> None:
    verdict = judge(place, facts, WAIT)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_again_sets_what_was_put_back_but_never_what_is_pinned() -> None:
    facts = replace(FACTS, steps=_steps(("1.0-1", 1), ("1.0-1", 2)), rolled_back={("1.0-1", 3)})
    again = Policy(wait=True, again=True)
    assert judge(PLACE, facts, again).state is State.CHANGE
    assert judge(replace(PLACE, pin="pinned"), facts, again).state is State.LEFT


def test_the_canary_waits_for_no_proof() -> None:
    facts = replace(FACTS, target=replace(TARGET, proven=Proven.NOT_YET))
    assert judge(PLACE, facts, Policy(wait=False)).state is State.CHANGE


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ((), None),
        ((("1", 1),), None),
        ((("1", 2), ("1", 1)), None),
        ((("1", 1), ("1", 2)), (0, 1)),
        ((("1", 2), ("1", 1), ("1", 3)), (1, 2)),  # raised since, but not to where it was
        ((("1", 3), ("1", 1), ("1", 3)), None),
        ((("1", 2), ("1", 10)), (0, 1)),
        ((("1.2", 1), ("1.3", 1)), (0, 1)),  # back to an older line
        ((("1.3", 1), ("1.2", 9)), None),
        ((("1.3", 1), ("1.2", 1), ("1.4", 1)), None),  # long ago, in another line
        ((("1", 1), None, ("1", 2)), (1, 2)),
        ((None, ("1", 2)), None),
        ((("dev", 1), ("1.2", 1)), None),
    ],
)
def test_what_was_put_back(versions: tuple[tuple[str, int] | None, ...], found: tuple[int, int] | None) -> None:
    steps = _steps(*versions)
    assert put_back(steps) == (None if found is None else (steps[found[0]], steps[found[1]]))


def test_what_we_rolled_back_ourselves_was_not_put_back_by_hand() -> None:
    steps = _steps(("1", 1), ("1", 2))
    assert put_back(steps, {("1", 2)}) is None
