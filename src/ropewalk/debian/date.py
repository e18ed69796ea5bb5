"""Dates as changelogs and release files write them (RFC 5322)."""

from datetime import UTC
from email.utils import parsedate_to_datetime


def seconds(text: str) -> int:
    """Read a date as changelogs and release files write it: ``Mon, 05 Jan 2026 12:00:00 +0000``.

    Args:
        text: The date; without an offset it is UTC.

    Returns:
        Seconds since 1970.

    Raises:
        ValueError: It is no date.
    """
    try:
        read = parsedate_to_datetime(text)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, TypeError, IndexError) as error:
        raise ValueError(text) from error
