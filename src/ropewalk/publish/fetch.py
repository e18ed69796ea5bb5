"""Fetching: an image of a registry into the store, every blob checked against its digest."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ropewalk.errors import InputError, TrustError
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.model import DOCKER_INDEX, INDEX, Image, Layer, Platform
from ropewalk.oci.store import Store, parse_image

_INDEXES = (INDEX, DOCKER_INDEX)


class NoSuchImage(InputError):
    """The registry has no such image, or none for this platform."""


class WrongLayer(TrustError):
    """A layer's content is not what the image's config says."""


def fetch_image(
    client: RegistryClient, repository: str, reference: str, store: Store, platform: Platform | None = None
) -> Image:
    """Fetch an image into the store; what the store has is not fetched again.

    Args:
        client: The registry.
        repository: The repository without the registry.
        reference: A tag or a digest; of an index, the image of ``platform`` is taken.
        store: Where it goes.
        platform: ``linux/amd64`` where it is None.

    Returns:
        The image, which the store holds.

    Raises:
        NoSuchImage: There is no such image.
        NetworkError: The registry does not answer as it should.
        TrustError: A blob is not what its digest or the config says.
    """
    manifest, media_type = _manifest(client, repository, reference)
    if media_type in _INDEXES:
        chosen = _choose(json.loads(manifest), platform or Platform("linux", "amd64"), f"{repository}:{reference}")
        manifest, media_type = _manifest(client, repository, chosen)
    config = client.blob(repository, _config_digest(manifest, f"{repository}:{reference}"))
    image = parse_image(manifest, config)
    for layer in image.layers:
        _fetch_layer(client, repository, layer, store)
    store.put(config, image.config_blob.media_type)
    store.put(manifest, media_type)
    return image


def note_image(
    client: RegistryClient, repository: str, digest: str, store: Store, keep: Callable[[str], bool]
) -> Image:
    """Read an image of the registry layer by layer, without keeping the layers.

    Args:
        client: The registry.
        repository: The repository without the registry.
        digest: Of the image's manifest.
        store: Gets manifest, config, the layers' indexes and the chosen files.
        keep: Chooses files by their paths.

    Returns:
        The image; the store knows it, but not its layers.

    Raises:
        NoSuchImage: There is no such image, or it is none.
        NetworkError: The registry does not answer as it should.
        TrustError: A blob is not what its digest or the config says.
        LayerError: A layer is damaged or hostile.
    """
    manifest, media_type = _manifest(client, repository, digest)
    config = client.blob(repository, _config_digest(manifest, f"{repository}@{digest}"))
    image = parse_image(manifest, config)
    for layer in image.layers:
        if not store.is_noted(layer, keep):
            with _downloaded(client, repository, layer) as path:
                _check(layer, store.note_layer(path, layer.blob.media_type, keep), repository)
    store.put(config, image.config_blob.media_type)
    store.put(manifest, media_type)
    return image


def _manifest(client: RegistryClient, repository: str, reference: str) -> tuple[bytes, str]:
    found = client.manifest(repository, reference)
    if found is None:
        hint = "look at the repository's tags; the image may not be published yet"
        raise NoSuchImage("the registry has no such image", where=f"{repository}:{reference}", hint=hint)
    return found[1], found[0].media_type


def _choose(index: dict[str, Any], platform: Platform, where: str) -> str:
    """Return the digest of a platform's image in an index (image-spec, image-index.md)."""
    for entry in index.get("manifests", ()):
        said = entry.get("platform", {})
        if (said.get("os"), said.get("architecture")) == (platform.os, platform.architecture):
            return str(entry["digest"])
    raise NoSuchImage(f"has no image for {platform}", where=where, hint="name an image that is made for this platform")


def _config_digest(manifest: bytes, where: str) -> str:
    try:
        return str(json.loads(manifest)["config"]["digest"])
    except (ValueError, KeyError, TypeError) as error:
        hint = "name an image; charts and other artefacts are none"
        raise NoSuchImage("is no image manifest", where=where, hint=hint) from error


def _fetch_layer(client: RegistryClient, repository: str, layer: Layer, store: Store) -> None:
    if store.layer(layer.diff_id) is not None and store.holds(layer.blob):
        return
    with _downloaded(client, repository, layer) as path:
        _check(layer, store.add_layer_blob(path, layer.blob.media_type), repository)


@contextmanager
def _downloaded(client: RegistryClient, repository: str, layer: Layer) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ropewalk-fetch-") as directory:
        path = Path(directory) / "blob"
        client.download(repository, layer.blob.digest, path)
        yield path


def _check(layer: Layer, got: Layer, repository: str) -> None:
    if got.diff_id != layer.diff_id:
        message = f"layer {layer.blob.digest} holds {got.diff_id}, the config says {layer.diff_id}"
        raise WrongLayer(message, where=repository, hint="the image is broken or forged; ask who published it")
