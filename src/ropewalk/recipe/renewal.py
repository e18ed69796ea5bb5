"""``ropewalk.refresh`` in ``config.yaml``: how images are renewed when the archive has something newer."""

from dataclasses import dataclass
from enum import StrEnum

from ropewalk.recipe.yamlfile import Node, nearest


class Versions(StrEnum):
    """Which version a renewed image gets."""

    REBUILD = "rebuild"
    """The same one, as its line's next ``-rN``."""
    CHANGELOG = "changelog"
    """A new changelog entry, committed to the tree."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How images are renewed.

    Attributes:
        version: Which version a renewed image gets.
        advisories: The security tracker's JSON: an address, or a file relative to the config's directory; empty for none.
    """

    version: Versions = Versions.REBUILD
    advisories: str = ""


def read_renewal(node: Node) -> Renewal:
    """Read the settings.

    Args:
        node: The mapping.

    Raises:
        InputError: A key is unknown or a value is wrong; names file and line.
    """
    given = node.fields(("version", "advisories"))
    version = given["version"].filled() if "version" in given else str(Versions.REBUILD)
    if version not in list(Versions):
        raise given["version"].fault(
            f"`{version}` is no way to number renewed images", nearest(version, list(Versions))
        )
    place = given["advisories"].filled() if "advisories" in given else ""
    if place and "://" not in place:
        place = str(node.path.parent / place)
    return Renewal(Versions(version), place)
