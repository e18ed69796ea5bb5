"""What renewing an image will take, by what it took before; where nothing is known, nothing is said. Pure."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ropewalk.refresh.intent import Way
from ropewalk.refresh.logbook import Campaign


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one image.

    Attributes:
        seconds: With test and publication; None where nothing is known.
        bytes: To be sent to the registry; None where nothing is known.
    """

    seconds: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """What earlier campaigns took.

    Attributes:
        images: What each image took last, by its name and what was done.
        usual: The median over all images, by what was done.
    """

    images: Mapping[tuple[str, Way], Expected]
    usual: Mapping[Way, Expected]


def costs_of(campaigns: Iterable[Campaign]) -> Costs:
    """Collect what earlier campaigns took.

    Args:
        campaigns: The earliest first.
    """
    images: dict[tuple[str, Way], Expected] = {}
    for campaign in campaigns:
        for row in campaign.rows:
            if row.done:
                images[row.name, row.how] = Expected(row.seconds, row.bytes_pushed or None)
    usual = {}
    for way in (Way.REBUILT, Way.REBASED):
        known = [cost for (_, how), cost in images.items() if how is way]
        usual[way] = Expected(
            _median([cost.seconds for cost in known if cost.seconds is not None]),
            _bytes(_median([cost.bytes for cost in known if cost.bytes is not None])),
        )
    return Costs(images, usual)


def _median(values: "list[float] | list[int]") -> float | None:
    return float(statistics.median(values)) if values else None


def _bytes(value: float | None) -> int | None:
    return None if value is None else int(value)


def expect(name: str, way: Way, costs: Costs, *, built: float | None, own_bytes: int | None) -> Expected:
    """Say what one image will take.

    Args:
        name: The line's name.
        way: What will be done.
        costs: What was seen before.
        built: Seconds that its last full build took; None where nobody measured.
        own_bytes: Compressed size of its own layers; None where they are not here.

    Returns:
        What it took last time; for a rebuild else what its build took and has, for a rebase else what others took.
    """
    if way is Way.UNCHANGED:
        return Expected(0.0, 0)
    last = costs.images.get((name, way), Expected())
    others = costs.usual[way] if way is Way.REBASED else Expected(built, own_bytes)
    return Expected(
        last.seconds if last.seconds is not None else others.seconds,
        last.bytes if last.bytes is not None else others.bytes,
    )
