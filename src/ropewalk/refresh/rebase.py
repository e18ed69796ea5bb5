"""Put a child's own layers on a newer parent, with one small layer that reconciles what both changed."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ropewalk.build import Workshop, ld_cache, load_image, unload
from ropewalk.errors import InputError
from ropewalk.oci.annotations import annotations, base_name, inheritable, own_config
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, Image, ImageConfig, Layer
from ropewalk.oci.store import Store
from ropewalk.oci.tree import Tree, ancestors
from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, LayerKind, OwnedLayer, ParentPin, RecordBook
from ropewalk.refresh.decide import LD_CACHE, MERGED, Decision, decide
from ropewalk.refresh.inputs import INFO, STATUS, DpkgFiles, MovedParent, RebaseInputs
from ropewalk.refresh.merge import merge_config
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.rules import DIVERSIONS, OVERRIDES

_RECONCILE_HISTORY = "ropewalk: reconcile"
_KEPT = (".list", ".triggers")
_NAMED = 3
"""Packages that a reason names."""
READ = MERGED | {DIVERSIONS, OVERRIDES}
"""What is read of an image beside dpkg's status and its packages' files."""


@dataclass(frozen=True, slots=True)
class Rebased:
    """An image that was made without building; it is in the store, not yet tagged, tested or recorded.

    Attributes:
        image: The image.
        layers: All its layers with their owners.
        reconcile_bytes: Compressed size of the reconcile layer; 0 where none was needed.
        proof: Why it must be proven before it is published; empty where it need not be.
        origin: Digest of the image whose own layers it has.
        converged: Packages of the parent that its own layer holds too, at the same version; see `Decision`.
    """

    image: Image
    layers: tuple[OwnedLayer, ...]
    reconcile_bytes: int
    proof: tuple[str, ...]
    origin: str
    converged: tuple[str, ...] = ()

    @property
    def needs_proof(self) -> bool:
        """It must be proven before it is published."""
        return bool(self.proof)

    @property
    def due(self) -> str:
        """Why it is to be rebuilt some day; empty where it is not."""
        more = len(self.converged) - _NAMED
        names = ", ".join(self.converged[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"a rebuild is due: its own layer holds the parent's {names} once more" if names else ""


class DpkgReader:
    """Reads dpkg's files from layers, each layer once."""

    def __init__(self, store: Store) -> None:
        """Read from ``store``."""
        self._store = store
        self._layers: dict[str, dict[str, bytes]] = {}

    def files(self, layers: Iterable[Layer], tree: Tree) -> DpkgFiles:
        """Return dpkg's files of an image.

        Args:
            layers: Its layers, the lowest first.
            tree: The flattened image.
        """
        found: dict[str, bytes] = {}
        for layer in layers:
            found |= self._layer(layer)
        found = {path: data for path, data in found.items() if path in tree}
        return DpkgFiles(
            status=found.get(STATUS, b""),
            lists={path: data for path, data in found.items() if path.endswith(".list")},
            triggers={path: data for path, data in found.items() if path.endswith(".triggers")},
            merged={path: found[path] for path in READ if path in found},
        )

    def _layer(self, layer: Layer) -> dict[str, bytes]:
        if layer.diff_id not in self._layers:
            entries = self._store.entries(layer.diff_id)
            wanted = {e.path for e in entries if e.type is EntryType.FILE and _is_read(e.path)}
            found = self._store.contents(layer, wanted) if wanted else ()
            self._layers[layer.diff_id] = {entry.path: data for entry, data in found}
        return self._layers[layer.diff_id]


def _is_read(path: str) -> bool:
    return path == STATUS or path in READ or (path.startswith(INFO) and path.endswith(_KEPT))


def origin(book: RecordBook, record: BuildRecord) -> BuildRecord | None:
    """Find the build that made an image's own layers.

    Args:
        book: The build records.
        record: The image's record; of a rebased one, its origin's is looked up.

    Returns:
        The record of the image that was built; None where its record is not here.
    """
    found: BuildRecord | None = record
    while found is not None and found.rebased_from:
        found = book.load(found.rebased_from)
    return found


def rebase(
    shop: Workshop,
    record: BuildRecord,
    recipe: Recipe,
    old: Image,
    new: Image,
    *,
    build: int,
    pins: Sequence[ParentPin] | None = None,
    reader: DpkgReader | None = None,
) -> Rebased | Refusal:
    """Put an image's own layers on a new parent, if that gives what a full rebuild would give.

    Args:
        shop: The workshop.
        record: The image's current record.
        recipe: Its recipe; the Dockerfile that counts is the record's.
        old: The parent that the own layers were built on.
        new: The parent to stand on.
        build: The number of the build that it will be.
        pins: Its parents as they are now; the recorded ones by default.
        reader: Reads dpkg's files; give the same one for many images.

    Returns:
        The new image, in the store, or why it must be rebuilt.
    """
    made = origin(shop.book, record)
    root = shop.store.load(made.digest) if made is not None else None
    below = shop.book.load(new.digest)
    if made is None or root is None or below is None:
        return Refusal("record", record.reference, "the build that made its own layer, or its parent's, is not here")
    if root.layers[: len(old.layers)] != old.layers:
        return Refusal("record", record.reference, "its own layer does not stand on that parent")
    stack = _Stack(shop.store, old, new, root.layers[len(old.layers) :])
    parts = (old, new, stack.own)
    reader = reader or DpkgReader(shop.store)
    decision = decide(gather(shop.store, recipe, made, pins or made.parents, parts, reader=reader))
    if isinstance(decision, Refusal):
        return decision
    config = configured(old.config, new.config, root.config, made.dockerfile)
    if isinstance(config, Refusal):
        return config
    base = next((p for p in (pins or made.parents) if p.role is ParentRole.FINAL and p.digest == new.digest), None)
    name = base_name(base.reference if base else below.reference, new)
    draft = _Draft(shop, made, stack, config, _history(shop.store, root)[len(old.layers) :], name, build)
    reconcile = draft.reconcile(decision)
    if isinstance(reconcile, Refusal):
        return reconcile
    owners = tuple(OwnedLayer(layer.diff_id, recipe.path, LayerKind.OWN) for layer in stack.own)
    added = tuple(OwnedLayer(layer.diff_id, recipe.path, LayerKind.RECONCILE) for layer in reconcile)
    return Rebased(
        image=draft.image(reconcile),
        layers=(*below.layers, *owners, *added),
        reconcile_bytes=sum(layer.blob.size for layer in reconcile),
        proof=(*decision.proof, *_surroundings(old.config, new.config)),
        origin=made.digest,
        converged=decision.converged,
    )


def configured(old: ImageConfig, new: ImageConfig, child: ImageConfig, dockerfile: str) -> ImageConfig | Refusal:
    """Merge how an image runs, as `merge_config`, without labels that are the parent's alone.

    Args:
        old: The old parent's configuration.
        new: The new parent's.
        child: The child's.
        dockerfile: The rendered Dockerfile that the child was built from.
    """
    return merge_config(inheritable(old), inheritable(new), own_config(child, old, parse(dockerfile).labels()))


def _surroundings(old: ImageConfig, new: ImageConfig) -> tuple[str, ...]:
    """Say what else than files the child's instructions saw otherwise: environment, user, directory."""
    names = ("env", "user", "working_dir")
    return tuple(f"the parent's {name} changed" for name in names if getattr(old, name) != getattr(new, name))


def gather(
    store: Store,
    recipe: Recipe,
    made: BuildRecord,
    pins: Sequence[ParentPin],
    layers: tuple[Image, Image, tuple[Layer, ...]],
    *,
    reader: DpkgReader,
) -> RebaseInputs:
    """Read all that a rebase is decided on.

    Args:
        store: Where the images are.
        recipe: The child's recipe.
        made: The record of the build that made its own layers.
        pins: Its parents as they are now.
        layers: The old parent, the new one, and the child's own layers.
        reader: Reads dpkg's files.
    """
    old, new, own = layers
    child = replace(old, layers=(*old.layers, *own))
    trees = store.tree(old), store.tree(new), store.tree(child)
    return RebaseInputs(
        old=trees[0],
        new=trees[1],
        own=tuple(store.entries(layer.diff_id) for layer in own),
        old_dpkg=reader.files(old.layers, trees[0]),
        new_dpkg=reader.files(new.layers, trees[1]),
        child_dpkg=reader.files(child.layers, trees[2]),
        dockerfile=parse(made.dockerfile),
        context=frozenset(file.sha256 for file in recipe.context if file.sha256),
        allowed=recipe.rebase,
        moved=moved_parents(made.parents, pins),
    )


def moved_parents(recorded: Sequence[ParentPin], now: Sequence[ParentPin]) -> tuple[MovedParent, ...]:
    """Return the build parents that are other images now.

    Args:
        recorded: Parents as they were used.
        now: Parents as they are.
    """
    was = {pin.reference: pin.digest for pin in recorded if pin.role is ParentRole.BUILD}
    build = [pin for pin in now if pin.role is ParentRole.BUILD]
    return tuple(
        MovedParent(pin.reference, was.get(pin.reference, ""), pin.digest)
        for pin in build
        if was.get(pin.reference) != pin.digest
    )


def _history(store: Store, image: Image) -> tuple[str, ...]:
    """Return ``created_by`` of each layer; empty texts where the config does not say it."""
    entries = json.loads(store.read(image.config_blob.digest)).get("history") or ()
    texts = [str(entry.get("created_by", "")) for entry in entries if not entry.get("empty_layer")]
    return tuple([*texts, *([""] * len(image.layers))][: len(image.layers)])


@dataclass(frozen=True, slots=True)
class _Stack:
    """Where the layers of a rebase are."""

    store: Store
    old: Image
    new: Image
    own: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """The rebased image in the making."""

    shop: Workshop
    made: BuildRecord
    stack: _Stack
    config: ImageConfig
    own_history: tuple[str, ...]
    base: str
    build: int

    def image(self, reconcile: Sequence[Layer]) -> Image:
        """Assemble new parent, own layers and reconcile layer."""
        history = (
            *_history(self.stack.store, self.stack.new),
            *self.own_history,
            *(_RECONCILE_HISTORY for _ in reconcile),
        )
        layers = (*self.stack.new.layers, *self.stack.own, *reconcile)
        said = annotations(self.made.line, self.made.epoch, (self.base, self.stack.new.digest), build=self.build)
        platform, epoch = self.stack.new.platform, self.made.epoch
        return self.stack.store.add_image(self.config, layers, platform, epoch, history, annotations=said)

    def reconcile(self, decision: Decision) -> tuple[Layer, ...] | Refusal:
        """Make the reconcile layer, if one is needed."""
        made = dict(decision.merged)
        paths = tuple(path for path in decision.reconcile if path != LD_CACHE or not decision.ldconfig)
        layers = self._layer(paths, decision.target, made)
        if not decision.ldconfig:
            return layers
        cache = self._ld_cache(self.image(layers))
        if cache is None:
            return Refusal("merge 4", LD_CACHE, "the image's own ldconfig does not run")
        return self._layer((*paths, LD_CACHE), decision.target, {**made, LD_CACHE: cache})

    def _ld_cache(self, candidate: Image) -> bytes | None:
        reference = f"{self.made.repository}:{self.made.version}-rebase"
        try:
            load_image(self.shop, candidate, reference)
            return ld_cache(self.shop, reference)
        finally:
            unload(self.shop, reference)

    def _layer(self, paths: Sequence[str], target: Tree, made: Mapping[str, bytes]) -> tuple[Layer, ...]:
        if not paths:
            return ()
        contents = {**self._contents([p for p in paths if p not in made], target), **made}
        above = {directory for path in paths for directory in ancestors(path) if directory in target}
        items = [
            _item(path, target.get(path), contents.get(path), self.made.epoch) for path in sorted({*paths, *above})
        ]
        return (self.stack.store.add_layer(items),)

    def _contents(self, paths: Sequence[str], target: Tree) -> dict[str, bytes]:
        """Read files from where their content lies: the new parent, else the child."""
        files = {path for path in paths if path in target and target[path].type is EntryType.FILE}
        found: dict[str, bytes] = {}
        for layers in (self.stack.new.layers, (*self.stack.old.layers, *self.stack.own)):
            missing = files - found.keys()
            read = self.stack.store.read_files(layers, missing) if missing else {}
            found |= {p: data for p, data in read.items() if hashlib.sha256(data).hexdigest() == target[p].sha256}
        return found


def _item(path: str, entry: Entry | None, data: bytes | None, epoch: int) -> TarItem:
    if entry is None:
        return TarItem(Entry(path, EntryType.WHITEOUT), None)
    if entry.type is not EntryType.FILE:
        return TarItem(replace(entry, mtime=min(entry.mtime, epoch)), None)
    if data is None:
        raise InputError("its content is in no layer", where=path, hint="the store is damaged: build the image again")
    digest = hashlib.sha256(data).hexdigest()
    checked = replace(entry, size=len(data), sha256=digest, mtime=min(entry.mtime, epoch))
    return TarItem(checked, partial(io.BytesIO, data))
