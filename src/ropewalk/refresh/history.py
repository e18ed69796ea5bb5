"""The history of updates: what became due, was published, approved and deployed. One JSON object a line, only added to.

Neither store, records nor registry say it, so nothing rebuilds or prunes it (DESIGN, principle 1).
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.settings import Settings


@dataclass(frozen=True, slots=True)
class Update:
    """A package of an image that a view has newer.

    Attributes:
        package: Its name.
        architecture: Its architecture in the image.
        installed: Its version there.
        candidate: The version that apt would install.
        security: A security suite has a newer version than the installed one.
        released: The Date of the first release file in which the candidate was seen, in seconds since 1970.
        suite: That suite.
    """

    package: str
    architecture: str
    installed: str
    candidate: str
    security: bool
    released: int
    suite: str

    def __str__(self) -> str:
        """Return one phrase for people."""
        return f"{self.package} {self.installed} -> {self.candidate}"


@dataclass(frozen=True, slots=True)
class Due:
    """A view has newer packages than an image: seen for the first time.

    Attributes:
        repository: ``registry/namespace/name``.
        digest: Its current image at that time.
        view: The view.
        at: When it was seen, in seconds since 1970.
        updates: The packages, as far as they were not noted before.
    """

    repository: str
    digest: str
    view: str
    at: int
    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Patched:
    """An image with the newer packages was published.

    Attributes:
        repository: ``registry/namespace/name``.
        reference: The new image.
        digest: Its digest.
        at: When it was published, in seconds since 1970.
        noticed: When the first of the packages was seen to be newer.
        how: Rebased, rebuilt or built.
        updates: The packages that were due and are in it.
    """

    repository: str
    reference: str
    digest: str
    at: int
    noticed: int
    how: str
    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """An image was brought to where it runs.

    Attributes:
        digest: The image.
        at: When, in seconds since 1970.
        where: The deployment, as far as one is named.
    """

    digest: str
    at: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody allowed what waited.

    Attributes:
        id: What waited, by its id.
        at: When, in seconds since 1970.
        by: The user's name.
    """

    id: str
    at: int
    by: str


Happening = Due | Patched | Deployed | Approved
_KINDS: dict[str, type[Happening]] = {"due": Due, "patched": Patched, "deployed": Deployed, "approved": Approved}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class History:
    """The history of a state directory."""

    def __init__(self, settings: Settings) -> None:
        """Use a state directory's; it need not have one yet."""
        self._path = settings.history / "updates.jsonl"

    def add(self, *happenings: Happening) -> None:
        """Add what happened; several processes may do so at once."""
        if happenings:
            atomic.append_lines(self._path, map(_line, happenings))

    def __iter__(self) -> Iterator[Happening]:
        """Go through all that happened, the oldest first; what a later Ropewalk wrote is passed over.

        Raises:
            InputError: A line is damaged.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return
        for number, line in enumerate(lines[:-1], start=1):  # behind the last line end there is at most half a line
            found = _happening(line, f"{self._path}:{number}")
            if found is not None:
                yield found


def deployed(settings: Settings, digest: str, when: int, where: str = "") -> None:
    """Note that an image was brought to where it runs; of several times the first counts for time to patch.

    Args:
        settings: Where the history is.
        digest: The image's manifest digest.
        when: In seconds since 1970.
        where: The deployment.
    """
    History(settings).add(Deployed(digest, when, where))


def _line(one: Happening) -> str:
    return json.dumps({"what": _NAMES[type(one)], **asdict(one)}, separators=(",", ":"))


def _happening(line: str, where: str) -> Happening | None:
    try:
        data: dict[str, Any] = json.loads(line)
        kind = _KINDS.get(data.pop("what"))
        if kind is None:
            return None
        if "updates" in data:
            data["updates"] = tuple(Update(**update) for update in data["updates"])
        return kind(**data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "take the line out; time to patch is then not known of what it said"
        raise InputError("is damaged", where=where, hint=hint) from error
