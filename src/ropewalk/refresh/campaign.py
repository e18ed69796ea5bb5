"""Bring the images of a tree up to date with an archive view: base images and owners rebuilt, descendants rebased.

Run again, nothing happens: an image is renewed only while its own packages or its parents are newer than it is, and its
record appears when the image is tested and tagged. A run that was stopped goes on where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from ropewalk.archive import Tracker, View
from ropewalk.build import Made, Workshop, build_recipe, check, full_disk, in_order
from ropewalk.build.site import Order
from ropewalk.errors import InputError, RopewalkError
from ropewalk.events import Event, EventKind, step
from ropewalk.oci.annotations import numbered_digest
from ropewalk.plan import Edges, Observed, ancestors, edges, observe
from ropewalk.recipe.head import older_versions
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, How, ParentPin, Proof
from ropewalk.refresh.intent import Intent, Way, intend
from ropewalk.refresh.lines import AWAY, Line, Lost, lines_of, moved, pins_of
from ropewalk.refresh.planned import EVERYTHING, Work, limited, packages_of, work_of
from ropewalk.refresh.prove import compare_rebuilt
from ropewalk.refresh.rebase import DpkgReader, Rebased, origin, rebase
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.scope import Scope

Publish = Callable[[BuildRecord], int]
"""Publishes an image; says how many bytes were sent. Called again for the same image, it must do nothing more."""


Fetch = Callable[[BuildRecord], None]
"""Brings an image of the registry into the store, its layers with it."""

Choose = Callable[[Sequence[Line]], Scope]
"""Says, of the lines with an image, which a campaign may touch."""


def everything(_lines: Sequence[Line]) -> Scope:
    """Let a campaign touch every line."""
    return EVERYTHING


def refresh(
    shop: Workshop,
    recipes: Sequence[Recipe],
    view: View,
    publish: Publish | None = None,
    *,
    observed: Observed | None = None,
    fetch: Fetch | None = None,
    prove_all: bool = False,
    jobs: int = 1,
    choose: Choose = everything,
    tracker: Tracker | None = None,
    told: Callable[[RefreshRow], None] = lambda _row: None,
) -> RefreshReport:
    """Renew every image that a view makes old.

    Args:
        shop: The workshop.
        recipes: The tree.
        view: The archive view.
        publish: Publishes each renewed image as soon as it is recorded, in the caller's thread; None publishes nothing.
        observed: What store, records and registry know; store and records alone where it is None.
        fetch: Brings what only the registry has and the work needs; None where no registry is asked.
        prove_all: Prove every rebased image before it is recorded, not only those that the rules want proven.
        jobs: How many images at once.
        choose: Says, of the lines with an image, which may be touched.
        tracker: What the security tracker says, for the order of work; None where it was not asked.
        told: Is told of each line, in the caller's thread, as soon as it is done.

    Returns:
        One row a line, in the order of work. A failure is told in its row and passes over the descendants, nothing else.

    Raises:
        InputError: Recipes need each other.
    """
    known = observed or observe(recipes, book=shop.book, store=shop.store)
    for line in lines_of(recipes, known, shop.store):
        if (
            not line.here
            and fetch is not None
            and view.id not in (line.record.view, shop.book.seen(line.record.digest))
        ):
            fetch(line.record)
    links = edges(recipes)
    todo = work_of(lines_of(recipes, known, shop.store), links, view, shop.views, shop.store, tracker=tracker)
    scope = choose(todo.lines)
    campaign = _Campaign(shop, tuple(recipes), view, publish, fetch, todo, scope, known, prove_all=prove_all)
    by_reference = {line.recipe.reference: line for line in todo.lines}
    rows: dict[str, RefreshRow] = {}

    def done(reference: str, result: _Result) -> None:
        rows[reference] = campaign.row(by_reference[reference], result)
        told(rows[reference])

    def work(reference: str) -> _Result:
        return campaign.result(by_reference[reference])

    in_order(tuple(by_reference), links, jobs=jobs, work=work, done=done, places=todo.places)
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
    fetch: Fetch | None
    todo: Work
    scope: Scope
    observed: Observed
    prove_all: bool
    failed: set[str] = field(default_factory=set)
    records: list[BuildRecord] = field(init=False)
    fetching: Lock = field(default_factory=Lock)
    reader: DpkgReader = field(init=False)
    links: Edges = field(init=False)

    def __post_init__(self) -> None:
        self.reader = DpkgReader(self.shop.store)
        self.links = edges(self.recipes)
        self.records = [known.record for known in self.observed.known]

    def result(self, line: Line) -> _Result:
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

    def row(self, line: Line, result: _Result) -> RefreshRow:
        """Publish what became of an image and tell it; what needs the image starts afterwards."""
        start, pushed, error = self.shop.clock(), 0, result.error
        if not error:
            try:
                pushed = self._send(line, result)
            except RopewalkError as caught:
                error = f"{caught}; {caught.hint}"
        if error:
            self.failed.add(line.recipe.reference)
        proof = self.shop.book.proof(result.record.digest)
        return RefreshRow(
            name=line.recipe.path,
            old=line.record.reference,
            new=result.record.reference,
            how=result.way,
            reason=result.reason,
            seconds=result.seconds + self.shop.clock() - start,
            bytes_pushed=pushed,
            proven=proof is not None and proof.equal,
            error=error,
            digest=result.record.digest,
            severity=self.todo.severity(line.recipe.reference),
            packages=packages_of(line.recipe.reference, self.todo, self.scope),
        )

    def _send(self, line: Line, result: _Result) -> int:
        """Publish what is new, and what an earlier run made but could not publish any more."""
        record = result.record
        waits = record.build > 1 and not line.published
        return self.publish(record) if self.publish and (waits or result.way is not Way.UNCHANGED) else 0

    def _renew(self, line: Line) -> _Result:
        recipe, record = line.recipe, line.record
        pins = pins_of(line, self.recipes, self.records, self.observed)
        if isinstance(pins, Lost):
            return _Result(record, Way.UNCHANGED, pins.reason, error=f"{record.reference}: {pins}")
        newer = self.todo.newer.get(recipe.reference, ())
        intent = limited(intend(recipe, record, newer, moved(line, pins, ())), line, self.scope)
        if intent.way is Way.UNCHANGED:
            if recipe.digest == record.recipe_digest and line.here and self.scope.ask.everything:
                self.shop.book.mark_seen(record.digest, self.view.id)
            return _Result(record, intent.way, intent.reason if line.here else AWAY)
        self._bring(line, [pin.digest for pin in pins])
        if intent.way is Way.REBUILT:
            return self._rebuild(line, pins, intent.reason)
        made = origin(self.shop.book, record)
        below = made.parent() if made is not None else None
        self._bring(line, [record.digest, *([made.digest] if made else ()), *([below.digest] if below else ())])
        outcome = self._rebase(line, pins, intent.reason)
        if isinstance(outcome, Refusal):
            self.shop.listener(Event(EventKind.NOTE, recipe.reference, "not rebased", str(outcome)))
            return self._rebuild(line, pins, f"{intent.reason}; not rebased: {outcome}")
        return self._settled(line, outcome, replace(intent, reason="; ".join(outcome.reasons)))

    def _bring(self, line: Line, digests: Sequence[str]) -> None:
        """Fetch those images that are not whole here; of one that nobody knows, what needs it says so."""
        known = {record.digest: record for record in self.records}
        for digest in digests:
            record = known.get(digest) or self.shop.book.load(digest)
            if record is None:
                continue
            with self.fetching:
                image = self.shop.store.load(digest)
                if image is None or not self.shop.store.is_whole(image):
                    self._fetch(line, record)

    def _fetch(self, line: Line, record: BuildRecord) -> None:
        if self.fetch is None:
            message = f"needs {record.reference}, whose layers only the registry has"
            hint = "run it without --offline, or give --registry URL"
            raise InputError(message, where=line.recipe.reference, hint=hint)
        self.fetch(record)

    def _settled(self, line: Line, made: BuildRecord, intent: Intent) -> _Result:
        """Take a new image up; where the same image came out, it only gets its inputs of today."""
        if made.digest != line.record.digest:
            self.records.append(made)
            return _Result(made, intent.way, intent.reason)
        kept = replace(line.record, parents=made.parents, view=self.view.id)
        self.shop.book.save(kept)
        self.records[self.records.index(line.record)] = kept
        return _Result(kept, Way.UNCHANGED, f"{intent.reason}; it gave the same image")

    def _rebuild(self, line: Line, pins: tuple[ParentPin, ...], reason: str) -> _Result:
        made = build_recipe(
            self.shop, line.recipe, pins, self.view, build=line.following, how=How.REBUILT, reasons=(reason,)
        )
        return self._settled(line, replace(made, parents=pins), Intent(Way.REBUILT, reason))

    def _rebase(self, line: Line, pins: tuple[ParentPin, ...], reason: str) -> BuildRecord | Refusal:
        """Rebase, prove where that is needed, test, record and tag."""
        with step(self.shop.listener, line.recipe.reference, "rebase"):
            rebased = self._rebased(line, pins)
        if isinstance(rebased, Refusal):
            return rebased
        reasons = (reason, rebased.due) if rebased.due else (reason,)
        record = replace(self._record(line, pins, rebased), reasons=reasons)
        if _is_same(line.record, rebased):
            return replace(record, digest=line.record.digest)
        proof: Proof | None = None
        if rebased.needs_proof or self.prove_all:
            proof = compare_rebuilt(self.shop, record, line.recipe, self.view)
            if not proof.equal:
                return Refusal("proof", "", _why_unequal(proof, record))
        check(self.shop, line.recipe, self._made(line.recipe, pins, rebased), record.reference)
        if proof is not None:
            self.shop.book.mark_proven(record.digest, proof)
        self.shop.book.save(record)
        self.shop.store.tag(record.reference, record.digest)
        return record

    def _rebased(self, line: Line, pins: tuple[ParentPin, ...]) -> Rebased | Refusal:
        store = self.shop.store
        made = origin(self.shop.book, line.record)
        below = made.parent() if made else None
        final = next((pin for pin in pins if pin.role is ParentRole.FINAL), None)
        old = store.load(below.digest) if below else None
        new = store.load(final.digest) if final else None
        if old is None or new is None:
            return Refusal("record", "", "the parent that its own layer was built on is not in the store")
        return rebase(
            self.shop, line.record, line.recipe, old, new, build=line.following, pins=pins, reader=self.reader
        )

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

    def _record(self, line: Line, pins: tuple[ParentPin, ...], rebased: Rebased) -> BuildRecord:
        return replace(
            line.record,
            digest=rebased.image.digest,
            build=line.following,
            parents=pins,
            view=self.view.id,
            how=How.REBASED,
            layers=rebased.layers,
            made=int(self.shop.clock()),
            tested=line.recipe.test is not None,
            rebased_from=rebased.origin,
            older=older_versions(line.recipe.directory, line.recipe.version),
        )


def _is_same(record: BuildRecord, rebased: Rebased) -> bool:
    """Say whether an image came out again; one that an older program made has no number in its annotations."""
    numbers = (record.build, 1)
    return any(numbered_digest(rebased.image, record.line, number) == record.digest for number in numbers)


def _why_unequal(proof: Proof, record: BuildRecord) -> str:
    """Say where a full rebuild differs, and what was not pinned, which may be why."""
    open_ends = "".join(f"; not pinned: {reason}" for reason in (record.lock.unpinned if record.lock else ()))
    return f"a full rebuild differs: {proof.differences[0]}{open_ends}"
