"""Layers that are indexed and not kept."""

from pathlib import Path

import pytest

from kit.images import AMD64, add_files
from ropewalk.errors import InputError
from ropewalk.oci import LAYER_GZIP, ImageConfig, LayerError, Store

FILES = {"var/lib/dpkg/status": b"Package: a\n", "etc/empty": b"", "usr/bin/tool": b"x" * 100}


def keep(path: str) -> bool:
    return not path.startswith("usr/")


@pytest.fixture
def there(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(tmp_path / "here")


def test_only_chosen_files_stay(there: Store, here: Store) -> None:
    layer = add_files(there, FILES)
    assert here.note_layer(there.blob(layer.blob.digest), LAYER_GZIP, keep) == layer
    assert (here.layer(layer.diff_id), here.has(layer.blob.digest)) == (None, False)
    assert here.entries(layer.diff_id) == there.entries(layer.diff_id)
    got = {entry.path: data for entry, data in here.contents(layer, FILES.keys() - {"usr/bin/tool"})}
    assert got == {path: data for path, data in FILES.items() if keep(path)}
    with pytest.raises(InputError, match="not in the store"):
        list(here.contents(layer, FILES))


def test_a_noted_layer_is_known_until_something_of_it_is_lost(there: Store, here: Store) -> None:
    layer = add_files(there, FILES)
    assert not here.is_noted(layer, keep)
    here.note_layer(there.blob(layer.blob.digest), LAYER_GZIP, keep)
    assert here.is_noted(layer, keep)
    assert not here.is_noted(layer, lambda _: True)


def test_fetching_it_later_makes_it_whole(there: Store, here: Store) -> None:
    layer = add_files(there, FILES)
    path = there.blob(layer.blob.digest)
    here.note_layer(path, LAYER_GZIP, keep)
    image = here.add_image(ImageConfig(), [layer], AMD64, 1)
    assert not here.is_whole(image)
    assert here.add_layer_blob(path, LAYER_GZIP) == layer
    assert (here.is_whole(image), here.layer(layer.diff_id)) == (True, layer)
    here.note_layer(path, LAYER_GZIP, keep)
    assert here.layer(layer.diff_id) == layer


def test_a_damaged_layer_leaves_nothing(there: Store, here: Store, tmp_path: Path) -> None:
    layer = add_files(there, FILES)
    broken = tmp_path / "broken"
    broken.write_bytes(there.blob(layer.blob.digest).read_bytes()[:-30])
    with pytest.raises(LayerError):
        here.note_layer(broken, LAYER_GZIP, keep)
    with pytest.raises(InputError):
        here.entries(layer.diff_id)
