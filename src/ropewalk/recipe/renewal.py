"""``ropewalk.refresh`` in ``config.yaml``: how images are renewed when the archive has something newer."""

import re
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.recipe.yamlfile import Node, nearest

_KEYS = ("version", "advisories", "security", "updates", "every")
_SPAN = re.compile(r"(?P<number>[1-9][0-9]*)(?P<unit>[smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Versions(StrEnum):
    """Which version a renewed image gets."""

    REBUILD = "rebuild"
    """The same one, as its line's next ``-rN``."""
    CHANGELOG = "changelog"
    """A new changelog entry, committed to the tree."""


class Consent(StrEnum):
    """What an update needs before `ropewalk watch` renews images for it."""

    AUTOMATIC = "automatic"
    """Nothing."""
    APPROVAL = "approval"
    """A person's word."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How images are renewed.

    Attributes:
        version: Which version a renewed image gets.
        advisories: The security tracker's JSON: an address, or a file relative to the config's directory; empty for none.
        security: What a security update needs.
        updates: What any other update needs.
        every: Seconds between two looks at the archive.
    """

    version: Versions = Versions.REBUILD
    advisories: str = ""
    security: Consent = Consent.AUTOMATIC
    updates: Consent = Consent.APPROVAL
    every: int = 300


def read_renewal(node: Node) -> Renewal:
    """Read the settings.

    Args:
        node: The mapping.

    Raises:
        InputError: A key is unknown or a value is wrong; names file and line.
    """
    given, usual = node.fields(_KEYS), Renewal()
    version = given["version"].filled() if "version" in given else str(Versions.REBUILD)
    if version not in list(Versions):
        raise given["version"].fault(
            f"`{version}` is no way to number renewed images", nearest(version, list(Versions))
        )
    place = given["advisories"].filled() if "advisories" in given else ""
    if place and "://" not in place:
        place = str(node.path.parent / place)
    return Renewal(
        version=Versions(version),
        advisories=place,
        security=_consent(given["security"]) if "security" in given else usual.security,
        updates=_consent(given["updates"]) if "updates" in given else usual.updates,
        every=_every(given["every"]) if "every" in given else usual.every,
    )


def _consent(node: Node) -> Consent:
    words = [str(word) for word in Consent]
    if node.text() not in words:
        raise node.fault(f"`{node.name}` cannot be `{node.text()}`", nearest(node.text(), words))
    return Consent(node.text())


def _every(node: Node) -> int:
    seconds = span(str(node.value))
    if seconds is None:
        raise node.fault(f"`{node.name}` is no span of time", "write a number with s, m, h or d: 5m")
    return seconds


def span(text: str) -> int | None:
    """Return the seconds of a span of time such as ``30s``, ``5m``, ``2h`` or ``90d``; None where it is none."""
    match = _SPAN.fullmatch(text)
    return int(match["number"]) * _UNITS[match["unit"]] if match else None
