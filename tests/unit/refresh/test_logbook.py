"""Campaigns as they are kept, and what is expected by what they took."""

from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.refresh import Campaign, CampaignBook, CampaignRow, Costs, Expected, State, Way, costs_of
from ropewalk.refresh.expect import expect

EMPTY = Campaign("all-V", "all", "V", 5, ("a:1", "b:1"))
BASE = CampaignRow("base", "base:1", "base:1-r2", "sha256:1", Way.REBUILT, "libc6 1 -> 2", 60.0, 30_000_000)
SITE = CampaignRow("site", "site:1", "site:1-r2", "sha256:2", Way.REBASED, "parent base renewed", 0.5, 40_000)
FAILED = replace(SITE, new="site:1", how=Way.UNCHANGED, error="its test failed")


@pytest.fixture
def book(tmp_path: Path) -> CampaignBook:
    return CampaignBook(tmp_path / "campaigns")


def kept(book: CampaignBook, *rows: CampaignRow, **more: int) -> Campaign:
    campaign = replace(EMPTY, **more)
    book.save(campaign)
    for row in rows:
        campaign = book.add(campaign, row)
    return campaign


def test_a_campaign_is_found_as_it_was_kept(book: CampaignBook) -> None:
    campaign = kept(book, BASE, SITE)
    assert campaign.rows == (BASE, SITE)
    assert book.load("all-V") == campaign
    assert list(book) == [campaign]
    assert campaign.state is State.STOPPED


def test_what_died_in_the_middle_of_a_line_is_passed_over(book: CampaignBook, tmp_path: Path) -> None:
    kept(book, BASE)
    with (tmp_path / "campaigns" / "all-V.jsonl").open("a") as handle:
        handle.write('{"name": "si')
    assert book.load("all-V").rows == (BASE,)
    assert book.add(book.load("all-V"), SITE) == book.load("all-V")


def test_a_failure_is_forgotten_when_the_image_is_renewed_but_not_the_other_way_round(book: CampaignBook) -> None:
    assert kept(book, FAILED, ended=9).state is State.FAILED
    assert book.add(book.load("all-V"), SITE).state is State.DONE
    assert book.add(book.load("all-V"), FAILED).rows == (SITE,)
    assert book.load("all-V").rows == (SITE,)


def test_an_unknown_campaign_has_a_hint(book: CampaignBook) -> None:
    kept(book)
    with pytest.raises(InputError, match="no such campaign") as caught:
        book.load("al-V")
    assert caught.value.hint == "did you mean `all-V`?"
    assert book.find("../all-V") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}'])
def test_a_damaged_file_is_told(book: CampaignBook, tmp_path: Path, text: str) -> None:
    kept(book)
    (tmp_path / "campaigns" / "all-V.json").write_text(text)
    with pytest.raises(InputError, match="is no campaign"):
        book.load("all-V")


# what is expected


def test_what_it_took_last_time_is_expected() -> None:
    later = replace(EMPTY, started=6, rows=(replace(SITE, seconds=0.7, bytes_pushed=50_000),))
    costs = costs_of([replace(EMPTY, rows=(BASE, SITE)), later])
    assert expect("site", Way.REBASED, costs, built=None, own_bytes=None) == Expected(0.7, 50_000)
    assert expect("base", Way.REBUILT, costs, built=99.0, own_bytes=1) == Expected(60.0, 30_000_000)


def test_of_a_rebase_what_others_took_is_expected_and_of_a_rebuild_what_the_build_took() -> None:
    rows = tuple(replace(SITE, name=f"site{n}", seconds=float(n), bytes_pushed=n * 1000) for n in (1, 2, 9))
    costs = costs_of([replace(EMPTY, rows=(*rows, FAILED))])
    assert expect("new", Way.REBASED, costs, built=99.0, own_bytes=7) == Expected(2.0, 2000)
    assert expect("new", Way.REBUILT, costs, built=99.0, own_bytes=7) == Expected(99.0, 7)
    assert expect("new", Way.UNCHANGED, costs, built=99.0, own_bytes=7) == Expected(0.0, 0)


def test_where_nothing_is_known_nothing_is_said() -> None:
    nothing = Costs({}, costs_of([]).usual)
    for way in (Way.REBASED, Way.REBUILT):
        assert expect("new", way, nothing, built=None, own_bytes=None) == Expected(None, None)
    unsent = costs_of([replace(EMPTY, rows=(replace(SITE, bytes_pushed=0),))])
    assert expect("site", Way.REBASED, unsent, built=None, own_bytes=None) == Expected(0.5, None)
