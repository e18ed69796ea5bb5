import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kit.archive import Archive, Deb, Served, deb_bytes
from kit.recipes import load, production
from kit.signing import NAME, record_of, tiny_image
from ropewalk.archive import Pool, View, ViewBook
from ropewalk.build.locked import Locked, file_of, locked_parents, read_locks
from ropewalk.errors import InputError, RopewalkError
from ropewalk.events import silent
from ropewalk.oci import Store
from ropewalk.recipe import LOCK_FILE, Lock, LockedDeb, LockFile, LockRefused, Recipe, lock_text
from ropewalk.recipe.recipe import ParentRole
from ropewalk.recipe.record import ParentPin

HELLO, OTHER = Deb("hello", "2.10-3"), Deb("other", "1-1")


def of(deb: Deb) -> LockedDeb:
    return LockedDeb(deb.name, deb.version, deb.architecture, hashlib.sha256(deb_bytes(deb)).hexdigest())


@dataclass(frozen=True)
class World:
    served: Served
    views: ViewBook
    pool: Pool
    view: View
    recipe: Recipe

    def locked(self, *debs: LockedDeb, view: str = "", recipe: str = "") -> Locked | RopewalkError:
        """Write a lock beside the recipe and read it."""
        lock = Lock(view or self.view.id, debs)
        text = lock_text(LockFile(self.recipe.reference, recipe or self.recipe.digest, lock, ()))
        (self.recipe.directory / LOCK_FILE).write_text(text)
        return read_locks([self.recipe], self.views, self.pool)[self.recipe.reference]

    def refusal(self, *debs: LockedDeb, view: str = "", recipe: str = "") -> str:
        """Return the one line of a refusal, without the path of the lock."""
        error = self.locked(*debs, view=view, recipe=recipe)
        assert isinstance(error, LockRefused)
        assert error.where == str(self.recipe.directory / LOCK_FILE)
        assert "\n" not in str(error)
        return error.message


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", [HELLO, OTHER])
    views, pool = ViewBook(tmp_path / "views", archive.keyring), Pool(tmp_path / "pool")
    [recipe] = load(tmp_path, production("image", "1-1", "FROM scratch\n"))
    with archive.serve() as served:
        view = views.make(("bookworm",), ["main"], "amd64", served.upstream, silent)
        served.requests.clear()
        path = pool.path(of(HELLO).sha256)
        path.parent.mkdir(parents=True)
        path.write_bytes(deb_bytes(HELLO))
        yield World(served, views, pool, view, recipe)
        assert served.requests == []


def test_archive_and_pool_agree_with_a_lock(world: World) -> None:
    held = world.locked(of(HELLO))
    assert isinstance(held, Locked)
    assert (held.view, held.file.lock.debs) == (world.view, (of(HELLO),))


def test_another_hash_is_refused_by_name(world: World) -> None:
    assert world.refusal(replace(of(HELLO), sha256="0" * 64)) == (
        f"names hello 2.10-3 (all) with sha256 {'0' * 64}, view {world.view.id} has {of(HELLO).sha256}"
    )


def test_a_package_that_the_view_lacks_is_refused_by_name(world: World) -> None:
    wanted = replace(of(HELLO), version="2.10-4")
    assert world.refusal(wanted) == f"names hello 2.10-4 (all), which view {world.view.id} does not have"


def test_a_deb_that_the_pool_lacks_is_refused_by_name(world: World) -> None:
    expected = f"names other 1-1 (all) with sha256 {of(OTHER).sha256}, which is not in the pool"
    assert world.refusal(of(HELLO), of(OTHER)) == expected


def test_a_view_that_is_not_here_is_refused(world: World) -> None:
    assert world.refusal(view="20200101-0123456789") == "its view 20200101-0123456789 is not here"


def test_a_lock_of_another_recipe_is_refused(world: World) -> None:
    assert world.refusal(recipe="sha256:" + "0" * 64) == "the recipe changed since it was locked"


def test_parents_are_those_of_the_lock(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    parent, later = tiny_image(store, b"one"), tiny_image(store, b"two")
    record = record_of(tiny_image(store, b"child", parent=parent), "child", parent=record_of(parent, "bookworm"))
    file = file_of(store, replace(record, lock=Lock("20250520-0123456789", ())))
    [recipe] = load(tmp_path, production("child", "1-1", "FROM scratch\n"))
    pin = ParentPin(file.parents[0].reference, later.digest, ParentRole.FINAL)
    assert locked_parents(store, recipe, file, [pin]) == record.parents

    elsewhere = replace(file, parents=(replace(file.parents[0], digest="sha256:" + "0" * 64),))
    same = replace(pin, digest=parent.digest)
    assert locked_parents(store, recipe, elsewhere, [same]) == (same,)
    for present in ([pin], []):
        with pytest.raises(InputError) as caught:
            locked_parents(store, recipe, elsewhere, present)
        assert str(caught.value).startswith(f"{NAME}/child:1-1: its lock was made on ")
