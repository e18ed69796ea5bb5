"""Recipes, build records and images with a dpkg database, as small as tests need them."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Layer, Platform
from ropewalk.oci.store import Store
from ropewalk.recipe.recipe import Generation, Parent, ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, How, LayerKind, OwnedLayer, ParentPin

REGISTRY = "registry.example.org"
AMD64 = Platform("linux", "amd64")


def digest(text: str) -> str:
    """Return a digest that stands for something, the same for the same text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def parent(text: str, role: ParentRole = ParentRole.FINAL, *, foreign: bool = False) -> Parent:
    """Make a parent from ``name`` or ``name:tag``; with ``foreign``, of another registry."""
    name, _, tag = text.partition(":")
    repository = f"{'docker.io' if foreign else REGISTRY}/{name}"
    tag = tag or "latest"
    return Parent(f"{repository}:{tag}", repository, None if foreign else name, tag, role)


def recipe(
    line: str,
    *parents: Parent | str,
    text: str = "",
    generation: Generation | None = None,
    dockerfile: str = "FROM x\n",
) -> Recipe:
    """Make a recipe.

    Args:
        line: ``name`` (version 1) or ``name:version``.
        parents: Its parents, or their names.
        text: What its digest stands for besides its name and version.
        generation: Base where it has no parents, production otherwise.
        dockerfile: Its rendered Dockerfile.
    """
    name, _, version = line.partition(":")
    return Recipe(
        generation=generation or (Generation.PRODUCTION if parents else Generation.BASE),
        registry=REGISTRY,
        namespace="",
        name=name,
        version=version or "1",
        directory=Path("tree") / name,
        digest=digest(f"recipe {name} {version or '1'} {text}"),
        epoch=1 if parents else None,
        dockerfile=dockerfile if parents else "",
        parents=tuple(one if isinstance(one, Parent) else parent(one) for one in parents),
    )


def record(
    of: Recipe,
    *pins: BuildRecord,
    build: int = 1,
    view: str = "20250101-0000000000",
    image: Image | None = None,
    layers: Sequence[OwnedLayer] = (),
    made: int = 0,
) -> BuildRecord:
    """Make the build record of a recipe's image.

    Args:
        of: The recipe.
        pins: The images that stood for its parents, in the recipe's order.
        build: N of ``-rN``.
        view: The archive view.
        image: The image; without one, its digest stands for recipe, pins, build and view.
        layers: Its layers with owners.
        made: When.
    """
    what = " ".join([of.digest, *(pin.digest for pin in pins), str(build), view])
    return BuildRecord(
        digest=image.digest if image else digest(what),
        platform=str(AMD64),
        repository=of.repository,
        name=of.name,
        version=of.version,
        build=build,
        generation=of.generation,
        recipe_digest=of.digest,
        parents=tuple(ParentPin(p.reference, pin.digest, p.role) for p, pin in zip(of.parents, pins, strict=True)),
        view=view,
        epoch=1,
        how=How.BUILT if build == 1 else How.REBUILT,
        layers=tuple(layers),
        dockerfile=of.dockerfile,
        made=made,
        tested=False,
    )


def stanza(package: str, state: str = "install ok installed") -> str:
    """Write a paragraph of dpkg's status.

    Args:
        package: ``name=version``, ``name:architecture=version``; amd64 where none is given. ``@source`` or
            ``@source=version`` behind it names another source package.
        state: Its ``Status``.
    """
    package, _, source = package.partition("@")
    name, _, version = package.partition("=")
    name, _, architecture = name.partition(":")
    lines = (f"Package: {name}", f"Status: {state}", f"Architecture: {architecture or 'amd64'}", f"Version: {version}")
    return "\n".join((*lines, *(f"{key}: {value}" for key, value in source_fields(source)))) + "\n\n"


def source_fields(source: str) -> tuple[tuple[str, str], ...]:
    """Return the ``Source`` field of a package.

    Args:
        source: ``name`` or ``name=version``; empty where the package is called like its source.
    """
    name, _, version = source.partition("=")
    return (("Source", f"{name} ({version})" if version else name),) if name else ()


def status(*packages: str) -> bytes:
    """Write dpkg's status with these packages installed; see `stanza`."""
    return "".join(stanza(package) for package in packages).encode()


def file_item(path: str, content: bytes, mode: int = 0o644) -> TarItem:
    """Make a file of a layer."""
    return TarItem(Entry(path, EntryType.FILE, mode, size=len(content)), lambda: io.BytesIO(content))


def whiteout(path: str) -> TarItem:
    """Make a path of a layer that takes away what lies below."""
    return TarItem(Entry(path, EntryType.WHITEOUT), None)


def opaque(path: str) -> TarItem:
    """Make a directory's mark that hides its lower content."""
    return TarItem(Entry(path, EntryType.OPAQUE), None)


def add_files(store: Store, files: Mapping[str, bytes]) -> Layer:
    """Add a layer of files, given by path, to a store."""
    return store.add_layer(file_item(path, content) for path, content in files.items())


def add_image(store: Store, *layers: Layer, platform: Platform = AMD64) -> Image:
    """Add an image of some layers to a store."""
    return store.add_image(ImageConfig(), layers, platform, 1)


def owners(*named: tuple[Layer, str]) -> tuple[OwnedLayer, ...]:
    """Say who owns layers; an owner that begins with ``~`` made a reconcile layer."""
    return tuple(
        OwnedLayer(layer.diff_id, owner.removeprefix("~"), LayerKind.RECONCILE if owner[0] == "~" else LayerKind.OWN)
        for layer, owner in named
    )
