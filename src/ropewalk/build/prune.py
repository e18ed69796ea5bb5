"""Old images leave the state directory: names, inventory, records, then the blobs that nobody else needs."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.inventory import forget
from ropewalk.oci import Image, Store
from ropewalk.oci.removal import freed
from ropewalk.recipe.record import BuildRecord, RecordBook
from ropewalk.settings import Settings


@dataclass(frozen=True, slots=True)
class Freed:
    """An image to remove, and what that frees.

    Attributes:
        record: Its build record.
        files: Blobs and layer indexes that no other image needs.
        size: Their bytes.
    """

    record: BuildRecord
    files: tuple[Path, ...]
    size: int


def weigh(store: Store, book: RecordBook, records: Sequence[BuildRecord]) -> tuple[Freed, ...]:
    """Say what the removal of images frees; changes nothing.

    Args:
        store: The images.
        book: All build records.
        records: Those to remove, in that order; their images are in the store.
    """
    gone = {record.digest for record in records}
    others = [record for record in book if record.digest not in gone]
    digests = {*(record.digest for record in others), *store.tags().values()} - gone
    kept = [image for digest in sorted(digests) if (image := store.load(digest)) is not None]
    noted = [layer.diff_id for record in others for layer in record.layers]
    files = freed(store, [_image(store, record) for record in records], kept, noted)
    return tuple(
        Freed(record, found, sum(file.stat().st_size for file in found))
        for record, found in zip(records, files, strict=True)
    )


def _image(store: Store, record: BuildRecord) -> Image:
    image = store.load(record.digest)
    if image is None:
        raise InputError("is not in the store", where=record.reference, hint="run the command again")
    return image


def prune(
    settings: Settings, store: Store, book: RecordBook, engine: Engine, records: Sequence[BuildRecord]
) -> tuple[Freed, ...]:
    """Remove images; a run that is killed leaves no image without its blobs, and the next one frees what it left.

    Args:
        settings: Where the state is.
        store: The images.
        book: Their build records.
        engine: The inventory.
        records: Those to remove, in that order.

    Returns:
        What was removed.

    Raises:
        HostError: Another process builds here.
    """
    journal = settings.state / "prune.json"
    with atomic.locked(settings.state / "build.lock", wait=False):
        _finish(store, book, journal)
        found = weigh(store, book, records)
        atomic.write_text(journal, json.dumps([str(file) for one in found for file in one.files]))
        named: dict[str, list[str]] = {}
        for reference, digest in store.tags().items():
            named.setdefault(digest, []).append(reference)
        for one in found:
            for reference in named.get(one.record.digest, ()):
                store.untag(reference)
            book.remove(one.record.digest)
        forget(engine, [one.record.digest for one in found])
        _unlink(file for one in found for file in one.files)
        journal.unlink()
    return found


def _finish(store: Store, book: RecordBook, journal: Path) -> None:
    """Free what a killed run meant to free, unless an image needs it by now."""
    try:
        left = {Path(name) for name in json.loads(journal.read_bytes())}
    except (FileNotFoundError, ValueError):
        return
    digests = {*(record.digest for record in book), *store.tags().values()}
    images = [image for digest in sorted(digests) if (image := store.load(digest)) is not None]
    for files in freed(store, images, ()):
        left -= set(files)
    _unlink(left)


def _unlink(files: Iterable[Path]) -> None:
    for file in files:
        with suppress(FileNotFoundError):
            file.unlink()
