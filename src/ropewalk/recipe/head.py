"""Name, version and date of a recipe, and the rules that they follow."""

import re
from dataclasses import dataclass
from pathlib import Path

from ropewalk.debian.changelog import newest, versions
from ropewalk.errors import InputError
from ropewalk.oci.reference import is_tag
from ropewalk.recipe.opened import read_text

_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_BUILD = re.compile(r"-r[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Head:
    """What a changelog says of a recipe.

    Attributes:
        name: The line's name.
        version: The line's version.
        epoch: The newest entry's date in seconds since 1970: SOURCE_DATE_EPOCH.
    """

    name: str
    version: str
    epoch: int


def check_name(name: str, where: str) -> None:
    """Refuse a name that is no repository (distribution-spec, "Pulling manifests").

    Args:
        name: The line's name.
        where: File and line.

    Raises:
        InputError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"`{name}` is no name for an image",
            where=where,
            hint="use lower case letters and digits, single ones of . _ - / between them",
        )


def check_version(version: str, where: str) -> None:
    """Refuse a version that is no OCI tag or that looks like one of our builds.

    Args:
        version: The line's version.
        where: File and line.

    Raises:
        InputError: It is no tag, or ends in ``-rN``.
    """
    if not is_tag(version):
        raise InputError(
            f"the version `{version}` is no image tag",
            where=where,
            hint="use letters, digits and . _ - only, at most 128; no ~ + :",
        )
    if _BUILD.search(version):
        raise InputError(
            f"the version `{version}` ends like a build number",
            where=where,
            hint="Ropewalk itself appends -r2, -r3 when it renews an image; count another part up",
        )


def read_head(changelog: Path, tree: Path | None = None) -> Head:
    """Read a recipe's name, version and date from its changelog.

    Args:
        changelog: Debian's format; the newest entry stands first.
        tree: The tree's root; see `read_text`.

    Raises:
        InputError: It cannot be read, or its name or version is not allowed.
    """
    text = read_text(changelog, tree)
    entry = newest(text, str(changelog))
    first = next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(entry.package)), 1)
    where = f"{changelog}:{first}"
    check_name(entry.package, where)
    check_version(entry.version, where)
    return Head(entry.package, entry.version, entry.date)


def older_versions(directory: Path, version: str) -> tuple[str, ...]:
    """Return what stands below a version in a recipe's changelog: versions that it takes the place of.

    Args:
        directory: The recipe's directory.
        version: Its version; one that no entry has (a nightly build's) stands above them all.

    Returns:
        The versions, the newest first; none without a changelog.
    """
    changelog = directory / "changelog"
    found = versions(read_text(changelog)) if changelog.is_file() else ()
    return found[found.index(version) + 1 :] if version in found else found
