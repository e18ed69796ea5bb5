"""A plan for scripts and for people."""

from kit.images import parent, recipe, record
from ropewalk.plan.decide import decide
from ropewalk.plan.known import Known, Observed
from ropewalk.plan.output import to_json, tree
from ropewalk.recipe.recipe import ParentRole

BASE = recipe("bookworm")
GCC = recipe("gcc:12-1", "bookworm")
HELLO = recipe("hello", parent("bookworm:latest"), parent("gcc:12-1", ParentRole.BUILD), parent("go", ParentRole.BUILD))
KNOWN = (Known(record(BASE), here=True, published=True),)


def test_json_has_exactly_what_the_interface_says() -> None:
    assert to_json(decide((HELLO, GCC, BASE), Observed(KNOWN)))["entries"] == [
        {
            "name": "bookworm",
            "version": "1",
            "reference": "registry.example.org/bookworm:1",
            "generation": "base",
            "action": "none",
            "reasons": [],
            "hint": "",
            "parents": [],
            "build_parents": [],
            "unresolved": [],
        },
        {
            "name": "gcc",
            "version": "12-1",
            "reference": "registry.example.org/gcc:12-1",
            "generation": "production",
            "action": "build",
            "reasons": ["never built"],
            "hint": "",
            "parents": ["registry.example.org/bookworm:latest"],
            "build_parents": [],
            "unresolved": [],
        },
        {
            "name": "hello",
            "version": "1",
            "reference": "registry.example.org/hello:1",
            "generation": "production",
            "action": "build",
            "reasons": ["never built"],
            "hint": "parent registry.example.org/go:latest is no recipe here and in no store, and no registry was asked",
            "parents": ["registry.example.org/bookworm:latest"],
            "build_parents": ["registry.example.org/gcc:12-1", "registry.example.org/go:latest"],
            "unresolved": ["registry.example.org/go:latest"],
        },
    ]


def test_the_tree_holds_each_entry_below_its_final_parent() -> None:
    web = recipe("web", "gcc")
    rows = tree(decide((BASE, GCC, HELLO, web), Observed(KNOWN)))
    assert [(row.depth, row.reference.partition("/")[2]) for row in rows] == [
        (0, "bookworm:1"),
        (1, "gcc:12-1"),
        (2, "web:1"),
        (1, "hello:1"),
    ]
