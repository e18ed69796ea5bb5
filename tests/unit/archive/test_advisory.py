import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.tracker import release, tracker
from kit.webserver import Asked, Said, serving
from ropewalk.archive import Fix, Status, Upstream, Urgency, load_tracker, parse_tracker
from ropewalk.errors import InputError

CVE = "CVE-2024-4741"
DATA = tracker(
    {
        "openssl": {
            CVE: {
                "bookworm": release(fixed="3.0.14-1~deb12u1", urgency="high**"),
                "trixie": release("open", urgency="low", nodsa="Minor issue", nodsa_reason="postponed"),
                "sid": release(fixed="0"),
            },
            "CVE-2025-1": {"bookworm": release(fixed="3.0.17-1~deb12u3", urgency="medium")},
            "CVE-2025-2": {"bookworm": release("undetermined")},
        },
        "openssl1.0": {CVE: {"bookworm": release("open", urgency="end-of-life")}},
        "bind9": {"CVE-2025-3": {"bookworm": release(fixed="1:9.18.33-1~deb12u2", urgency="critical")}},
    }
)


def fix(identifier: str = CVE, codename: str = "bookworm", place: int = 0) -> Fix:
    return parse_tracker(DATA, "tracker").named(identifier)[place].releases[codename]


def test_an_issue_is_told_source_by_source() -> None:
    found = parse_tracker(DATA, "tracker").named(CVE)
    assert [(one.id, one.source) for one in found] == [(CVE, "openssl"), (CVE, "openssl1.0")]
    assert fix() == Fix(Status.RESOLVED, "3.0.14-1~deb12u1", Urgency.HIGH, "")
    assert fix(codename="trixie") == Fix(Status.OPEN, "", Urgency.LOW, "Minor issue")
    assert fix("CVE-2025-3").urgency is Urgency.UNASSIGNED


@pytest.mark.parametrize(
    ("identifier", "codename", "version", "affected"),
    [
        (CVE, "bookworm", "3.0.13-1~deb12u1", True),
        (CVE, "bookworm", "3.0.14-1~deb12u1", False),
        (CVE, "bookworm", "3.0.14-1~deb12u2", False),
        (CVE, "bookworm", "1:0.1", False),
        (CVE, "trixie", "99", True),
        (CVE, "sid", "0.0.1", False),
        ("CVE-2025-2", "bookworm", "1", None),
        ("CVE-2025-3", "bookworm", "9.18.33-1~deb12u2", True),
        ("CVE-2025-3", "bookworm", "1:9.18.33-1~deb12u2", False),
        ("CVE-2025-3", "bookworm", "1:9.18.33-1~deb12u1", True),
    ],
)
def test_versions_of_source_packages_are_compared(
    *, identifier: str, codename: str, version: str, affected: bool | None
) -> None:
    assert fix(identifier, codename).affects(version) is affected


def test_the_highest_urgency_between_two_versions_counts() -> None:
    known = parse_tracker(DATA, "tracker")
    assert known.urgency("openssl", "bookworm", "3.0.11-1", "3.0.17-1~deb12u3") is Urgency.HIGH
    assert known.urgency("openssl", "bookworm", "3.0.14-1~deb12u1", "3.0.17-1~deb12u3") is Urgency.MEDIUM
    assert known.urgency("openssl", "bookworm", "3.0.14-1~deb12u1", "3.0.16-1~deb12u1") is None
    assert known.urgency("openssl", "trixie", "1", "2") is None
    assert known.urgency("zlib", "bookworm", "1", "2") is None


@pytest.mark.parametrize(
    ("identifier", "hint"),
    [
        ("CVE-2024-4740", f"did you mean {CVE}?"),
        ("DSA-5764-1", "its JSON names CVEs, not DSAs: give one of the advisory's CVEs, or its package with --package"),
        ("x", "fetch tracker anew; --package names a package instead"),
    ],
)
def test_an_unknown_issue_has_a_hint(identifier: str, hint: str) -> None:
    with pytest.raises(InputError, match="the security tracker does not have it") as caught:
        parse_tracker(DATA, "tracker").named(identifier)
    assert caught.value.hint == hint


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"a": []}', b"[" * 100_000, b"\xff"])
def test_other_content_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_tracker(data, "tracker")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"releases": []},
        {"releases": {"bookworm": {}}},
        {"releases": {"bookworm": {"status": "fixed"}}},
        {"releases": {"bookworm": {"status": "resolved", "fixed_version": "<unfixed>"}}},
        {"releases": {"bookworm": None}},
        None,
    ],
)
def test_a_malformed_entry_is_told_when_it_is_asked_for(entry: object) -> None:
    known = parse_tracker(json.dumps({"a": {"CVE-1": entry, "CVE-2": {"releases": {}}}}).encode(), "tracker")
    assert known.named("CVE-2")[0].releases == {}
    with pytest.raises(InputError):
        known.named("CVE-1")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x)))
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        known = parse_tracker(json.dumps(value).encode(), "tracker")
        for source in known.issues:
            known.of(source)
    except InputError:
        pass


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tracker.json"
    path.write_bytes(DATA)
    assert load_tracker(str(path), Upstream(), tmp_path).named(CVE)
    with pytest.raises(InputError, match="cannot be read"):
        load_tracker(str(tmp_path / "none"), Upstream(), tmp_path)


def test_an_address_that_has_nothing_new_sends_nothing(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Said:
        known = asked.headers.get("if-none-match") == '"1"'
        return Said(304) if known else Said(body=DATA, headers={"ETag": '"1"'})

    with serving(answer) as server:
        url = f"{server.url}/tracker/data/json"
        for _ in range(2):
            assert load_tracker(url, Upstream(), tmp_path / "kept").named(CVE)
        assert [asked.headers.get("if-none-match") for asked in server.asked] == [None, '"1"']
        for path in (tmp_path / "kept").glob("*.json"):
            path.write_bytes(b"{}")
        assert load_tracker(url, Upstream(), tmp_path / "kept").named(CVE), "damaged content is fetched anew"
