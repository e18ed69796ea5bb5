"""Which recipes a campaign with new versions changes, and what its commit says."""

from kit.house import BASE, GCC, HELLO, TREE
from kit.images import recipe
from ropewalk.refresh import Ask, RefreshRow, Way
from ropewalk.refresh.bump import TRAILER, bases_of, bumps_of, message_of

ASK = Ask(advisory="CVE-2026-1")


def row(name: str, how: Way, reason: str, severity: str = "high") -> RefreshRow:
    return RefreshRow(name, f"{name}:1", f"{name}:1-r2", how, reason, severity=severity)


ROWS = (
    row("bookworm", Way.REBUILT, "libssl3 1 -> 2"),
    row("nginx", Way.REBASED, "parent bookworm renewed: rebase if rules allow"),
    row("gcc", Way.UNCHANGED, ""),
)


def test_what_would_be_renewed_and_what_stands_on_it_gets_a_version_but_no_base() -> None:
    bumps = bumps_of(TREE, ROWS, ASK, "s")
    assert [(one.recipe.name, one.version, one.reason, one.urgency) for one in bumps] == [
        ("nginx", "1-s1", "Security update for CVE-2026-1: parent bookworm renewed", "high"),
        ("site", "1-s1", "Security update for CVE-2026-1: a parent gets a new version", "low"),
    ]
    assert bases_of(TREE) == {BASE.reference}


def test_a_failed_line_is_left_out() -> None:
    assert bumps_of((GCC, HELLO), (RefreshRow("gcc", "", "", Way.REBUILT, "", error="no"),), Ask(), "s") == ()


def test_the_commit_names_advisory_view_and_images() -> None:
    message = message_of(ASK, "V", bumps_of(TREE, ROWS, ASK, "s"))
    assert message.splitlines()[0] == "New versions of 2 images for CVE-2026-1"
    assert message.splitlines()[4:] == ["- nginx 1-s1", "- site 1-s1", "", f"{TRAILER}CVE-2026-1-V"]
    assert "Archive view V." in message


def test_without_an_advisory_the_entry_says_refresh() -> None:
    (bump,) = bumps_of(
        (recipe("tool:2-s1", "bookworm"),), (row("tool", Way.REBUILT, "a 1 -> 2", "medium"),), Ask(), "s"
    )
    assert (bump.version, bump.reason, bump.urgency) == ("2-s2", "Refresh: a 1 -> 2", "medium")
    assert message_of(Ask(), "V", (bump,)).startswith("New versions of 1 images for newer packages\n")
