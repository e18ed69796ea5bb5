"""Time to patch: percentiles, what counts as fixed, and the history that both come from."""

from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.refresh.history import Approved, Deployed, Due, History, Patched, Update, deployed
from ropewalk.refresh.patches import first_released, fixed, not_noted, open_dues, patches, percentile, spread
from ropewalk.settings import Settings

SSL = Update("libssl3", "amd64", "3.0-1", "3.0-2", security=True, released=1000, suite="bookworm-security")
TZ = Update("tzdata", "all", "2025a", "2025b", security=False, released=500, suite="bookworm-updates")
DUE = Due("r/base", "sha256:old", "view-1", 1100, (SSL, TZ))
DONE = Patched("r/base", "r/base:1-r2", "sha256:new", 1300, 1100, "rebuilt", (SSL, TZ))


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 50, 7),
        ([7], 99, 7),
        ([1, 2, 3, 4], 50, 2),
        ([4, 3, 2, 1], 75, 3),
        ([1, 2, 3, 4], 76, 4),
        (list(range(1, 101)), 90, 90),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 201)), 100, 200),
    ],
)
def test_percentiles_are_measured_values(values: list[int], share: int, expected: int) -> None:
    assert percentile(values, share) == expected


def test_a_spread_of_nothing_is_none() -> None:
    assert spread([]) is None
    found = spread([5, 1, 3])
    assert found is not None
    assert (found.count, found.p50, found.p90, found.longest) == (3, 3, 5, 5)


def test_security_updates_start_the_clock_before_others() -> None:
    assert first_released((SSL, TZ)) == 1000
    assert first_released((TZ,)) == 500


def test_a_renewal_is_measured_to_publication_and_to_its_first_deployment() -> None:
    (patch,) = patches([DUE, DONE, Deployed("sha256:new", 1900), Deployed("sha256:new", 1700)])
    assert (patch.security, patch.released, patch.noticed) == (True, 1000, 1100)
    assert (patch.to_published, patch.to_deployed) == (300, 700)
    (waits,) = patches([DONE])
    assert waits.to_deployed is None


def test_a_clock_behind_the_archives_gives_no_negative_time() -> None:
    (patch,) = patches([replace(DONE, at=900), Deployed("sha256:new", 950)])
    assert (patch.to_published, patch.to_deployed) == (0, 0)


def test_what_is_due_stays_open_until_it_is_published() -> None:
    assert open_dues([DUE]) == {"r/base": (DUE,)}
    partly = open_dues([DUE, replace(DONE, updates=(TZ,))])
    assert [update.package for due in partly["r/base"] for update in due.updates] == ["libssl3"]
    assert open_dues([DUE, DONE]) == {}


def test_a_newer_version_is_another_fix() -> None:
    later = replace(SSL, candidate="3.0-3")
    assert not_noted((SSL, later), [DUE]) == (later,)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({("libssl3", "amd64"): "3.0-1", ("tzdata", "all"): "2025a"}, []),
        ({("libssl3", "amd64"): "3.0-2", ("tzdata", "all"): "2025a"}, ["libssl3"]),
        ({("libssl3", "amd64"): "3.0-10", ("tzdata", "all"): "2025b"}, ["libssl3", "tzdata"]),
        ({("libssl3", "all"): "3.0-1", ("tzdata", "amd64"): "2025c"}, ["tzdata"]),
        ({("tzdata", "all"): "2025a"}, ["libssl3"]),
    ],
    ids=["neither", "one", "newer ones", "another architecture", "gone"],
)
def test_fixed_is_what_has_the_version_or_lacks_the_package(
    held: dict[tuple[str, str], str], expected: list[str]
) -> None:
    assert [update.package for update in fixed([DUE], held)] == expected


def test_history_gives_back_what_was_added(tmp_path: Path) -> None:
    history = History(Settings(tmp_path))
    assert list(history) == []
    history.add(DUE)
    history.add(DONE, Approved("update-1", 1200, "root"))
    deployed(Settings(tmp_path), "sha256:new", 1700, "shop")
    assert list(history) == [DUE, DONE, Approved("update-1", 1200, "root"), Deployed("sha256:new", 1700, "shop")]


def test_half_a_line_is_passed_over_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    history = History(Settings(tmp_path))
    history.add(DUE)
    path = tmp_path / "history" / "updates.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"what":"due","rep')
    assert list(history) == [DUE]
    path.write_text(whole + '{"what":"of a later ropewalk","x":1}\n')
    assert list(history) == [DUE]
    path.write_text(whole + '{"what":"due"}\n')
    with pytest.raises(InputError, match=r"updates\.jsonl:2: is damaged"):
        list(history)
