"""What is known of the images of a tree: plain values that `observe` fills and `decide` reads."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ropewalk.debian import parts_key
from ropewalk.errors import InputError
from ropewalk.recipe.record import BuildRecord

LATEST = "latest"
_VERSION = re.compile("v?[0-9]")
_REVISION = re.compile(r"(?P<version>.+)-r(?P<build>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Known:
    """A build that this state directory made, or that the registry holds with an attestation that verified.

    Attributes:
        record: What went into it.
        here: Its image is in the local store.
        published: Its tag is in the registry; where none was asked, its record says so.
        seen: Id of a later view that a refresh found nothing newer in; empty where there is none.
    """

    record: BuildRecord
    here: bool
    published: bool
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A version tag in the registry that is not ours to believe.

    Attributes:
        repository: ``registry/namespace/name``.
        tag: The tag.
        reason: Why it is not believed, in a few words.
    """

    repository: str
    tag: str
    reason: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What store, records and registry know.

    Attributes:
        known: Usable builds (in the store or published), of each line the oldest first.
        unverified: Tags of the registry that nobody may build on.
        asked: A registry was asked; otherwise store and records decide what is published.
    """

    known: tuple[Known, ...]
    unverified: tuple[Unverified, ...] = ()
    asked: bool = False


def split_tag(tag: str) -> tuple[str, int | None]:
    """Split a version tag into the line's version and the number of the build.

    Args:
        tag: ``1.22.1-3`` or ``1.22.1-3-r2``.

    Returns:
        The version, and the number after ``-r``; None where there is none (the first build, or the line).
    """
    match = _REVISION.fullmatch(tag)
    return (match["version"], int(match["build"])) if match else (tag, None)


def age(tag: str) -> tuple[tuple[str, ...], int] | None:
    """Return a key that orders the version tags of a repository: by version, then by build.

    Args:
        tag: A tag. A version begins with a digit (deb-version(7)), perhaps after a ``v``.

    Returns:
        The key; None for a tag that is no version.
    """
    version, build = split_tag(tag)
    try:
        return (parts_key(version.removeprefix("v")), build or 1) if _VERSION.match(tag) else None
    except InputError:
        return None


def newest(tags: Iterable[str]) -> str:
    """Return the newest version tag of a repository, builds (``-rN``) included; empty where there is none."""
    ages = {tag: found for tag in tags if (found := age(tag)) is not None}
    return max(ages, key=lambda tag: ages[tag], default="")


def next_build(repository: str, version: str, observed: Observed) -> int:
    """Return the number that a further build of a line gets: one more than any that is known or only tagged.

    Args:
        repository: ``registry/namespace/name``.
        version: The line's version.
        observed: What is known.
    """
    numbers = [
        k.record.build for k in observed.known if (k.record.repository, k.record.version) == (repository, version)
    ]
    numbers += _tagged(repository, version, observed.unverified)
    return max(numbers, default=0) + 1


def _tagged(repository: str, version: str, tags: Iterable[Unverified]) -> list[int]:
    split = [split_tag(tag.tag) for tag in tags if tag.repository == repository]
    return [build or 1 for found, build in split if found == version]
