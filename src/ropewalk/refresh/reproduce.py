"""Rebuild images from their provenance alone, in a fresh state directory, and compare: the same layers, the same digest?

Each image is rebuilt on the parents that its provenance names by digest, whether those can be rebuilt or not: so one
image that cannot says nothing of others. Of the old state directory only views and .debs are read, by their hashes,
and parents, whose every layer is hashed again on its way. A rebased image was made of layers that no build gives; it is
rebuilt in full on its parents, and what containers see is compared (`prove` does the same in the old state directory).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ropewalk.archive import Pool, View
from ropewalk.build import Made, Workshop, full_disk, in_order, make_image
from ropewalk.errors import InputError, RopewalkError, TrustError
from ropewalk.events import step
from ropewalk.oci import RegistryClient, Store, parse
from ropewalk.oci.blobs import file_digest
from ropewalk.oci.model import Image, Layer
from ropewalk.publish import fetch_image
from ropewalk.recipe.lock import Lock
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, How, ParentPin
from ropewalk.refresh.difference import Difference, Side, compare, read_both
from ropewalk.refresh.explain import report

_EXPLAINED = 10
"""Differences for which diffoscope is asked."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An image that is said to be reproducible.

    Attributes:
        image: The image.
        record: Its provenance.
        store: Where the image is, whole.
        recipe: Its recipe; the digest agrees with the record's.
        source: Where the recipe was read.
        view: The archive view that the record names.
    """

    image: Image
    record: BuildRecord
    store: Store
    recipe: Recipe
    source: str
    view: View


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a rebuild from provenance said of an image.

    Attributes:
        record: The image's provenance.
        source: Where the recipe was read; empty where that failed.
        rebuilt: The digest that came out; empty where nothing did.
        same_layers: Every layer has the same diff_id.
        differences: Where it differs, and why.
        seconds: How long rebuilding and comparing took.
        error: Why there is no answer.
    """

    record: BuildRecord
    source: str = ""
    rebuilt: str = ""
    same_layers: bool = False
    differences: tuple[Difference, ...] = ()
    seconds: float = 0.0
    error: RopewalkError | None = None

    @property
    def same_digest(self) -> bool:
        """The very same image came out."""
        return self.rebuilt == self.record.digest

    @property
    def equal(self) -> bool:
        """The rebuild gave what the image is: its layers, or what containers see of a rebased one."""
        rebased = self.record.how is How.REBASED
        return bool(self.rebuilt) and not self.differences and (self.same_layers or rebased)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where parents are found by digest.

    Attributes:
        stores: Looked through in this order; the last takes what is fetched.
        client: The registry; None where none may be asked.
    """

    stores: tuple[Store, ...]
    client: RegistryClient | None

    def image(self, pin: ParentPin, where: str) -> tuple[Store, Image]:
        """Return an image and the store that has it whole.

        Args:
            pin: The image.
            where: Who needs it.

        Raises:
            InputError: It is nowhere.
            TrustError: What the registry has is something else.
        """
        for store in self.stores:
            found = store.load(pin.digest)
            if found is not None and store.is_whole(found):
                return store, found
        if self.client is None:
            hint = "say where it is: --registry URL"
            raise InputError(f"its parent {pin.reference} ({pin.digest[7:19]}) is in no store", where=where, hint=hint)
        return self.stores[-1], fetch_image(self.client, parse(pin.reference).repository, pin.digest, self.stores[-1])


def reproduce(shop: Workshop, claims: Sequence[Claim], sources: Sources, *, jobs: int = 1) -> tuple[Reproduction, ...]:
    """Rebuild images and compare.

    Args:
        shop: A workshop on a fresh state directory; the rebuilt images are in its store then, tagged and recorded.
        claims: The images.
        sources: Where their parents are.
        jobs: How many at once.

    Returns:
        One answer an image, in the order of the claims; an error is told in its answer.
    """
    by_digest = {claim.record.digest: claim for claim in claims}
    links = {
        digest: tuple(pin.digest for pin in claim.record.parents if pin.digest in by_digest)
        for digest, claim in by_digest.items()
    }
    found: dict[str, Reproduction] = {}

    def work(digest: str) -> Reproduction:
        claim, start = by_digest[digest], shop.clock()
        try:
            with full_disk(claim.record.reference):
                answer = _reproduce(shop, claim, sources)
        except RopewalkError as error:
            answer = Reproduction(claim.record, claim.source, error=error)
        return replace(answer, seconds=shop.clock() - start)

    # Parents first: what came out equal is there by then as it was rebuilt, and need not be brought.
    in_order(_parents_first(links), links, jobs=jobs, work=work, done=found.__setitem__)
    return tuple(found[claim.record.digest] for claim in claims)


def _parents_first(links: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    done: dict[str, None] = {}

    def visit(digest: str) -> None:
        for parent in links[digest]:
            visit(parent)
        done.setdefault(digest)

    for digest in links:
        visit(digest)
    return tuple(done)


def _reproduce(shop: Workshop, claim: Claim, sources: Sources) -> Reproduction:
    record = claim.record
    with step(shop.listener, record.reference, "reproduce"):
        check_layers(claim)
        for pin in record.parents:
            with shop.names.loading():
                bring(*sources.image(pin, record.reference), shop.store)
        lock = kept_lock(shop, record)
        made = make_image(shop, claim.recipe, record.parents, claim.view, record.epoch, lock=lock, build=record.build)
        _keep(shop, record, made)
        return replace(_compared(shop, claim, made), source=claim.source)


def kept_lock(shop: Workshop, record: BuildRecord) -> Lock | None:
    """Return the lock that a rebuild is kept to; None where it may take from the view what the pool lacks.

    Args:
        shop: The workshop.
        record: The image's build record.
    """
    if record.lock is None or record.how is How.REBASED:
        return None  # a rebased image's is the lock of the build that made its own layer, on another parent
    pool = Pool(shop.settings.pool)
    return record.lock if all(pool.path(deb.sha256).is_file() for deb in record.lock.debs) else None


def check_layers(claim: Claim) -> None:
    """Hash every layer of an image.

    Args:
        claim: The image.

    Raises:
        InputError: A layer is not in the store.
        TrustError: A layer is not what its digest says.
    """
    for layer in claim.image.layers:
        path = claim.store.blob(layer.blob.digest)
        if not path.is_file():
            raise InputError(
                f"its layer {layer.blob.digest} is not in the store",
                where=claim.record.reference,
                hint="build it, or fetch it from the registry",
            )
        if file_digest(path) != layer.blob.digest:
            raise _changed(claim.record.reference, layer.blob.digest)


def _changed(reference: str, digest: str) -> TrustError:
    message = f"its layer {digest} was changed: its bytes are not what the digest says"
    return TrustError(message, where=reference, hint="delete the blob; build the image or fetch it again")


def bring(source: Store, image: Image, target: Store) -> None:
    """Take an image over into another store; every layer is hashed and read again on its way.

    Args:
        source: Has the image whole.
        image: The image.
        target: Gets it.

    Raises:
        TrustError: A layer is not what its digest or the config says.
    """
    if target.load(image.digest) is not None:
        return
    for layer in image.layers:
        if target.holds(layer.blob) and target.layer(layer.diff_id) is not None:
            continue
        got = target.add_layer_blob(source.blob(layer.blob.digest), layer.blob.media_type)
        if (got.blob.digest, got.diff_id) != (layer.blob.digest, layer.diff_id):
            raise _changed(image.digest, layer.blob.digest)
    target.put(source.read(image.config_blob.digest), image.config_blob.media_type)
    target.put(source.read(image.digest), image.manifest.media_type)


def _keep(shop: Workshop, record: BuildRecord, made: Made) -> None:
    """Name and record what came out, so that whoever keeps the state directory can look at it."""
    digest, now = made.image.digest, int(shop.clock())
    kept = replace(record, digest=digest, how=How.REBUILT, layers=made.layers, made=now, rebased_from="", tested=False)
    shop.book.save(kept)
    shop.store.tag(record.reference, digest)


def _compared(shop: Workshop, claim: Claim, made: Made) -> Reproduction:
    record, rebuilt = claim.record, made.image
    same = [layer.diff_id for layer in claim.image.layers] == [layer.diff_id for layer in rebuilt.layers]
    answer = Reproduction(record, rebuilt=rebuilt.digest, same_layers=same)
    rebased = record.how is How.REBASED
    old = Side(claim.store, claim.image, claim.image.layers if rebased else _own(claim.image, rebuilt))
    new = Side(shop.store, rebuilt, rebuilt.layers if rebased else _own(rebuilt, claim.image))
    if answer.same_digest:
        return answer
    found = compare(old, new, dockerfile=record.dockerfile, now=int(shop.clock()), times=not rebased)
    return replace(answer, differences=_explained(shop, found, old, new))


def _own(image: Image, other: Image) -> tuple[Layer, ...]:
    """Return an image's layers above those that it has in common with another."""
    shared = 0
    for one, two in zip(image.layers, other.layers, strict=False):
        if one.diff_id != two.diff_id:
            break
        shared += 1
    return image.layers[shared:]


def _explained(shop: Workshop, found: tuple[Difference, ...], old: Side, new: Side) -> tuple[Difference, ...]:
    """Add what diffoscope says of the first files."""
    paths = [difference.path for difference in found][:_EXPLAINED]
    contents = read_both(old, new, paths)
    return tuple(
        replace(one, report=report(one.path, *contents[one.path], shop.settings.scratch))
        if one.path in contents
        else one
        for one in found
    )
