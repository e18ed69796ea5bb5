"""Version numbers in dpkg's order (Debian Policy 5.6.12; deb-version(7)).

A version becomes a string once; strings then compare as dpkg compares versions, in Python and in a database whose
collation is by byte.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from ropewalk.errors import InputError

_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]+):(?=.))?(?P<upstream>[A-Za-z0-9.+~:-]*?)(?:-(?P<revision>[A-Za-z0-9.+~]+))?"
)
_RUN = re.compile(r"([^0-9]*)([0-9]*)")
_END = "#"
"""Ends a run of non-digits and a whole part: above the tilde, below every letter."""
_ORDER = str.maketrans("~+-.:", "!{|}~")
"""Non-digits by rank: tilde, (end), letters, then the signs in ASCII order."""
_DIGITS_A_STEP = 60
_ZERO = ord("0")


@dataclass(frozen=True, slots=True)
class Version:
    """A version in its three parts.

    Attributes:
        epoch: 0 where none is written.
        upstream: The upstream version.
        revision: The Debian revision; empty where none is written.
    """

    epoch: int
    upstream: str
    revision: str

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read a version.

        Args:
            text: ``[epoch:]upstream[-revision]``.

        Returns:
            Its parts.

        Raises:
            InputError: It has characters that no version may have, or an empty part.
        """
        match = _VERSION.fullmatch(text)
        if match is None or not _is_upstream(match["upstream"], match["epoch"]):
            hint = "a version is [epoch:]upstream[-revision] of letters, digits and . + ~ -"
            raise InputError("is no Debian version", where=repr(text), hint=hint)
        return cls(int(match["epoch"] or 0), match["upstream"], match["revision"] or "")

    def key(self) -> str:
        """Return the sort key; see `sort_key`."""
        return _number(str(self.epoch)) + _part(self.upstream) + _part(self.revision)

    def __str__(self) -> str:
        """Return the version as text, without an epoch of 0."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        revision = f"-{self.revision}" if self.revision else ""
        return f"{epoch}{self.upstream}{revision}"


def _is_upstream(text: str, epoch: str | None) -> bool:
    """Tell whether text is an upstream version: no empty revision after it, a colon only where an epoch stands before."""
    return bool(text) and not text.endswith("-") and (epoch is not None or ":" not in text)


def _number(digits: str) -> str:
    """Write a number so that text order is its order: how many digits, then the digits; nothing is 0."""
    significant = digits.lstrip("0")
    steps, rest = divmod(len(significant), _DIGITS_A_STEP)
    return f"{'~' * steps}{chr(_ZERO + rest)}{significant}"


def _part(text: str) -> str:
    """Write the upstream version or the revision: runs of non-digits and numbers in turn, as dpkg reads them."""
    runs = _RUN.findall(text)[:-1] or [("", "")]
    return "".join(f"{other.translate(_ORDER)}{_END}{_number(digits)}" for other, digits in runs) + _END


@lru_cache(maxsize=1 << 17)
def sort_key(version: str) -> str:
    """Return a string whose order is dpkg's order of versions; equal versions (``1.0`` and ``0:1.00``) have one key.

    Args:
        version: A version.

    Returns:
        Printable ASCII, to be compared byte by byte (SQLite's default; ``COLLATE "C"`` in PostgreSQL).

    Raises:
        InputError: It is no version.
    """
    return Version.parse(version).key()


@lru_cache(maxsize=1 << 14)
def parts_key(version: str) -> tuple[str, ...]:
    """Return a key by which every hyphen parts a version, not the last one alone.

    Renewals append to a version: ``4.0.2-3`` < ``4.0.2-3-20260816`` < ``4.0.2-4``. dpkg takes ``4.0.2-3`` for the
    upstream version of the second one and puts it last. With at most one hyphen both orders are the same.

    Args:
        version: A version without epoch.

    Raises:
        InputError: It is no version.
    """
    Version.parse(version)
    return tuple(_part(part) for part in version.split("-"))


def compare(a: str, b: str) -> int:
    """Compare two versions as ``dpkg --compare-versions`` does.

    Returns:
        -1, 0 or 1: ``a`` is older, the same, or newer.

    Raises:
        InputError: One of them is no version.
    """
    left, right = sort_key(a), sort_key(b)
    return (left > right) - (left < right)


def upstream_version(version: str) -> str:
    """Return a version without epoch and revision.

    Raises:
        InputError: It is no version.
    """
    return Version.parse(version).upstream
