"""What a run remembers of the last one."""

import json
from pathlib import Path

from ropewalk.cli.session import Session
from ropewalk.events import silent
from ropewalk.settings import Settings

BASE = "name: bookworm\nversion: 12-1\nsuites: [bookworm]\npackages: []\n"


def test_a_checkout_that_is_gone_has_no_bases(tmp_path: Path) -> None:
    config = tmp_path / "tree/config.yaml"
    (tmp_path / "tree/bookworm").mkdir(parents=True)
    (tmp_path / "tree/bookworm/base.yaml").write_text(BASE)
    config.write_text("registry: registry.example.org\n")
    settings = Settings(tmp_path / "state")
    settings.state.mkdir()
    words = {"config": str(config), "directories": [str(tmp_path / "gone")]}
    (settings.state / "tree.json").write_text(json.dumps(words))
    session = Session(settings, None, silent)
    assert [base.suites for base in session.bases()] == [("bookworm",)]


def test_what_was_built_of_another_config_is_not_meant(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name / "bookworm").mkdir(parents=True)
        (tmp_path / name / "bookworm/base.yaml").write_text(BASE)
        (tmp_path / name / "config.yaml").write_text("registry: registry.example.org\n")
    settings = Settings(tmp_path / "state")
    settings.state.mkdir()
    words = {"config": str(tmp_path / "other/config.yaml"), "directories": [str(tmp_path / "other/bookworm")]}
    (settings.state / "tree.json").write_text(json.dumps(words))
    for name in ("mine", "other"):
        session = Session(settings, tmp_path / name / "config.yaml", silent)
        assert [recipe.directory for recipe in session.recipes(None)] == [tmp_path / name / "bookworm"]
        if name == "mine":
            assert len(session.bases()) == 1, "no base of the other tree"
