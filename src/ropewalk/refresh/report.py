"""What a refresh did, or would do, image by image."""

from dataclasses import dataclass

from ropewalk.refresh.intent import Way


@dataclass(frozen=True, slots=True)
class RefreshRow:
    """One image.

    Attributes:
        name: The line's name.
        old: The reference that was current before.
        new: The reference that is current now; the same where nothing changed.
        how: What happened.
        reason: Why.
        seconds: How long it took, with test and publication.
        bytes_pushed: What was sent to the registry.
        proven: A full rebuild gave the same image.
        error: Why it failed; empty otherwise.
    """

    name: str
    old: str
    new: str
    how: Way
    reason: str
    seconds: float = 0.0
    bytes_pushed: int = 0
    proven: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """A whole refresh.

    Attributes:
        view: Id of the archive view.
        images: One row for each line that has an image, parents before children.
    """

    view: str
    images: tuple[RefreshRow, ...]
