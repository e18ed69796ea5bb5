"""Bring the images of a tree up to date with an archive view: base images and owners rebuilt, descendants rebased.

Run again, nothing happens: an image is renewed only while its own packages or its parents are newer than it is, and its
record appears when the image is tested and tagged. A run that was stopped goes on where it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ropewalk.archive import View, ViewBook
from ropewalk.build import Made, Workshop, build_recipe, check, full_disk, in_order
from ropewalk.build.dockerfile import Order
from ropewalk.errors import InputError, RopewalkError
from ropewalk.events import Event, EventKind, step
from ropewalk.oci.store import Store
from ropewalk.plan import Edges, ancestors, edges, order, resolve
from ropewalk.recipe.head import older_versions
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, How, ParentPin, Proof, RecordBook
from ropewalk.refresh.intent import Intent, Moved, Way, intend
from ropewalk.refresh.owners import Newer, newer_packages
from ropewalk.refresh.prove import compare_rebuilt
from ropewalk.refresh.rebase import DpkgReader, Rebased, origin, rebase
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.report import RefreshReport, RefreshRow

Publish = Callable[[BuildRecord], int]
"""Publishes an image; says how many bytes were sent. Called again for the same image, it must do nothing more."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that has an image."""

    recipe: Recipe
    record: BuildRecord
    builds: int


def _lines(recipes: Sequence[Recipe], records: Collection[BuildRecord], store: Store) -> tuple[_Line, ...]:
    """Return the lines with an image in the store, parents before children."""
    by_line: dict[str, list[BuildRecord]] = {}
    for record in records:
        by_line.setdefault(record.line, []).append(record)
    found = []
    for recipe in order(recipes, edges(recipes)):
        builds = by_line.get(recipe.reference, [])
        if builds and store.has(builds[-1].digest):
            found.append(_Line(recipe, builds[-1], builds[-1].build))
    return tuple(found)


def _pins(
    recipe: Recipe, record: BuildRecord, recipes: Sequence[Recipe], records: Sequence[BuildRecord]
) -> tuple[ParentPin, ...]:
    """Return a line's parents as they are now; foreign ones stay as recorded."""
    recorded = {(pin.reference, pin.role): pin for pin in record.parents}
    pins = []
    for parent in recipe.parents:
        if parent.forbidden is not None:
            raise InputError(parent.forbidden.reason, where=record.reference, hint=parent.forbidden.hint)
        now = resolve(parent, recipes, records)
        pin = (
            ParentPin(parent.reference, now.digest, parent.role)
            if now
            else recorded.get((parent.reference, parent.role))
        )
        if pin is None:
            message = f"its parent {parent.reference} is not here"
            raise InputError(message, where=record.reference, hint="build it first, or give its recipe's directory too")
        pins.append(pin)
    return tuple(pins)


def _moved(recipe: Recipe, record: BuildRecord, pins: Sequence[ParentPin], renewed: Collection[str]) -> Moved:
    """Say which parents are, or will be, other images than the recorded ones.

    Args:
        recipe: The recipe.
        record: Of its current image.
        pins: Its parents as they are now, in the recipe's order.
        renewed: Digests of images that others will take the place of.
    """
    recorded = {(pin.reference, pin.role): pin.digest for pin in record.parents}
    final, build = "", []
    for parent, pin in zip(recipe.parents, pins, strict=True):
        if recorded.get((pin.reference, pin.role)) == pin.digest and pin.digest not in renewed:
            continue
        name = parent.name or parent.reference
        if parent.role is ParentRole.FINAL:
            final = name
        else:
            build.append(name)
    return Moved(final, tuple(dict.fromkeys(build)))


def plan_refresh(
    recipes: Sequence[Recipe], view: View, *, book: RecordBook, store: Store, views: ViewBook
) -> tuple[RefreshRow, ...]:
    """Say what `refresh` would do, without making anything.

    Args:
        recipes: The tree.
        view: The archive view.
        book: The build records.
        store: The local store.
        views: Reads the view's packages.

    Returns:
        One row a line; a rebase is told as such although the new parent's tree may still forbid it.

    Raises:
        InputError: Recipes need each other, or a parent is not here.
    """
    records = tuple(book)
    lines = _lines(recipes, records, store)
    newer = newer_packages(view, views, store, [(line.recipe, line.record) for line in lines])
    renewed: set[str] = set()
    rows = []
    for line in lines:
        recipe, record = line.recipe, line.record
        moved = _moved(recipe, record, _pins(recipe, record, recipes, records), renewed)
        intent = intend(recipe, record, newer.get(recipe.reference, ()), moved)
        if intent.way is Way.UNCHANGED:
            rows.append(RefreshRow(recipe.name, record.reference, record.reference, intent.way, intent.reason))
            continue
        renewed.add(record.digest)
        reason = f"{intent.reason}: rebase if rules allow" if intent.way is Way.REBASED else intent.reason
        rows.append(RefreshRow(recipe.name, record.reference, _next(line), intent.way, reason))
    return tuple(rows)


def _next(line: _Line) -> str:
    return f"{line.recipe.reference}-r{line.builds + 1}"


def refresh(
    shop: Workshop,
    recipes: Sequence[Recipe],
    view: View,
    publish: Publish | None = None,
    *,
    prove_all: bool = False,
    jobs: int = 1,
) -> RefreshReport:
    """Renew every image that a view makes old.

    Args:
        shop: The workshop.
        recipes: The tree.
        view: The archive view.
        publish: Publishes each renewed image as soon as it is recorded, in the caller's thread; None publishes nothing.
        prove_all: Prove every rebased image before it is recorded, not only those that the rules want proven.
        jobs: How many images at once.

    Returns:
        One row a line. A failure is told in its row and passes over the descendants, nothing else.

    Raises:
        InputError: Recipes need each other.
    """
    records = list(shop.book)
    lines = _lines(recipes, records, shop.store)
    newer = newer_packages(view, shop.views, shop.store, [(line.recipe, line.record) for line in lines])
    campaign = _Campaign(shop, tuple(recipes), view, publish, newer, records, prove_all=prove_all)
    by_reference = {line.recipe.reference: line for line in lines}
    rows: dict[str, RefreshRow] = {}

    def done(reference: str, result: _Result) -> None:
        rows[reference] = campaign.row(by_reference[reference], result)

    def work(reference: str) -> _Result:
        return campaign.result(by_reference[reference])

    in_order(tuple(by_reference), campaign.links, jobs=jobs, work=work, done=done)
    return RefreshReport(view.id, tuple(rows[reference] for reference in by_reference))


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of an image."""

    record: BuildRecord
    way: Way
    reason: str
    error: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Campaign:
    """A refresh at work; it learns of each new image."""

    shop: Workshop
    recipes: tuple[Recipe, ...]
    view: View
    publish: Publish | None
    newer: Mapping[str, tuple[Newer, ...]]
    records: list[BuildRecord]
    prove_all: bool
    failed: set[str] = field(default_factory=set)
    reader: DpkgReader = field(init=False)
    links: Edges = field(init=False)

    def __post_init__(self) -> None:
        self.reader = DpkgReader(self.shop.store)
        self.links = edges(self.recipes)

    def result(self, line: _Line) -> _Result:
        """Renew one image if it needs it, in a thread of its own; an error ends here and passes over what needs it."""
        start = self.shop.clock()
        broken = sorted(self.failed & ancestors(line.recipe.reference, self.links))
        result = _Result(line.record, Way.UNCHANGED, "", f"needs {broken[0]}, which failed" if broken else "")
        if not broken:
            try:
                with full_disk(line.recipe.reference):
                    result = self._renew(line)
            except RopewalkError as caught:
                result = replace(result, error=f"{caught}; {caught.hint}")
        return replace(result, seconds=self.shop.clock() - start)

    def row(self, line: _Line, result: _Result) -> RefreshRow:
        """Publish what became of an image and tell it; what needs the image starts afterwards."""
        start, pushed, error = self.shop.clock(), 0, result.error
        if not error:
            try:
                pushed = self._send(result)
            except RopewalkError as caught:
                error = f"{caught}; {caught.hint}"
        if error:
            self.failed.add(line.recipe.reference)
        proof = self.shop.book.proof(result.record.digest)
        return RefreshRow(
            name=line.recipe.name,
            old=line.record.reference,
            new=result.record.reference,
            how=result.way,
            reason=result.reason,
            seconds=result.seconds + self.shop.clock() - start,
            bytes_pushed=pushed,
            proven=proof is not None and proof.equal,
            error=error,
        )

    def _send(self, result: _Result) -> int:
        """Publish what is new, and what an earlier run made but could not publish any more."""
        record = result.record
        waits = record.build > 1 and self.shop.book.published(record.digest) is None
        return self.publish(record) if self.publish and (waits or result.way is not Way.UNCHANGED) else 0

    def _renew(self, line: _Line) -> _Result:
        recipe, record = line.recipe, line.record
        pins = _pins(recipe, record, self.recipes, self.records)
        moved = _moved(recipe, record, pins, ())
        intent = intend(recipe, record, self.newer.get(recipe.reference, ()), moved)
        if intent.way is Way.UNCHANGED:
            if recipe.digest == record.recipe_digest:
                self.shop.book.mark_seen(record.digest, self.view.id)
            return _Result(record, intent.way, intent.reason)
        if intent.way is Way.REBUILT:
            return self._rebuild(line, pins, intent.reason)
        outcome = self._rebase(line, pins, intent.reason)
        if isinstance(outcome, Refusal):
            self.shop.listener(Event(EventKind.NOTE, recipe.reference, "not rebased", str(outcome)))
            return self._rebuild(line, pins, f"{intent.reason}; not rebased: {outcome}")
        return self._settled(line, outcome, intent)

    def _settled(self, line: _Line, made: BuildRecord, intent: Intent) -> _Result:
        """Take a new image up; where the same image came out, it only gets its inputs of today."""
        if made.digest != line.record.digest:
            self.records.append(made)
            return _Result(made, intent.way, intent.reason)
        kept = replace(line.record, parents=made.parents, view=self.view.id)
        self.shop.book.save(kept)
        self.records[self.records.index(line.record)] = kept
        return _Result(kept, Way.UNCHANGED, f"{intent.reason}; it gave the same image")

    def _rebuild(self, line: _Line, pins: tuple[ParentPin, ...], reason: str) -> _Result:
        made = build_recipe(
            self.shop, line.recipe, pins, self.view, build=line.builds + 1, how=How.REBUILT, reasons=(reason,)
        )
        return self._settled(line, replace(made, parents=pins), Intent(Way.REBUILT, reason))

    def _rebase(self, line: _Line, pins: tuple[ParentPin, ...], reason: str) -> BuildRecord | Refusal:
        """Rebase, prove where that is needed, test, record and tag."""
        with step(self.shop.listener, line.recipe.reference, "rebase"):
            rebased = self._rebased(line, pins)
        if isinstance(rebased, Refusal):
            return rebased
        record = replace(self._record(line, pins, rebased), reasons=(reason,))
        if record.digest == line.record.digest:
            return record
        proof: Proof | None = None
        if rebased.needs_proof or self.prove_all:
            proof = compare_rebuilt(self.shop, record, line.recipe, self.view)
            if not proof.equal:
                return Refusal("proof", "", f"a full rebuild differs: {proof.differences[0]}")
        check(self.shop, line.recipe, self._made(line.recipe, pins, rebased), record.reference)
        if proof is not None:
            self.shop.book.mark_proven(record.digest, proof)
        self.shop.book.save(record)
        self.shop.store.tag(record.reference, record.digest)
        return record

    def _rebased(self, line: _Line, pins: tuple[ParentPin, ...]) -> Rebased | Refusal:
        store = self.shop.store
        made = origin(self.shop.book, line.record)
        below = made.parent() if made else None
        final = next((pin for pin in pins if pin.role is ParentRole.FINAL), None)
        old = store.load(below.digest) if below else None
        new = store.load(final.digest) if final else None
        if old is None or new is None:
            return Refusal("record", "", "the parent that its own layer was built on is not in the store")
        return rebase(self.shop, line.record, line.recipe, old, new, pins=pins, reader=self.reader)

    def _made(self, recipe: Recipe, pins: tuple[ParentPin, ...], rebased: Rebased) -> Made:
        """Say what a test needs to know: also a test variant's parents."""
        images = {pin.reference: image for pin in pins if (image := self.shop.store.load(pin.digest))}
        final = next((images.get(pin.reference) for pin in pins if pin.role is ParentRole.FINAL), None)
        inputs = Order(
            name=recipe.reference,
            dockerfile=recipe.dockerfile,
            context=recipe.context,
            parents=images,
            final=final,
            view=self.view,
            epoch=rebased.image.created,
            build=self.shop.names.fresh(),
            limits=recipe.limits,
            proxy=recipe.proxy,
        )
        return Made(rebased.image, rebased.layers, inputs.epoch, None, inputs)

    def _record(self, line: _Line, pins: tuple[ParentPin, ...], rebased: Rebased) -> BuildRecord:
        return replace(
            line.record,
            digest=rebased.image.digest,
            build=line.builds + 1,
            parents=pins,
            view=self.view.id,
            how=How.REBASED,
            layers=rebased.layers,
            made=int(self.shop.clock()),
            tested=line.recipe.test is not None,
            rebased_from=rebased.origin,
            older=older_versions(line.recipe.directory, line.recipe.version),
        )
