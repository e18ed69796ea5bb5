"""New changelog entries: versions counted up or dated, written before the others without touching them."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ropewalk import atomic
from ropewalk.debian.changelog import new_entry, newest
from ropewalk.errors import InputError
from ropewalk.process import Command, ProgramMissing, run
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.head import check_version
from ropewalk.recipe.opened import read_text

FILE = "changelog"
_DATED = re.compile(r"-[0-9]{8}\Z")
_HEADING = re.compile(r"^\S+ +\((?P<version>[^()\s]+)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a new changelog entry says beside name and version.

    Attributes:
        reason: Why the image is made anew; may have several lines.
        author: ``Name <address>``.
        date: Seconds since 1970.
        distribution: ``wikimedia`` or another.
        urgency: ``high`` or another.
    """

    reason: str
    author: str
    date: int
    distribution: str
    urgency: str = "high"


@dataclass(frozen=True, slots=True)
class Edit:
    """A changelog as it will be.

    Attributes:
        path: The file; a link was followed.
        name: The line's name.
        old: Its version now.
        new: Its version then.
        reason: What the new entry says.
        text: The whole file.
    """

    path: Path
    name: str
    old: str
    new: str
    reason: str
    text: str


def counted(version: str, letter: str) -> str:
    """Return the version of an update: ``1.0-3`` becomes ``1.0-3-s1``, ``1.0-3-s1`` becomes ``1.0-3-s2``.

    Args:
        version: The version now.
        letter: docker-pkg's ``update_id``; may be empty.
    """
    match = re.fullmatch(rf"(?P<start>.+)-{re.escape(letter)}(?P<number>[0-9]+)", version)
    if match is None:
        return f"{version}-{letter}1"
    return f"{match['start']}-{letter}{int(match['number']) + 1}"


def dated(version: str, day: date) -> str:
    """Return the version of a renewal: ``1.0-3`` or ``1.0-3-20260104`` becomes ``1.0-3-20260111``.

    Args:
        version: The version now.
        day: The day of the renewal.
    """
    return f"{_DATED.sub('', version)}-{day:%Y%m%d}"


def edited(directory: Path, version: str, entry: Entry) -> Edit:
    """Say how a recipe's changelog looks with one more entry; nothing is written.

    Args:
        directory: The recipe's directory.
        version: The new version.
        entry: What the entry says.

    Raises:
        InputError: The changelog cannot be read, or the version is no tag or stands in it already.
    """
    path = (directory / FILE).resolve()
    read_text(path)  # says in one line what is wrong with the file
    text = path.read_bytes().decode()
    now = newest(text, str(path))
    check_version(version, str(path))
    if version in _HEADING.findall(text):
        hint = "a version is never used twice: give another one with --version"
        raise InputError(f"the version {version} stands in it already", where=str(path), hint=hint)
    lines = [line.rstrip() for line in entry.reason.strip().splitlines()]
    if not lines:
        raise InputError("the reason is empty", where="--reason", hint="say in a few words why the image is made anew")
    added = new_entry(
        now.package,
        version,
        ["\n".join(lines)],
        author=entry.author,
        date=entry.date,
        distribution=entry.distribution,
        urgency=entry.urgency,
    )
    return Edit(path, now.package, now.version, version, "\n".join(lines), added + text)


def write(edit: Edit) -> None:
    """Let a changelog be as an edit says; a reader sees the old file or the new one. Mode and owner stay."""
    status = edit.path.stat()
    with atomic.replacing(edit.path, status.st_mode & 0o777) as temporary:
        temporary.write_bytes(edit.text.encode())
        with suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)


def author(config: TreeConfig, environment: Mapping[str, str], directory: Path) -> str:
    """Return who writes an entry: ``DEBFULLNAME`` and ``DEBEMAIL``, else git's settings, else the config's fallback.

    Args:
        config: The tree's configuration.
        environment: Where the variables are.
        directory: A directory of the tree, whose git settings count.

    Returns:
        ``Name <address>``.

    Raises:
        InputError: Name or address cannot stand in a changelog.
    """
    name = environment.get("DEBFULLNAME") or _git("user.name", environment, directory) or config.fallback_author
    address = environment.get("DEBEMAIL") or _git("user.email", environment, directory) or config.fallback_email
    for what, text in (("name", name), ("address", address)):
        if not text.strip() or re.search(r"[<>\n]", text):
            hint = "set DEBFULLNAME and DEBEMAIL to a name and a mail address"
            raise InputError(f"the author's {what} is `{text}`", where="changelog", hint=hint)
    return f"{' '.join(name.split())} <{address.strip()}>"


def _git(key: str, environment: Mapping[str, str], directory: Path) -> str:
    """Return a git setting; empty where there is none, or no git."""
    kept = ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
    variables = tuple((name, environment[name]) for name in kept if name in environment)
    command = Command(("git", "config", "--get", key), environment=variables, directory=directory)
    with suppress(ProgramMissing):
        return run(command, check=False).stdout.decode(errors="replace").strip()
    return ""
