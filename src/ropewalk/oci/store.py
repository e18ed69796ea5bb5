"""The local store: an OCI image layout (image-spec, image-layout.md) with an index beside each layer.

Several processes may use one store: blobs appear by rename under their digest, ``index.json`` changes under a lock.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from ropewalk import atomic
from ropewalk.errors import InputError, TrustError
from ropewalk.oci import imagejson, layerindex
from ropewalk.oci.blobs import Blobs, file_digest
from ropewalk.oci.imagejson import parse_image
from ropewalk.oci.layer import TarItem, open_blob, read_tar, write_tar
from ropewalk.oci.layerblob import HashingReader, LayerWriter
from ropewalk.oci.layerindex import LayerIndex
from ropewalk.oci.model import (
    CONFIG,
    DOCKER_MANIFEST,
    INDEX,
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
from ropewalk.oci.stream import CHUNK
from ropewalk.oci.tar import LayerError
from ropewalk.oci.tree import flatten, sources

__all__ = ["Store", "parse_image"]

_CACHED_LAYERS = 128
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class Store:
    """An OCI image layout on disk.

    Attributes:
        directory: Where it is.
    """

    def __init__(self, directory: Path) -> None:
        """Open a store; make it where there is none."""
        self.directory = directory.absolute()
        self._indexes = self.directory / "layers"
        self._lock = self.directory / ".lock"
        self._blobs = Blobs(self.directory, self._lock)
        self._cache: dict[str, LayerIndex] = {}
        self._guard = threading.Lock()
        self._indexes.mkdir(exist_ok=True)
        with atomic.locked(self._lock):
            if not (self.directory / "oci-layout").exists():
                atomic.write_bytes(self.directory / "oci-layout", _LAYOUT)
            if not (self.directory / "index.json").exists():
                _write_index(self.directory, [])

    # Blobs

    def blob(self, digest: str) -> Path:
        """Return where a blob is or would be.

        Raises:
            InputError: ``digest`` is no sha256 digest.
        """
        return self._blobs.path(digest)

    def has(self, digest: str) -> bool:
        """Say whether a blob is here."""
        return self.blob(digest).is_file()

    def read(self, digest: str) -> bytes:
        """Return a blob's bytes, verified.

        Raises:
            InputError: It is not here.
            TrustError: It was changed.
        """
        return self._blobs.read(digest)

    def put(self, data: bytes, media_type: str) -> Descriptor:
        """Keep bytes as a blob and return their descriptor."""
        return Descriptor(media_type, self._blobs.put(data), len(data))

    # Layers

    def add_layer(self, items: Iterable[TarItem]) -> Layer:
        """Write a layer: tar, its hash, gzip and the index in one pass over the contents.

        Args:
            items: What the layer holds; see `write_tar`.

        Returns:
            The layer; the one that is here already where its tar is the same and its blob is whole.

        Raises:
            LayerError: An item cannot stand in a layer.
        """
        with self._blobs.arriving() as arriving:
            writer = LayerWriter(arriving.file)
            entries = write_tar(items, cast("BinaryIO", writer))
            layer = writer.finish()
            known = self.layer(layer.diff_id)
            if known is not None and file_digest(self.blob(known.blob.digest)) == known.blob.digest:
                return known
            self._blobs.keep(arriving, layer.blob.digest)
        self._keep_index(LayerIndex(layer, entries))
        return layer

    def add_layer_blob(self, blob: Path | BinaryIO, media_type: str) -> Layer:
        """Keep a layer that came from elsewhere, as it is, and index it; it is read with distrust.

        Args:
            blob: The blob, as a file or a stream.
            media_type: Gzip or plain tar.

        Returns:
            The layer: its diff_id and digest are those of what was read.

        Raises:
            LayerError: The blob is damaged, hostile, or beyond the limits.
            InputError: The compression is not one that Ropewalk reads.
        """
        with self._blobs.arriving() as arriving:
            digest, size = _copy(blob, arriving.file)
            arriving.file.flush()
            with open_blob(arriving.path, media_type) as stream:
                tar = HashingReader(stream)
                entries = _index(cast("BinaryIO", tar), lambda _: None)
                diff_id = tar.finish()
            layer = Layer(diff_id, Descriptor(media_type, digest, size))
            self._blobs.keep(arriving, digest)
        if self.layer(diff_id) is None:
            self._keep_index(LayerIndex(layer, entries))
        return layer

    def note_layer(self, blob: Path, media_type: str, keep: Callable[[str], bool]) -> Layer:
        """Index a layer without keeping it: of its contents, only those of chosen files stay, as blobs of their own.

        Args:
            blob: The blob; read with distrust.
            media_type: Gzip or plain tar.
            keep: Chooses files by their paths; `contents` gives these and no others.

        Returns:
            The layer: its diff_id and digest are those of what was read.

        Raises:
            LayerError: The blob is damaged, hostile, or beyond the limits.
            InputError: The compression is not one that Ropewalk reads.
        """
        with open_blob(blob, media_type) as stream:
            tar = HashingReader(stream)
            entries = _index(cast("BinaryIO", tar), lambda path: self._blobs.put if keep(path) else None)
            diff_id = tar.finish()
        layer = Layer(diff_id, Descriptor(media_type, file_digest(blob), blob.stat().st_size))
        if self.layer(diff_id) is None:
            self._keep_index(LayerIndex(layer, entries))
        return layer

    def is_noted(self, layer: Layer, keep: Callable[[str], bool]) -> bool:
        """Say whether `note_layer` read this very blob, and what it kept is still here."""
        index = self._load_index(layer.diff_id)
        if index is None or index.layer.blob.digest != layer.blob.digest:
            return False
        files = (entry for entry in index.entries if entry.type is EntryType.FILE and keep(entry.path))
        return self.has(layer.blob.digest) or all(self.has(f"sha256:{entry.sha256}") for entry in files)

    def _index_path(self, diff_id: str) -> Path:
        return self._indexes / f"{self.blob(diff_id).name}.json"

    def _keep_index(self, index: LayerIndex) -> None:
        atomic.write_bytes(self._index_path(index.layer.diff_id), layerindex.to_bytes(index))
        self._remember(index)

    def _remember(self, index: LayerIndex) -> None:
        with self._guard:
            while len(self._cache) >= _CACHED_LAYERS:
                del self._cache[next(iter(self._cache))]
            self._cache[index.layer.diff_id] = index

    def _load_index(self, diff_id: str) -> LayerIndex | None:
        """Read an index; one that cannot be read counts as missing, since it can be made again."""
        known = self._cache.get(diff_id)
        if known is None:
            with suppress(FileNotFoundError, KeyError, TypeError, ValueError):
                known = layerindex.from_bytes(self._index_path(diff_id).read_bytes())
                self._remember(known)
        return known

    def layer(self, diff_id: str) -> Layer | None:
        """Return the layer of a diff_id with the blob that was kept first; None if it is not here."""
        index = self._load_index(diff_id)
        return index.layer if index is not None and self.has(index.layer.blob.digest) else None

    def entries(self, diff_id: str) -> tuple[Entry, ...]:
        """Return what a layer holds, hard links after what they name.

        Raises:
            InputError: The layer is not here.
        """
        index = self._load_index(diff_id)
        if index is None:
            raise InputError("the layer is not in the store", where=diff_id, hint="build or fetch the image again")
        return index.entries

    def tree(self, image: Image) -> dict[str, Entry]:
        """Return what a container of the image sees: path to entry, without the root.

        Raises:
            InputError: A layer is not here.
        """
        return flatten(self.entries(layer.diff_id) for layer in image.layers)

    def open_layer(self, layer: Layer) -> BinaryIO:
        """Open a layer as an uncompressed tar.

        Raises:
            InputError: Its blob is not here.
        """
        path = self.blob(layer.blob.digest)
        if not path.is_file():
            raise InputError("is not in the store", where=layer.blob.digest, hint="build or fetch the image again")
        if not self.holds(layer.blob):
            message = f"was cut: it has {path.stat().st_size} of {layer.blob.size} bytes"
            raise TrustError(message, where=str(path), hint="build or fetch the image again, which puts it right")
        return open_blob(path, layer.blob.media_type)

    def read_files(self, layers: Sequence[Layer], paths: Collection[str]) -> dict[str, bytes]:
        """Return the content of files of the tree that layers make together, verified.

        Args:
            layers: The lowest first.
            paths: Files; symlinks are not followed.

        Returns:
            Path to content; what is no file there is left out.

        Raises:
            InputError: A layer is not here.
            TrustError: A blob does not hold what its index says.
        """
        tree = sources(self.entries(layer.diff_id) for layer in layers)
        wanted: dict[int, dict[str, list[str]]] = {}
        for path in paths:
            source = tree.get(path)
            if source is not None and source.entry.type is EntryType.FILE:
                wanted.setdefault(source.layer, {}).setdefault(source.path, []).append(path)
        result: dict[str, bytes] = {}
        for number, names in wanted.items():
            for entry, data in self._contents(layers[number], names):
                result.update(dict.fromkeys(names[entry.path], data))
        return result

    def contents(self, layer: Layer, paths: Collection[str]) -> Iterator[tuple[Entry, bytes]]:
        """Go through files of one layer, in the order of the tar.

        Args:
            layer: Which layer.
            paths: Paths in it; what is no file there is left out. A hard link comes as a file of its own.

        Yields:
            The entry and its content, verified.

        Raises:
            InputError: The layer is not here.
            TrustError: The blob does not hold what the index says.
        """
        tree = sources([self.entries(layer.diff_id)])
        wanted: dict[str, list[Entry]] = {}
        for path in sorted(set(paths) & tree.keys()):
            source = tree[path]
            if source.entry.type is EntryType.FILE:
                wanted.setdefault(source.path, []).append(source.entry)
        for found, data in self._contents(layer, wanted):
            yield from ((entry, data) for entry in wanted[found.path])

    def _contents(self, layer: Layer, paths: Mapping[str, object]) -> Iterator[tuple[Entry, bytes]]:
        files = (entry for entry in self.entries(layer.diff_id) if entry.type is EntryType.FILE)
        missing = {entry.path: entry for entry in files if entry.path in paths}
        if not missing:
            return
        if not self.has(layer.blob.digest):
            # Of a layer that is only noted, the files that were kept.
            yield from ((entry, self.read(f"sha256:{entry.sha256}")) for entry in missing.values())
            return
        with _damaged(self.blob(layer.blob.digest)), self.open_layer(layer) as stream:
            for found, content in read_tar(stream):
                entry = missing.get(found.path)
                if content is None or entry is None or found.size != entry.size:
                    continue
                data = content.read()
                # Of a path that stands twice, the one that the index names.
                if hashlib.sha256(data).hexdigest() == entry.sha256:
                    yield entry, data
                    del missing[found.path]
                if not missing:
                    return
        raise TrustError(
            f"does not hold {next(iter(missing))!r} as its index says",
            where=str(self.blob(layer.blob.digest)),
            hint="delete the blob; build or fetch the image again",
        )

    # Images

    def add_image(
        self,
        config: ImageConfig,
        layers: Sequence[Layer],
        platform: Platform,
        created: int,
        history: Sequence[str] = (),
        *,
        annotations: Mapping[str, str] = MappingProxyType({}),
    ) -> Image:
        """Assemble an image; the same arguments give the same digest.

        Args:
            config: How it runs.
            layers: Its layers, the lowest first.
            platform: What it runs on.
            created: Seconds since 1970.
            history: ``created_by``, one for each layer; empty texts by default.
            annotations: Of the manifest.

        Returns:
            The image; nothing names it yet.

        Raises:
            ValueError: There are not as many texts as layers.
        """
        texts = tuple(history) or ("",) * len(layers)
        if len(texts) != len(layers):
            raise ValueError(f"{len(texts)} history texts for {len(layers)} layers")
        data = imagejson.config_bytes(config, layers, platform, created, texts)
        config_blob = replace(imagejson.config_descriptor(data), digest=self._blobs.put(data))
        manifest = imagejson.manifest_bytes(config_blob, layers, annotations)
        self.put(manifest, MANIFEST)
        return parse_image(manifest, data)

    def load(self, digest: str) -> Image | None:
        """Return the image of a manifest's digest; None if it is not here.

        Raises:
            InputError: The blob is no image manifest.
            TrustError: It was changed.
        """
        if not self.has(digest):
            return None
        manifest = self.read(digest)
        return parse_image(manifest, self.read(imagejson.config_blob_of(manifest, digest).digest))

    def is_whole(self, image: Image) -> bool:
        """Say whether all of an image's layers are here, not only their indexes, and none was cut."""
        return all(self.holds(layer.blob) for layer in image.layers)

    def holds(self, blob: Descriptor) -> bool:
        """Say whether a blob is here and has all its bytes; whether they are the right ones is seen when it is read."""
        return self._blobs.size(blob.digest) == blob.size

    def is_here(self, digest: str) -> bool:
        """Say whether the image of a manifest's digest is here and whole: it can be built on and published."""
        try:
            blobs = imagejson.blobs_of(self.read(digest), digest)
        except (InputError, TrustError):
            return False
        return all(map(self.holds, blobs))

    def tags(self) -> dict[str, str]:
        """Return the references of the store: reference to manifest digest, sorted."""
        return {item["annotations"][REF_NAME]: item["digest"] for item in self._index()}

    def tag(self, reference: str, digest: str) -> None:
        """Let a reference name an image.

        Raises:
            InputError: The image is not here.
        """
        image = self.load(digest)
        if image is None:
            raise InputError("the image is not in the store", where=digest, hint="build or fetch the image first")
        self._change({reference: image})

    def untag(self, reference: str) -> None:
        """Forget a reference; nothing happens if there is none."""
        self._change({reference: None})

    def resolve(self, reference: str) -> Image | None:
        """Return the image that a reference names; None if there is none."""
        digest = self.tags().get(reference)
        return None if digest is None else self.load(digest)

    def _index(self) -> list[dict[str, Any]]:
        path = self.directory / "index.json"
        try:
            items = json.loads(path.read_bytes())["manifests"]
            return [item for item in items if REF_NAME in item.get("annotations", {})]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            hint = "delete it; the images are then built or fetched again"
            raise InputError("is no index of an OCI layout", where=str(path), hint=hint) from error

    def _change(self, changes: Mapping[str, Image | None]) -> None:
        with atomic.locked(self._lock):
            kept = [item for item in self._index() if item["annotations"][REF_NAME] not in changes]
            new = [_named(image, reference) for reference, image in changes.items() if image is not None]
            _write_index(self.directory, kept + new)

    def layout(self, image: Image, reference: str, into: Path) -> None:
        """Make an OCI layout that holds one image, for programs that read ``oci:INTO:REFERENCE``.

        Args:
            image: The image.
            reference: How the layout names it.
            into: The layout's directory; its blobs are a link to the store's.
        """
        into.mkdir(parents=True, exist_ok=True)
        (into / "blobs").unlink(missing_ok=True)
        (into / "blobs").symlink_to(self.directory / "blobs")
        atomic.write_bytes(into / "oci-layout", _LAYOUT)
        _write_index(into, [_named(self._as_oci(image), reference)])

    def _as_oci(self, image: Image) -> Image:
        """Return an image under an OCI manifest: programs find no other kind in a layout."""
        if image.manifest.media_type != DOCKER_MANIFEST:
            return image
        config = replace(image.config_blob, media_type=CONFIG)
        manifest = self.put(imagejson.manifest_bytes(config, image.layers, {}), MANIFEST)
        return replace(image, digest=manifest.digest, manifest=manifest, config_blob=config)


@contextmanager
def _damaged(blob: Path) -> Iterator[None]:
    """Say of a blob that was whole when it came here that it was changed since."""
    try:
        yield
    except LayerError as error:
        hint = "delete it; build or fetch the image again"
        raise TrustError(f"was changed: {error.message}", where=str(blob), hint=hint) from error


def _named(image: Image, reference: str) -> dict[str, Any]:
    return {
        **imagejson.descriptor_json(image.manifest),
        "platform": {"os": image.platform.os, "architecture": image.platform.architecture},
        "annotations": {REF_NAME: reference},
    }


def _write_index(directory: Path, items: list[dict[str, Any]]) -> None:
    ordered = sorted(items, key=lambda item: str(item["annotations"][REF_NAME]))
    value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": ordered}
    atomic.write_bytes(directory / "index.json", imagejson.canonical(value))


def _copy(blob: Path | BinaryIO, out: BinaryIO) -> tuple[str, int]:
    """Copy a blob and return its digest and size."""
    if isinstance(blob, Path):
        with blob.open("rb") as stream:
            return _copy(stream, out)
    digest = hashlib.sha256()
    size = 0
    while data := blob.read(CHUNK):
        digest.update(data)
        out.write(data)
        size += len(data)
    return f"sha256:{digest.hexdigest()}", size


def _index(stream: BinaryIO, keep: Callable[[str], Callable[[bytes], object] | None]) -> tuple[Entry, ...]:
    """Read what a foreign layer holds; what takes a chosen file's content is given it."""

    def hashed() -> Iterator[Entry]:
        for entry, content in read_tar(stream):
            yield entry if content is None else _hashed(entry, content, keep(entry.path))

    return layerindex.last_wins(hashed())


def _hashed(entry: Entry, content: BinaryIO, keep: Callable[[bytes], object] | None = None) -> Entry:
    if keep is not None:
        data = content.read()
        keep(data)
        return replace(entry, sha256=hashlib.sha256(data).hexdigest())
    digest = hashlib.sha256()
    while data := content.read(CHUNK):
        digest.update(data)
    return replace(entry, sha256=digest.hexdigest())
