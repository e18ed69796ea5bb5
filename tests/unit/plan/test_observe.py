"""What is known without a registry: store and records decide."""

import os
from pathlib import Path

from kit.images import add_files, add_image, owners, recipe, record
from ropewalk.oci.store import Store
from ropewalk.plan.known import Known, Observed, Unverified, next_build, split_tag
from ropewalk.plan.observe import observe
from ropewalk.recipe.record import Published, RecordBook

BASE = recipe("bookworm")


def test_a_build_is_known_where_it_is_in_the_store_or_published(tmp_path: Path) -> None:
    store, book = Store(tmp_path / "store"), RecordBook(tmp_path / "records")
    layer = add_files(store, {"a": b"a"})
    here = record(BASE, image=add_image(store, layer), layers=owners((layer, "bookworm")))
    published = record(recipe("gcc"))
    lost = record(recipe("lost"))
    for one in (here, published, lost):
        book.save(one)
    book.mark_published(published.digest, Published("http://127.0.0.1:5000", 1))
    assert observe([BASE], book=book, store=store) == Observed(
        (Known(here, here=True, published=False), Known(published, here=False, published=True))
    )


def test_a_build_whose_layer_was_cut_is_not_here_any_more(tmp_path: Path) -> None:
    store, book = Store(tmp_path / "store"), RecordBook(tmp_path / "records")
    layer = add_files(store, {"a": b"a"})
    mine = record(BASE, image=add_image(store, layer), layers=owners((layer, "bookworm")))
    book.save(mine)
    os.truncate(store.blob(layer.blob.digest), 3)
    assert observe([BASE], book=book, store=store) == Observed(())
    book.mark_published(mine.digest, Published("http://127.0.0.1:5000", 1))
    assert observe([BASE], book=book, store=store) == Observed((Known(mine, here=False, published=True),))


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    store, book = Store(tmp_path / "store"), RecordBook(tmp_path / "records")
    assert observe([BASE], book=book, store=store) == Observed(())


def test_tags_split_into_version_and_build() -> None:
    assert split_tag("1.22.1-3") == ("1.22.1-3", None)
    assert split_tag("1.22.1-3-r12") == ("1.22.1-3", 12)
    assert split_tag("1-r0") == ("1-r0", None)
    assert split_tag("r2") == ("r2", None)


def test_the_next_build_goes_round_all_that_is_known_or_tagged() -> None:
    known = tuple(Known(record(BASE, build=build), here=True, published=True) for build in (1, 2))
    other = Unverified(BASE.repository, "2-r9", "no signature")
    assert next_build(BASE.repository, "1", Observed(())) == 1
    assert next_build(BASE.repository, "1", Observed(known, (other,))) == 3
    mine = Unverified(BASE.repository, "1-r5", "no signature")
    assert next_build(BASE.repository, "1", Observed(known, (mine,))) == 6
    assert next_build(BASE.repository, "1", Observed((), (Unverified(BASE.repository, "1", "x"),))) == 2
