"""Which images a campaign concerns, who owns what, what no view mends, and in which order the work is done."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.house import BASE, GCC, HELLO, NGINX, SITE, TREE, House
from kit.tracker import release, tracker
from ropewalk.archive import Tracker, Urgency, View, parse_tracker
from ropewalk.plan import ancestors
from ropewalk.refresh import Ask, Newer, Severity, plan_refresh
from ropewalk.refresh.scope import severities, severity_of, work_order

CVE = "CVE-2026-1"
SSL = "libssl3=1:3.0.11-1@openssl"
LATER = 1_700_100_000


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def old(house: House) -> View:
    return house.view({"libc6": "1", "libssl3": "1:3.0.11-1@openssl", "nginx": "1", "gcc": "1"}, {}, LATER - 1)


def mended(house: House, **more: str) -> View:
    """Return a view whose security suite has the fix; a binNMU of it, so the binary's version says less."""
    packages = {"libc6": "1", "libssl3": "1:3.0.11-1@openssl", "nginx": "1", "gcc": "1", **more}
    return house.view(packages, {"libssl3": "1:3.0.12-1+b1@openssl=1:3.0.12-1"}, LATER)


def says(**said: object) -> Tracker:
    return parse_tracker(tracker({"openssl": {CVE: {"bookworm": release(**said)}}}), "tracker")  # type: ignore[arg-type]


FIXED = {"fixed": "1:3.0.12-1", "urgency": "medium"}
ADVISORY = Ask(advisory=CVE)


def test_owner_and_heirs_are_concerned(house: House, old: View) -> None:
    house.built(old, SSL)
    view = mended(house)
    scope = house.scope(ADVISORY, view, says(**FIXED))
    assert {*scope.holds} == {one.reference for one in TREE}
    (held,) = scope.holds[SITE.reference]
    assert (held.package, held.owner, held.codename, held.security) == ("libssl3", "bookworm", "bookworm", True)
    assert (held.source, held.source_installed, held.source_candidate) == ("openssl", "1:3.0.11-1", "1:3.0.12-1")
    assert scope.helpless == ()


def test_only_what_holds_an_older_one_is_touched(house: House, old: View) -> None:
    built = house.built(old, "libc6=1")
    house.make(NGINX, f"libc6=1 nginx=1 {SSL}", built["bookworm"], view=old.id, build=2)
    house.make(GCC, f"libc6=1 gcc=1 {SSL}", built["bookworm"], view=old.id, build=2)
    view = mended(house, libc6="2")
    for ask in (Ask(package="libssl3"), Ask(package="openssl")):
        scope = house.scope(ask, view)
        assert {*scope.holds} == {NGINX.reference, GCC.reference}
        assert scope.carried == {HELLO.reference}, "its build parent may have left the code in it"
    observed = house.observed()
    rows = plan_refresh(TREE, view, observed=observed, store=house.store, views=house.views, scope=scope)
    assert {row.name: str(row.how) for row in rows} == {
        "bookworm": "unchanged",
        "nginx": "rebuilt",
        "gcc": "rebuilt",
        "site": "unchanged",
        "hello": "rebuilt",
    }
    assert next(row.reason for row in rows if row.name == "site") == "holds nothing older of openssl"
    assert next(row.packages[0].candidate for row in rows if row.name == "nginx") == "1:3.0.12-1+b1"


def test_a_campaign_that_was_stopped_still_concerns_what_it_began_with(house: House, old: View) -> None:
    house.built(old, "libc6=1")
    scope = house.scope(Ask(package="libssl3"), mended(house), begun=(HELLO.reference, "gone"))
    assert (dict(scope.holds), scope.carried) == ({}, {HELLO.reference})


def test_an_heir_is_concerned_when_its_owner_was_renewed_before(house: House, old: View) -> None:
    house.built(old, SSL)
    view = mended(house)
    house.make(BASE, "libssl3=1:3.0.12-1+b1@openssl=1:3.0.12-1", view=view.id, build=2)
    scope = house.scope(ADVISORY, view, says(**FIXED))
    assert BASE.reference not in scope
    assert {*scope.holds} == {one.reference for one in (NGINX, GCC, SITE, HELLO)}


def test_what_nobody_here_renews_says_whose_it_is(house: House, old: View) -> None:
    built = house.built(old, SSL)
    view = mended(house)
    tree = (NGINX, SITE)
    scope = house.scope(ADVISORY, view, says(**FIXED))
    observed = house.observed(TREE)
    rows = plan_refresh(tree, view, observed=observed, store=house.store, views=house.views, scope=scope)
    assert built["bookworm"]
    assert rows[0].reason.startswith("libssl3 1:3.0.11-1 -> 1:3.0.12-1+b1: it is of bookworm, which is not renewed")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": "open", "urgency": "low", "nodsa": "Minor"}, "bookworm has no fix yet (urgency low; Minor)"),
        ({"status": "undetermined"}, "the tracker has not determined whether bookworm is affected"),
        ({"fixed": "1:3.0.13-1"}, "bookworm has it fixed in openssl 1:3.0.13-1, which view {} lacks: make a new view"),
    ],
)
def test_what_no_view_mends_is_told_and_left_alone(
    house: House, old: View, said: dict[str, object], reason: str
) -> None:
    house.built(old, SSL)
    view = mended(house)
    scope = house.scope(ADVISORY, view, says(**said))
    assert dict(scope.holds) == {}
    assert {(one.package.package, one.reason) for one in scope.helpless} == {("libssl3", reason.format(view.id))}
    assert len(scope.helpless) == len(TREE)


def test_a_release_that_was_never_affected_is_no_concern(house: House, old: View) -> None:
    house.built(old, SSL)
    scope = house.scope(ADVISORY, mended(house), says(fixed="0"))
    assert (dict(scope.holds), scope.helpless) == ({}, ())


def test_without_a_question_everything_is_concerned(house: House, old: View) -> None:
    house.built(old)
    assert all(one.reference in house.scope(Ask(), old) for one in TREE)


def test_a_question_on_a_view_is_one_campaign() -> None:
    assert ADVISORY.campaign("V") == "CVE-2026-1-V"
    assert Ask(package="libssl3").campaign("V") == "package-libssl3-V"
    assert Ask().campaign("V") == "all-V"


# severity and order


@pytest.mark.parametrize(
    ("security", "urgency", "severity"),
    [
        (True, None, Severity.SECURITY),
        (True, Urgency.HIGH, Severity.HIGH),
        (False, Urgency.LOW, Severity.LOW),
        (True, Urgency.UNASSIGNED, Severity.SECURITY),
        (False, Urgency.UNASSIGNED, Severity.SECURITY),
        (False, None, Severity.ORDINARY),
    ],
)
def test_severity(security: bool, urgency: Urgency | None, severity: Severity) -> None:  # noqa: FBT001  # a case table
    assert severity_of(Newer("a", "1", "2", security=security), urgency) is severity


def test_a_line_matters_as_much_as_its_worst_package() -> None:
    newer = {"a": (Newer("x", "1", "2"), Newer("y", "1", "2", security=True)), "b": ()}
    assert severities(newer, lambda _one: None) == {"a": Severity.SECURITY}


def test_the_most_severe_comes_first_with_what_it_needs_then_by_depth() -> None:
    links = {"base": (), "other": (), "quiet": ("base",), "loud": ("base",), "child": ("loud",), "alone": ("other",)}
    places = work_order(links, {"loud": Severity.HIGH, "other": Severity.LOW})
    assert sorted(links, key=lambda line: places[line]) == ["base", "loud", "child", "other", "alone", "quiet"]


@given(st.lists(st.tuples(st.sets(st.integers(0, 9)), st.sampled_from(Severity)), max_size=12))
def test_nothing_comes_before_what_it_needs(drawn: list[tuple[set[int], Severity]]) -> None:
    links = {str(n): tuple(str(m) for m in needs if m < n) for n, (needs, _) in enumerate(drawn)}
    places = work_order(links, {str(n): severity for n, (_, severity) in enumerate(drawn)})
    for line in links:
        assert all(places[needed] < places[line] for needed in ancestors(line, links))
