"""Image references: ``registry/repository:tag@digest`` (distribution's grammar)."""

import re
from dataclasses import dataclass

from ropewalk.errors import InputError

_MAX_REPOSITORY = 255
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image.

    Attributes:
        registry: Host with an optional port; empty where the text names none.
        repository: The path in the registry.
        tag: Empty where the text has none.
        digest: ``sha256:`` and 64 hexadecimal digits; empty where the text has none.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """``registry/repository``, without tag and digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    def __str__(self) -> str:
        """Return the text that `parse` reads back."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def is_tag(text: str) -> bool:
    """Say whether ``text`` may be a tag (distribution-spec, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Say whether ``text`` is a sha256 digest (image-spec, descriptor.md)."""
    return _DIGEST.fullmatch(text) is not None


def parse(text: str) -> Reference:
    """Read an image reference.

    The first component is the registry if it has a dot or a colon or is ``localhost``; nothing is filled in.

    Args:
        text: Such as ``registry.example.org/nginx:1.22.1-3``.

    Returns:
        Its parts.

    Raises:
        InputError: It is no reference; the message names the part.
    """
    rest, at, digest = text.partition("@")
    first, slash, path = rest.partition("/")
    named = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    registry, path = (first, path) if named else ("", rest)
    repository, colon, tag = path.partition(":")
    _check(text, "registry", registry, not named or _REGISTRY.fullmatch(registry))
    _check(text, "repository", repository, len(repository) <= _MAX_REPOSITORY and _REPOSITORY.fullmatch(repository))
    _check(text, "tag", tag, not colon or _TAG.fullmatch(tag))
    _check(text, "digest", digest, not at or _DIGEST.fullmatch(digest))
    return Reference(registry, repository, tag, digest)


def _check(text: str, part: str, value: str, good: object) -> None:
    if not good:
        raise InputError(
            f"{value!r} is no {part}",
            where=f"image reference {text!r}",
            hint="write it as registry/name:tag, lower case, or registry/name@sha256:...",
        )
