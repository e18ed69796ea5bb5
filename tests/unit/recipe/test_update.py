from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.recipes import changelog, config, write
from ropewalk.debian.changelog import newest
from ropewalk.errors import InputError
from ropewalk.recipe import Entry, TreeConfig, author, counted, dated, edited
from ropewalk.recipe.update import write as write_edit

ENTRY = Entry("New Go.", "A Person <a@example.org>", 1_767_614_400, "wikimedia")


@pytest.mark.parametrize(
    ("version", "letter", "new"),
    [
        ("1.0", "s", "1.0-s1"),
        ("1.0-3", "s", "1.0-3-s1"),
        ("1.0-3-s1", "s", "1.0-3-s2"),
        ("1.0-3-s9", "s", "1.0-3-s10"),
        ("1.0-s2-20260104", "s", "1.0-s2-20260104-s1"),
        ("1.0-3-s1", "u", "1.0-3-s1-u1"),
        ("1.22.1.deb12-1", "s", "1.22.1.deb12-1-s1"),
        ("1.0-3", "", "1.0-4"),
    ],
)
def test_an_update_counts_up(version: str, letter: str, new: str) -> None:
    assert counted(version, letter) == new


@pytest.mark.parametrize(
    ("version", "new"),
    [
        ("1.0-3", "1.0-3-20260111"),
        ("1.0-3-20260104", "1.0-3-20260111"),
        ("1.0-3-20260104-s1", "1.0-3-20260104-s1-20260111"),
        ("1.0-202601", "1.0-202601-20260111"),
        ("20260104", "20260104-20260111"),
        ("1.0-3-20260111", "1.0-3-20260111"),
    ],
)
def test_a_renewal_is_dated(version: str, new: str) -> None:
    assert dated(version, date(2026, 1, 11)) == new


@given(st.from_regex(r"[0-9][0-9.]{0,8}(-[0-9]{1,3})?", fullmatch=True), st.sampled_from(["s", "u", "deb"]))
def test_updates_never_give_a_version_twice(version: str, letter: str) -> None:
    seen = [version]
    for _ in range(12):
        seen.append(counted(seen[-1], letter))
    assert len(set(seen)) == len(seen)


def test_an_entry_stands_before_the_others_which_stay_as_they_are(tmp_path: Path) -> None:
    before = changelog("nginx", "1.0-1") + "\nnginx (0.9-1) odd text\r\nthat nobody reads\n"
    (tmp_path / "changelog").write_bytes(before.encode())
    edit = edited(tmp_path, "1.0-1-s1", replace(ENTRY, reason="\nNew Go.  \n\nAnd a fix.\n"))
    assert edit.text == (
        "nginx (1.0-1-s1) wikimedia; urgency=high\n\n  * New Go.\n\n    And a fix.\n\n"
        " -- A Person <a@example.org>  Mon, 05 Jan 2026 12:00:00 +0000\n\n" + before
    )
    assert (tmp_path / "changelog").read_bytes() == before.encode()
    write_edit(edit)
    assert newest((tmp_path / "changelog").read_text(), "changelog").version == "1.0-1-s1"
    assert (tmp_path / "changelog").read_bytes().endswith(before.encode())


def test_mode_stays_and_a_link_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {"there/log": changelog("nginx", "1.0-1")})
    (tmp_path / "there/log").chmod(0o664)
    (tmp_path / "changelog").symlink_to("there/log")
    write_edit(edited(tmp_path, "1.0-2", ENTRY))
    assert (tmp_path / "changelog").is_symlink()
    assert (tmp_path / "there/log").stat().st_mode & 0o777 == 0o664
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["log"]


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        ("1.0-1", "x", "the version 1.0-1 stands in it already"),
        ("0.9-1", "x", "the version 0.9-1 stands in it already"),
        ("1.0~1", "x", "is no image tag"),
        ("1.0-r2", "x", "ends like a build number"),
        ("1.1", " \n ", "the reason is empty"),
    ],
)
def test_what_cannot_be_an_entry(tmp_path: Path, version: str, reason: str, words: str) -> None:
    write(tmp_path, {"changelog": changelog("nginx", "1.0-1") + "\n" + changelog("nginx", "0.9-1")})
    with pytest.raises(InputError, match=words):
        edited(tmp_path, version, replace(ENTRY, reason=reason))


def test_the_author_is_the_environment_then_git_then_the_fallback(tmp_path: Path) -> None:
    settings = config(tmp_path, "fallback_author: Robot\nfallback_email: robot@example.org\n")
    nothing = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    write(tmp_path, {"git": "[user]\n\tname = Git User\n\temail = git@example.org\n"})
    git = {**nothing, "GIT_CONFIG_GLOBAL": str(tmp_path / "git")}
    assert author(settings, nothing, tmp_path) == "Robot <robot@example.org>"
    assert author(settings, git, tmp_path) == "Git User <git@example.org>"
    assert author(settings, {**git, "DEBEMAIL": "me@example.org"}, tmp_path) == "Git User <me@example.org>"
    assert author(settings, {"DEBFULLNAME": "Me  Two", "DEBEMAIL": "m@e"}, tmp_path) == "Me Two <m@e>"


def test_an_author_that_would_break_the_changelog(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the author's name"):
        author(TreeConfig(), {"DEBFULLNAME": "A\nB", "DEBEMAIL": "a@b"}, tmp_path)
