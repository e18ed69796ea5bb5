"""Old images leave the store with the blobs that nobody else needs, and nothing else does."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk import atomic
from ropewalk.build import prune, weigh
from ropewalk.db import open_database
from ropewalk.errors import HostError
from ropewalk.inventory import indexed, ingest_image
from ropewalk.oci import Layer
from ropewalk.oci.store import Store
from ropewalk.recipe.record import BuildRecord, RecordBook
from ropewalk.settings import Settings


class Room:
    """A state directory with a base, an old and a new image on it."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(root)
        self.store, self.book = Store(self.settings.store), RecordBook(self.settings.records)
        self.engine = open_database(self.settings.database)
        base = recipe("bookworm:1")
        layers = [add_files(self.store, {"var/lib/dpkg/status": status("libc6=1")})]
        self.base = self._keep(record(base, image=add_image(self.store, *layers), layers=owners((layers[0], "b"))))
        self.old, self.new = (self._child(version, layers) for version in ("1", "2"))

    def _child(self, version: str, layers: Sequence[Layer]) -> BuildRecord:
        own = add_files(self.store, {"etc/version": version.encode()})
        image = add_image(self.store, *layers, own)
        owned = owners((layers[0], "b"), (own, "nginx"))
        return self._keep(record(recipe(f"nginx:{version}", "bookworm"), self.base, image=image, layers=owned))

    def _keep(self, one: BuildRecord) -> BuildRecord:
        self.book.save(one)
        self.store.tag(one.reference, one.digest)
        ingest_image(self.engine, self.store, one)
        return one

    def blobs(self) -> set[Path]:
        return {path for path in self.store.directory.glob("blobs/sha256/*") if path.is_file()}

    def prune(self, *records: BuildRecord) -> int:
        return sum(one.size for one in prune(self.settings, self.store, self.book, self.engine, records))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "state")


def test_an_image_goes_with_its_own_blobs_alone(room: Room) -> None:
    before = room.blobs()
    (told,) = weigh(room.store, room.book, [room.old])
    assert room.blobs() == before
    assert room.prune(room.old) == told.size > 0
    gone = before - room.blobs()
    image = room.store.load(room.new.digest)
    assert image is not None
    assert len(gone) == 3, "layer, config, manifest"
    assert room.store.load(room.old.digest) is None
    assert room.book.load(room.old.digest) is None
    assert room.store.resolve(room.old.reference) is None
    assert indexed(room.engine) == {room.base.digest, room.new.digest}
    assert room.store.tree(image).keys() >= {"etc/version", "var/lib/dpkg/status"}
    assert room.store.read_files(image.layers, ("etc/version",)) == {"etc/version": b"2"}


def test_all_images_leave_an_empty_store(room: Room) -> None:
    room.prune(room.old, room.new, room.base)
    assert room.blobs() == set()
    assert list(room.store.directory.glob("layers/*.json")) == []
    assert list(room.book) == []
    assert room.prune() == 0


def test_what_a_killed_run_left_goes_with_the_next_unless_it_is_needed_again(room: Room) -> None:
    (told,) = weigh(room.store, room.book, [room.old])
    needed = room.store.blob(room.new.digest)
    journal = room.settings.state / "prune.json"
    room.store.untag(room.old.reference)
    room.book.remove(room.old.digest)
    journal.write_text(json.dumps([str(path) for path in (*told.files, needed)]))
    room.prune()
    assert needed.is_file()
    assert not any(path.exists() for path in (*told.files, journal))


def test_nothing_is_removed_while_a_build_runs(room: Room) -> None:
    with atomic.locked(room.settings.state / "build.lock"), pytest.raises(HostError, match="at work"):
        room.prune(room.old)
    assert room.store.resolve(room.old.reference) is not None
