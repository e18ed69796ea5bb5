"""``ropewalk prune`` on an example tree: what it shows, and that it removes only when told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kit.images import add_files, add_image, record
from kit.recipes import REGISTRY, production, write
from ropewalk.cli.app import run
from ropewalk.errors import Exit
from ropewalk.oci.store import Store
from ropewalk.recipe import RecordBook, load_config, load_tree
from ropewalk.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {f"images/{name}": text for name, text in production("a", "2-1", "FROM scratch\n").items()})
    write(tmp_path, {"config.yaml": f"registry: {REGISTRY}\n"})
    settings = Settings(tmp_path / "state")
    store, book = Store(settings.store), RecordBook(settings.records)
    (recipe,) = load_tree([Path("images")], load_config(Path("config.yaml"), None)).recipes
    for version in ("1-1", "2-1", "2-1-20260105"):
        image = add_image(store, add_files(store, {"version": version.encode()}))
        one = record(replace(recipe, version=version), image=image)
        book.save(one)
        store.tag(one.reference, one.digest)
    return settings


def _prune(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[bool, list[str]]:
    assert run(["-q", "prune", *more, "--format", "json", "images"]) == Exit.OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["bytes"] > 0) == bool(shown["images"])
    return shown["applied"], [image["reference"].rpartition(":")[2] for image in shown["images"]]


def test_only_the_current_version_stays(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert _prune(capsys) == (False, ["1-1", "2-1-20260105"])
    assert len(list(RecordBook(settings.records))) == 3
    assert _prune(capsys, "--select", "*/a:*") == (False, ["1-1", "2-1-20260105"])
    assert run(["-q", "prune", "--select", "*/b:*", "images"]) == Exit.INPUT
    assert "--select */b:*: matches no recipe" in capsys.readouterr().err
    assert _prune(capsys, "--apply") == (True, ["1-1", "2-1-20260105"])
    assert list(Store(settings.store).tags()) == [f"{REGISTRY}/a:2-1"]
    assert _prune(capsys, "--apply") == (True, [])


def test_a_nightly_stays_instead(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert _prune(capsys, "--nightly", "20260105", "--apply") == (True, ["1-1", "2-1"])
    assert list(Store(settings.store).tags()) == [f"{REGISTRY}/a:2-1-20260105"]


def test_people_are_told_what_to_do(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-q", "prune", "images"]) == Exit.OK
    assert "would be removed; --apply does it" in capsys.readouterr().out
    assert settings.store.is_dir()
