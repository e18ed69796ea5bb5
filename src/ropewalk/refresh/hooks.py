"""Triggers and hooks of the child that watch what changed in the parent (refusal rule 3); pure.

dpkg runs a package's trigger when a path below its interest changes (deb-triggers(5)). On a new parent the child's
triggers would have seen other files, so what they made is stale unless it is known not to depend on them.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ropewalk.refresh.refusal import Refusal

_WITHOUT_TRACE = (
    "ldconfig",
    "update-initramfs",
    "update-sysfs",
    "/usr/share/man",
    "/usr/share/dbus-1",
    "/etc/dbus-1",
    "/etc/init.d",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/usr/share/doc-base",
)
"""ldconfig runs at the end of each build and rebase, man's caches are deleted, the others leave nothing in an image."""
_SAME_BY_CONTENT = (
    "/usr/share/mime",
    "/usr/share/icons",
    "/usr/share/glib-2.0/schemas",
    "/usr/share/applications",
    "/usr/lib/php",
    "/etc/php",
    "gdk-pixbuf",
)
"""What they make was equal in all measured cases; a proof decides before the image is published."""
_CA_HOOKS = "etc/ca-certificates/update.d/"
_CA_INPUTS = ("etc/ca-certificates.conf", "usr/share/ca-certificates/", "etc/ssl/certs/")
_BYTECODE = re.compile(r"(?P<directory>.*/)?__pycache__/(?P<name>[^/]+)\.cpython-\d+(?:\.opt-\d)?\.pyc")


@dataclass(frozen=True, slots=True)
class Watched:
    """A trigger whose output must be proven."""

    interest: str
    path: str


def interests(triggers: str) -> tuple[str, ...]:
    """Return what a ``.triggers`` file is interested in: paths (with a leading slash) and names."""
    return _second_words(triggers, "interest")


def activations(triggers: str) -> tuple[str, ...]:
    """Return the trigger names that a ``.triggers`` file activates."""
    return _second_words(triggers, "activate")


def _second_words(triggers: str, directive: str) -> tuple[str, ...]:
    lines = (line.split() for line in triggers.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0].split("-")[0] == directive)


def check_triggers(
    own: Mapping[str, str], stale: Collection[str], activated: Collection[str]
) -> tuple[Watched, ...] | Refusal:
    """Look for triggers of the child's packages that would have run on other files.

    Args:
        own: Package -> its ``.triggers`` file, of packages that the child's own layer brought.
        stale: Paths that the new parent has otherwise than the child saw them.
        activated: Trigger names that changed packages of the parent activate.

    Returns:
        Triggers whose output must be proven, or why the image must be rebuilt.
    """
    watched = []
    for package, text in sorted(own.items()):
        for interest in interests(text):
            path = _seen(interest, stale, activated)
            if not path or _begins(interest, _WITHOUT_TRACE):
                continue
            if not (_begins(interest, _SAME_BY_CONTENT) or "gdk-pixbuf" in interest):
                return Refusal(3, path, f"{package} has a trigger on {interest}")
            watched.append(Watched(interest, path))
    return tuple(watched)


def _seen(interest: str, stale: Iterable[str], activated: Collection[str]) -> str:
    if not interest.startswith("/"):
        return interest if interest in activated else ""
    watched = interest.strip("/")
    return next((path for path in stale if path == watched or path.startswith(f"{watched}/")), "")


def _begins(interest: str, known: Iterable[str]) -> bool:
    return any(interest == start or interest.startswith(f"{start}/") for start in known)


def check_hooks(own_files: Collection[str], stale: Collection[str]) -> Refusal | None:
    """Look for what runs without being a trigger: hooks of update-ca-certificates, and compiled Python.

    Args:
        own_files: Files of the child's own layer.
        stale: Paths that the new parent has otherwise than the child saw them.
    """
    certificates = next((path for path in stale if path.startswith(_CA_INPUTS)), "")
    hook = next((path for path in own_files if path.startswith(_CA_HOOKS)), "") if certificates else ""
    if hook:
        return Refusal(3, certificates, f"the hook {hook} made something of it")
    for path in own_files:
        match = _BYTECODE.fullmatch(path)
        if match and (source := f"{match['directory'] or ''}{match['name']}.py") in stale:
            return Refusal(3, source, "the child compiled it")
    return None
