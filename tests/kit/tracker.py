"""A small file in the form of the Debian security tracker's JSON."""

import json
from collections.abc import Mapping
from typing import Any


def release(
    status: str = "resolved", fixed: str = "", urgency: str = "not yet assigned", **more: Any
) -> dict[str, Any]:
    """Return what the tracker says of one release.

    Args:
        status: Resolved, open or undetermined.
        fixed: The version with the fix; left out where empty, as the tracker leaves it out.
        urgency: The tracker's word.
        more: Further keys, such as ``nodsa``.
    """
    said = {"status": status, "repositories": {}, "urgency": urgency, **more}
    return {**said, "fixed_version": fixed} if fixed else said


def tracker(issues: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> bytes:
    """Write the tracker's JSON.

    Args:
        issues: Source package -> issue -> codename -> what `release` gave.
    """
    data = {
        source: {
            name: {"description": f"About {name}", "scope": "remote", "debianbug": 1, "releases": releases}
            for name, releases in named.items()
        }
        for source, named in issues.items()
    }
    return json.dumps(data, separators=(",", ":")).encode()
