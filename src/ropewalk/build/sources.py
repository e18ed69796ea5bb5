"""apt's sources of a build: suites that the view lacks are left out, in each stage as its own release needs it.

An image may name suites that a view does not hold (updates, security), and `apt-get update` would fail on them. Where all
parents need the same text, it is mounted in every RUN; where they differ (a bullseye stage and a bookworm one), each RUN of
a stage mounts its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ropewalk.archive import View
from ropewalk.build.aptfiles import SOURCES, within
from ropewalk.recipe.dockerfile import Dockerfile, parse

_CONTEXT = "ropewalk-sources"


@dataclass(frozen=True, slots=True)
class Lent:
    """What stands for ``debian.sources`` while a Dockerfile runs.

    Attributes:
        everywhere: The text for all stages; None where none is needed or stages differ.
        stages: A text a stage, None where it needs none; empty where one text does for all.
    """

    everywhere: str | None
    stages: tuple[str | None, ...] = ()


def lend_sources(dockerfile: str, found: Mapping[str, str], view: View) -> Lent:
    """Choose what stands for ``debian.sources`` in each stage.

    Args:
        dockerfile: The rendered Dockerfile.
        found: The files of all parents that have one, by the reference that the Dockerfile names.
        view: The archive view.
    """
    held = {suite.suite for suite in view.suites if suite.of_debian}
    narrowed = {reference: within(text, held) for reference, text in found.items()}
    if narrowed == found:
        return Lent(None)
    if len(set(narrowed.values())) == 1:
        return Lent(next(iter(narrowed.values())))
    bases = _bases(parse(dockerfile))
    return Lent(
        None, tuple(narrowed[base] if base in found and narrowed[base] != found[base] else None for base in bases)
    )


def _bases(parsed: Dockerfile) -> list[str]:
    """Return the image that each stage stands on, with a tag; through other stages."""
    bases: list[str] = []
    for index, stage in enumerate(parsed.stages):
        earlier = [number for number in range(index) if parsed.stages[number].alias == stage.base.lower()]
        name = stage.base.rpartition("/")[2]
        bases.append(bases[earlier[-1]] if earlier else stage.base if ":" in name else f"{stage.base}:latest")
    return bases


def mounting(dockerfile: str, stages: Sequence[str | None]) -> str:
    """Let each RUN of a stage that has a text of its own mount it.

    Args:
        dockerfile: A Dockerfile.
        stages: As in `Lent`.

    Returns:
        The Dockerfile; the same where there is no text.
    """
    lines = dockerfile.splitlines()
    for number, (stage, text) in enumerate(zip(parse(dockerfile).stages, stages, strict=False)):
        if text is None:
            continue
        flag = f"--mount=type=bind,from={_CONTEXT},source={number},target=/{SOURCES}"
        for item in stage.instructions:
            if item.keyword == "RUN":
                line = lines[item.line - 1]
                at = line.upper().index("RUN") + len("RUN")
                lines[item.line - 1] = f"{line[:at]} {flag}{line[at:]}"
    return "\n".join(lines) + "\n"


def write_stages(stages: Collection[str | None], into: Path) -> tuple[str, ...]:
    """Write the texts of stages for `mounting`.

    Args:
        stages: As in `Lent`.
        into: A directory to make.

    Returns:
        Options for ``buildah bud``.
    """
    if not any(stages):
        return ()
    into.mkdir()
    for number, text in enumerate(stages):
        if text is not None:
            (into / str(number)).write_text(text, encoding="utf-8")
    return (f"--build-context={_CONTEXT}={into}",)
