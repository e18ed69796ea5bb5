"""``ropewalk.keep`` in ``config.yaml``: how long views and pool keep what no image needs, and whether sources are kept."""

import re
from dataclasses import dataclass

from ropewalk.recipe.yamlfile import Node

_SIZE = re.compile(r"(?P<number>[1-9][0-9]*)(?P<unit>[KMGT]?)")
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_KEYS = ("view_days", "pool_days", "pool_size", "sources")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept beyond what images need.

    Attributes:
        view_days: Views that no image needs stay this many days after they were last made.
        pool_days: Files of the pool that no image needs stay this many days after their last use.
        pool_size: Bytes that the pool may have; above, what no image needs goes, the least recently used first. None
            for no bound.
        sources: Source packages of what images hold are recorded, fetched and kept.
    """

    view_days: int = 30
    pool_days: int = 90
    pool_size: int | None = None
    sources: bool = False


def read_keeping(node: Node) -> Keeping:
    """Read the settings.

    Args:
        node: The mapping.

    Raises:
        InputError: A key is unknown or a value is wrong; names file and line.
    """
    given, usual = node.fields(_KEYS), Keeping()
    return Keeping(
        view_days=given["view_days"].number() if "view_days" in given else usual.view_days,
        pool_days=given["pool_days"].number() if "pool_days" in given else usual.pool_days,
        pool_size=_size(given["pool_size"]) if "pool_size" in given else None,
        sources=given["sources"].flag() if "sources" in given else False,
    )


def _size(node: Node) -> int:
    match = _SIZE.fullmatch(str(node.value))
    if match is None or isinstance(node.value, bool):
        raise node.fault(f"`{node.name}` is no size", "write bytes, or a number with K, M, G or T: 50G")
    return int(match["number"]) * _UNITS[match["unit"]]
