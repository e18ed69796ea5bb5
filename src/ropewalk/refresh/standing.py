"""Where a watch stands: the last look at the archive and what waits for approval. Made again by the next look."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ropewalk import atomic
from ropewalk.refresh.history import Update
from ropewalk.refresh.policy import Kind, Pending, Waiting
from ropewalk.settings import Settings

_NAME = "watch.json"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a watch stands.

    Attributes:
        view: Id of the view that was looked at last; empty before the first look.
        at: When, in seconds since 1970.
        settled: All that the last round depended on, where it left nothing to do; empty otherwise.
        waiting: What waits for approval.
        error: Why the last look failed; empty where it did not.
    """

    view: str = ""
    at: int = 0
    settled: str = ""
    waiting: tuple[Waiting, ...] = ()
    error: str = ""


def keep_standing(settings: Settings, standing: Standing) -> None:
    """Keep where a watch stands; `standing_of` reads it back."""
    atomic.write_text(settings.state / _NAME, json.dumps(asdict(standing), indent=1))


def standing_of(settings: Settings) -> Standing:
    """Return where the watch of a state directory stands; a file that is damaged or of another Ropewalk counts as none."""
    try:
        data = json.loads((settings.state / _NAME).read_bytes())
        return Standing(**{**data, "waiting": tuple(_waiting(one) for one in data["waiting"])})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Standing()


def _waiting(data: dict[str, Any]) -> Waiting:
    pending = (
        Pending(**{**one, "updates": tuple(Update(**update) for update in one["updates"])}) for one in data["pending"]
    )
    return Waiting(data["id"], Kind(data["kind"]), tuple(pending))
