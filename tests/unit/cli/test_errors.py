"""Errors as a user sees them."""

from pathlib import Path

import pytest

from ropewalk.cli.app import run
from ropewalk.errors import Exit


def test_a_recipe_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("registry: r.example.org\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "base.yaml").write_text(
        'name: b\nversion: "1"\nsuites: [bookworm]\npackages: ["\\e[2Jx\\n::stop-commands::y"]\n'
    )
    assert run(["plan", "."]) == Exit.INPUT
    shown = capsys.readouterr().err
    assert "\x1b[2J" not in shown
    assert "[2Jx\n./::stop-commands::y` cannot stand in `packages`" in shown
