"""How commands print: text for people on a terminal, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console  # it takes a third of a plan's time to import: what needs no colour does without


class Format(StrEnum):
    """What a command prints."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="Text for people, or JSON for scripts.")]


@cache
def out() -> "Console":
    """Return what prints on standard output."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())


@cache
def err() -> "Console":
    """Return what prints on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return a tree's words as CI may log them: no control characters, no command to the runner (``::``)."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return f"./{clean}" if clean.lstrip().startswith("::") else clean


def print_json(value: Any) -> None:
    """Print a value as JSON, keys in the order given."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_line(text: str, style: str = "") -> None:
    """Print one line of text that holds no markup."""
    if sys.stdout.isatty():
        out().print(text, style=style or None, markup=False)
    else:
        sys.stdout.write(f"{text}\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Print rows under column heads; plain columns where no terminal reads.

    Args:
        columns: The heads.
        rows: Each a value a column.
        right: Heads of the columns that are aligned to the right.
    """
    if not sys.stdout.isatty():
        _print_plain(columns, rows, right)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    out().print(table)


def _print_plain(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str]) -> None:
    """Print one record a line, whatever its length, for grep and awk."""
    lines = [tuple(columns), *(tuple(" ".join(str(value).splitlines()) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        )
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def count(number: int, word: str) -> str:
    """Return how many there are of what a word names: ``1 image``, ``2 images``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def human_size(size: float) -> str:
    """Return bytes as people read them: ``94 KB``, ``31.2 MB``."""
    for unit in ("B", "KB", "MB"):
        if size < 1000:  # noqa: PLR2004  # a unit's end
            return f"{size:.0f} {unit}" if unit in ("B", "KB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
