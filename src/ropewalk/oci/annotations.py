"""Annotations on the manifests that Ropewalk makes (image-spec, annotations.md): only what is known, and deterministic."""

import re
from dataclasses import replace

from ropewalk.oci.imagejson import digest_of, manifest_bytes, rfc3339
from ropewalk.oci.model import REF_NAME, Image, ImageConfig
from ropewalk.oci.reference import parse

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


_OF_ONE_IMAGE = frozenset(
    {TITLE, VERSION, CREATED, REF_NAME, BASE_NAME, BASE_DIGEST}
    | {f"org.opencontainers.image.{name}" for name in ("description", "revision", "source")}
)
"""What is said of one image and would be wrong of another that stands on it."""


def annotations(line: str, created: int, base: tuple[str, str] | None = None, *, build: int = 1) -> dict[str, str]:
    """Return what an image's manifest says of it.

    Args:
        line: ``registry/namespace/name:version``.
        created: SOURCE_DATE_EPOCH, in seconds.
        base: Reference and manifest digest of the final parent; None for an image from scratch.
        build: The number of the build within its line, 1 for the first.
    """
    said = {TITLE: parse(line).repository.rpartition("/")[2], CREATED: rfc3339(created), **_numbered(line, build)}
    return said if base is None else {**said, BASE_NAME: base[0], BASE_DIGEST: base[1]}


def _numbered(line: str, build: int) -> dict[str, str]:
    reference = line if build == 1 else f"{line}-r{build}"
    return {VERSION: parse(reference).tag, REF_NAME: reference}


def numbered_digest(image: Image, line: str, build: int) -> str:
    """Return the digest that an image would have as another build of its line: all but the number is the same.

    Args:
        image: The image.
        line: ``registry/namespace/name:version``.
        build: The number.
    """
    return digest_of(numbered_manifest(image, line, build))


def numbered_manifest(image: Image, line: str, build: int) -> bytes:
    """Return the manifest that an image would have as another build of its line; arguments as `numbered_digest`."""
    said = {**dict(image.annotations), **_numbered(line, build)}
    return manifest_bytes(image.config_blob, image.layers, said)


def base_name(reference: str, image: Image) -> str:
    """Return what a parent is called in its child's annotations: by the number of its build, if it has one.

    Args:
        reference: As the recipe names it.
        image: The parent.
    """
    said = dict(image.annotations).get(REF_NAME, "")
    return said if re.fullmatch(rf"{re.escape(reference)}-r[0-9]+", said) else reference


def inheritable(config: ImageConfig) -> ImageConfig:
    """Return what children inherit of an image's configuration: not the labels that are about this image alone.

    Args:
        config: The image's.
    """
    return replace(config, labels=tuple(pair for pair in config.labels if pair[0] not in _OF_ONE_IMAGE))


def own_config(config: ImageConfig, parent: ImageConfig, said: str) -> ImageConfig:
    """Take out of a built image's configuration what it must not have inherited; see `inheritable`.

    Args:
        config: The image's, as it was built.
        parent: The final parent's.
        said: The text of the recipe's own ``LABEL`` instructions.
    """
    passed = {*parent.labels} - {*inheritable(parent).labels}
    kept = (pair for pair in config.labels if pair not in passed or pair[0] in said)
    return replace(config, labels=tuple(kept))
