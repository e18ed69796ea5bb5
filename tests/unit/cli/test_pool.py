"""``ropewalk pool`` and ``ropewalk archive`` on a state with images, as a user sees them."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Served
from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk.archive import Pool, View, ViewBook
from ropewalk.cli.app import run
from ropewalk.errors import Exit
from ropewalk.events import silent
from ropewalk.oci.store import Store
from ropewalk.recipe import LOCK_FILE, Lock, LockedDeb, LockFile, RecordBook, lock_text
from ropewalk.settings import Settings

TOOL, COMPILER, SPARE = Deb("tool", "1.0", "amd64"), Deb("compiler", "2", "amd64"), Deb("spare", "3", "amd64")
DEBS = {deb.name: deb for deb in (TOOL, COMPILER, SPARE)}


@dataclass
class World:
    settings: Settings
    archive: Archive
    served: Served
    view: View
    capsys: pytest.CaptureFixture[str]

    def make_view(self, *, sources: bool = False) -> View:
        archives = [self.archive.repository(self.served.url, "apt", "x")]
        book = ViewBook(self.settings.views)
        return book.make((), (), "amd64", self.served.upstream, silent, archives=archives, sources=sources)

    def sha256(self, name: str) -> str:
        return hashlib.sha256((self.archive.root / "apt" / DEBS[name].filename).read_bytes()).hexdigest()

    def ask(self, *words: str, code: Exit = Exit.OK) -> Any:
        assert run(["-q", *words, "--format", "json"]) == code
        return json.loads(self.capsys.readouterr().out)

    def say(self, *words: str, code: Exit = Exit.OK) -> str:
        assert run(["-q", *words]) == code
        return self.capsys.readouterr().out

    def pooled(self) -> set[str]:
        return {name for name in DEBS if Pool(self.settings.pool).path(self.sha256(name)).exists()}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    """An image that holds `tool` and was built with `compiler`; `spare` was used by something that is gone."""
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    settings = Settings(tmp_path / "state")
    archive = Archive(tmp_path / "archive")
    archive.publish("x", list(DEBS.values()), place="apt", sources=["tool 1.0"])
    with archive.serve() as served:
        made = World(settings, archive, served, None, capsys)  # type: ignore[arg-type]
        made.view = made.make_view()
        pool = Pool(settings.pool)
        for deb in DEBS.values():
            content = (archive.root / "apt" / deb.filename).read_bytes()
            path = pool.open(made.sha256(deb.name), len(content), lambda at, data=content: _put(at, data), "", silent)
            os.utime(path, (1, 1))
        store, book = Store(settings.store), RecordBook(settings.records)
        layer = add_files(store, {"var/lib/dpkg/status": status("tool=1.0")})
        image = add_image(store, layer)
        one = record(recipe("a"), image=image, view=made.view.id, layers=owners((layer, "a")))
        debs = (LockedDeb("compiler", "2", "amd64", made.sha256("compiler")),)
        book.save(replace(one, lock=Lock(made.view.id, debs)))
        store.tag(one.reference, one.digest)
        yield made


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def config(keep: str) -> None:
    Path("config.yaml").write_text(f"registry: registry.example.org\nropewalk:\n  keep: {keep}\n")


def test_the_pool_keeps_what_the_trees_locks_name(world: World) -> None:
    spare = LockedDeb("spare", "3", "amd64", world.sha256("spare"))
    file = LockFile("registry.example.org/b:1", "sha256:" + "0" * 64, Lock(world.view.id, (spare,)), ())
    place = Path("tree/b")
    place.mkdir(parents=True)
    (place / LOCK_FILE).write_text(lock_text(file))
    remembered = {"config": str(Path("config.yaml").absolute()), "directories": [str(Path("tree").absolute())]}
    (world.settings.state / "tree.json").write_text(json.dumps(remembered))
    world.ask("pool", "gc", "--apply")
    assert world.pooled() == {"tool", "compiler", "spare"}
    assert file.line in world.ask("archive", "show", world.view.id)["needed_by"]


def test_the_pool_keeps_what_images_hold_and_what_they_were_built_with(world: World) -> None:
    shown = world.ask("pool", "gc")
    assert (shown["applied"], [row["why"] for row in shown["remove"]]) == (False, ["not used for long"])
    assert shown["kept"]["needed"] == shown["kept"]["files"] == 2
    assert len(world.pooled()) == 3
    assert "would be removed; --apply does it" in world.say("pool", "gc")
    assert world.ask("pool", "gc", "--apply")["applied"]
    assert world.pooled() == {"tool", "compiler"}
    assert "nothing to remove" in world.say("pool", "gc", "--apply")


def test_an_image_without_a_lock_keeps_what_it_holds(world: World) -> None:
    book = RecordBook(world.settings.records)
    [one] = list(book)
    book.save(replace(one, lock=None))
    world.ask("pool", "gc", "--apply")
    assert world.pooled() == {"tool"}


def test_settings_bound_the_pool(world: World) -> None:
    config("{pool_days: 1000000}")
    assert world.ask("pool", "gc")["remove"] == []
    config("{pool_days: 1000000, pool_size: 1K}")
    shown = world.ask("pool", "gc", "--apply")
    assert [row["why"] for row in shown["remove"]] == ["the pool is too large"]
    assert shown["over"] == shown["kept"]["bytes"] - 1000
    assert world.pooled() == {"tool", "compiler"}
    assert "larger than `pool_size`: images need it" in world.say("pool", "gc")


def test_nothing_is_removed_while_something_builds(world: World) -> None:
    with Pool(world.settings.pool).in_use():
        assert run(["-q", "pool", "gc", "--apply"]) == Exit.HOST
        assert run(["-q", "archive", "gc", "--apply"]) == Exit.HOST
    assert "another ropewalk process is at work here" in world.capsys.readouterr().err


def test_sources_are_fetched_and_kept_while_images_need_them(world: World) -> None:
    assert world.ask("pool", "sources", code=Exit.FAILED)["unknown"] == ["tool 1.0"]
    assert "in no index: tool 1.0" in world.say("pool", "sources", code=Exit.FAILED)
    world.make_view(sources=True)
    shown = world.ask("pool", "sources")
    assert (len(shown["missing"]), shown["unknown"]) == (3, [])
    assert "1 source package; 3 files, " in world.say("pool", "sources", "--apply")
    assert world.ask("pool", "sources")["missing"] == []
    for path in Pool(world.settings.pool).files():
        os.utime(path, (1, 1))
    config("{sources: true}")
    assert len(world.ask("pool", "gc")["remove"]) == 1
    config("{sources: false}")
    assert len(world.ask("pool", "gc", "--apply")["remove"]) == 4


def test_verify_names_a_changed_deb_and_removes_it_only_when_told(world: World) -> None:
    assert world.ask("pool", "verify")["ok"]
    path = Pool(world.settings.pool).path(world.sha256("tool"))
    path.write_bytes(path.read_bytes()[::-1])
    shown = world.ask("pool", "verify", code=Exit.TRUST)
    assert [(row["name"], row["file"]) for row in shown["wrong"]] == [("tool_1.0_amd64.deb", str(path))]
    assert "tool_1.0_amd64.deb: is not what its name says" in world.say("pool", "verify", code=Exit.TRUST)
    assert path.exists()
    assert not world.ask("pool", "verify", "--apply")["ok"]
    assert not path.exists()
    assert "0 wrong" in world.say("pool", "verify")


def test_verify_names_a_changed_index(world: World) -> None:
    index = world.view.suites[0].indexes[0]
    ViewBook(world.settings.views).file_path(index.sha256).write_bytes(b"x")
    shown = world.ask("pool", "verify", "--apply", code=Exit.TRUST)
    assert [row["name"] for row in shown["wrong"]] == [f"{index.path} of {world.view.suites[0].name}"]


def test_views_that_images_need_stay_with_their_files(world: World) -> None:
    book = ViewBook(world.settings.views)
    views = [world.view]
    for number in (1, 2):
        world.archive.publish("x", [replace(TOOL, version=f"1.{number}")], place="apt", date=NEW_YEAR + number)
        views.append(world.make_view())
    for view in views:
        os.utime(book.view_file(view.id), (1, 1))
    shown = world.ask("archive", "gc")
    assert (shown["views"], shown["applied"]) == ([views[1].id], False)
    assert views[1].id in world.say("archive", "gc")
    world.ask("archive", "gc", "--apply")
    assert [view.id for view in book] == [views[0].id, views[2].id]
    assert world.ask("pool", "verify")["ok"]
    assert "nothing to remove" in world.say("archive", "gc")
    config("{view_days: 0}")
    RecordBook(world.settings.records).remove(next(iter(RecordBook(world.settings.records))).digest)
    world.ask("archive", "gc", "--apply")
    assert [view.id for view in book] == [views[2].id]


def test_show_says_who_signed_a_view_and_who_needs_it(world: World) -> None:
    shown = world.ask("archive", "show", world.view.id)
    assert shown["needed_by"] == ["registry.example.org/a:1"]
    [suite] = shown["suites"]
    assert (suite["packages"], suite["valid_until"], suite["expired"]) == (3, None, False)
    assert suite["keyring"] == hashlib.sha256(world.archive.key.public).hexdigest()
    assert "needed by 1 image" in world.say("archive", "show", world.view.id)
    fields = {"Valid-Until": "Thu, 08 Jan 2026 00:00:00 UTC"}
    world.archive.publish("x", [TOOL], place="apt", fields=fields, date=NEW_YEAR + 1)
    [suite] = world.ask("archive", "show", world.make_view().id)["suites"]
    assert (suite["valid_until"], suite["expired"]) == (NEW_YEAR + 7 * 86400, True)
    assert run(["-q", "archive", "show", "20260101-0000000000"]) == Exit.INPUT


def test_diff_shows_packages_and_suites(world: World) -> None:
    world.archive.publish("x", [replace(TOOL, version="1.1"), COMPILER, SPARE], place="apt", date=NEW_YEAR + 1)
    second = world.make_view()
    shown = world.ask("archive", "diff", world.view.id, second.id)
    name = world.view.suites[0].name
    assert shown["suites"] == [{"suite": name, "change": "changed"}]
    assert [(row["package"], row["change"], row["new"]) for row in shown["packages"]] == [("tool", "newer", "1.1")]
    assert "1 package differs" in world.say("archive", "diff", world.view.id, second.id)
    assert "the same packages" in world.say("archive", "diff", second.id, second.id)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("{days: 1}", "unknown key `ropewalk.keep.days`"),
        ("{pool_size: 0}", "is no size"),
        ("{pool_size: 5X}", "is no size"),
        ("{pool_size: true}", "is no size"),
        ("{sources: 1}", "must be true or false"),
        ("{view_days: -1}", "must be a whole number"),
    ],
)
def test_settings_that_are_refused(world: World, keep: str, message: str) -> None:
    config(keep)
    assert run(["-q", "pool", "gc"]) == Exit.INPUT
    shown = world.capsys.readouterr().err
    assert message in shown
    assert "config.yaml:3" in shown
