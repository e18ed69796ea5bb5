"""The index: taken in, asked, made anew."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk.db import DatabaseUnusable, open_database, reading
from ropewalk.errors import InputError
from ropewalk.inventory import affected, counts, forget, images, indexed, ingest_image, packages, rebuild
from ropewalk.inventory.tables import InstalledRow, PackageRow
from ropewalk.oci.store import Store
from ropewalk.recipe.record import BuildRecord, RecordBook

BASE = recipe("bookworm:12")
NGINX = recipe("nginx:1.22-1", "bookworm")
OPENSSL = "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\nSource: openssl\n\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def book(tmp_path: Path) -> RecordBook:
    return RecordBook(tmp_path / "records")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "db" / "x.sqlite")


def make(store: Store, book: RecordBook, ssl: str = "3.0.15-1", build: int = 1) -> tuple[BuildRecord, BuildRecord]:
    """Make a base image and nginx on it."""
    text = OPENSSL.format(ssl).encode()
    low = add_files(store, {"var/lib/dpkg/status": text, "etc/os-release": b"ID=debian\nVERSION_CODENAME=bookworm\n"})
    high = add_files(store, {"var/lib/dpkg/status": text + status("nginx=1.22-1")})
    base_image, nginx_image = add_image(store, low), add_image(store, low, high)
    base = record(BASE, build=build, image=base_image, layers=owners((low, "bookworm")), made=build)
    named = owners((low, "bookworm"), (high, "nginx"))
    nginx = record(NGINX, base, build=build, image=nginx_image, layers=named, made=build)
    for one in (base, nginx):
        book.save(one)
    return base, nginx


def rows(engine: Engine) -> tuple[int, int]:
    with reading(engine) as session:
        return len(session.scalars(select(PackageRow)).all()), len(session.scalars(select(InstalledRow)).all())


def test_an_image_is_taken_in_once_however_often(store: Store, book: RecordBook, engine: Engine) -> None:
    base, nginx = make(store, book)
    for one in (base, nginx, nginx, base):
        assert ingest_image(engine, store, one)
    assert rows(engine) == (2, 3)
    assert [(p.name, p.version, p.source, p.owner) for p in packages(engine, nginx.digest)] == [
        ("libssl3", "3.0.15-1", "openssl", "bookworm"),
        ("nginx", "1.22-1", "nginx", "nginx"),
    ]
    assert [p.diff_id for p in packages(engine, nginx.digest)] == [layer.diff_id for layer in nginx.layers]
    assert packages(engine, "sha256:unknown") == ()


def test_images_are_listed_with_their_layers(store: Store, book: RecordBook, engine: Engine) -> None:
    rebuilt = [*make(store, book), *make(store, book, "3.0.16-1", build=2)]
    for one in rebuilt:
        ingest_image(engine, store, one)
    listed = images(engine)
    assert [(one.reference.partition("/")[2], one.current) for one in listed] == [
        ("bookworm:12", False),
        ("bookworm:12-r2", True),
        ("nginx:1.22-1", False),
        ("nginx:1.22-1-r2", True),
    ]
    assert [one.reference for one in images(engine, current=True)] == [rebuilt[2].reference, rebuilt[3].reference]
    nginx = listed[3]
    image = store.load(nginx.digest)
    assert image is not None
    assert (nginx.size, nginx.codename, nginx.platform) == (image.size, "bookworm", "linux/amd64")
    assert [(layer.digest, layer.owner) for layer in nginx.layers] == [
        (image.layers[0].blob.digest, "bookworm"),
        (image.layers[1].blob.digest, "nginx"),
    ]
    assert (counts(engine).images, counts(engine).packages, counts(engine).installed) == (4, 3, 6)
    assert (counts(engine, current=True).images, counts(engine, current=True).packages) == (2, 2)


@pytest.mark.parametrize(
    ("relation", "count"),
    [
        ("libssl3 < 3.0.16-1", 2),
        ("libssl3 << 3.0.16-1", 2),
        ("libssl3 <= 3.0.16-1", 4),
        ("libssl3 = 3.0.15-1", 2),
        ("libssl3>=3.0.16-1~deb12u1", 2),
        ("libssl3 > 3.0.16-1", 0),
        ("libssl3 < 1:1", 4),
        ("libssl3 < 3.0.9-1", 0),
        ("libssl3", 4),
        ("src:openssl < 3.0.16", 2),
        ("openssl", 0),
        ("nginx", 2),
    ],
)
def test_affected_compares_as_dpkg_does(
    store: Store, book: RecordBook, engine: Engine, relation: str, count: int
) -> None:
    for one in (*make(store, book), *make(store, book, "3.0.16-1", build=2)):
        ingest_image(engine, store, one)
    assert len(affected(engine, relation)) == count


def test_a_hit_says_where_and_whose(store: Store, book: RecordBook, engine: Engine) -> None:
    base, nginx = make(store, book)
    ingest_image(engine, store, nginx)
    (hit,) = affected(engine, "libssl3 < 3.1")
    assert (hit.reference, hit.digest, hit.owner, hit.generation, hit.current) == (
        nginx.reference,
        nginx.digest,
        base.name,
        "production",
        True,
    )


@pytest.mark.parametrize("relation", ["", "<", "libssl3 <", "libssl3 ~ 1", "LibSSL3 < 1", "a < 1 2", "libssl3 < !"])
def test_what_is_no_relation_is_refused(engine: Engine, relation: str) -> None:
    with pytest.raises(InputError):
        affected(engine, relation)


def test_the_index_is_made_anew(store: Store, book: RecordBook, engine: Engine) -> None:
    base, nginx = make(store, book)
    book.save(replace(base, digest="sha256:" + "0" * 64, build=7))
    ingest_image(engine, store, base)
    assert rebuild(engine, store, book) == 2
    first = images(engine)
    assert rebuild(engine, store, book) == 2
    assert images(engine) == first
    assert indexed(engine) == {base.digest, nginx.digest}
    assert rows(engine) == (2, 3)


def test_a_rebuild_that_fails_leaves_the_index_as_it_was(store: Store, book: RecordBook, engine: Engine) -> None:
    make(store, book)
    rebuild(engine, store, book)
    broken = add_files(store, {"var/lib/dpkg/status": b"Package: a\nVersion: 1\nDepends: ((\n\n"})
    image = add_image(store, broken)
    book.save(record(recipe("z"), image=image, layers=owners((broken, "z"))))
    with pytest.raises(InputError):
        rebuild(engine, store, book)
    assert len(images(engine)) == 2


def test_an_image_that_the_store_lacks_is_not_taken_in(store: Store, engine: Engine) -> None:
    assert not ingest_image(engine, store, record(BASE))
    assert images(engine) == ()


def test_forgotten_images_leave_nothing_behind(store: Store, book: RecordBook, engine: Engine) -> None:
    old, new = make(store, book)[1], make(store, book, "3.0.16-1", build=2)[1]
    for one in (old, new):
        ingest_image(engine, store, one)
    forget(engine, [new.digest, "sha256:unknown"])
    assert indexed(engine) == {old.digest}
    assert images(engine)[0].current
    assert rows(engine) == (2, 2)
    forget(engine, [old.digest])
    assert rows(engine) == (0, 0)


def test_several_writers_wait_for_each_other(store: Store, book: RecordBook, tmp_path: Path) -> None:
    records = make(store, book)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            engine = open_database(tmp_path / "shared.sqlite")
            for one in records * 5:
                ingest_image(engine, store, one)
        except BaseException as error:  # noqa: BLE001 - the test reports whatever it was
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(open_database(tmp_path / "shared.sqlite")) == (2, 3)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "no.sqlite"
    path.write_bytes(b"this is no database at all, but long enough to be looked at\n" * 100)
    with pytest.raises(DatabaseUnusable, match="no database"):
        open_database(path)
