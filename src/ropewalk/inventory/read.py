"""Packages read from an image's layers: nothing is run, nothing is mounted (DESIGN, principle 5)."""

from collections.abc import Iterable, Sequence
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
_ABOVE = frozenset(
    path[:index] for path in (_STATUS_D, *_RELEASES) for index, letter in enumerate(path) if letter == "/"
)
"""Directories above the paths of interest."""


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
class LayerFacts:
    """What one layer says of dpkg's database and of the system.

    Attributes:
        databases: Files of dpkg's database that the layer holds, by path, each with its packages.
        releases: The ``os-release`` files that it holds, by path.
        hidden: Paths of interest, and directories above them, that it takes away or puts something else in place of.
        opaque: Directories whose lower content it hides.
    """

    databases: tuple[tuple[str, tuple[Package, ...]], ...]
    releases: tuple[tuple[str, bytes], ...] = ()
    hidden: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    def hides(self, path: str) -> bool:
        """Say whether a path of the layers below is gone with this layer on top of them."""
        gone = any(path == hidden or path.startswith(f"{hidden}/") for hidden in self.hidden)
        return gone or any(path.startswith(f"{directory}/" if directory else "") for directory in self.opaque)


class PackageReader:
    """Reads layers of one store, each once, however many images share it."""

    def __init__(self, store: Store) -> None:
        """Read from ``store``."""
        self._store = store
        self._layers: dict[str, LayerFacts] = {}

    def layer(self, layer: Layer) -> LayerFacts:
        """Return what a layer says.

        Raises:
            InputError: A status file in it is none.
        """
        if layer.diff_id not in self._layers:
            self._layers[layer.diff_id] = self._read(layer)
        return self._layers[layer.diff_id]

    def _read(self, layer: Layer) -> LayerFacts:
        entries = self._store.entries(layer.diff_id)
        paths = [entry.path for entry in entries if entry.type in _FILES and is_of_interest(entry.path)]
        databases, releases = [], []
        for entry, data in self._store.contents(layer, paths) if paths else ():
            if entry.path in _RELEASES:
                releases.append((entry.path, data))
            else:
                databases.append((entry.path, _packages(data, f"{entry.path} in layer {layer.diff_id}")))
        return LayerFacts(tuple(databases), tuple(releases), _hidden(entries), _opaque(entries))

    def packages(self, image: Image, owners: Sequence[OwnedLayer]) -> tuple[InstalledPackage, ...]:
        """Return an image's packages; see `read_packages`."""
        return owned([self.layer(layer) for layer in image.layers], owners)

    def release(self, image: Image) -> tuple[str, str]:
        """Return which system an image is; see `read_release`."""
        files: dict[str, bytes] = {}
        for facts in map(self.layer, image.layers):
            files = {path: data for path, data in files.items() if not facts.hides(path)} | dict(facts.releases)
        text = next((files[path].decode(errors="replace") for path in _RELEASES if path in files), "")
        values = _assignments(text)
        return values.get("ID", ""), values.get("VERSION_CODENAME", "")


def is_of_interest(path: str) -> bool:
    """Say whether the inventory reads a file of that path: dpkg's databases and os-release."""
    return path in _RELEASES or is_database(path)


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
    """Return what a layer takes away: by whiteouts, and by what is no directory or file where one was."""
    hidden = []
    for entry in entries:
        if entry.path in _ABOVE:
            gone = entry.type not in {EntryType.DIRECTORY, EntryType.OPAQUE}
        else:
            gone = entry.type not in {*_FILES, EntryType.OPAQUE} and is_of_interest(entry.path)
        if gone:
            hidden.append(entry.path)
    return tuple(hidden)


def _opaque(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(entry.path for entry in entries if entry.type is EntryType.OPAQUE and entry.path in {"", *_ABOVE})


def owned(layers: Sequence[LayerFacts], owners: Sequence[OwnedLayer]) -> tuple[InstalledPackage, ...]:
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
        files = {path: found for path, found in files.items() if not layer.hides(path)} | dict(layer.databases)
        if owner.kind is LayerKind.RECONCILE:
            continue
        for _, found in layer.databases:
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
    return PackageReader(store).release(image)


def _assignments(text: str) -> dict[str, str]:
    """Read ``NAME=value`` lines with a shell's quotes (os-release(5)); values of interest have no escapes."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}
