"""A layer's index as a file beside the blobs: what is in the layer, made once for each diff_id."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ropewalk.oci.imagejson import canonical
from ropewalk.oci.model import Descriptor, Entry, EntryType, Layer

_VERSION = 1
_TYPES = {str(type_): type_ for type_ in EntryType}


@dataclass(frozen=True, slots=True)
class LayerIndex:
    """A layer and what is in it.

    Attributes:
        layer: The layer with the blob that was kept first.
        entries: In the order of the tar, each path once.
    """

    layer: Layer
    entries: tuple[Entry, ...]


def to_bytes(index: LayerIndex) -> bytes:
    """Return an index as a file's content; entries are rows, since there are many."""
    blob = index.layer.blob
    return canonical(
        {
            "version": _VERSION,
            "diff_id": index.layer.diff_id,
            "blob": blob.digest,
            "media_type": blob.media_type,
            "size": blob.size,
            "entries": [_row(entry) for entry in index.entries],
        }
    )


def layer_from(data: bytes) -> Layer:
    """Read the layer of an index.

    Raises:
        KeyError, TypeError, ValueError: It is no index, or another version's.
    """
    return _layer(json.loads(data))


def from_bytes(data: bytes) -> LayerIndex:
    """Read what `to_bytes` gave.

    Raises:
        KeyError, TypeError, ValueError: It is no index, or another version's.
    """
    value = json.loads(data)
    return LayerIndex(_layer(value), tuple(_entry(row) for row in value["entries"]))


def _layer(value: Any) -> Layer:
    if value["version"] != _VERSION:
        raise ValueError(f"version {value['version']}")
    return Layer(value["diff_id"], Descriptor(value["media_type"], value["blob"], value["size"]))


def _row(entry: Entry) -> list[Any]:
    row: list[Any] = [entry.path, entry.type, entry.mode, entry.uid, entry.gid, entry.mtime, entry.size, entry.sha256]
    if entry.link or entry.xattrs or entry.device != (0, 0):
        xattrs = [[name, base64.b64encode(value).decode()] for name, value in entry.xattrs]
        row += [entry.link, entry.device, xattrs]
    return row


def _entry(row: list[Any]) -> Entry:
    path, type_, mode, uid, gid, mtime, size, sha256, *rest = row
    if not rest:
        return Entry(path, _TYPES[type_], mode, uid, gid, size, sha256, "", mtime)
    link, device, xattrs = rest
    decoded = tuple((name, base64.b64decode(value)) for name, value in xattrs)
    return Entry(path, _TYPES[type_], mode, uid, gid, size, sha256, link, mtime, (device[0], device[1]), decoded)


def last_wins(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Keep of each path the last entry, whiteouts apart from what has their path."""
    marks = (EntryType.WHITEOUT, EntryType.OPAQUE)
    by_place: dict[tuple[str, EntryType | None], Entry] = {}
    for entry in entries:
        place = (entry.path, entry.type if entry.type in marks else None)
        # Taken out first: the last one's place in the order counts, since hard links follow what they name.
        by_place.pop(place, None)
        by_place[place] = entry
    return tuple(by_place.values())
