"""Counts what STYLE's rules 7 and 8 bound, and fails where a bound is passed.

Code lines leave out blank lines, comments and docstrings.
"""

import ast
import io
import statistics
import sys
import tokenize
from pathlib import Path

MODULE_LINES = 300
FUNCTION_LINES = 50
MEDIAN_FUNCTION = 10
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "models"}
SOURCE = Path(__file__).parent.parent / "src" / "ropewalk"

_EMPTY = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(source: str, tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _EMPTY:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            text = node.body[0]
            lines -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def measure(path: Path) -> tuple[int, list[tuple[str, int]]]:
    """Return a module's code lines, and each function's."""
    source = path.read_text()
    tree = ast.parse(source)
    lines = code_lines(source, tree)
    functions = [
        (
            f"{path.relative_to(SOURCE.parent.parent)}:{node.lineno} {node.name}",
            len(lines & set(range(node.lineno, (node.end_lineno or 0) + 1))),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return len(lines), functions


def main() -> int:
    """Print the counts of every room and each breach; return 1 where there is one."""
    breaches: list[str] = []
    rooms: dict[str, list[int]] = {}
    modules = sorted(SOURCE.rglob("*.py"))
    for path in modules:
        if path.stem in DRAWERS:
            breaches.append(f"{path}: a junk drawer; name it for what it holds")
        count, functions = measure(path)
        if count > MODULE_LINES:
            breaches.append(f"{path}: {count} lines of code, at most {MODULE_LINES}")
        breaches += [
            f"{name}: {lines} lines, at most {FUNCTION_LINES}" for name, lines in functions if lines > FUNCTION_LINES
        ]
        parts = path.relative_to(SOURCE).parts
        rooms.setdefault(parts[0] if len(parts) > 1 else "the ground floor", []).extend(lines for _, lines in functions)
    for room, lengths in rooms.items():
        if lengths and statistics.median(lengths) >= MEDIAN_FUNCTION:
            breaches.append(
                f"{room}: median function {statistics.median(lengths):g} lines, less than {MEDIAN_FUNCTION} wanted"
            )
    lengths = [length for room in rooms.values() for length in room]
    print(f"house: {len(modules)} modules, {len(lengths)} functions, median {statistics.median(lengths):g} lines")
    print("\n".join(breaches), end="\n" if breaches else "")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
