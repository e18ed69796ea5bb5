from dataclasses import replace
from pathlib import Path

import pytest

from kit.house import BASE, GCC, NGINX, SITE, SPEC, TREE, House
from kit.images import add_files, add_image, digest, recipe, record
from ropewalk.archive import View
from ropewalk.oci.model import ImageConfig
from ropewalk.plan import Known, Observed, Unverified
from ropewalk.recipe.record import BuildRecord, How
from ropewalk.refresh import Intent, Moved, Newer, Way, differences, intend, newer_packages, plan_refresh
from ropewalk.refresh.intent import told
from ropewalk.refresh.prove import _config_differences


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def old(house: House) -> View:
    return house.view({"libc6": "1", "nginx": "1", "gcc": "1"}, {}, 1_700_000_000)


@pytest.fixture
def built(house: House, old: View) -> dict[str, BuildRecord]:
    return house.built(old)


@pytest.mark.usefixtures("built")
def test_on_its_own_view_nothing_is_old(house: House, old: View) -> None:
    assert {how for _, how, _ in house.plan(old)} == {"unchanged"}


@pytest.mark.usefixtures("built")
def test_a_view_with_the_same_packages_makes_nothing_old(house: House) -> None:
    view = house.view({"libc6": "1", "nginx": "1", "gcc": "1", "other": "1"}, {}, 1_700_100_000)
    assert {how for _, how, _ in house.plan(view)} == {"unchanged"}


@pytest.mark.usefixtures("built")
def test_a_new_base_package_rebuilds_the_base_and_rebases_what_stands_on_it(house: House) -> None:
    view = house.view({"libc6": "1", "nginx": "1", "gcc": "1"}, {"libc6": "2"}, 1_700_100_000)
    assert house.plan(view) == [
        ("bookworm", "rebuilt", "libc6 1 -> 2"),
        ("nginx", "rebased", "parent bookworm renewed: rebase if rules allow"),
        ("gcc", "rebased", "parent bookworm renewed: rebase if rules allow"),
        ("site", "rebased", "parent nginx renewed: rebase if rules allow"),
        ("hello", "rebuilt", "build parent gcc renewed (rule 4)"),
    ]


@pytest.mark.usefixtures("built")
def test_an_owner_is_rebuilt_and_its_children_are_rebased(house: House) -> None:
    view = house.view({"libc6": "1", "nginx": "1", "gcc": "1"}, {"nginx": "1.1"}, 1_700_100_000)
    plan = house.plan(view)
    assert [(name, how) for name, how, _ in plan if how != "unchanged"] == [("nginx", "rebuilt"), ("site", "rebased")]
    assert plan[1] == ("nginx", "rebuilt", "nginx 1 -> 1.1")


def test_next_references_count_on(house: House, built: dict[str, BuildRecord]) -> None:
    view = house.view({"libc6": "2"}, {}, 1_700_100_000)
    house.make(BASE, "libc6=1 x=1", view=built["bookworm"].view, build=2)
    rows = house.rows(view)
    line = BASE.reference
    assert [(row.old, row.new) for row in rows if row.name == "bookworm"] == [(f"{line}-r2", f"{line}-r3")]


@pytest.mark.usefixtures("built")
def test_a_recipe_that_changed_is_left_to_a_build(house: House) -> None:
    view = house.view({"libc6": "2", "nginx": "2"}, {}, 1_700_100_000)
    other = recipe("nginx", "bookworm", text="another Dockerfile")
    rows = {name: (how, reason) for name, how, reason in house.plan(view, (BASE, other))}
    assert rows["nginx"] == ("unchanged", "its recipe changed since it was built: run `ropewalk plan`")


def test_a_parent_that_was_renewed_before_makes_its_children_old(
    house: House, old: View, built: dict[str, BuildRecord]
) -> None:
    renewed = house.make(NGINX, "libc6=1 nginx=1 x=1", built["bookworm"], view=old.id, build=2)
    assert house.plan(old)[3] == ("site", "rebased", "parent nginx renewed: rebase if rules allow")
    house.make(SITE, "libc6=1 nginx=1 x=1 y=1", renewed, view=old.id, build=2)
    assert house.plan(old)[3][1] == "unchanged"


def test_a_line_without_an_image_is_left_out(house: House, old: View) -> None:
    assert house.plan(old) == []


def test_a_parent_that_is_nowhere_is_a_row_with_its_reason_and_the_rest_goes_on(
    house: House, built: dict[str, BuildRecord]
) -> None:
    view = house.view({"libc6": "1", "nginx": "1", "gcc": "2"}, {}, 1_700_100_000)
    house.book.save(replace(built["nginx"], how=How.ADOPTED, parents=()))
    house.book.remove(built["bookworm"].digest)
    rows = {row.name: row for row in house.rows(view, (SITE, NGINX, replace(GCC, parents=())))}
    lost = "its parent registry.example.org/bookworm:latest is not here"
    assert (rows["nginx"].how, rows["nginx"].reason) == ("unchanged", lost)
    assert rows["nginx"].error == f"{lost}; build it first, or give its recipe's directory too"
    assert rows["site"].error == "needs registry.example.org/nginx:1; mend registry.example.org/nginx:1 first"
    assert (rows["gcc"].how, rows["gcc"].error) == ("rebuilt", "")


def test_a_parent_that_nobody_vouches_for_is_told(house: House, old: View, built: dict[str, BuildRecord]) -> None:
    doubt = Unverified(BASE.repository, "2", "it has no attestation")
    nginx = Known(replace(built["nginx"], parents=()), here=True, published=True)
    observed = Observed((nginx,), (doubt,), asked=True)
    (row,) = plan_refresh((NGINX,), old, observed=observed, store=house.store, views=house.views)
    assert row.error.endswith("bookworm:latest is not ours: 2: it has no attestation; `ropewalk adopt` takes it over")


def test_a_build_that_only_the_registry_has_counts(house: House, old: View, built: dict[str, BuildRecord]) -> None:
    away = replace(built["nginx"], digest=digest("elsewhere"), build=2)
    rows = {row.name: row for row in house.rows(old, TREE, away)}
    assert (rows["nginx"].old, rows["nginx"].how) == (f"{NGINX.reference}-r2", "unchanged")
    assert "only the registry has it" in rows["nginx"].reason
    assert (rows["site"].how, rows["site"].reason) == ("rebased", "parent nginx renewed: rebase if rules allow")


def test_only_own_packages_of_fitting_suites_count(house: House, built: dict[str, BuildRecord]) -> None:
    view = house.view({"libc6": "3", "nginx": "1", "gcc": "0.9"}, {}, 1_700_100_000)
    pairs = [(NGINX, built["nginx"]), (GCC, built["gcc"]), (BASE, built["bookworm"])]
    newer = Newer(
        "libc6",
        "1",
        "3",
        source="libc6",
        source_installed="1",
        source_candidate="3",
        owner="bookworm",
        codename="bookworm",
    )
    assert newer_packages(view, house.views, house.store, pairs) == {BASE.reference: (newer,)}
    elsewhere = replace(BASE, base=replace(SPEC, suites=("trixie",)))
    assert newer_packages(view, house.views, house.store, [(elsewhere, built["bookworm"])]) == {}


# what is intended, and how it is told


def test_many_packages_are_counted() -> None:
    newer = [Newer(f"lib{number}", "1", "2") for number in range(5)]
    assert told(newer) == "lib0 1 -> 2, lib1 1 -> 2, lib2 1 -> 2 and 2 more"


@pytest.mark.parametrize(
    ("rebase", "newer", "moved", "way"),
    [
        (True, (), Moved(), Way.UNCHANGED),
        (True, (), Moved("bookworm"), Way.REBASED),
        (False, (), Moved("bookworm"), Way.REBUILT),
        (False, (), Moved(), Way.UNCHANGED),
        (True, (Newer("a", "1", "2"),), Moved(), Way.REBUILT),
        (True, (Newer("a", "1", "2"),), Moved("bookworm", ("gcc",)), Way.REBUILT),
        (True, (), Moved("bookworm", ("gcc",)), Way.REBUILT),
    ],
)
def test_ways(*, rebase: bool, newer: tuple[Newer, ...], moved: Moved, way: Way) -> None:
    of = replace(BASE, rebase=rebase)
    intent = intend(of, record(of), newer, moved)
    assert isinstance(intent, Intent)
    assert intent.way is way
    assert intent.reason


# proofs


def test_differences_are_told_path_by_path(house: House) -> None:
    one, other = (
        house.store.tree(add_image(house.store, add_files(house.store, files)))
        for files in ({"a": b"1", "b": b"1", "c": b"1"}, {"a": b"1", "b": b"22", "d": b"1"})
    )
    assert differences(one, one) == ()
    assert [line.split(":")[0] for line in differences(one, other)] == ["b", "c", "d"]


def test_configurations_are_compared_too() -> None:
    assert _config_differences(ImageConfig(user="1"), ImageConfig(user="1")) == ()
    a, b = ("A", "1"), ("B", "2")
    assert _config_differences(ImageConfig(env=(a, b)), ImageConfig(env=(b, a))) == ()
    assert _config_differences(ImageConfig(user="1"), ImageConfig()) == ("configuration: user '1' -> ''",)
