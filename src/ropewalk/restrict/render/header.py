"""What every rendered file says first."""

from collections.abc import Sequence


def header(realm: str, opens: Sequence[str]) -> str:
    """Return comment lines with ``#``: who wrote the file, what it leaves open, and what closes that.

    Args:
        realm: The realm's name.
        opens: One sentence for each thing that the file leaves open.
    """
    lines = [
        f"Realm {realm}. Written by `ropewalk restrict render node`; change restrict.yaml instead.",
        *(f"Leaves open: {sentence}" for sentence in opens),
    ]
    return "".join(f"# {line}\n" for line in lines)
