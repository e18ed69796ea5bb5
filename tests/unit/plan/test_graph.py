"""Edges, order, and what stands for a parent."""

from hypothesis import given
from hypothesis import strategies as st

from kit.images import parent, recipe, record
from ropewalk.plan.graph import ancestors, descendants, edges, order, resolve
from ropewalk.recipe.recipe import Recipe


@st.composite
def trees(draw: st.DrawFn) -> list[Recipe]:
    """Recipes of which each needs some of those before it, in any order."""
    count = draw(st.integers(1, 12))
    names = [f"n{index}" for index in range(count)]
    made = []
    for index, name in enumerate(names):
        needed = draw(st.lists(st.sampled_from(names[:index]), unique=True, max_size=4)) if index else []
        made.append(recipe(name, *needed))
    return draw(st.permutations(made))


@given(trees())
def test_each_comes_once_and_after_all_it_needs(recipes: list[Recipe]) -> None:
    links = edges(recipes)
    lines = [one.reference for one in order(recipes, links)]
    assert sorted(lines) == sorted(one.reference for one in recipes)
    for place, line in enumerate(lines):
        assert ancestors(line, links) <= set(lines[:place])


@given(trees())
def test_order_is_stable(recipes: list[Recipe]) -> None:
    once = order(recipes, edges(recipes))
    assert order(once, edges(once)) == once


@given(trees())
def test_descendants_are_the_reverse_of_ancestors(recipes: list[Recipe]) -> None:
    links = edges(recipes)
    for line in links:
        assert descendants(line, links) == {other for other in links if line in ancestors(other, links)}


def test_recipes_without_edges_keep_their_order() -> None:
    tree = (recipe("b"), recipe("c"), recipe("a"))
    assert order(tree, edges(tree)) == tree


def test_a_tag_of_another_version_is_no_edge() -> None:
    tree = (recipe("gcc:2"), recipe("app", "gcc:1"), recipe("web", "gcc:2"), recipe("cli", "gcc"))
    line = tree[0].reference
    assert edges(tree) == {line: (), tree[1].reference: (), tree[2].reference: (line,), tree[3].reference: (line,)}


GCC = recipe("gcc:2")
BUILDS = tuple(
    record(of, build=build)
    for of, build in ((recipe("gcc:1"), 1), (recipe("gcc:1"), 2), (recipe("gcc:2"), 1), (recipe("gcc:10"), 1))
)


def test_what_stands_for_a_parent() -> None:
    first, second, two, ten = BUILDS
    assert resolve(parent("gcc"), (GCC,), BUILDS) == two
    assert resolve(parent("gcc"), (), BUILDS) == ten
    assert resolve(parent("gcc:1"), (GCC,), BUILDS) == second
    assert resolve(parent("gcc:1-r2"), (GCC,), BUILDS) == second
    assert resolve(parent("gcc:1-r1"), (GCC,), BUILDS) == first
    assert resolve(parent("gcc:3"), (GCC,), BUILDS) is None
    assert resolve(parent("gcc:1", foreign=True), (GCC,), BUILDS) is None
    assert resolve(parent("gcc"), (recipe("gcc:3"),), BUILDS) is None
