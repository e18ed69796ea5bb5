"""Annotations on the manifests that Ropewalk makes (image-spec, annotations.md): only what is known, and deterministic."""

from ropewalk.oci.imagejson import rfc3339
from ropewalk.oci.model import REF_NAME
from ropewalk.oci.reference import parse

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


def annotations(line: str, created: int, base: tuple[str, str] | None = None) -> dict[str, str]:
    """Return what an image's manifest says of it.

    Args:
        line: ``registry/namespace/name:version``. The number of the build (``-rN``) is left out: the same inputs give
            the same digest, whichever build it is.
        created: SOURCE_DATE_EPOCH, in seconds.
        base: Reference and manifest digest of the final parent; None for an image from scratch.
    """
    reference = parse(line)
    said = {
        TITLE: reference.repository.rpartition("/")[2],
        VERSION: reference.tag,
        CREATED: rfc3339(created),
        REF_NAME: line,
    }
    return said if base is None else {**said, BASE_NAME: base[0], BASE_DIGEST: base[1]}
