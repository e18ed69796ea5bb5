"""The inventory: which package, at which version, from which layer, is in which image; an index, never the truth."""

from ropewalk.inventory.ingest import forget, indexed, ingest, ingest_image, rebuild
from ropewalk.inventory.query import Affected, Counts, ImageLayer, IndexedImage, affected, counts, images, packages
from ropewalk.inventory.read import (
    InstalledPackage,
    LayerFacts,
    PackageReader,
    owned,
    read_packages,
    read_release,
)
from ropewalk.inventory.upgrades import Origins, Upgrade, candidate, origins, upgrades

__all__ = [
    "Affected",
    "Counts",
    "ImageLayer",
    "IndexedImage",
    "InstalledPackage",
    "LayerFacts",
    "Origins",
    "PackageReader",
    "Upgrade",
    "affected",
    "candidate",
    "counts",
    "forget",
    "images",
    "indexed",
    "ingest",
    "ingest_image",
    "origins",
    "owned",
    "packages",
    "read_packages",
    "read_release",
    "rebuild",
    "upgrades",
]
