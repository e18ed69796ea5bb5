"""Manifest and config of an image as JSON (image-spec, manifest.md and config.md); canonical where we write it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ropewalk.errors import InputError, TrustError
from ropewalk.oci.model import (
    CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    Image,
    ImageConfig,
    Layer,
    Platform,
)
from ropewalk.oci.reference import is_digest


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys, no spaces, ASCII only: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest_of(data: bytes) -> str:
    """Return ``sha256:`` and the hexadecimal digest of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor_json(descriptor: Descriptor) -> dict[str, Any]:
    """Return a descriptor as JSON-ready values (descriptor.md)."""
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}


def config_bytes(
    config: ImageConfig, layers: Sequence[Layer], platform: Platform, created: int, history: Sequence[str]
) -> bytes:
    """Return the image configuration's JSON.

    Args:
        config: How the image runs.
        layers: Its layers, the lowest first.
        platform: What it runs on.
        created: Seconds since 1970.
        history: ``created_by`` of each layer.
    """
    when = rfc3339(created)
    return canonical(
        {
            "architecture": platform.architecture,
            "os": platform.os,
            "created": when,
            "config": _config_json(config),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": when, "created_by": text} for text in history],
        }
    )


def _config_json(config: ImageConfig) -> dict[str, Any]:
    values = {
        "User": config.user,
        "Env": [f"{name}={value}" for name, value in config.env],
        "WorkingDir": config.working_dir,
        "Labels": dict(config.labels),
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Volumes": {path: {} for path in config.volumes},
        "StopSignal": config.stop_signal,
    }
    result: dict[str, Any] = {key: value for key, value in values.items() if value}
    if config.entrypoint is not None:
        result["Entrypoint"] = list(config.entrypoint)
    if config.cmd is not None:
        result["Cmd"] = list(config.cmd)
    return result


def manifest_bytes(config_blob: Descriptor, layers: Sequence[Layer], annotations: Mapping[str, str]) -> bytes:
    """Return the image manifest's JSON; without annotations it has no such key."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor_json(config_blob),
        "layers": [descriptor_json(layer.blob) for layer in layers],
    }
    return canonical({**value, "annotations": dict(annotations)} if annotations else value)


def rfc3339(seconds: int) -> str:
    """Return a time as the config writes it: ``1970-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int:
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def descriptor_from(data: dict[str, Any]) -> Descriptor:
    """Read a descriptor.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    return Descriptor(str(data["mediaType"]), _digest(data["digest"]), int(data["size"]))


def _digest(text: Any) -> str:
    # It becomes a file's name: nothing else may pass.
    if not isinstance(text, str) or not is_digest(text):
        raise ValueError(f"{text!r} is no sha256 digest")
    return text


def config_blob_of(manifest: bytes, where: str) -> Descriptor:
    """Return the config's descriptor of a manifest.

    Args:
        manifest: The manifest's bytes.
        where: What errors name.

    Raises:
        InputError: It is no image manifest.
    """
    return blobs_of(manifest, where)[0]


def blobs_of(manifest: bytes, where: str) -> tuple[Descriptor, ...]:
    """Return the descriptors of a manifest: the config's, then those of the layers.

    Args:
        manifest: The manifest's bytes.
        where: What errors name.

    Raises:
        InputError: It is no image manifest.
    """
    data = _load(manifest, where)
    try:
        return tuple(map(descriptor_from, (data["config"], *data["layers"])))
    except (KeyError, TypeError, ValueError) as error:
        raise _no_image(where, error) from error


def parse_image(manifest_bytes: bytes, config_bytes: bytes) -> Image:
    """Make an image of a manifest and its config, as a registry gave them.

    Args:
        manifest_bytes: An OCI or Docker image manifest (no index).
        config_bytes: The config that it names.

    Returns:
        The image; keys of the config that `ImageConfig` lacks are left out.

    Raises:
        InputError: One of them is not what it should be.
        TrustError: The config is not the one that the manifest names.
    """
    digest = digest_of(manifest_bytes)
    manifest = _load(manifest_bytes, digest)
    media_type = manifest.get("mediaType", MANIFEST)
    if media_type not in (MANIFEST, DOCKER_MANIFEST) or "config" not in manifest:
        raise InputError(
            f"is no image manifest but {media_type}", where=digest, hint="name one platform's image by its digest"
        )
    blob = config_blob_of(manifest_bytes, digest)
    if digest_of(config_bytes) != blob.digest:
        raise TrustError("the config is not the one that the manifest names", where=digest, hint="fetch it again")
    config = _load(config_bytes, blob.digest)
    try:
        return _image(Descriptor(media_type, digest, len(manifest_bytes)), manifest, blob, config)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_image(digest, error) from error


def _image(descriptor: Descriptor, manifest: dict[str, Any], blob: Descriptor, config: dict[str, Any]) -> Image:
    diff_ids = [_digest(diff_id) for diff_id in config["rootfs"]["diff_ids"]]
    # Docker's gzip layers are OCI's under another name; with one name, layers of both compare and mix.
    found = [descriptor_from(layer) for layer in manifest["layers"]]
    blobs = [replace(b, media_type=LAYER_GZIP) if b.media_type == DOCKER_LAYER_GZIP else b for b in found]
    return Image(
        digest=descriptor.digest,
        platform=Platform(str(config["os"]), str(config["architecture"])),
        manifest=descriptor,
        config_blob=blob,
        config=_config_from(config.get("config") or {}),
        layers=tuple(Layer(diff_id, layer) for diff_id, layer in zip(diff_ids, blobs, strict=True)),
        created=_seconds(config["created"]) if config.get("created") else 0,
        annotations=tuple(sorted((str(k), str(v)) for k, v in (manifest.get("annotations") or {}).items())),
    )


def _config_from(data: dict[str, Any]) -> ImageConfig:
    def argv(name: str) -> tuple[str, ...] | None:
        value = data.get(name)
        return None if value is None else tuple(str(word) for word in value)

    pairs = [str(text).partition("=") for text in data.get("Env") or ()]
    return ImageConfig(
        user=str(data.get("User") or ""),
        env=tuple((name, value) for name, _, value in pairs),
        entrypoint=argv("Entrypoint"),
        cmd=argv("Cmd"),
        working_dir=str(data.get("WorkingDir") or ""),
        labels=tuple(sorted((str(k), str(v)) for k, v in (data.get("Labels") or {}).items())),
        exposed_ports=tuple(sorted(data.get("ExposedPorts") or ())),
        volumes=tuple(sorted(data.get("Volumes") or ())),
        stop_signal=str(data.get("StopSignal") or ""),
    )


def config_descriptor(data: bytes) -> Descriptor:
    """Return the descriptor of a config that `config_bytes` made."""
    return Descriptor(CONFIG, digest_of(data), len(data))


def _load(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _no_image(where, error) from error
    if not isinstance(value, dict):
        raise _no_image(where, TypeError("not an object"))
    return value


def _no_image(where: str, error: Exception) -> InputError:
    return InputError(
        f"is no image that Ropewalk reads: {type(error).__name__}: {error}", where=where, hint="push the image again"
    )
