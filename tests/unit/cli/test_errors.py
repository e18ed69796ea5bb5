"""Errors as a user sees them."""

import os
from pathlib import Path

import pytest

from ropewalk import atomic
from ropewalk.cli.app import run
from ropewalk.cli.output import count
from ropewalk.errors import Exit, InputError


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


@pytest.mark.parametrize("place", ["/proc/new", "file", "file/below"])
def test_a_tree_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    (tmp_path / "file").touch()
    named = tmp_path / place
    assert run(["init", str(named)]) == Exit.INPUT
    assert f"error: {named}: cannot be written: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("", "cannot be written: Is a directory"),
        ("/proc/new", "cannot be written: No such file or directory"),
        ("none/x", "there is no directory "),
        ("file/x", "there is no directory "),
    ],
)
def test_an_output_that_cannot_be_written(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        atomic.write_output(tmp_path / place, b"x")
    assert str(caught.value).startswith(f"{tmp_path / place}: {said}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_output_may_be_a_link_or_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    atomic.write_output(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"
    (tmp_path / "null").symlink_to(os.devnull)
    atomic.write_output(tmp_path / "null", b"x")
    assert (tmp_path / "null").is_char_device()


@pytest.mark.parametrize(("number", "said"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_counts(number: int, said: str) -> None:
    assert count(number, "image") == said
