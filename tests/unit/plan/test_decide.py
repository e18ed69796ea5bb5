"""What a plan says, case by case: values in, values out."""

from dataclasses import dataclass, replace

import pytest

from kit.images import parent, recipe, record
from ropewalk.errors import InputError
from ropewalk.plan.decide import Action, decide, installs_packages, selected
from ropewalk.plan.known import Known, Observed, Unverified
from ropewalk.recipe.recipe import Forbidden, Generation, ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord

OLD, SAME_DAY, NEW = "20250101-0000000000", "20250101-ffffffffff", "20250301-0000000000"

BASE = recipe("bookworm")
GCC = recipe("gcc", "bookworm", dockerfile="FROM bookworm\nRUN apt-get update && apt-get install -y gcc\n")
HELLO = recipe("hello", "bookworm", parent("gcc", ParentRole.BUILD))
TREE = (BASE, GCC, HELLO)

BASE_1 = record(BASE)
GCC_1 = record(GCC, BASE_1)
HELLO_1 = record(HELLO, BASE_1, GCC_1)
BASE_2 = record(BASE, build=2, view=NEW)


def local(*records: BuildRecord) -> tuple[Known, ...]:
    return tuple(Known(one, here=True, published=False) for one in records)


def out(*records: BuildRecord) -> tuple[Known, ...]:
    return tuple(Known(one, here=True, published=True) for one in records)


@dataclass(frozen=True)
class Case:
    name: str
    known: tuple[Known, ...]
    expected: tuple[tuple[str, tuple[str, ...]], ...]
    recipes: tuple[Recipe, ...] = TREE
    view: str | None = OLD
    force: tuple[str, ...] = ()


NONE = ("none", ())
CASES = (
    Case("empty store", (), (("build", ("never built",)),) * 3),
    Case("all published", out(BASE_1, GCC_1, HELLO_1), (NONE,) * 3),
    Case("built, not published", local(BASE_1, GCC_1, HELLO_1), (("publish", ("not published",)),) * 3),
    Case("no view yet", out(BASE_1, GCC_1, HELLO_1), (NONE,) * 3, view=None),
    Case("only the last is missing", out(BASE_1, GCC_1), (NONE, NONE, ("build", ("never built",)))),
    Case(
        "view newer: base, and what installs packages; the others through their parents",
        out(BASE_1, GCC_1, HELLO_1),
        (
            ("refresh", ("view newer",)),
            ("refresh", ("parent rebuilt: bookworm", "view newer")),
            ("refresh", ("parent rebuilt: bookworm", "parent rebuilt: gcc")),
        ),
        view=NEW,
    ),
    Case(
        "another view of the same day counts",
        out(BASE_1),
        (("refresh", ("view newer",)),),
        recipes=(BASE,),
        view=SAME_DAY,
    ),
    Case("an older view renews nothing", out(BASE_2), (NONE,), recipes=(BASE,), view=OLD),
    Case(
        "base refreshed, children not yet",
        out(BASE_1, BASE_2, GCC_1, HELLO_1),
        (
            NONE,
            ("refresh", ("parent rebuilt: bookworm", "view newer")),
            ("refresh", ("parent rebuilt: bookworm", "parent rebuilt: gcc")),
        ),
        view=NEW,
    ),
    Case(
        "an unpublished child of a refreshed base is simply built again",
        (*out(BASE_1, BASE_2), *local(GCC_1)),
        (NONE, ("build", ("parent rebuilt: bookworm", "view newer"))),
        recipes=(BASE, GCC),
        view=NEW,
    ),
    Case(
        "not published and out of date: published first",
        local(BASE_1, GCC_1),
        (("publish", ("not published", "view newer")), ("publish", ("not published", "view newer"))),
        recipes=(BASE, GCC),
        view=NEW,
    ),
    Case(
        "changed before it was published",
        local(BASE_1, GCC_1, HELLO_1),
        (
            ("publish", ("not published",)),
            ("build", ("recipe changed",)),
            ("build", ("parent rebuilt: gcc",)),
        ),
        recipes=(BASE, recipe("gcc", "bookworm", text="changed"), HELLO),
    ),
    Case(
        "changed under a published version; its child keeps the published one",
        out(BASE_1, GCC_1, HELLO_1),
        (NONE, ("refused", ("changed under a published version: registry.example.org/gcc:1",)), NONE),
        recipes=(BASE, recipe("gcc", "bookworm", text="changed"), HELLO),
    ),
    Case(
        "a new version of a parent named by latest",
        out(BASE_1, GCC_1, HELLO_1),
        (NONE, ("build", ("never built",)), ("refresh", ("parent rebuilt: gcc",))),
        recipes=(BASE, recipe("gcc:2", "bookworm"), HELLO),
    ),
    Case(
        "a parent pinned to a version stays",
        out(BASE_1, GCC_1, record(recipe("app", "gcc:1"), GCC_1)),
        (NONE, ("build", ("never built",)), NONE),
        recipes=(BASE, recipe("gcc:2", "bookworm"), recipe("app", "gcc:1")),
    ),
    Case(
        "forced while published: the next build",
        out(BASE_1, GCC_1, HELLO_1),
        (NONE, ("build", ("forced",)), ("refresh", ("parent rebuilt: gcc",))),
        force=("*/gcc:*",),
    ),
    Case(
        "forced and never built",
        (),
        (("build", ("never built", "forced")),),
        recipes=(BASE,),
        force=("*",),
    ),
    Case(
        "the newest build is not published, an older one is",
        (*out(BASE_1), *local(BASE_2)),
        (("publish", ("not published",)),),
        recipes=(BASE,),
        view=NEW,
    ),
    Case(
        "a foreign parent has no build of ours",
        out(record(recipe("app", parent("alpine:3", foreign=True)), BASE_1)),
        (NONE,),
        recipes=(recipe("app", parent("alpine:3", foreign=True)),),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_recipe_gets_its_action_and_reasons(case: Case) -> None:
    plan = decide(case.recipes, Observed(case.known), case.view, case.force)
    assert tuple((str(entry.action), entry.reasons) for entry in plan.entries) == case.expected


def test_entries_stand_in_build_order_whatever_the_input_order() -> None:
    plan = decide((HELLO, GCC, BASE), Observed(()))
    assert [entry.recipe.name for entry in plan.entries] == ["bookworm", "gcc", "hello"]


@pytest.mark.parametrize(
    ("known", "force", "number"),
    [
        ((), (), 1),
        (local(BASE_1), (), 1),
        (local(BASE_1), ("*",), 1),
        (out(BASE_1), ("*",), 2),
        (out(BASE_1, BASE_2), ("*",), 3),
        ((*out(BASE_1), *local(BASE_2)), ("*",), 2),
    ],
)
def test_a_published_build_is_never_replaced(known: tuple[Known, ...], force: tuple[str, ...], number: int) -> None:
    (entry,) = decide((BASE,), Observed(known), NEW, force).entries
    assert entry.build == number


def test_refusals_name_the_fix() -> None:
    changed = recipe("gcc", "bookworm", text="changed")
    plan = decide((recipe("bookworm", text="changed"), changed), Observed(out(BASE_1, GCC_1)))
    assert [entry.hint for entry in plan.entries] == [
        "raise `version` in tree/bookworm/base.yaml",
        "run: ropewalk update gcc --reason WHY",
    ]


def test_a_forbidden_parent_refuses_the_line_and_its_children_and_nothing_else() -> None:
    alpine = replace(parent("alpine:3", foreign=True), forbidden=Forbidden("F:1: `alpine:3` is not ours", "allow it"))
    odd = recipe("odd", alpine)
    plan = decide((BASE, odd, recipe("child", "odd")), Observed(out(record(odd, BASE_1))))
    assert [(entry.recipe.name, entry.action) for entry in plan.entries] == [
        ("bookworm", Action.BUILD),
        ("odd", Action.REFUSED),
        ("child", Action.BUILD),
    ]
    assert (plan.entries[1].reasons, plan.entries[1].hint) == (
        ("foreign parent: F:1: `alpine:3` is not ours",),
        "allow it",
    )
    unbuilt = decide((odd, recipe("child", "odd")), Observed(()))
    assert [entry.action for entry in unbuilt.entries] == [Action.REFUSED, Action.REFUSED]


def test_what_lacks_a_file_is_refused() -> None:
    odd = replace(GCC, lacks=Forbidden("F:1: `x` is not there", "put it there"))
    (_, entry) = decide((BASE, odd), Observed(())).entries
    assert (entry.action, entry.reasons, entry.hint) == (Action.REFUSED, ("F:1: `x` is not there",), "put it there")


def test_a_tag_that_is_not_ours_refuses_the_line_and_its_children() -> None:
    observed = Observed((), (Unverified(BASE.repository, "1", "no signature"),), asked=True)
    base, gcc = decide((BASE, GCC), observed).entries
    assert (base.action, base.reasons) == (Action.REFUSED, ("the registry's 1 is not ours: no signature",))
    assert (gcc.action, gcc.reasons) == (Action.REFUSED, ("parent refused: bookworm",))


def test_a_tag_that_is_not_ours_refuses_the_line_also_where_older_builds_are_known() -> None:
    observed = Observed(out(BASE_1), (Unverified(BASE.repository, "1-r2", "no signature"),), asked=True)
    (entry,) = decide((BASE,), observed, NEW).entries
    assert entry.action is Action.REFUSED
    assert entry.reasons == ("the registry's 1-r2 is not ours: no signature",)


def test_a_refusal_names_the_parent_that_moved() -> None:
    golang = recipe("golang:1-1", "bookworm")
    app = recipe("app", parent("golang:1-1"))
    built = record(app, record(golang, BASE_1))
    moved = replace(app, digest="sha256:other", parents=(parent("golang:2-1"),))
    (entry,) = decide((moved,), Observed(out(built))).entries
    assert entry.action is Action.REFUSED
    assert entry.reasons[0].endswith("parent golang is now 2-1")


def test_a_parent_that_is_nowhere_is_told() -> None:
    (entry,) = decide((recipe("app", "golang"),), Observed(())).entries
    assert entry.action is Action.BUILD
    assert entry.hint.startswith("parent registry.example.org/golang:latest is no recipe here and in no store")


def test_a_parent_of_another_tree_is_its_newest_version() -> None:
    golang = [record(recipe(f"golang:{version}", "bookworm"), BASE_1) for version in ("1.9-1", "1.24-1", "1.24-1~rc1")]
    app = recipe("app", "golang")
    known = sorted(out(*golang, record(app, golang[1])), key=lambda one: one.record.version)
    assert decide((app,), Observed(tuple(known))).entries[0].action is Action.NONE
    older = record(app, golang[0])
    (entry,) = decide((app,), Observed((*out(*golang), *out(older)))).entries
    assert entry.reasons == ("parent rebuilt: golang",)


def test_a_loop_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match=r"a:1 -> registry.example.org/b:1 -> registry.example.org/a:1"):
        decide((recipe("a", "b"), recipe("b", "a")), Observed(()))


def test_select_keeps_the_parents_that_must_be_built() -> None:
    everything = decide(TREE, Observed(out(BASE_1)))
    assert [e.recipe.name for e in selected(everything, ("*/hello:*",)).entries] == ["gcc", "hello"]
    assert [e.recipe.name for e in selected(everything, ("*/bookworm:1",)).entries] == ["bookworm"]
    assert selected(everything, ("nothing",)).entries == ()
    two = selected(everything, ("*/bookworm:1", "*/gcc:*"))
    assert [e.recipe.name for e in two.entries] == ["bookworm", "gcc"]


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM a\nRUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y x\n", True),
        ("FROM a\nRUN apt-get -o Dpkg::Use-Pty=0 \\\n  install x\n", True),
        ("FROM a\nRUN apt install x", True),
        ("FROM a\nRUN rm -rf /var/lib/apt/lists/* && install -d /x\n", False),
        ("FROM a\n# RUN apt-get install x\nCOPY . /\n", False),
        ("FROM a\nRUN apt-get clean; pip install x\n", False),
    ],
)
def test_a_dockerfile_that_installs_packages_is_seen(dockerfile: str, *, expected: bool) -> None:
    assert installs_packages(dockerfile) is expected


def test_a_service_is_judged_like_a_production_image() -> None:
    web = recipe("web", "bookworm", generation=Generation.SERVICE)
    observed = Observed(out(BASE_1, BASE_2, record(web, BASE_1)))
    assert decide((BASE, web), observed, NEW).entries[1].reasons == ("parent rebuilt: bookworm",)


def test_what_only_the_registry_has_is_named_for_fetching() -> None:
    away = tuple(Known(one, here=False, published=True) for one in (BASE_1, GCC_1))
    base, gcc, hello = decide(TREE, Observed(away)).entries
    assert (base.fetch, gcc.fetch, hello.fetch) == ((), (), (BASE_1, GCC_1))
    base, gcc, _ = decide(TREE, Observed(away), NEW).entries
    assert (base.fetch, gcc.fetch) == ((BASE_1,), (GCC_1, BASE_1))
    assert decide(TREE, Observed(out(BASE_1, GCC_1))).entries[2].fetch == ()


def test_a_view_that_a_refresh_looked_at_counts_no_more() -> None:
    (published,) = out(BASE_1)
    assert decide((BASE,), Observed((published,)), NEW).entries[0].reasons == ("view newer",)
    seen = replace(published, seen=NEW)
    assert decide((BASE,), Observed((seen,)), NEW).entries[0].action is Action.NONE


def test_all_forbidden_parents_are_named() -> None:
    alpine = replace(parent("alpine:3", foreign=True), forbidden=Forbidden("F:1: `alpine:3` is not ours", "allow it"))
    golang = replace(parent("golang:1", foreign=True), forbidden=Forbidden("F:2: `golang:1` is not ours", "allow it"))
    (entry,) = decide((recipe("odd", alpine, golang),), Observed(())).entries
    assert entry.reasons == ("foreign parent: F:1: `alpine:3` is not ours; F:2: `golang:1` is not ours",)
    assert entry.hint == "allow it"
