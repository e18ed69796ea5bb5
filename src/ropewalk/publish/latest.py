"""Which image ``latest`` names: the newest by its changelog; it never moves back."""

import re
from collections.abc import Collection, Iterable
from enum import Enum

from ropewalk.errors import InputError
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.imagejson import config_blob_of, parse_image
from ropewalk.oci.store import Store
from ropewalk.plan import LATEST, age, split_tag
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.record import BuildRecord, RecordBook

_RENEWED = re.compile(r"-[0-9]{8}(-[0-9]{6})?\Z")
"""What a nightly build, a snapshot or a weekly renewal appends to a version."""


class Standing(Enum):
    """How a version tag stands to the others of its repository."""

    OLDER = "older"
    """One of them is newer."""
    NEWEST = "newest"
    """Each of them is a build of the same version, or stands below it in the changelog."""
    LIKELY = "likely"
    """By their numbers none is newer, but the changelog does not know them all: it may be an old checkout's."""


def standing(tag: str, tags: Iterable[str], older: Collection[str] = ()) -> Standing:
    """Say how a version tag stands to the others.

    Args:
        tag: The version tag in question.
        tags: The repository's tags; those that are no versions are passed over.
        older: The versions below it in its changelog: they are older whatever their numbers say.
    """
    mine, version = age(tag), split_tag(tag)[0]
    stem = _RENEWED.sub("", version)
    found = Standing.NEWEST
    for other in tags:
        if other in (tag, LATEST) or other.startswith("sha256-"):
            continue
        its = split_tag(other)[0]
        if its in older or ((its_stem := _RENEWED.sub("", its)) in older and its_stem != stem):
            continue
        theirs = age(other)
        if mine is not None and theirs is not None and theirs > mine:
            return Standing.OLDER
        if its != version:
            found = Standing.LIKELY
    return found


def takes_latest(
    record: BuildRecord, tags: Collection[str], *, path: str, client: RegistryClient, store: Store, book: RecordBook
) -> bool:
    """Say whether an image takes ``latest``.

    Args:
        record: Its build record.
        tags: The repository's tags.
        path: The repository without the registry.
        client: The registry; it is asked only where the changelog does not tell.
        store: The local store.
        book: The build records.

    Raises:
        NetworkError: The registry does not answer as it should.
    """
    place = standing(record.tag, tags, record.older)
    if place is not Standing.LIKELY or LATEST not in tags or record.generation is Generation.BASE:
        return place is not Standing.OLDER
    digest = client.digest_of(path, LATEST)
    holder = book.load(digest) if digest else None
    if digest is None or (holder is not None and holder.version in (record.version, *record.older)):
        return True
    if holder is not None and record.version in holder.older:
        return False
    return _created(digest, path, client, store) <= record.epoch


def _created(digest: str, path: str, client: RegistryClient, store: Store) -> int:
    """Return the date of an image: of ours, the changelog's; 0 where it is no image of one platform."""
    image = store.load(digest)
    found = client.manifest(path, digest) if image is None else None
    if found is not None:
        try:
            manifest = found[1]
            image = parse_image(manifest, client.blob(path, config_blob_of(manifest, digest).digest))
        except InputError:
            return 0
    return image.created if image is not None else 0
