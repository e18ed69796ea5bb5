"""OCI images: references, layers and their trees, the local store, the registry client.

Values are in `model`; `layer` reads and writes tars, `tree` flattens and compares, `store` keeps, `client` talks HTTP.
"""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.oci.client import RegistryClient, RegistryDown, RegistryNotFound, RegistryRefused
    from ropewalk.oci.layer import Content, TarItem, open_blob, read_tar, write_tar
    from ropewalk.oci.model import (
        CONFIG,
        DOCKER_INDEX,
        DOCKER_LAYER_GZIP,
        DOCKER_MANIFEST,
        INDEX,
        LAYER_GZIP,
        LAYER_TAR,
        MANIFEST,
        REF_NAME,
        Descriptor,
        Entry,
        EntryType,
        Image,
        ImageConfig,
        Layer,
        Platform,
    )
    from ropewalk.oci.reference import Reference, is_digest, is_tag, parse
    from ropewalk.oci.store import Store, parse_image
    from ropewalk.oci.stream import LIMITS, Limits
    from ropewalk.oci.tar import LayerError
    from ropewalk.oci.tree import Tree, changed, describe, flatten, same
else:
    __getattr__ = exported(
        __name__,
        {
            "client": ("RegistryClient", "RegistryDown", "RegistryNotFound", "RegistryRefused"),
            "layer": ("Content", "TarItem", "open_blob", "read_tar", "write_tar"),
            "model": (
                "CONFIG",
                "DOCKER_INDEX",
                "DOCKER_LAYER_GZIP",
                "DOCKER_MANIFEST",
                "INDEX",
                "LAYER_GZIP",
                "LAYER_TAR",
                "MANIFEST",
                "REF_NAME",
                "Descriptor",
                "Entry",
                "EntryType",
                "Image",
                "ImageConfig",
                "Layer",
                "Platform",
            ),
            "reference": ("Reference", "is_digest", "is_tag", "parse"),
            "store": ("Store", "parse_image"),
            "stream": ("LIMITS", "Limits"),
            "tar": ("LayerError",),
            "tree": ("Tree", "changed", "describe", "flatten", "same"),
        },
    )

__all__ = [
    "CONFIG",
    "DOCKER_INDEX",
    "DOCKER_LAYER_GZIP",
    "DOCKER_MANIFEST",
    "INDEX",
    "LAYER_GZIP",
    "LAYER_TAR",
    "LIMITS",
    "MANIFEST",
    "REF_NAME",
    "Content",
    "Descriptor",
    "Entry",
    "EntryType",
    "Image",
    "ImageConfig",
    "Layer",
    "LayerError",
    "Limits",
    "Platform",
    "Reference",
    "RegistryClient",
    "RegistryDown",
    "RegistryNotFound",
    "RegistryRefused",
    "Store",
    "TarItem",
    "Tree",
    "changed",
    "describe",
    "flatten",
    "is_digest",
    "is_tag",
    "open_blob",
    "parse",
    "parse_image",
    "read_tar",
    "same",
    "write_tar",
]
