"""What a full rebuild means for an image that is published: a rebase is confirmed, or the rebuilt image takes its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from ropewalk.archive import View
from ropewalk.build import Made, Workshop, check, full_disk, with_test
from ropewalk.errors import InputError, RopewalkError
from ropewalk.oci.annotations import numbered_digest, numbered_manifest
from ropewalk.oci.model import MANIFEST
from ropewalk.oci.store import Store
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, How, LayerKind, Proof, RecordBook, Withdrawn
from ropewalk.refresh.decide import LD_CACHE
from ropewalk.refresh.inputs import STATUS
from ropewalk.refresh.prove import rebuilt

_CONFIGURATION = "configuration"
_MERGES = {
    STATUS: "merge 2",
    "var/cache/debconf/config.dat": "merge 3",
    "var/cache/debconf/templates.dat": "merge 3",
    LD_CACHE: "merge 4",
    "etc/passwd": "merge 5",
    "etc/group": "merge 5",
    "etc/shadow": "merge 5",
    "etc/gshadow": "merge 5",
    "var/lib/apt/extended_states": "merge 6",
}
"""Which merge of a rebase makes a file that is merged by its format."""


class Verdict(StrEnum):
    """What a full rebuild says of an image."""

    EQUAL = "equal"
    """It gave the same, path by path."""
    WITHDRAWN = "withdrawn"
    """The image was rebased, and the rebuild gave another one, which takes its place."""
    DIFFERS = "differs"
    """It gave another one, but the image was built in full itself: its recipe does not build the same twice."""
    UNPROVABLE = "cannot be proven"
    """It gave another one, but the build takes something from the network that is not pinned, which may be why."""
    FAILED = "failed"
    """It could not be rebuilt, or what came out failed its test."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one image.

    Attributes:
        record: The image's build record.
        verdict: What the rebuild says.
        proof: What was compared; None where nothing could be rebuilt.
        blame: Where a rebase was wrong: the rule that should have refused it, and the path; empty otherwise.
        replacement: What takes its place; None where nothing does.
        error: Why it failed; None otherwise.
    """

    record: BuildRecord
    verdict: Verdict
    proof: Proof | None = None
    blame: str = ""
    replacement: BuildRecord | None = None
    error: RopewalkError | None = None

    @property
    def unpinned(self) -> tuple[str, ...]:
        """What the image's build takes from elsewhere without a hash."""
        return self.record.lock.unpinned if self.record.lock else ()


def judge(shop: Workshop, record: BuildRecord, recipe: Recipe, view: View, following: Callable[[], int]) -> Judgement:
    """Rebuild an image in full and say what that means; of a wrong rebase, the rebuilt image is recorded as the next build.

    Args:
        shop: The workshop.
        record: The image's build record.
        recipe: Its recipe, as it was.
        view: The archive view of the record.
        following: Says the number of the line's next build, where one is needed.

    Returns:
        The judgement; proof, withdrawal and replacement are kept in the records and the store. The registry is told by
        `publish.confirm` and `publish.withdraw`.
    """
    try:
        below = _withdrawn_below(shop.book, record)
        if below is not None:
            hint = "run `ropewalk refresh`: it is made anew on what took that place"
            raise InputError(f"stands on {below}, which was withdrawn", where=record.reference, hint=hint)
        with full_disk(record.reference):
            proof, made = rebuilt(shop, record, recipe, view)
            shop.book.mark_proven(record.digest, proof)
            return _judged(shop, _Rebuilt(record, recipe, proof, made), following)
    except RopewalkError as error:
        return Judgement(record, Verdict.FAILED, shop.book.proof(record.digest), error=error)


def _withdrawn_below(book: RecordBook, record: BuildRecord) -> str | None:
    """Return the nearest parent, or parent's parent, that was withdrawn."""
    for pin in record.parents:
        if book.withdrawn(pin.digest) is not None:
            return pin.reference
        parent = book.load(pin.digest)
        below = _withdrawn_below(book, parent) if parent is not None else None
        if below is not None:
            return below
    return None


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    """An image and what a full rebuild of it gave."""

    record: BuildRecord
    recipe: Recipe
    proof: Proof
    made: Made


def _judged(shop: Workshop, found: _Rebuilt, following: Callable[[], int]) -> Judgement:
    judgement = Judgement(found.record, Verdict.EQUAL, found.proof)
    if found.proof.equal:
        return judgement
    if judgement.unpinned:
        return replace(judgement, verdict=Verdict.UNPROVABLE)
    if found.record.how is not How.REBASED:
        return replace(judgement, verdict=Verdict.DIFFERS)
    blame = blamed(shop.store, found.record, found.proof.differences[0], found.made.image.digest)
    taken = _replacement(shop, found, blame, following)
    return replace(judgement, verdict=Verdict.WITHDRAWN, blame=blame, replacement=taken)


def _replacement(shop: Workshop, found: _Rebuilt, blame: str, following: Callable[[], int]) -> BuildRecord:
    """Test what was rebuilt and record it as the next build; the withdrawal is kept before it is there."""
    record, book = found.record, shop.book
    builds = book.builds(record.repository, record.version)
    # An earlier run may have been stopped when the image was there, but the registry was not told.
    same = [one for one in builds if one.digest == numbered_digest(found.made.image, record.line, one.build)]
    taken = same[-1] if same else _made(shop, found, blame, following())
    book.mark_withdrawn(record.digest, Withdrawn(blame, taken.reference, int(shop.clock())))
    book.save(taken)
    shop.store.tag(taken.reference, taken.digest)
    return taken


def _made(shop: Workshop, found: _Rebuilt, blame: str, number: int) -> BuildRecord:
    """Give what was rebuilt its own number, and test it."""
    record, store = found.record, shop.store
    manifest = store.put(numbered_manifest(found.made.image, record.line, number), MANIFEST)
    image = store.load(manifest.digest)
    made = replace(found.made, image=image) if image is not None else found.made
    taken = replace(
        record,
        digest=made.image.digest,
        build=number,
        how=How.REBUILT,
        layers=made.layers,
        made=int(shop.clock()),
        rebased_from="",
        reasons=(f"takes the place of {record.reference}, which was withdrawn: {blame}",),
        lock=made.lock,
    )
    test = check(shop, found.recipe, made, taken.reference)
    return replace(taken, tested=found.recipe.test is not None, lock=with_test(made.lock, test))


def blamed(store: Store, record: BuildRecord, difference: str, rebuilt_digest: str) -> str:
    """Name the rule of a rebase that was wrong, the path, and what differs there.

    Args:
        store: Where both images are.
        record: The rebased image's record.
        difference: ``path: what differs``.
        rebuilt_digest: Of the rebuilt image.
    """
    path = difference.partition(": ")[0]
    if path == _CONFIGURATION:
        return difference
    image = store.load(rebuilt_digest)
    there = image is not None and path in store.tree(image)
    return f"{rule_of(path, _kind(store, record, path), rebuilt=there)}: {difference}"


def _kind(store: Store, record: BuildRecord, path: str) -> LayerKind | None:
    """Say which kind of layer a rebased image has a path from; None for its parent's, or none at all."""
    own = [layer for layer in record.layers if layer.owner == record.name]
    holds = [layer for layer in own if any(entry.path == path for entry in store.entries(layer.diff_id))]
    return holds[-1].kind if holds else None


def rule_of(path: str, kind: LayerKind | None, *, rebuilt: bool) -> str:
    """Name the merge or the refusal whose matter a difference was.

    Args:
        path: Where the images differ.
        kind: The layer of the rebased image that has it; None for its parent's, or none.
        rebuilt: The rebuilt image has the path.

    Returns:
        A merge for what the reconcile layer holds; rule 9 (files computed from the parent) for what the recipe made and for
        what it would have changed; rule 7 (deletions) for what it would have deleted.
    """
    if kind is LayerKind.RECONCILE:
        return _MERGES.get(path, "merge 1")
    return "rule 9" if kind is LayerKind.OWN or rebuilt else "rule 7"


def unsettled(book: RecordBook) -> tuple[tuple[BuildRecord, Withdrawn], ...]:
    """Return images that were withdrawn here, but of which the registry was not told yet.

    Args:
        book: The build records.
    """
    found = ((record, book.withdrawn(record.digest)) for record in book)
    return tuple((record, withdrawn) for record, withdrawn in found if withdrawn is not None and not withdrawn.told)
