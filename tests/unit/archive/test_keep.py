"""What leaves views and pool, and that whatever was changed in them is found by name."""

import hashlib
import json
import lzma
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Key, Served
from ropewalk.archive import (
    Change,
    Pool,
    SourcePackage,
    View,
    ViewBook,
    Why,
    audit_pool,
    audit_views,
    changed_packages,
    fetch_sources,
    plan_pool,
    plan_views,
    sweep_pool,
    sweep_views,
)
from ropewalk.archive.sources import source_files
from ropewalk.archive.suite import view_of
from ropewalk.events import silent

HELLO = Deb("hello", "2.10-3")
FIXED = Deb("hello", "2.10-3+deb12u1")
TOOL = Deb("tool", "1.0")


@dataclass(frozen=True)
class World:
    place: Path
    archive: Archive
    other: Archive
    book: ViewBook
    pool: Pool
    debian: Served
    beside: Served

    def view(self, *, sources: bool = False) -> View:
        archives = [self.other.repository(self.beside.url, "apt", "x")]
        return self.book.make(
            ["bookworm"], ["main"], "amd64", self.debian.upstream, silent, archives=archives, sources=sources
        )

    def put(self, name: str, used: int) -> str:
        """Put a file into the pool, last used then."""
        content = f"{name:10}".encode()
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.pool.open(sha256, len(content), lambda path: path.write_bytes(content) and None, name, silent)
        os.utime(path, (used, used))
        return sha256

    def wrong(self) -> list[tuple[str, str]]:
        found = (*audit_pool(self.pool, self.book, silent), *audit_views(self.book, self.archive.keyring, silent))
        assert all(one.remedy for one in found)
        return [(one.name, one.problem) for one in found]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    archive, other = Archive(tmp_path / "archive"), Archive(tmp_path / "other")
    archive.publish("bookworm", [HELLO], sources=["hello 2.10-3"])
    other.publish("x", [TOOL], place="apt")
    book, pool = ViewBook(tmp_path / "views", archive.keyring), Pool(tmp_path / "pool")
    with archive.serve() as debian, other.serve() as beside:
        yield World(tmp_path, archive, other, book, pool, debian, beside)


# --- what may go ---


def test_the_pool_keeps_what_is_needed_then_what_is_new(world: World) -> None:
    old, needed, new = world.put("old", 100), world.put("needed", 50), world.put("new", 300)
    (world.place / "pool" / "partial").mkdir(exist_ok=True)
    (world.place / "pool" / "partial" / "a").write_bytes(b"begun")
    plan = plan_pool(world.pool, {needed}, 200, None)
    assert [(file.path.name, why) for file, why in plan.remove] == [("a", Why.BROKEN_OFF), (old, Why.AGE)]
    assert ({file.sha256 for file in plan.kept}, plan.needed, plan.over) == ({needed, new}, 1, 0)
    assert len(list(world.pool.files())) == 3, "nothing is changed by looking"
    sweep_pool(plan)
    assert {path.name for path in world.pool.files()} == {needed, new}
    assert world.pool.beginnings() == ()


@pytest.mark.parametrize(("most", "gone", "over"), [(30, 0, 0), (29, 1, 0), (15, 2, 0), (9, 2, 1), (0, 2, 10)])
def test_the_pool_keeps_to_its_size_as_far_as_images_allow(world: World, most: int, gone: int, over: int) -> None:
    by_use = [world.put("a", 100), world.put("b", 200)]
    needed = world.put("needed", 50)
    plan = plan_pool(world.pool, {needed}, 0, most)
    assert [(file.sha256, why) for file, why in plan.remove] == [(one, Why.SIZE) for one in by_use[:gone]]
    assert plan.over == over


def test_views_stay_that_are_needed_new_or_the_newest(world: World) -> None:
    views = []
    for number in range(4):
        world.archive.publish("bookworm", [HELLO, Deb("more", str(number))], date=NEW_YEAR + number)
        views.append(world.view())
        os.utime(world.book.view_file(views[-1].id), (100 * number, 100 * number))
        list(world.book.packages(views[-1]))
    assert plan_views(world.book, (), 0).views == ()
    plan = plan_views(world.book, {views[1].id}, 1000)
    assert [view.id for view in plan.views] == [views[0].id, views[2].id]
    assert len(plan.files) == 2 * 3, "an InRelease, an index and its table each"
    assert plan.size == sum(path.stat().st_size for path in plan.files)
    sweep_views(world.book, plan)
    assert [view.id for view in world.book] == [views[1].id, views[3].id]
    assert world.wrong() == []
    assert plan_views(world.book, {views[1].id}, 1000).files == ()
    assert world.book.newest() == views[3]


def test_nothing_is_planned_for_empty_places(tmp_path: Path) -> None:
    assert plan_pool(Pool(tmp_path / "pool"), (), 10, 10).remove == ()
    assert plan_views(ViewBook(tmp_path / "views"), (), 10).views == ()


# --- attacks, each found by name ---


def fetched(world: World) -> tuple[View, Path]:
    """Make a view, and have a .deb of it in the pool."""
    view = world.view()
    deb = next(one for one in world.book.packages(view) if one.package == "hello")
    content = (world.archive.root / "debian" / HELLO.filename).read_bytes()
    return view, world.pool.open(deb.sha256, deb.size, lambda path: path.write_bytes(content) and None, "x", silent)


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_nothing_wrong(world: World) -> None:
    fetched(world)
    world.view(sources=True)
    assert world.wrong() == []


def test_a_changed_deb_in_the_pool(world: World) -> None:
    _, path = fetched(world)
    flip(path)
    assert world.wrong() == [("hello_2.10-3_all.deb", "is not what its name says (sha256)")]
    [found] = audit_pool(world.pool, world.book, silent)
    assert (found.path, found.removable) == (path, True)
    world.put("stranger", 1)
    flip(next(path for path in world.pool.files() if path.read_bytes().startswith(b"stranger")))
    assert len(world.wrong()) == 2, "one that no view names has its sha256 for a name"


def test_a_changed_index(world: World) -> None:
    view, _ = fetched(world)
    flip(world.book.file_path(view.suites[0].indexes[0].sha256))
    name = f"main/binary-amd64/Packages.xz of {view.suites[0].name}"
    assert world.wrong() == [(name, "a view's file is not what was recorded")]


def test_an_index_and_its_view_changed_together(world: World) -> None:
    view, _ = fetched(world)
    index = lzma.compress(b"")
    sha256 = hashlib.sha256(index).hexdigest()
    world.book.file_path(sha256).write_bytes(index)
    path = world.book.view_file(view.id)
    data = json.loads(path.read_text())
    data["suites"][0]["indexes"][0] |= {"sha256": sha256, "size": len(index)}
    path.write_text(json.dumps(data))
    name = f"main/binary-amd64/Packages.xz of {view.suites[0].name}"
    assert world.wrong() == [(name, "is not what the signed InRelease names")]


def test_a_changed_table_is_found_and_made_again(world: World) -> None:
    view, _ = fetched(world)
    before = list(world.book.packages(view))
    path = world.book.file_path(view.suites[0].indexes[0].sha256).with_suffix(".packages")
    path.write_text(path.read_text().replace("2.10-3\t", "9.99-9\t"))
    [(name, problem)] = world.wrong()
    assert (name.partition(" of ")[0], problem) == ("table", "is not what the index says")
    path.unlink()
    assert list(world.book.packages(view)) == before


def change_inrelease(world: World, view: View) -> None:
    flip(world.book.file_path(view.suites[0].inrelease))


def lose_inrelease(world: World, view: View) -> None:
    world.book.file_path(view.suites[0].inrelease).unlink()


def resign(world: World, view: View) -> None:
    """Another key signs what the view names; its id and files are made to fit."""
    stranger = Key()
    world.archive.publish("bookworm", [HELLO], key=stranger)
    data = world.archive.inrelease("bookworm").read_bytes()
    forged = replace(view.suites[0], inrelease=hashlib.sha256(data).hexdigest())
    world.book.file_path(forged.inrelease).write_bytes(data)
    world.book.remove(view.id)
    world.book.save(view_of("amd64", (forged, view.suites[1])))


def swap_keyring(world: World, view: View) -> None:
    """A view's keyring is exchanged for another that is recorded whole."""
    keys = Key().public
    sha256 = hashlib.sha256(keys).hexdigest()
    world.book.file_path(sha256).write_bytes(keys)
    path = world.book.view_file(view.id)
    data = json.loads(path.read_text())
    data["suites"][1]["keyring"] = sha256
    path.write_text(json.dumps(data))


def rewrite_id(world: World, view: View) -> None:
    path = world.book.view_file(view.id)
    path.write_text(path.read_text().replace("bookworm", "bookwarm"))


def break_json(world: World, view: View) -> None:
    world.book.view_file(view.id).write_text("{}")


@pytest.mark.parametrize(
    ("attack", "name", "problem"),
    [
        (change_inrelease, "InRelease of http://deb.debian.org/debian bookworm", "is not what was recorded"),
        (lose_inrelease, "InRelease of http://deb.debian.org/debian bookworm", "a view's file is not there"),
        (resign, "InRelease of http://deb.debian.org/debian bookworm", "has no valid signature by a known key"),
        (swap_keyring, "InRelease of http://127.0.0.1", "has no valid signature by a known key"),
        (rewrite_id, "view 2026", "is not the view of its id"),
        (break_json, "view 2026", "is no view"),
    ],
)
def test_what_vouches_for_a_view_is_checked(
    world: World, attack: Callable[[World, View], None], name: str, problem: str
) -> None:
    view, _ = fetched(world)
    attack(world, view)
    found = world.wrong()
    assert any(one.startswith(name) and problem in what for one, what in found), found


# --- differences ---


def test_what_changed_between_views(world: World) -> None:
    world.archive.publish("bookworm", [HELLO, Deb("gone", "1"), Deb("back", "2"), Deb("same", "1")])
    first = world.view()
    world.archive.publish("bookworm", [FIXED, Deb("new", "1"), Deb("back", "1"), Deb("same", "1")], date=NEW_YEAR + 1)
    world.other.publish("x", [Deb("tool", "1.0", files=(("usr/share/x", "another"),))], place="elsewhere")
    second = world.view()
    suite = "http://deb.debian.org/debian bookworm"
    found = changed_packages(world.book, first, second)
    assert {one.suite for one in found} == {suite}
    assert [(one.package, one.change, one.old, one.new) for one in found] == [
        ("back", Change.OLDER, "2", "1"),
        ("gone", Change.REMOVED, "1", ""),
        ("hello", Change.NEWER, "2.10-3", "2.10-3+deb12u1"),
        ("new", Change.ADDED, "", "1"),
    ]
    assert changed_packages(world.book, first, first) == ()
    alone = world.book.make(["bookworm"], ["main"], "amd64", world.debian.upstream, silent)
    assert [(one.package, one.change) for one in changed_packages(world.book, second, alone)] == [
        ("tool", Change.REMOVED)
    ]


def test_one_version_with_another_content_is_told(world: World) -> None:
    first = world.view()
    (world.other.root / "apt" / TOOL.filename).write_bytes(b"another")
    world.other.publish("x", [TOOL], place="apt", date=NEW_YEAR + 1)
    assert [one.change for one in changed_packages(world.book, first, world.view())] == [Change.OTHER]


# --- sources ---


def test_source_packages_are_found_fetched_and_kept(world: World) -> None:
    assert world.view().suites[0].sources == ()
    view = world.view(sources=True)
    assert world.view() == view, "what was recorded stays"
    [index] = view.suites[0].sources
    wanted = {SourcePackage("hello", "2.10-3"), SourcePackage("none", "1")}
    found = dict(source_files(world.book.file(index.sha256), index.path, view.suites[0].uri, wanted))
    files = found[SourcePackage("hello", "2.10-3")]
    assert [file.name for file in files] == [f"hello_2.10-3{end}" for end in (".dsc", ".orig.tar.xz", ".debian.tar.xz")]
    assert list(found) == [SourcePackage("hello", "2.10-3")]
    for _ in range(2):
        fetch_sources(world.pool, world.debian.upstream, files, silent)
    assert {path.name for path in world.pool.files()} == {file.sha256 for file in files}
    assert world.debian.asked(".dsc") == 1
