"""Keys and build records for tests of trust and publishing."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Platform
from ropewalk.oci.store import Store
from ropewalk.recipe.recipe import Generation, ParentRole
from ropewalk.recipe.record import BuildRecord, How, LayerKind, OwnedLayer, ParentPin
from ropewalk.trust import SigningKeys, load, new_keys

NAME = "registry.example.org"
DIGEST = "sha256:" + "1" * 64


def signing_keys(directory: Path, *generations: Generation) -> tuple[SigningKeys, ...]:
    """Make keys and read them back.

    Args:
        directory: The key directory.
        generations: Whose keys.
    """
    for generation in generations:
        new_keys(directory, generation)
    return tuple(load(directory, generation) for generation in generations)


def build_record(digest: str = DIGEST) -> BuildRecord:
    """Return the record of a production image on a base image; `dataclasses.replace` varies it."""
    return BuildRecord(
        digest=digest,
        platform="linux/amd64",
        repository=f"{NAME}/nginx",
        name="nginx",
        version="1.22.1-3",
        build=1,
        generation=Generation.PRODUCTION,
        recipe_digest="sha256:" + "2" * 64,
        parents=(ParentPin(f"{NAME}/bookworm:1", "sha256:" + "3" * 64, ParentRole.FINAL),),
        view="20250520-0123456789",
        epoch=1700000000,
        how=How.BUILT,
        layers=(
            OwnedLayer("sha256:" + "4" * 64, "bookworm", LayerKind.OWN),
            OwnedLayer("sha256:" + "5" * 64, "nginx", LayerKind.OWN),
        ),
        dockerfile="FROM registry.example.org/bookworm:1\nRUN true\n",
        made=1700000100,
        tested=True,
    )


def record_of(image: Image, name: str, *, own: int = 1, parent: BuildRecord | None = None) -> BuildRecord:
    """Return a record that fits an image: its last layers are its own.

    Args:
        image: The image.
        name: The line's name.
        own: How many of its layers, from the top, are its own.
        parent: Its parent's record; a base image has none.
    """
    border = len(image.layers) - own
    below = parent.layers if parent else ()
    mine = tuple(OwnedLayer(layer.diff_id, name, LayerKind.OWN) for layer in image.layers[border:])
    pins = (ParentPin(parent.reference, parent.digest, ParentRole.FINAL),) if parent else ()
    return replace(
        build_record(image.digest),
        repository=f"{NAME}/{name}",
        name=name,
        generation=Generation.PRODUCTION if parent else Generation.BASE,
        parents=pins,
        layers=(*below, *mine),
        epoch=image.created,
    )


def tiny_image(store: Store, content: bytes, *, parent: Image | None = None, epoch: int = 1700000000) -> Image:
    """Put an image of one small file, on a parent's layers, into a store.

    Args:
        store: Where it goes.
        content: Of the file ``etc/content`` in its own layer.
        parent: Whose layers are below.
        epoch: ``created``, in seconds since 1970.
    """
    entry = Entry("etc/content", EntryType.FILE, mode=0o644, size=len(content), mtime=epoch)
    layer = store.add_layer([TarItem(entry, lambda: BytesIO(content))])
    layers = (*(parent.layers if parent else ()), layer)
    return store.add_image(ImageConfig(), layers, Platform("linux", "amd64"), epoch)
