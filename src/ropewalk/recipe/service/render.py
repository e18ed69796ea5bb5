"""A variant as a plain Dockerfile of several stages, for any builder."""

from collections.abc import Mapping

from ropewalk.errors import InputError
from ropewalk.recipe.service.merge import resolve
from ropewalk.recipe.service.phases import Origins, Variant, instructions, variant
from ropewalk.recipe.service.schema import LOCAL, Artifact, Blubber
from ropewalk.recipe.yamlfile import nearest

BLUBBER = "1.8.0"
"""The release of Blubber whose reading of the file is kept; images carry it as a label."""


def _is_image(origin: str) -> bool:
    """An image's name has a registry, a path or a tag; a bare word is meant as a variant."""
    return any(mark in origin for mark in "/:@")


def _check(artifact: Artifact, blubber: Blubber) -> None:
    if artifact.origin not in blubber.variants and not _is_image(artifact.origin):
        raise InputError(
            f"`from: {artifact.origin}` is neither `local`, nor a variant, nor an image with its registry",
            where=artifact.where,
            hint=nearest(artifact.origin, (*blubber.variants, LOCAL)),
        )


def _collect(name: str, blubber: Blubber, path: tuple[str, ...], found: dict[str, Variant]) -> None:
    """Add the variants that one needs, then itself."""
    if name in found:
        return
    made = variant(name, resolve(name, blubber))
    for artifact in made.artifacts:
        if artifact.origin == LOCAL:
            continue
        _check(artifact, blubber)
        if artifact.origin in (*path, name):
            loop = " -> ".join([*path, name, artifact.origin])
            raise InputError(f"variants copy in a circle: {loop}", where=artifact.where, hint="take one of them out")
        if artifact.origin in blubber.variants:
            _collect(artifact.origin, blubber, (*path, name), found)
    found[name] = made


def _stage_names(variants: Mapping[str, Variant]) -> dict[str, str]:
    """Name the stages: Dockerfiles know lower case only, and a number would be a stage's index."""
    names: dict[str, str] = {}
    for name in variants:
        wanted = name.lower()
        while wanted in names.values():
            wanted += "-"
        names[name] = wanted
    return names


def stages(name: str, blubber: Blubber) -> Mapping[str, Variant]:
    """Return the variants that one needs, in an order in which they can be built, itself last.

    Args:
        name: The variant.
        blubber: The file.

    Raises:
        InputError: A variant does not exist, or includes or copies go in a circle.
    """
    found: dict[str, Variant] = {}
    _collect(name, blubber, (), found)
    return found


def render(name: str, blubber: Blubber) -> str:
    """Render a variant.

    Args:
        name: The variant.
        blubber: The file.

    Returns:
        A Dockerfile with one stage per variant that it needs, the wanted one last.

    Raises:
        InputError: See `stages`; or a variant has no base where it needs one.
    """
    found = stages(name, blubber)
    names = _stage_names(found)
    origins = Origins({key: (names[key], made) for key, made in found.items()})
    parts = []
    for key, made in found.items():
        lines = [f"FROM {made.settings.base or 'scratch'} AS {names[key]}", *instructions(made, origins)]
        if key == name:
            lines.append(f'LABEL blubber.variant="{name}" blubber.version="{BLUBBER}"')
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
