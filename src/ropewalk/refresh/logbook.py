"""Campaigns as they are kept: what asked for each, on which view, which images, and what became of them.

An image's own record says whether it is done, so a campaign that was stopped goes on without this file; the file keeps
what it was about, and what it took.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.recipe.yamlfile import nearest
from ropewalk.refresh.intent import Way


class State(StrEnum):
    """Where a campaign stands."""

    STOPPED = "stopped"
    """It was begun and did not come to its end, or it is at work just now; run again, it goes on."""
    FAILED = "failed"
    """It came to its end, but some images could not be renewed."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """What a campaign did with one image.

    Attributes:
        name: The line's name.
        old: The reference that was current before.
        new: The reference that is current now.
        digest: Its digest.
        how: What was done.
        reason: Why.
        seconds: How long it took, with test and publication.
        bytes_pushed: What was sent to the registry.
        error: Why it failed; empty otherwise.
    """

    name: str
    old: str
    new: str
    digest: str
    how: Way
    reason: str
    seconds: float
    bytes_pushed: int
    error: str = ""

    @property
    def done(self) -> bool:
        """An image was renewed."""
        return self.how is not Way.UNCHANGED and not self.error


@dataclass(frozen=True, slots=True)
class Campaign:
    """A refresh.

    Attributes:
        id: What asked for it, and the view.
        asked: An advisory, ``package NAME``, or ``all``.
        view: Id of the archive view.
        started: When it first began, in seconds since 1970.
        lines: The lines that it concerned when it began; empty where it is limited by nothing.
        rows: What became of the images that it renewed, or could not renew.
        ended: When it last came to its end; 0 where it has not.
        commit: The commits that hold its changelog entries, one a repository, with blanks between; empty where it made none.
    """

    id: str
    asked: str
    view: str
    started: int
    lines: tuple[str, ...] = ()
    rows: tuple[CampaignRow, ...] = ()
    ended: int = 0
    commit: str = ""

    @property
    def state(self) -> State:
        """Where it stands."""
        if not self.ended:
            return State.STOPPED
        return State.FAILED if any(row.error for row in self.rows) else State.DONE

    def with_row(self, row: CampaignRow) -> "Campaign":
        """Return it with one more row; of each image what was said last counts, but what was renewed stays so."""
        before = next((one for one in self.rows if one.name == row.name), None)
        if before is not None and before.done and not row.done:
            return self
        kept = tuple(one for one in self.rows if one.name != row.name)
        return replace(self, rows=(*kept, row))


def _row(data: dict[str, Any]) -> CampaignRow:
    return CampaignRow(**{**data, "how": Way(data["how"])})


class CampaignBook:
    """The campaigns of a state directory: ``campaigns/ID.json``, and a line an image in ``campaigns/ID.jsonl``."""

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which need not exist yet."""
        self._directory = directory

    def save(self, campaign: Campaign) -> None:
        """Keep all of a campaign but its rows, which `add` keeps."""
        said = {name: value for name, value in asdict(campaign).items() if name != "rows"}
        atomic.write_text(self._directory / f"{campaign.id}.json", json.dumps(said, indent=1, sort_keys=True))

    def add(self, campaign: Campaign, row: CampaignRow) -> Campaign:
        """Keep what became of an image; return the campaign with it."""
        atomic.append_lines(self._directory / f"{campaign.id}.jsonl", [json.dumps(asdict(row), separators=(",", ":"))])
        return campaign.with_row(row)

    def find(self, identifier: str) -> Campaign | None:
        """Return a campaign; None where there is none of that id.

        Raises:
            InputError: Its file is damaged.
        """
        path = self._directory / f"{identifier}.json"
        if "/" in identifier or not path.is_file():
            return None
        try:
            data = json.loads(path.read_bytes())
            found = Campaign(**{**data, "lines": tuple(data["lines"])})
            for line in self._rows(identifier):
                found = found.with_row(_row(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            hint = "delete its files there; images that are done stay done"
            raise InputError(f"is no campaign: {error}", where=str(path), hint=hint) from error
        return found

    def _rows(self, identifier: str) -> list[str]:
        path = self._directory / f"{identifier}.jsonl"
        # Behind the last line's end there is at most half a line, of a process that died.
        return path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []

    def load(self, identifier: str) -> Campaign:
        """Return a campaign.

        Raises:
            InputError: There is none of that id; names the nearest.
        """
        found = self.find(identifier)
        if found is None:
            raise InputError("no such campaign", where=identifier, hint=nearest(identifier, self._ids()))
        return found

    def _ids(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in self._directory.glob("*.json")))

    def __iter__(self) -> Iterator[Campaign]:
        """Go through all campaigns, the earliest first."""
        found = (self.find(name) for name in self._ids())
        yield from sorted((one for one in found if one is not None), key=lambda one: (one.started, one.id))
