"""Control files: paragraphs of ``Key: value`` fields (Debian Policy 5.1; deb822(5))."""

import re
from collections.abc import Iterator

_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def stanza_texts(text: str) -> Iterator[str]:
    """Cut a control file into its paragraphs, each as written, without the blank lines between them.

    Args:
        text: The file; lines end in LF.

    Yields:
        One paragraph's lines, ending in a newline.
    """
    for part in _BLANK_LINES.split(text):
        stanza = part.strip("\n")
        if stanza and not stanza.isspace():
            yield f"{stanza}\n"


def fields(stanza: str) -> dict[str, str]:
    """Read one paragraph.

    Args:
        stanza: Its lines.

    Returns:
        Fields by name as written; a value that goes over several lines keeps its line ends and indents. Comment lines
        (``#``) and lines that are neither field nor continuation are left out.
    """
    result: dict[str, str] = {}
    key = ""
    for line in stanza.split("\n"):
        if line[:1] in {" ", "\t"}:
            if key:
                result[key] += f"\n{line}"
            continue
        name, colon, value = line.partition(":")
        if name and colon and name[0] != "#":
            key = name
            result[key] = value.strip()
    return result


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Read a control file.

    Args:
        text: The file; lines end in LF.

    Yields:
        The fields of each paragraph; see `fields`.
    """
    return map(fields, stanza_texts(text))
