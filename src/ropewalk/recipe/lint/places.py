"""Where a line of a rendered Dockerfile comes from in its template."""

import difflib
import re

_WHERE = re.compile(r"(?P<path>.*?)(?P<rendered> \(rendered\))?(?::(?P<line>[0-9]+))?", re.DOTALL)


def template_lines(template: str, rendered: str) -> tuple[int, ...]:
    """Map the lines of a rendered text to those of its template.

    Unchanged lines map to themselves; what a filter or a loop made maps to the line that stands there in the template.

    Args:
        template: The template.
        rendered: What came out.

    Returns:
        For each line of ``rendered`` the template's line, counted from 1.
    """
    before, after = template.split("\n"), rendered.split("\n")
    lines: list[int] = []
    for _, a, a_end, b, b_end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        last = max(a_end - 1, a)
        lines.extend(min(a + offset, last, len(before) - 1) + 1 for offset in range(b_end - b))
    return tuple(lines)


def split_where(where: str) -> tuple[str, int, bool]:
    """Take an error's place apart.

    Args:
        where: ``file``, ``file:line`` or ``file (rendered):line``.

    Returns:
        The file, the line (0 for none), and whether the line is one of the rendered text.
    """
    match = _WHERE.fullmatch(where)
    if match is None:
        return where, 0, False
    return match["path"], int(match["line"] or 0), bool(match["rendered"])
