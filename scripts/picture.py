"""Makes docs/demo.svg, the README's picture, from the closing block that ``make demo`` printed (on standard input)."""

import sys
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
COLUMNS = 118
INDENT = 11
# rich's own frame, without its fonts from outside.
FRAME = """\
<svg class="{unique_id}" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; font-weight: bold }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> int:
    """Write the picture."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text("$ make demo", style="bold green"))
        for line in sys.stdin.read().rstrip().splitlines():
            name, pieces = line[:INDENT], textwrap.wrap(line[INDENT:], COLUMNS - INDENT) or [""]
            console.print(Text.assemble((name, "bold cyan"), pieces[0]))
            for piece in pieces[1:]:
                console.print(Text(" " * INDENT + piece))
        PICTURE.write_text(console.export_svg(title="Ropewalk", code_format=FRAME, unique_id="ropewalk"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
