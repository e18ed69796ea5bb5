"""Which rule a wrong rebase is laid to, and what is left to be told."""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import add_files, add_image, owners, recipe, record
from ropewalk.oci.store import Store
from ropewalk.recipe.record import LayerKind, OwnedLayer, RecordBook, Withdrawn
from ropewalk.refresh import unsettled
from ropewalk.refresh.judge import blamed, rule_of


@pytest.mark.parametrize(
    ("path", "kind", "rebuilt", "rule"),
    [
        ("var/lib/dpkg/status", LayerKind.RECONCILE, True, "merge 2"),
        ("etc/ld.so.cache", LayerKind.RECONCILE, True, "merge 4"),
        ("etc/group", LayerKind.RECONCILE, True, "merge 5"),
        ("usr/bin/passwd", LayerKind.RECONCILE, True, "merge 1"),
        ("srv/list", LayerKind.OWN, True, "rule 9"),
        ("srv/list", LayerKind.OWN, False, "rule 9"),
        ("usr/share/new", None, True, "rule 9"),
        ("usr/share/doc/new", None, False, "rule 7"),
    ],
)
def test_rules(path: str, kind: LayerKind | None, rebuilt: bool, rule: str) -> None:  # noqa: FBT001  # a case table
    assert rule_of(path, kind, rebuilt=rebuilt) == rule


def test_blame_names_rule_and_path(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    base, own, merged = (
        add_files(store, files) for files in ({"usr/a": b"1"}, {"srv/list": b"1"}, {"var/lib/dpkg/status": b"1"})
    )
    kept = add_image(store, base, add_files(store, {"srv/list": b"2"}))
    layers = (
        *owners((base, "bookworm"), (own, "site")),
        OwnedLayer(merged.diff_id, "site", LayerKind.RECONCILE),
    )
    made = record(replace(recipe("site"), parents=()), layers=layers)
    for difference, blame in (
        ("srv/list: content", "rule 9: srv/list: content"),
        ("var/lib/dpkg/status: content", "merge 2: var/lib/dpkg/status: content"),
        ("usr/a: missing", "rule 9: usr/a: missing"),
        ("usr/b: missing", "rule 7: usr/b: missing"),
        ("configuration: user", "configuration: user"),
    ):
        assert blamed(store, made, difference, kept.digest) == blame


def test_what_the_registry_was_not_told_is_left(tmp_path: Path) -> None:
    book = RecordBook(tmp_path / "records")
    first, second, third = (record(recipe(name)) for name in ("a", "b", "c"))
    for made in (first, second, third):
        book.save(made)
    why = Withdrawn("rule 9", "a:1-r3", 5)
    book.mark_withdrawn(first.digest, why)
    book.mark_withdrawn(second.digest, replace(why, told=True))
    assert unsettled(book) == ((first, why),)
