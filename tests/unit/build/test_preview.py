"""What a preview may see: the pool and the views of the state directory that it borrows from, and nothing else of it."""

from pathlib import Path

import pytest

from ropewalk.build.hostpip import PipSettings
from ropewalk.build.testroom import Room, covered
from ropewalk.settings import Settings


def test_views_and_pool_are_shared_and_logs_outlive_it(tmp_path: Path) -> None:
    real = Settings(tmp_path)
    apart = Settings(tmp_path / "preview", shared=tmp_path)
    assert (apart.views, apart.pool) == (real.views, real.pool)
    assert apart.logs == tmp_path / "logs" / "preview"
    for name in ("store", "records", "keys", "database", "containers", "registry", "scratch"):
        assert getattr(apart, name).is_relative_to(tmp_path / "preview")


def test_a_test_finds_the_real_state_directory_empty(tmp_path: Path) -> None:
    apart = Settings(tmp_path / "state" / "preview", shared=tmp_path / "state")
    apart.state.mkdir(parents=True)
    room = Room(apart, apart.scratch / "test", "one", None)
    hidden = covered(room, tmp_path / "home")
    assert (tmp_path / "state").resolve() in hidden


@pytest.mark.parametrize(
    ("index", "proxy", "left"),
    [
        (
            "https://pypi.example.org/simple",
            "http://proxy:3128",
            ("https://pypi.example.org/simple", "http://proxy:3128"),
        ),
        ("https://me:hunter2@pypi.example.org/simple", "http://me:x@proxy:3128", ("", "")),
        ("", "", ("", "")),
    ],
)
def test_pip_settings_without_credentials(index: str, proxy: str, left: tuple[str, str]) -> None:
    lent = PipSettings(index_url=index, proxy=proxy).without_credentials()
    assert (lent.index_url, lent.proxy) == left
