"""The "no" of a rebase: a value that says which rule, where, and why; the image is rebuilt instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image must not be rebased.

    Attributes:
        rule: Number of the refusal (`decide`, `rules`), or ``merge N`` for a merge that is not done, or a word.
        path: The path, package or reference that it is about; may be empty.
        reason: The reason in a few words.
    """

    rule: int | str
    path: str
    reason: str

    def __str__(self) -> str:
        """Return one line for people."""
        about = f"{self.path}: " if self.path else ""
        return f"{about}{self.reason} (rule {self.rule})"
