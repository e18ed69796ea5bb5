"""buildah's and podman's storage: our images go in, what a build added comes out. It is a cache and may be deleted."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ropewalk.build import storage
from ropewalk.build.scan import merged, scan
from ropewalk.build.workshop import Workshop
from ropewalk.errors import HostError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Image, ImageConfig
from ropewalk.process import run

_LABEL = "io.buildah.version"


@dataclass(frozen=True, slots=True)
class Stored:
    """An image in the storage.

    Attributes:
        name: The name under which it was looked up.
        id: Its id: the hexadecimal digits of its config's digest.
        config: How it runs; buildah's own label is left out.
        diff_ids: Its layers, the lowest first.
        uppers: The directories with the layers' content, the top one first.
    """

    name: str
    id: str
    config: ImageConfig
    diff_ids: tuple[str, ...]
    uppers: tuple[Path, ...]


def inspect(shop: Workshop, reference: str, own: tuple[str, ...] = ()) -> Stored | None:
    """Look an image up in the storage.

    Args:
        shop: The workshop.
        reference: Its full name.
        own: The options of another storage; see `storage.apart`.

    Returns:
        What the storage says; None where it does not have the image.
    """
    done = run(storage.podman(shop.settings, "image", "inspect", reference, own=own), check=False)
    if done.returncode != 0:
        return None
    data = json.loads(done.stdout)[0]
    places = data.get("GraphDriver", {}).get("Data", {})
    uppers = (places.get("UpperDir", ""), *places.get("LowerDir", "").split(":"))
    layers = tuple(data.get("RootFS", {}).get("Layers") or ())
    config = read_config(data.get("Config") or {})
    return Stored(
        reference, data["Id"].removeprefix("sha256:"), config, layers, tuple(Path(upper) for upper in uppers if upper)
    )


def read_config(data: Mapping[str, Any]) -> ImageConfig:
    """Make an image's config of the ``Config`` that podman prints (docker's form of it).

    Args:
        data: The JSON object.
    """
    labels = {name: value for name, value in (data.get("Labels") or {}).items() if name != _LABEL}
    env = (entry.partition("=") for entry in data.get("Env") or ())
    return ImageConfig(
        user=data.get("User") or "",
        env=tuple((name, value) for name, _, value in env),
        entrypoint=_words(data.get("Entrypoint")),
        cmd=_words(data.get("Cmd")),
        working_dir=data.get("WorkingDir") or "",
        labels=tuple(sorted(labels.items())),
        exposed_ports=tuple(sorted(data.get("ExposedPorts") or ())),
        volumes=tuple(sorted(data.get("Volumes") or ())),
        stop_signal=data.get("StopSignal") or "",
    )


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None


def load_image(shop: Workshop, image: Image, reference: str) -> None:
    """Put an image of our store into the storage under a full name, unless that name stands for it already.

    Several builds at once take the name first (`Names.held`).

    Args:
        shop: The workshop.
        image: The image.
        reference: ``registry/namespace/name:tag``, as the Dockerfile or a test names it.
    """
    wanted = image.config_blob.digest.removeprefix("sha256:")
    with shop.names.loading():
        present = inspect(shop, reference)
        if present is not None and present.id == wanted:
            return
        if inspect(shop, wanted) is not None:
            run(storage.buildah(shop.settings, "tag", wanted, reference))
            return
        layout = shop.scratch("layout")
        try:
            shop.store.layout(image, reference, layout)
            run(storage.copy_in(shop.settings, layout, reference))
        finally:
            shutil.rmtree(layout, ignore_errors=True)


def unload(shop: Workshop, reference: str) -> None:
    """Take a name out of the storage, and the image with it where that was its last name.

    Args:
        shop: The workshop.
        reference: Its full name; one that is not there is no error.
    """
    run(storage.buildah(shop.settings, "rmi", "--force", reference), check=False)


def read_added_layer(stored: Stored, parents: int) -> tuple[TarItem, ...]:
    """Read what a build added to its parent, as one layer.

    Args:
        stored: The image that buildah made.
        parents: How many layers its parent has.

    Returns:
        The items; none where nothing was added.

    Raises:
        HostError: The storage does not tell where the layers are.
    """
    added = len(stored.diff_ids) - parents
    if added > len(stored.uppers):
        raise HostError(
            f"{added} layers were added, {len(stored.uppers)} are known",
            where="podman",
            hint="use Debian's podman, 4.3 or newer",
        )
    return merged([scan(upper) for upper in reversed(stored.uppers[:added])])


def read_container(root: Path) -> tuple[TarItem, ...]:
    """Read what the newest container of a storage holds above its image.

    Args:
        root: The storage; the container may be in use.

    Raises:
        HostError: The storage does not tell which it is.
    """
    files = sorted((root / "overlay-containers").glob("*containers.json"))
    found = [item for file in files for item in json.loads(file.read_bytes()) or ()]
    if not found:
        raise HostError("the storage names no container", where=str(root), hint="use Debian's buildah, 1.28 or newer")
    return tuple(scan(root / "overlay" / found[-1]["layer"] / "diff"))


@contextmanager
def named(shop: Workshop, reference: str) -> Iterator[str]:
    """Free a name in the storage when the body ends.

    Args:
        shop: The workshop.
        reference: The name that the body gives to an image.

    Yields:
        The name.
    """
    try:
        yield reference
    finally:
        unload(shop, reference)


def ld_cache(shop: Workshop, reference: str) -> bytes | None:
    """Let an image's own ldconfig write the cache of its libraries.

    Args:
        shop: The workshop.
        reference: A loaded image with ``/sbin/ldconfig``.

    Returns:
        What its ``/etc/ld.so.cache`` must hold; None where its ldconfig does not run.
    """
    place = shop.scratch("ldconfig")
    try:
        fixed = ("--rm", "--pull=never", "--network=none", "--read-only", "--user=0:0", "--entrypoint=/sbin/ldconfig")
        mount = ("--volume", f"{place}:/run/ropewalk")
        command = storage.podman(
            shop.settings, "run", *fixed, *mount, reference, "-X", "-C", "/run/ropewalk/ld.so.cache"
        )
        done = run(command, check=False)
        written = place / "ld.so.cache"
        return written.read_bytes() if done.returncode == 0 and written.exists() else None
    finally:
        shutil.rmtree(place, ignore_errors=True)
