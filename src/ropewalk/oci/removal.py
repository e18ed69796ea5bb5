"""Blobs that leave a store with the images that held them: each goes when no image is left that needs it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ropewalk.oci.model import Image
from ropewalk.oci.store import Store


def freed(
    store: Store, images: Sequence[Image], kept: Iterable[Image], diff_ids: Collection[str] = ()
) -> tuple[tuple[Path, ...], ...]:
    """Say which files each image's removal frees.

    Args:
        store: Where the images are.
        images: Those that go, in that order.
        kept: All others.
        diff_ids: Layers whose indexes stay in any case.

    Returns:
        For each image that goes, files that no image after it needs: the manifest last.
    """
    users = Counter(file for image in (*images, *kept) for file in _files(store, image))
    users.update(_index(store, diff_id) for diff_id in diff_ids)
    found = []
    for image in images:
        files = _files(store, image)
        users.subtract(files)
        found.append(tuple(file for file in files if users[file] == 0 and file.is_file()))
    return tuple(found)


def _files(store: Store, image: Image) -> tuple[Path, ...]:
    blobs = [layer.blob.digest for layer in image.layers]
    paths = [store.blob(digest) for digest in (*blobs, image.config_blob.digest, image.digest)]
    return tuple(dict.fromkeys((*(_index(store, layer.diff_id) for layer in image.layers), *paths)))


def _index(store: Store, diff_id: str) -> Path:
    return store.directory / "layers" / f"{store.blob(diff_id).name}.json"
