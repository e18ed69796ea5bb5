"""Debian changelogs (Debian Policy 4.4; deb-changelog(5))."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate

from ropewalk.debian.date import seconds
from ropewalk.debian.version import Version
from ropewalk.errors import InputError

_HEADER = re.compile(
    r"(?P<package>[A-Za-z0-9][-+.A-Za-z0-9_/]*) +\((?P<version>[^()\s]+)\)(?P<dists>( +[-+.\w]+)+) *;.*"
)
_TRAILER = re.compile(r" -- (?P<author>\S.*?) {2}(?P<date>\S.*?)\s*")


@dataclass(frozen=True, slots=True)
class ChangelogEntry:
    """An entry's first and last line.

    Attributes:
        package: What it is about.
        version: The version.
        distribution: The first distribution named.
        date: Seconds since 1970.
        author: ``Name <address>``.
    """

    package: str
    version: str
    distribution: str
    date: int
    author: str


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number the lines that matter: no empty ones, no comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.rstrip()


def _bad(message: str, where: str, number: int, hint: str) -> InputError:
    return InputError(message, where=f"{where}:{number}", hint=hint)


def _header(line: str, where: str, number: int) -> re.Match[str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise _bad("is no changelog heading", where, number, "write `name (version) distribution; urgency=medium`")
    try:
        Version.parse(match["version"])
    except InputError as error:
        raise _bad(f"'{match['version']}' is no Debian version", where, number, error.hint) from error
    return match


def _date(text: str, where: str, number: int) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        hint = "write it as `date -R` does: Mon, 05 Jan 2026 12:00:00 +0000"
        raise _bad(f"'{text}' is no date", where, number, hint) from error


def newest(text: str, where: str) -> ChangelogEntry:
    """Read a changelog's first entry.

    Args:
        text: The changelog.
        where: Its name, for errors.

    Returns:
        The newest entry.

    Raises:
        InputError: There is none, or its heading, its last line or its date is wrong; names the line.
    """
    lines = _lines(text)
    number, line = next(lines, (1, ""))
    if not line:
        raise _bad("the changelog is empty", where, 1, "write an entry; `dch --create` makes one")
    heading = _header(line, where, number)
    for number, line in lines:
        if line.startswith(" --"):
            trailer = _TRAILER.fullmatch(line)
            if trailer is None:
                raise _bad("is no last line of an entry", where, number, "write ` -- Name <address>  date`, two spaces")
            when = _date(trailer["date"], where, number)
            dist = heading["dists"].split()[0]
            return ChangelogEntry(heading["package"], heading["version"], dist, when, trailer["author"])
        if not line.startswith((" ", "\t")):
            break
    raise _bad("the entry does not end", where, number, "end it with ` -- Name <address>  date`")


def versions(text: str) -> tuple[str, ...]:
    """Return the versions of all entries, as they stand in a changelog: the newest first.

    Args:
        text: The changelog; what is no heading of an entry is passed over.
    """
    headings = (_HEADER.fullmatch(line.rstrip()) for line in text.splitlines() if line[:1].isalnum())
    return tuple(heading["version"] for heading in headings if heading is not None)


def new_entry(
    package: str,
    version: str,
    changes: Sequence[str],
    *,
    author: str,
    date: int,
    distribution: str = "unstable",
    urgency: str = "medium",
) -> str:
    """Write an entry, ready to stand before the others.

    Args:
        package: What it is about.
        version: The version.
        changes: One line each; a change of several lines is indented.
        author: ``Name <address>``.
        date: Seconds since 1970.
        distribution: ``unstable`` or another.
        urgency: ``medium`` or another.

    Returns:
        The entry with an empty line at its end.
    """
    items = "\n".join("  * " + change.replace("\n", "\n    ").replace("    \n", "\n") for change in changes)
    when = formatdate(date).replace("-0000", "+0000")
    return f"{package} ({version}) {distribution}; urgency={urgency}\n\n{items}\n\n -- {author}  {when}\n\n"
