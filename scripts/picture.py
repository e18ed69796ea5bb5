"""Makes docs/demo.svg, the README's picture, from the closing block that ``make demo`` printed (on standard input)."""

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
COLUMNS = 118
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
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"), force_terminal=True)  # noqa: PTH123, SIM115  # rich writes there while it records
    console.print(Text("$ make demo", style="bold green"))
    for line in sys.stdin.read().rstrip().splitlines():
        name, text = line[:11], line[11:]
        console.print(Text(name, style="bold cyan") + Text(text))
    PICTURE.write_text(console.export_svg(title="Ropewalk", code_format=FRAME, unique_id="ropewalk"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
