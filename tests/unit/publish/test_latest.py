"""Which version tag gets ``latest``."""

import pytest

from ropewalk.publish import Standing, standing

OLDER, NEWEST, LIKELY = Standing.OLDER, Standing.NEWEST, Standing.LIKELY


@pytest.mark.parametrize(
    ("tag", "others", "expected"),
    [
        ("1.0", (), NEWEST),
        ("1.0", ("1.0",), NEWEST),
        ("1.10", ("1.9", "latest"), LIKELY),
        ("1.9", ("1.10",), OLDER),
        ("1.9-r2", ("1.9", "1.9-r1"), NEWEST),
        ("1.9-r2", ("1.9-r10",), OLDER),
        ("1.9-r10", ("1.9-r2",), NEWEST),
        ("1.9", ("1.9-r2",), OLDER),
        ("1.9-r9", ("1.10",), OLDER),
        ("1.22.1-3", ("1.22.1-2-r7",), LIKELY),
        ("1.0", ("latest", "sha256-00.sig", "sha256-00.att"), NEWEST),
        ("1.0", ("stable",), LIKELY),
        ("20250520", ("20250519",), LIKELY),
        ("1.0", ("9_x",), LIKELY),
        ("0.102.0-1", ("v0.100.0-1",), LIKELY),
        ("v0.100.0-1", ("0.102.0-1",), OLDER),
    ],
)
def test_without_a_changelog_numbers_tell(tag: str, others: tuple[str, ...], expected: Standing) -> None:
    assert standing(tag, others) is expected


@pytest.mark.parametrize(
    ("tag", "others"),
    [
        ("4.0.2-4", "4.0.2-3-20260816"),  # a weekly renewal
        ("4.0.2-4", "4.0.2-3-s1"),  # docker-pkg's update
        ("4.0.2-4", "4.0.2-3-s2-20260816-r3"),
        ("4.0.2-3-20260816", "4.0.2-3"),
        ("4.0.2-3-20260823", "4.0.2-3-20260816"),
        ("0.2", "0.1-20260816"),
        ("4.0.2-4-20260823-120000", "4.0.2-4-20260823"),
    ],
)
def test_what_a_renewal_appends_counts_within_its_version(tag: str, others: str) -> None:
    assert standing(tag, [others]) is LIKELY
    assert standing(others, [tag]) is OLDER


@pytest.mark.parametrize(
    ("tag", "others", "older", "expected"),
    [
        ("4.0.2-4", ("4.0.2-3-20260816", "4.0.2-3"), ("4.0.2-3-20260816", "4.0.2-3"), NEWEST),
        # the tree went back to an older upstream version
        ("8.1.32-1-s1", ("8.1.34-1-s6-20250323",), ("8.1.34-1-s6-20250323",), NEWEST),
        # nightly builds of older entries stand in no changelog
        ("1.0-1", ("2.0-1-20260816",), ("2.0-1",), NEWEST),
        # an old checkout does not know what came after it
        ("4.0.2-3-20260816-r2", ("4.0.2-4",), ("4.0.2-3",), OLDER),
        ("4.0.2-3-20260816", ("4.0.2-3-20260823",), ("4.0.2-3",), OLDER),
        ("2.0-1-r2", ("1.0-1",), ("1.9-1",), LIKELY),
    ],
)
def test_a_changelog_counts_for_more_than_numbers(
    tag: str, others: tuple[str, ...], older: tuple[str, ...], expected: Standing
) -> None:
    assert standing(tag, others, older) is expected
