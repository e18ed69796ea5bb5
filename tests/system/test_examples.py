"""The whole example tree: built and tested, and built again elsewhere with the same digests."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.street import EVERYTHING, Street
from ropewalk.oci import Image, Store
from ropewalk.oci.model import Entry, EntryType

pytestmark = pytest.mark.long

IMAGES = 30
MADE_AT_INSTALL = re.compile(
    r"etc/ssh/ssh_host_.*|etc/ssl/private/.+|var/lib/dbus/machine-id"
    r"|var/lib/(postgresql|mysql)/.*(PG_VERSION|ibdata.*|ib_logfile.*|.*\.ibd|.*\.pem)"
)


@pytest.fixture(scope="module")
def street() -> Street:
    state = Path(os.environ["ROPEWALK_STATE"]) / "examples"
    for name in ("store", "records", "containers", "scratch", "ropewalk.sqlite"):
        path = state / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    return Street(state, chosen=EVERYTHING)


@pytest.fixture(scope="module")
def view(street: Street) -> str:
    return str(street.ask("archive", "view")["view"])


@pytest.fixture(scope="module")
def built(street: Street, view: str) -> Street:
    made = street.build(view)
    assert made["images"] == made["tested"] == IMAGES
    return street


def production(street: Street) -> Iterator[tuple[str, Image]]:
    store = Store(street.state / "store")
    for row in street.ask("images")["images"]:
        image = store.load(row["digest"])
        assert image is not None
        if row["generation"] == "production":
            yield row["name"], image


def test_every_image_runs_without_root(built: Street) -> None:
    users = {name: image.config.user for name, image in production(built)}
    assert {name: user for name, user in users.items() if not user.isdigit() or user == "0"} == {}


def test_no_image_holds_what_its_install_made(built: Street) -> None:
    store = Store(built.state / "store")
    found = {
        (name, path)
        for name, image in production(built)
        for path, entry in store.tree(image).items()
        if entry.type is EntryType.FILE and MADE_AT_INSTALL.fullmatch(path)
    }
    assert found == set()


def differing(street: Street, other: Street, digest: str, its: str) -> list[str]:
    def tree(where: Street, wanted: str) -> dict[str, Entry]:
        store = Store(where.state / "store")
        image = store.load(wanted)
        assert image is not None
        return store.tree(image)

    left, right = tree(street, digest), tree(other, its)
    return sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))


def test_every_image_is_the_same_when_built_elsewhere(built: Street, view: str) -> None:
    # On the same file system, since the pool is linked; a longer path shows up wherever a build keeps its own.
    other = built.elsewhere(built.state.with_name("examples-again") / "in" / "a" / "longer" / "path")
    assert other.build(view)["images"] == IMAGES
    left, right = built.digests(), other.digests()
    unequal = {name: differing(built, other, left[name], right[name]) for name in left if left[name] != right[name]}
    assert unequal == {}
