"""The recipe digest: one hash over all that a recipe says."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ropewalk.recipe.head import Head
from ropewalk.recipe.recipe import BaseSpec, ContextFile, Generation


@dataclass(frozen=True, slots=True)
class Says:
    """What is hashed; no registry address, and no path of this machine.

    Attributes:
        generation: Base, production or service.
        head: Name, version and date; a base image has no date.
        dockerfile: The rendered Dockerfile.
        context: The build context.
        base: What a base image is made of.
        test: What tests the image: arguments before paths are put in, contents' hashes, or a rendered Dockerfile.
        rebase: Whether its images may be rebased.
    """

    generation: Generation
    head: Head
    dockerfile: str = ""
    context: Sequence[ContextFile] = ()
    base: BaseSpec | None = None
    test: tuple[str, ...] = ()
    rebase: bool = True

    def digest(self) -> str:
        """Return ``sha256:`` and the hash."""
        values = {
            "generation": self.generation.value,
            "head": asdict(self.head),
            "dockerfile": self.dockerfile,
            "context": [(file.path, file.mode, file.directory, file.sha256) for file in self.context],
            "base": None if self.base is None else said(self.base),
            "test": self.test,
            "rebase": self.rebase,
        }
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


_FIRST = ("suites", "components", "packages", "env", "labels")


def said(base: BaseSpec) -> dict[str, Any]:
    """Return what a base recipe says as JSON-ready values: contents by their hash, further keys only where they are used.

    A digest must not change because Ropewalk learns another key.

    Args:
        base: The recipe's values.
    """
    values = {key: value for key, value in asdict(base).items() if key in _FIRST or value != _UNUSED.get(key)}
    found: dict[str, Any] = json.loads(json.dumps(values, default=_hashed))
    return found


_UNUSED = asdict(BaseSpec((), (), (), (), ()))


def _hashed(content: bytes | Path) -> str:
    """Let a content stand by its hash; a keyring also by its name, which it keeps in the image."""
    if isinstance(content, Path):
        return f"{content.name} {_hashed(content.read_bytes())}"
    return "sha256:" + hashlib.sha256(content).hexdigest()
