from kit.images import parent, recipe, record
from ropewalk.plan import to_prune
from ropewalk.recipe.recipe import ParentRole

BASE_OLD, BASE = record(recipe("bookworm:1")), record(recipe("bookworm:2"))
GO_OLD = record(recipe("go:1", "bookworm"), BASE_OLD)
GO = record(recipe("go:2", "bookworm"), BASE)
APP_OLD = record(recipe("app:1", "bookworm", parent("go", ParentRole.BUILD)), BASE_OLD, GO_OLD)
APP = record(recipe("app:2", "bookworm", parent("go", ParentRole.BUILD)), BASE, GO)
TREE = (recipe("bookworm:2"), recipe("go:2", "bookworm"), recipe("app:2", "bookworm"))
ALL = (BASE_OLD, BASE, GO_OLD, GO, APP_OLD, APP)
HERE = frozenset(one.digest for one in ALL)


def test_old_versions_go_children_first() -> None:
    chosen = to_prune(TREE, ALL, HERE)
    assert chosen.remove == (APP_OLD, GO_OLD, BASE_OLD)
    assert chosen.needed == ()


def test_what_a_kept_image_was_built_on_or_with_stays() -> None:
    late = record(recipe("app:2", "bookworm", parent("go", ParentRole.BUILD)), BASE, GO_OLD, build=2)
    chosen = to_prune(TREE, (*ALL, late), HERE | {late.digest})
    assert chosen.remove == (APP_OLD,)
    assert {(old.reference, child.reference) for old, child in chosen.needed} == {
        (GO_OLD.reference, late.reference),
        (BASE_OLD.reference, GO_OLD.reference),
    }


def test_an_image_of_no_recipe_here_stays_and_keeps_its_parents() -> None:
    chosen = to_prune(TREE[:2], ALL, HERE)
    assert chosen.remove == ()
    assert {old for old, _ in chosen.needed} == {BASE_OLD, GO_OLD}


def test_only_selected_recipes_and_only_what_is_here() -> None:
    assert to_prune(TREE, ALL, HERE, ("*/app:*", "*/none:*")).remove == (APP_OLD,)
    assert to_prune(TREE, ALL, HERE - {APP_OLD.digest}).remove == (GO_OLD, BASE_OLD)


def test_every_build_of_the_current_version_stays() -> None:
    again = record(recipe("app:2", "bookworm", parent("go", ParentRole.BUILD)), BASE, GO, build=2)
    chosen = to_prune(TREE, (*ALL, again), HERE | {again.digest})
    assert again not in chosen.remove
    assert APP not in chosen.remove
