"""What is renewed without being asked."""

import pytest

from ropewalk.plan import Edges
from ropewalk.recipe import Consent, Renewal
from ropewalk.refresh.history import Update
from ropewalk.refresh.policy import Kind, Pending, pause, rule, waiting_id

SSL = Update("libssl3", "amd64", "3.0-1", "3.0-2", security=True, released=1, suite="bookworm-security")
TZ = Update("tzdata", "all", "2025a", "2025b", security=False, released=1, suite="bookworm-updates")
LINKS: Edges = {"base": (), "app": ("base",), "site": ("app",), "alone": ()}
BASE, APP, SITE = (Pending(name, f"sha256:{name}", "", (SSL, TZ)) for name in ("base", "app", "site"))
ALONE = Pending("alone", "sha256:alone", "tzdata", (TZ,))
AUTOMATIC, APPROVAL = Consent.AUTOMATIC, Consent.APPROVAL


@pytest.mark.parametrize(
    ("security", "updates", "renewed", "waits"),
    [
        (AUTOMATIC, AUTOMATIC, {"base", "app", "site", "alone"}, []),
        (AUTOMATIC, APPROVAL, {"base", "app", "site"}, [("update", "alone")]),
        (APPROVAL, AUTOMATIC, {"alone"}, [("security", "base app site")]),
        (APPROVAL, APPROVAL, set(), [("security", "base app site"), ("update", "alone")]),
    ],
)
def test_each_kind_goes_or_waits(
    security: Consent, updates: Consent, renewed: set[str], waits: list[tuple[str, str]]
) -> None:
    found = rule([BASE, APP, SITE, ALONE], Renewal(security=security, updates=updates), (), LINKS)
    assert found.renew == renewed
    assert [(one.kind, " ".join(p.reference for p in one.pending)) for one in found.waiting] == waits


def test_what_stands_on_a_renewed_image_goes_with_it() -> None:
    copied = Pending("site", "sha256:site", "build parent app renewed (rule 4)")
    found = rule([BASE, copied], Renewal(security=AUTOMATIC, updates=APPROVAL), (), LINKS)
    assert found.renew == {"base", "site"}
    assert found.waiting == ()


def test_an_approval_lets_go_what_it_named_and_nothing_else() -> None:
    (waiting,) = rule([ALONE], Renewal(security=APPROVAL), (), LINKS).waiting
    assert waiting.id == waiting_id(Kind.UPDATE, [ALONE])
    assert rule([ALONE], Renewal(security=APPROVAL), [waiting.id], LINKS).renew == {"alone"}
    later = Pending("alone", "sha256:alone", "tzdata", (Update("tzdata", "all", "2025a", "2025c", False, 2, "s"),))
    assert rule([later], Renewal(security=APPROVAL), [waiting.id], LINKS).renew == frozenset()


@pytest.mark.parametrize(
    ("every", "failures", "expected"), [(300, 0, 300), (300, 1, 600), (300, 9, 1800), (7200, 3, 7200), (1, 2, 4)]
)
def test_after_failures_one_waits_longer(every: int, failures: int, expected: int) -> None:
    assert pause(every, failures) == expected
