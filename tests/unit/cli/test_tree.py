"""``ropewalk tree`` and ``ropewalk init`` as far as they need no programs."""

import json
from pathlib import Path

import pytest

from ropewalk.cli.app import run
from ropewalk.cli.output import printable
from ropewalk.cli.tree import print_report
from ropewalk.errors import Exit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b c", "a/b c"),
        ("\x1b[2Ja", "\ufffd[2Ja"),
        ("a\nb", "a\ufffdb"),
        ("::add-mask::x", "./::add-mask::x"),
        (" ::x", "./ ::x"),
    ],
)
def test_a_tree_cannot_talk_to_terminal_or_runner(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_report_as_people_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"rule": "loop", "level": "error", "path": "a[b]", "line": 3, "message": "m", "hint": "h"}
    note = {**finding, "level": "note", "rule": "no-test"}
    row = {"action": "build", "reference": "r/a:1", "reasons": ["never built"]}
    report = {"findings": [finding, note], "recipes": 2, "errors": 1, "warnings": 0, "notes": 1, "merge": [row]}
    print_report(report, notes=False)
    assert capsys.readouterr().out.splitlines() == [
        "a[b]:3: error: m [loop]",
        "  h",
        "build    r/a:1  (never built)",
        "2 recipes: 1 error, 0 warnings, 1 note (--notes shows them); a merge would build 1 image",
    ]


def test_rules_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tree", "check", "--explain", "--format", "json"]) == Exit.OK
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert {"rule": "loop", "level": "error", "why": "Images that need each other can never be built."} in rules


def test_init_names_its_files_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "new" / "tree"), "--format", "json"]) == Exit.OK
    files = json.loads(capsys.readouterr().out)["files"]
    assert f"{tmp_path}/new/tree/config.yaml" in files
    assert run(["init", str(tmp_path / "new" / "tree")]) == Exit.INPUT
    assert "is there already" in capsys.readouterr().err
