"""What is remembered of each suite beyond its views: how new it was, and how to ask whether it has changed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive.fetch import Mark
from ropewalk.archive.suite import View
from ropewalk.errors import InputError


@dataclass(frozen=True, slots=True)
class Seen:
    """What was recorded last of a suite.

    Attributes:
        date: The newest Date, in seconds since 1970; an older one is refused. 0 where there was none.
        url: Where the release file was fetched.
        mark: How that server knows it.
        inrelease: Its sha256.
        named: How it named itself.
    """

    date: int = 0
    url: str = ""
    mark: Mark = field(default_factory=Mark)
    inrelease: str = ""
    named: str = ""


def remembered(path: Path, views: Iterable[View]) -> dict[str, Seen]:
    """Read what is remembered of all suites, by ``URI SUITE``.

    Args:
        path: The file that `remember` wrote; it need not exist.
        views: Recorded views; their dates count too, as older programs kept no file.

    Raises:
        InputError: The file is damaged.
    """
    try:
        data = json.loads(path.read_bytes()) if path.exists() else {}
        found = {name: Seen(**{**one, "mark": Mark(**one["mark"])}) for name, one in data.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "delete it; until a view is made again, an older archive than was seen is not noticed"
        raise InputError("is damaged", where=str(path), hint=hint) from error
    for suite in (suite for view in views for suite in view.suites):
        seen = found.setdefault(suite.name, Seen())
        found[suite.name] = replace(seen, date=max(seen.date, suite.date))
    return found


def remember(path: Path, seen: Mapping[str, Seen]) -> None:
    """Keep what `remembered` reads back."""
    atomic.write_text(path, json.dumps({name: asdict(one) for name, one in seen.items()}, indent=1, sort_keys=True))
