"""Since when the archive offers a version: the Date of the first recorded release file that has it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ropewalk.archive import View, ViewBook, origin
from ropewalk.archive.suite import SuiteView

Version = tuple[str, str]
"""A package's name and version."""


@dataclass(frozen=True, slots=True)
class Released:
    """Where a version was seen first.

    Attributes:
        at: The release file's Date, in seconds since 1970.
        suite: The suite, as `ropewalk.archive.origin` names it.
    """

    at: int
    suite: str


def released(views: ViewBook, view: View, wanted: Collection[Version]) -> dict[Version, Released]:
    """Find since when versions of a view are offered, as far as recorded views tell.

    Each suite is followed back from view to view as long as it has one of the versions: mostly that is one step, and an
    index is read once.

    Args:
        views: The recorded views.
        view: Where the versions stand.
        wanted: The versions; those that the view lacks are left out of the answer.
    """
    search = _Search(views, frozenset(wanted))
    earlier = [one for one in views if one.id != view.id and _newest(one) <= _newest(view)] if wanted else []
    for suite in view.suites if wanted else ():
        older = [same for one in reversed(earlier) for same in one.suites if same.name == suite.name]
        search.follow(suite, older)
    return search.found


def _newest(view: View) -> int:
    return max(suite.date for suite in view.suites)


@dataclass(frozen=True, slots=True)
class _Search:
    views: ViewBook
    wanted: frozenset[Version]
    found: dict[Version, Released] = field(default_factory=dict)
    _held: dict[str, frozenset[Version]] = field(default_factory=dict)

    def follow(self, suite: SuiteView, older: Sequence[SuiteView]) -> None:
        """Note what a suite has, and how far back it had it."""
        left = self.wanted
        for one in (suite, *older):
            left &= self._versions(one)
            if not left:
                return
            for version in left:
                known = self.found.get(version)
                if known is None or one.date < known.at:
                    self.found[version] = Released(one.date, origin(one.uri, one.suite))

    def _versions(self, suite: SuiteView) -> frozenset[Version]:
        """Return which of the wanted versions a suite has."""
        found: set[Version] = set()
        for index in suite.indexes:
            if index.sha256 not in self._held:
                rows = (row.split("\t", 5) for row in self.views.rows(index))
                self._held[index.sha256] = frozenset((row[3], row[4]) for row in rows) & self.wanted
            found |= self._held[index.sha256]
        return frozenset(found)
