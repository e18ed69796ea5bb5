"""dpkg's database of installed packages: ``var/lib/dpkg/status`` and the files of ``status.d`` (dpkg(1), deb-status)."""

from ropewalk.debian.control import fields, stanza_texts
from ropewalk.debian.relation import Package, package_of

_GONE = {"not-installed", "config-files"}
"""States in which no file of a package is there."""


def _text(data: bytes) -> str:
    """Decode so that any byte survives the way back (``encode(errors="surrogateescape")``)."""
    return data.decode(errors="surrogateescape")


def parse_status(data: bytes) -> tuple[Package, ...]:
    """Read the installed packages.

    Args:
        data: A status file, or a file of ``status.d``, whose paragraphs have no ``Status``.

    Returns:
        Each package whose files are there, in the file's order: also those that are only unpacked or whose triggers wait;
        not those that are removed.

    Raises:
        InputError: A paragraph names no package or version, or a relation is none.
    """
    found = []
    for stanza in stanza_texts(_text(data)):
        values = fields(stanza)
        state = values.get("Status", "installed").split()
        if "Package" in values and state and state[-1] not in _GONE and "Version" in values:
            found.append(package_of(values, stanza))
    return tuple(found)


def stanzas(data: bytes) -> dict[tuple[str, str], str]:
    """Read a status file's paragraphs as they are written.

    Args:
        data: A status file.

    Returns:
        Each paragraph, removed packages too, by package and architecture, in the file's order. A text ends in one newline; a
        status file is each of them and an empty line. Bytes that are not UTF-8 are kept as surrogates.
    """
    result = {}
    for stanza in stanza_texts(_text(data)):
        values = fields(stanza)
        result[values.get("Package", ""), values.get("Architecture", "")] = stanza
    return result
