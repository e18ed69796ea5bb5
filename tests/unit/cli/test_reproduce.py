"""``ropewalk reproduce``: what is refused before anything is rebuilt."""

from pathlib import Path

import pytest

from ropewalk.cli.app import run
from ropewalk.errors import Exit


@pytest.mark.parametrize("made", [False, True])
def test_a_clone_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, made: bool
) -> None:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "clone"
    if made:
        place.mkdir()
    assert run(["reproduce", "nginx", "--git", str(place)]) == Exit.INPUT
    assert f"{place}: is no git repository" in capsys.readouterr().err
