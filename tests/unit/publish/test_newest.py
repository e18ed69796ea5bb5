import pytest

from ropewalk.publish import is_newest


@pytest.mark.parametrize(
    ("tag", "others", "newest"),
    [
        ("1.0", (), True),
        ("1.0", ("1.0",), True),
        ("1.10", ("1.9", "latest"), True),
        ("1.9", ("1.10",), False),
        ("1.9-r2", ("1.9", "1.9-r1"), True),
        ("1.9-r2", ("1.9-r10",), False),
        ("1.9-r10", ("1.9-r2",), True),
        ("1.9", ("1.9-r2",), False),
        ("1.9-r9", ("1.10",), False),
        ("1.22.1-3", ("1.22.1-2-r7",), True),
        ("1.0", ("latest", "stable", "sha256-00.sig", "sha256-00.att"), True),
        ("20250520", ("20250519",), True),
        ("1.0", ("9_x",), True),
    ],
)
def test_newest(tag: str, others: tuple[str, ...], newest: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_newest(tag, others) is newest
