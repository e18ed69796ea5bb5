from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import AMD64, add_files, digest, file_item, owners, record, whiteout
from kit.images import recipe as make_recipe
from kit.rebase import stanza, status
from ropewalk.archive import ArchiveProxy, Lists, Pool, Upstream, View, ViewBook
from ropewalk.build import Isolation, Workshop
from ropewalk.events import silent
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Layer
from ropewalk.oci.store import Store
from ropewalk.plan import Known, Observed
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, How, LayerKind, ParentPin, RecordBook
from ropewalk.refresh import DpkgReader, Rebased, Refusal, origin, rebase, refresh
from ropewalk.refresh.rebase import moved_parents
from ropewalk.settings import Settings

STATUS = "var/lib/dpkg/status"
BASE = make_recipe("bookworm")
CHILD = make_recipe("nginx", "bookworm", dockerfile="FROM bookworm\nRUN apt-get install -y nginx\n")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    settings = Settings(tmp_path)
    views = ViewBook(settings.views)
    return Workshop(
        settings=settings,
        store=Store(settings.store),
        book=RecordBook(settings.records),
        views=views,
        lists=Lists(views, tmp_path / "lists"),
        proxy=ArchiveProxy(views, Pool(settings.pool), Upstream(), silent),
        isolation=Isolation("oci", "runc"),
        listener=silent,
    )


def _image(shop: Workshop, layers: tuple[Layer, ...], **config: str) -> Image:
    history = tuple(f"layer {number}" for number in range(len(layers)))
    return shop.store.add_image(ImageConfig(**config), layers, AMD64, 1, history)


def _base(shop: Workshop, version: str, build: int = 1, more: Mapping[str, str] | None = None, **config: str) -> Image:
    files = {STATUS: status(stanza("libc6", version)), "usr/lib/libc.so.6": f"libc {version}", **(more or {})}
    items = [file_item(path, text.encode()) for path, text in files.items()]
    layer = shop.store.add_layer([*_directories(files), *items])
    image = _image(shop, (layer,), **config)
    shop.book.save(record(BASE, build=build, image=image, layers=owners((layer, "bookworm"))))
    return image


def _directories(files: Mapping[str, str]) -> list[TarItem]:
    above = {"/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 1)}
    return [TarItem(Entry(path, EntryType.DIRECTORY, 0o755)) for path in sorted(above)]


def _child(shop: Workshop, base: Image, recipe: Recipe = CHILD) -> BuildRecord:
    files = {STATUS: status(stanza("libc6", "1"), stanza("nginx", "1")), "usr/sbin/nginx": "nginx"}
    items = [file_item(path, text.encode()) for path, text in files.items()]
    layer = shop.store.add_layer([*_directories(files), *items])
    image = _image(shop, (*base.layers, layer), user="33")
    below = shop.book.load(base.digest)
    assert below is not None
    made = record(recipe, below, image=image, layers=(*below.layers, *owners((layer, recipe.name))))
    shop.book.save(made)
    return made


def _rebased(shop: Workshop, made: BuildRecord, old: Image, new: Image, recipe: Recipe = CHILD) -> Rebased:
    result = rebase(shop, made, recipe, old, new, build=2)
    assert isinstance(result, Rebased), result
    return result


def test_a_rebased_image_has_the_new_parent_the_own_layer_and_a_small_layer(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2)
    made = _child(shop, old)
    built = shop.store.load(made.digest)
    result = _rebased(shop, made, old, new)
    assert built is not None
    assert result.image.layers[:-1] == (*new.layers, built.layers[-1])
    assert [(layer.owner, layer.kind) for layer in result.layers] == [
        ("bookworm", LayerKind.OWN),
        ("nginx", LayerKind.OWN),
        ("nginx", LayerKind.RECONCILE),
    ]
    assert 0 < result.reconcile_bytes < 1000
    assert not result.needs_proof
    assert (result.origin, result.image.created, result.image.config.user) == (made.digest, made.epoch, "33")
    assert shop.store.read_files(result.image.layers, {STATUS, "usr/lib/libc.so.6", "usr/sbin/nginx"}) == {
        STATUS: status(stanza("libc6", "2"), stanza("nginx", "1")).encode(),
        "usr/lib/libc.so.6": b"libc 2",
        "usr/sbin/nginx": b"nginx",
    }


def test_the_same_rebase_gives_the_same_image(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2)
    made = _child(shop, old)
    assert _rebased(shop, made, old, new) == _rebased(shop, made, old, new)


def test_a_rebased_image_says_which_build_it_is_and_nothing_of_its_parent(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2)
    result = _rebased(shop, _child(shop, old), old, new)
    said = dict(result.image.annotations)
    assert said["org.opencontainers.image.version"].endswith("-r2")
    assert said["org.opencontainers.image.ref.name"].endswith(f":{said['org.opencontainers.image.version']}")
    assert said["org.opencontainers.image.base.digest"] == new.digest


def test_reconcile_layers_never_pile_up(shop: Workshop) -> None:
    first, second, third = _base(shop, "1"), _base(shop, "2", 2), _base(shop, "3", 3)
    made = _child(shop, first)
    once = _rebased(shop, made, first, second)
    renewed = replace(made, digest=once.image.digest, build=2, how=How.REBASED, rebased_from=once.origin)
    shop.book.save(renewed)
    assert origin(shop.book, renewed) == made
    twice = _rebased(shop, renewed, first, third)
    assert twice.image == _rebased(shop, made, first, third).image
    assert (len(twice.image.layers), twice.origin) == (3, made.digest)


def test_a_child_that_changes_nothing_of_dpkg_gets_no_layer(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2, user="1")
    image = _image(shop, (*old.layers, add_files(shop.store, {"index.html": b"hello"})))
    below = shop.book.load(old.digest)
    assert below is not None
    recipe = make_recipe("site", "bookworm", dockerfile="FROM bookworm\nCOPY index.html /\n")
    made = record(recipe, below, image=image, layers=(*below.layers, *owners((image.layers[-1], "site"))))
    shop.book.save(made)
    result = _rebased(shop, made, old, new, recipe)
    assert (len(result.image.layers), result.reconcile_bytes) == (2, 0)
    assert result.image.config.user == "1"
    assert result.proof == ("the parent's user changed",)


def test_what_the_parent_removed_is_removed(shop: Workshop) -> None:
    old = _base(shop, "1", more={"usr/bin/gone": "x"})
    new = _base(shop, "2", 2)
    below = shop.book.load(old.digest)
    assert below is not None
    files = {"usr/bin/gone": "x"}
    own = shop.store.add_layer([*_directories(files), file_item("usr/bin/gone", b"x", 0o755), whiteout("usr/bin/none")])
    recipe = make_recipe("modes", "bookworm", dockerfile="FROM bookworm\nRUN chmod a+x /usr/bin/gone\n")
    image = _image(shop, (*old.layers, own))
    made = record(recipe, below, image=image, layers=(*below.layers, *owners((own, "modes"))))
    shop.book.save(made)
    refusal = rebase(shop, made, recipe, old, new, build=2)
    assert refusal == Refusal(1, "usr/bin/gone", "the parent deleted what the child changed")


def test_a_refused_rebase_leaves_no_image(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2)
    made = _child(shop, old)
    assert rebase(shop, made, replace(CHILD, rebase=False), old, new, build=2) == Refusal(
        5, "", "the recipe says that it must never be rebased"
    )
    pins = (*made.parents, ParentPin("registry.example.org/gcc:1", digest("gcc"), ParentRole.BUILD))
    refusal = rebase(shop, made, CHILD, old, new, build=2, pins=pins)
    assert isinstance(refusal, Refusal)
    assert refusal.rule == 4
    assert shop.store.tags() == {}


def test_configurations_that_clash_are_refused(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2, user="1")
    refusal = rebase(shop, _child(shop, old), CHILD, old, new, build=2)
    assert refusal == Refusal(1, "configuration", "parent and child both changed its user")


def test_what_is_not_here_is_refused(shop: Workshop) -> None:
    old, new = _base(shop, "1"), _base(shop, "2", 2)
    made = _child(shop, old)
    lost = replace(made, digest=digest("rebased"), rebased_from=digest("lost"))
    assert origin(shop.book, lost) is None
    for given in ((lost, old, new), (made, new, old)):
        refusal = rebase(shop, given[0], CHILD, given[1], given[2], build=2)
        assert isinstance(refusal, Refusal)
        assert refusal.rule == "record"


def test_dpkgs_files_are_read_from_the_topmost_layer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    info = "var/lib/dpkg/info/x.list"
    lower = add_files(store, {STATUS: b"1", info: b"/a\n", "var/lib/dpkg/info/x.triggers": b"interest /a\n"})
    upper = store.add_layer([file_item(STATUS, b"2"), whiteout("var/lib/dpkg/info/x.triggers")])
    image = store.add_image(ImageConfig(), (lower, upper), AMD64, 1)
    files = DpkgReader(store).files(image.layers, store.tree(image))
    assert (files.status, dict(files.lists), dict(files.triggers)) == (b"2", {info: b"/a\n"}, {})
    assert files.owned() == {"a"}


def test_build_parents_are_compared_by_digest() -> None:
    was = (
        ParentPin("bookworm:latest", "sha256:1", ParentRole.FINAL),
        ParentPin("gcc:1", "sha256:2", ParentRole.BUILD),
    )
    now = (
        ParentPin("bookworm:latest", "sha256:3", ParentRole.FINAL),
        ParentPin("gcc:1", "sha256:4", ParentRole.BUILD),
    )
    assert moved_parents(was, was) == ()
    assert [(moved.reference, moved.old, moved.new) for moved in moved_parents(was, now)] == [
        ("gcc:1", "sha256:2", "sha256:4")
    ]


def test_a_refresh_fetches_what_a_rebase_stands_on(shop: Workshop, tmp_path: Path) -> None:
    """Another machine built the child; here are the old parent's record alone and a newer parent."""
    there = replace(shop, store=Store(tmp_path / "there"), book=RecordBook(tmp_path / "there/records"))
    made = _child(there, old := _base(there, "1"))
    new = _base(shop, "2", 2)
    records = (*there.book, *shop.book)
    known = tuple(Known(one, here=shop.store.has(one.digest), published=one.build == 1) for one in records)
    observed = Observed(tuple(sorted(known, key=lambda one: (one.record.repository, one.record.build))), asked=True)
    fetched = []

    def fetch(record: BuildRecord) -> None:
        fetched.append(record.reference)
        image = there.store.load(record.digest)
        assert image is not None
        for layer in image.layers:
            shop.store.add_layer_blob(there.store.blob(layer.blob.digest), layer.blob.media_type)
        for blob in (image.config_blob, image.manifest):
            shop.store.put(there.store.read(blob.digest), blob.media_type)
        shop.book.save(record)

    view = View(made.view, "amd64", ())
    tree = (BASE, CHILD)
    offline = refresh(shop, tree, view, observed=observed)
    assert [row.error for row in offline.images][1] == (
        f"{CHILD.reference}: needs {made.reference}, whose layers only the registry has; "
        "run it without --offline, or give --registry URL"
    )
    report = refresh(shop, tree, view, observed=observed, fetch=fetch)
    assert [(row.name, str(row.how), row.error) for row in report.images] == [
        ("bookworm", "unchanged", ""),
        ("nginx", "rebased", ""),
    ]
    assert fetched == [made.reference, "registry.example.org/bookworm:1"]
    image = shop.store.resolve(f"{CHILD.reference}-r2")
    assert image is not None
    assert image.layers[:1] == new.layers
    assert shop.store.is_whole(old)
