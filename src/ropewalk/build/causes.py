"""Why two builds of one recipe differ at a path: what the contents show, what the table of `known.py` says, the network.

Pure.
"""

import re
from collections.abc import Callable, Iterator

from ropewalk.build.known import A_KEY, PIN, Cause, Why, explain

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_TIMES = re.compile(
    rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?)?|\d\d?:\d\d(?::\d\d)?"
    rb"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(?:\d{1,2} +(?:MON)|(?:MON) +\d{1,2})(?:,? +\d{4})?"
    rb"|\b20\d\d\b"
    rb"|\b(?:19|20)\d{6}(?:\d{6})?\b|\b1[0-9]{9}(?:[0-9]{3}){0,3}\b".replace(b"MON", _MONTHS.encode())
)
_RANDOM = re.compile(
    rb"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|(?:0x)?\b[0-9a-fA-F]{12,}\b|/tmp/[\w./-]+"
)
_PEM = re.compile(rb"-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z ]*-----")
_FETCHING = re.compile(
    r"\b(?:pip3?|npm|yarn|pnpm|composer|cargo|gem|cpanm?|mvn|gradle)\s[^\n;&|]*\b(?:install|ci|add|build|require|update)\b"
    r"|\b(?:curl|wget)(?=\s+[-\"'$hf])|\bgit\s+clone\b|\bgo\s+(?:get|install|mod\s+download|build)\b"
)
_YEARS = 5 * 365 * 86400
_STAMP_BYTES = 4
_MOST_STAMPS = 256


def cause_of_content(old: bytes, new: bytes, now: int) -> Why | None:
    """Find what makes two contents differ by looking at them.

    Args:
        old: One content.
        new: The other.
        now: About when they were made, in seconds since 1970.

    Returns:
        The cause; None where the contents do not show it.
    """
    return next((why for shows, why in _SHOWN if shows(old, new, now)), None)


def _without(pattern: re.Pattern[bytes], data: bytes) -> bytes:
    return pattern.sub(b"\0", data)


def _only_stamps(old: bytes, new: bytes, now: int) -> bool:
    """Say whether all that differs are four-byte times of about now."""
    if len(old) != len(new):
        return False
    count = 0
    for start, end in _runs(old, new):
        count += 1
        if count > _MOST_STAMPS or not _is_stamp(old, new, (start, end), now):
            return False
    return count > 0


def _runs(old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    """Go through the places that differ; those within four bytes are one."""
    start = last = -1
    for at, (one, other) in enumerate(zip(old, new, strict=True)):
        if one == other:
            continue
        if start >= 0 and at - start >= _STAMP_BYTES:
            yield start, last + 1
            start = at
        elif start < 0:
            start = at
        last = at
    if start >= 0:
        yield start, last + 1


def _is_stamp(old: bytes, new: bytes, place: tuple[int, int], now: int) -> bool:
    starts = range(max(0, place[1] - _STAMP_BYTES), place[0] + 1)
    windows = [slice(at, at + _STAMP_BYTES) for at in starts if at + _STAMP_BYTES <= len(old)]

    def near(data: bytes, order: Callable[[bytes], int]) -> bool:
        return abs(order(data) - now) < _YEARS

    orders = (lambda data: int.from_bytes(data, "little"), lambda data: int.from_bytes(data, "big"))
    return any(near(old[window], order) and near(new[window], order) for window in windows for order in orders)


def _same_lines(old: bytes, new: bytes, _now: int) -> bool:
    return sorted(old.splitlines()) == sorted(new.splitlines())


def _same_bytes(old: bytes, new: bytes, _now: int) -> bool:
    return len(old) == len(new) and all(old.count(byte) == new.count(byte) for byte in range(256))


_READ_EPOCH = "let what writes it read $SOURCE_DATE_EPOCH"
_SHOWN: tuple[tuple[Callable[[bytes, bytes, int], bool], Why], ...] = (
    (lambda old, new, _: bool(_PEM.search(old) and _PEM.search(new)), A_KEY),
    (_same_lines, Why(Cause.ORDER, "the same lines in another order", "sort what writes it")),
    (
        lambda old, new, _: _without(_TIMES, old) == _without(_TIMES, new),
        Why(Cause.TIME, "only dates and times in it differ", _READ_EPOCH),
    ),
    (
        lambda old, new, _: _without(_RANDOM, old) == _without(_RANDOM, new),
        Why(Cause.RANDOM, "only identifiers, hashes or temporary names in it differ"),
    ),
    (_only_stamps, Why(Cause.TIME, "only binary times in it differ", _READ_EPOCH)),
    (_same_bytes, Why(Cause.ORDER, "the same bytes in another order")),
)
"""What contents can show, the surest first."""


def fetching(dockerfile: str) -> str:
    """Return the first command of a Dockerfile that fetches something past the archive view; empty where none does.

    Args:
        dockerfile: The rendered Dockerfile.
    """
    found = _FETCHING.search(dockerfile)
    return " ".join(found[0].split()) if found else ""


def cause_of(path: str, contents: tuple[bytes, bytes] | None, dockerfile: str, now: int) -> Why:
    """Say why two builds differ at a path: keys by path, then what the contents show, then the table, then the network.

    Args:
        path: Relative to the root.
        contents: Both contents where it is a file in both and was read; None otherwise.
        dockerfile: The rendered Dockerfile; empty for a base image.
        now: About when they were made, in seconds since 1970.
    """
    known = explain(path, contents[0] if contents is not None else b"")
    if known is not None and known.cause is Cause.KEY:
        return known
    shown = cause_of_content(*contents, now) if contents is not None else None
    if shown is not None and not (known is not None and known.cause is shown.cause):
        return shown
    if known is not None:
        return known
    if command := fetching(dockerfile):
        return Why(Cause.NETWORK, f"the recipe fetches past the archive view: `{command}`", PIN)
    return Why(Cause.UNKNOWN, "nothing known explains it")
