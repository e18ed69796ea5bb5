"""Packages read from an image's layers: nothing is run, nothing is mounted (DESIGN, principle 5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ropewalk.debian import Package, parse_status
from ropewalk.errors import InputError
from ropewalk.oci.model import Entry, EntryType, Image, Layer
from ropewalk.oci.store import Store
from ropewalk.recipe.record import LayerKind, OwnedLayer

_STATUS = "var/lib/dpkg/status"
_STATUS_D = "var/lib/dpkg/status.d/"
_FILES = (EntryType.FILE, EntryType.HARDLINK)
_RELEASES = ("etc/os-release", "usr/lib/os-release")


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package in an image.

    Attributes:
        name: The package.
        version: Its version.
        source: Its source package.
        source_version: The source package's version.
        architecture: Its architecture; may be ``all``.
        owner: The name of the line whose own layer brought this version in.
        diff_id: That layer.
    """

    name: str
    version: str
    source: str
    source_version: str
    architecture: str
    owner: str
    diff_id: str


@dataclass(frozen=True, slots=True)
class LayerPackages:
    """What one layer says of dpkg's database.

    Attributes:
        files: Database files that the layer holds, by path, each with its packages.
        hidden: Paths that the layer takes away: whiteouts, and what it puts in the place of a directory.
        opaque: Directories whose lower content it hides.
    """

    files: tuple[tuple[str, tuple[Package, ...]], ...]
    hidden: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    def over(self, below: Mapping[str, tuple[Package, ...]]) -> dict[str, tuple[Package, ...]]:
        """Return the database files as they are with this layer on top of others.

        Args:
            below: The files as the layers below leave them.
        """
        kept = {path: found for path, found in below.items() if not self._hides(path)}
        return {**kept, **dict(self.files)}

    def _hides(self, path: str) -> bool:
        gone = any(path == hidden or path.startswith(f"{hidden}/") for hidden in self.hidden)
        return gone or any(path.startswith(f"{directory}/" if directory else "") for directory in self.opaque)


class PackageReader:
    """Reads layers of one store, each once, however many images share it."""

    def __init__(self, store: Store) -> None:
        """Read from ``store``."""
        self._store = store
        self._layers: dict[str, LayerPackages] = {}

    def layer(self, layer: Layer) -> LayerPackages:
        """Return what a layer says of dpkg's database.

        Raises:
            InputError: A status file in it is none.
        """
        if layer.diff_id not in self._layers:
            self._layers[layer.diff_id] = self._read(layer)
        return self._layers[layer.diff_id]

    def _read(self, layer: Layer) -> LayerPackages:
        entries = self._store.entries(layer.diff_id)
        paths = [entry.path for entry in entries if entry.type in _FILES and is_database(entry.path)]
        files = []
        if paths:
            for entry, data in self._store.contents(layer, paths):
                files.append((entry.path, _packages(data, f"{entry.path} in layer {layer.diff_id}")))
        return LayerPackages(tuple(files), _hidden(entries), _opaque(entries))

    def packages(self, image: Image, owners: Sequence[OwnedLayer]) -> tuple[InstalledPackage, ...]:
        """Return an image's packages; see `read_packages`."""
        return owned([self.layer(layer) for layer in image.layers], owners)


def is_database(path: str) -> bool:
    """Say whether a path is one of dpkg's: the status file, or a package's own in ``status.d`` (not its md5sums)."""
    if path == _STATUS:
        return True
    name = path.removeprefix(_STATUS_D)
    return (
        name != path
        and "/" not in name
        and not name.endswith((".md5sums", ".preinst", ".postinst", ".prerm", ".postrm"))
    )


def _packages(data: bytes, where: str) -> tuple[Package, ...]:
    try:
        return parse_status(data)
    except InputError as error:
        raise InputError(
            error.message, where=where, hint="the image's dpkg database is damaged: build it again"
        ) from error


def _hidden(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return paths of a layer that take the database away: whiteouts, and other things in a directory's place."""
    above = [_STATUS_D[:index] for index, letter in enumerate(_STATUS_D) if letter == "/"]
    hidden = []
    for entry in entries:
        whiteout = entry.type is EntryType.WHITEOUT and (entry.path in above or is_database(entry.path))
        replaced = entry.path in above and entry.type not in {EntryType.DIRECTORY, EntryType.OPAQUE}
        if whiteout or replaced:
            hidden.append(entry.path)
    return tuple(hidden)


def _opaque(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(e.path for e in entries if e.type is EntryType.OPAQUE and f"{_STATUS_D}".startswith(f"{e.path}/"))


def owned(layers: Sequence[LayerPackages], owners: Sequence[OwnedLayer]) -> tuple[InstalledPackage, ...]:
    """Say which packages are installed, and whose layer brought each in.

    The owner is that of the lowest layer whose database holds exactly this package, architecture and version. A layer
    that a rebase merged only repeats what others brought: it never owns.

    Args:
        layers: The layers, the lowest first.
        owners: Their owners, in the same order.

    Returns:
        The packages by name and architecture.
    """
    first: dict[tuple[str, str, str], OwnedLayer] = {}
    files: dict[str, tuple[Package, ...]] = {}
    for layer, owner in zip(layers, owners, strict=True):
        files = layer.over(files)
        if owner.kind is LayerKind.RECONCILE:
            continue
        for _, found in layer.files:
            for package in found:
                first.setdefault((package.name, package.architecture, package.version), owner)
    top = {(p.name, p.architecture, p.version): p for found in files.values() for p in found}
    rest = next((owner for owner in reversed(owners) if owner.kind is not LayerKind.RECONCILE), None)
    return tuple(_installed(top[key], first.get(key, rest)) for key in sorted(top))


def _installed(package: Package, owner: OwnedLayer | None) -> InstalledPackage:
    return InstalledPackage(
        package.name,
        package.version,
        package.source,
        package.source_version,
        package.architecture,
        owner.owner if owner else "",
        owner.diff_id if owner else "",
    )


def read_packages(store: Store, image: Image, owners: Sequence[OwnedLayer]) -> tuple[InstalledPackage, ...]:
    """Read which packages are in an image: ``var/lib/dpkg/status`` and the files of ``status.d``, layer by layer.

    Args:
        store: Where its layers are.
        image: The image.
        owners: Its layers with their owners, the lowest first, as its build record says.

    Returns:
        Installed packages by name and architecture; removed ones are left out.

    Raises:
        InputError: A layer's status file is none.
    """
    return PackageReader(store).packages(image, owners)


def read_release(store: Store, image: Image) -> tuple[str, str]:
    """Read which system an image is: ``os-release``, below ``etc`` where it is a file, else below ``usr/lib``.

    Args:
        store: Where its layers are.
        image: The image.

    Returns:
        ``ID`` and ``VERSION_CODENAME`` (``debian``, ``bookworm``); empty where there is none.
    """
    found = store.read_files(image.layers, _RELEASES)
    for path in _RELEASES:
        if path in found:
            values = _assignments(found[path].decode(errors="replace"))
            return values.get("ID", ""), values.get("VERSION_CODENAME", "")
    return "", ""


def _assignments(text: str) -> dict[str, str]:
    """Read ``NAME=value`` lines with a shell's quotes (os-release(5)); values of interest have no escapes."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}
