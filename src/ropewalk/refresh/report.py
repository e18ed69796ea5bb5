"""What a refresh did, or would do, image by image."""

from dataclasses import dataclass, field

from ropewalk.refresh.expect import Expected
from ropewalk.refresh.intent import Way
from ropewalk.refresh.owners import Newer


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
        digest: Of the image that is current now; empty in a plan.
        severity: How much it matters.
        packages: What of it the archive has newer: of its own layers, and what a limited campaign is about.
        expected: What the work will take, by what it took before.
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
    digest: str = ""
    severity: str = ""
    packages: tuple[Newer, ...] = ()
    expected: Expected = field(default_factory=Expected)


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """A whole refresh.

    Attributes:
        view: Id of the archive view.
        images: One row for each line that has an image, in the order of work, parents before children.
    """

    view: str
    images: tuple[RefreshRow, ...]
