"""Values of the OCI image specification that Ropewalk works with (image-spec v1.1: descriptor, manifest, config, layer)."""

from dataclasses import dataclass
from enum import StrEnum

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on (GOOS and GOARCH values)."""

    os: str
    architecture: str

    def __str__(self) -> str:
        """Return ``os/architecture``."""
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content.

    Attributes:
        media_type: What it is.
        digest: ``sha256:`` and 64 hexadecimal digits of its bytes.
        size: Its size in bytes.
    """

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: the digest of its tar, and the blob that carries it compressed."""

    diff_id: str
    blob: Descriptor


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How an image runs: the ``config`` object of the OCI image configuration.

    Attributes:
        user: ``User``; empty means root.
        env: ``Env`` as (name, value), in order.
        entrypoint: ``Entrypoint``; None where it is not set.
        cmd: ``Cmd``; None where it is not set.
        working_dir: ``WorkingDir``.
        labels: ``Labels``, sorted by name.
        exposed_ports: ``ExposedPorts``, sorted.
        volumes: ``Volumes``, sorted.
        stop_signal: ``StopSignal``.
    """

    user: str = ""
    env: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image: a manifest, its config and its layers, lowest first.

    Attributes:
        digest: The manifest's digest.
        platform: What it runs on.
        manifest: The manifest's descriptor.
        config_blob: The descriptor of the config.
        config: How it runs.
        layers: Its layers, the lowest first.
        created: ``created`` as seconds since 1970 (its SOURCE_DATE_EPOCH).
        annotations: Of the manifest, sorted by name.
    """

    digest: str
    platform: Platform
    manifest: Descriptor
    config_blob: Descriptor
    config: ImageConfig
    layers: tuple[Layer, ...]
    created: int
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes that a client fetches for the whole image."""
        return self.manifest.size + self.config_blob.size + sum(layer.blob.size for layer in self.layers)


class EntryType(StrEnum):
    """What a path in a layer is (image-spec, layer.md)."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "char"
    BLOCK = "block"
    FIFO = "fifo"
    WHITEOUT = "whiteout"
    """``.wh.NAME``: ``path`` is the path that is gone, without the prefix."""
    OPAQUE = "opaque"
    """``.wh..wh..opq``: ``path`` is the directory whose lower content is hidden."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a layer or of a flattened image.

    Attributes:
        path: Relative to the root, no leading or trailing slash, no ``.`` or ``..``; the root itself is ``""``.
        type: What it is.
        mode: Permission bits with setuid, setgid and sticky (no file type bits).
        uid: Owner.
        gid: Group.
        size: Bytes of content; 0 for anything but a file.
        sha256: 64 hexadecimal digits of a file's content; empty for anything else.
        link: A symlink's target as written; a hard link's target as a path in the same layer.
        mtime: Seconds since 1970.
        device: Major and minor number of a device.
        xattrs: Extended attributes, sorted by name.
    """

    path: str
    type: EntryType
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    sha256: str = ""
    link: str = ""
    mtime: int = 0
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
