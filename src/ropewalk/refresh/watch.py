"""Following the archive: a round makes a view, notes what became due, renews what may be renewed, and measures.

Rounds exclude each other between processes. One that fails is told, changes nothing that the next does not find again, and the
next one comes later than usual.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ropewalk import atomic
from ropewalk.archive import View
from ropewalk.errors import RopewalkError
from ropewalk.events import Event, EventKind, Listener, step
from ropewalk.inventory import PackageReader
from ropewalk.oci.store import Store
from ropewalk.recipe.record import BuildRecord, RecordBook
from ropewalk.recipe.renewal import Renewal
from ropewalk.refresh.history import Approved, Due, Happening, History, Patched
from ropewalk.refresh.patches import fixed, not_noted, open_dues
from ropewalk.refresh.policy import Ruling, pause, rule
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.standing import Standing, keep_standing, standing_of
from ropewalk.refresh.survey import Survey
from ropewalk.settings import Settings

_SUBJECT = "watch"


@dataclass(frozen=True, slots=True)
class Hands:
    """What a watch has done for it, since only its caller knows tree and registry.

    Attributes:
        look: Records the archive as it is now.
        survey: Reads the tree and says what a view means for it.
        renew: Renews some lines on a view and publishes them.
        policy: Reads what each kind of update needs.
    """

    look: Callable[[], View]
    survey: Callable[[View], Survey]
    renew: Callable[[View, frozenset[str]], RefreshReport]
    policy: Callable[[], Renewal]


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one look at the archive.

    Attributes:
        view: The view.
        rows: What the refresh did; empty where there was nothing to do.
        standing: What is known now, with what waits.
    """

    view: str
    rows: tuple[RefreshRow, ...]
    standing: Standing

    @property
    def errors(self) -> tuple[str, ...]:
        """What failed, image by image."""
        return tuple(f"{row.old}: {row.error}" for row in self.rows if row.error)


@dataclass(frozen=True, slots=True)
class Watch:
    """A state directory that follows the archive.

    Attributes:
        settings: Where it is.
        hands: What it has done for it.
        listener: Who is told.
        clock: The time in seconds since 1970.
    """

    settings: Settings
    hands: Hands
    listener: Listener
    clock: Callable[[], float]

    @property
    def history(self) -> History:
        """What happened."""
        return History(self.settings)

    @property
    def book(self) -> RecordBook:
        """The build records."""
        return RecordBook(self.settings.records)

    def round(self, view: View | None = None) -> Round:
        """Look at the archive once and do what is to be done.

        Args:
            view: The view to act on; None makes a new one.

        Returns:
            What came of it; images that could not be renewed have their errors in their rows.

        Raises:
            RopewalkError: Archive or registry do not answer, or another process builds here; the next round tries again.
        """
        with atomic.locked(self.settings.state / "watch-round.lock"):
            view = view or self.hands.look()
            past = tuple(self.history)
            past += self._settle(past)
            policy, approved = self.hands.policy(), frozenset(one.id for one in past if isinstance(one, Approved))
            key = self._key(view, policy, approved)
            before = standing_of(self.settings)
            if before.settled == key:
                return Round(view.id, (), self._kept(replace(before, at=int(self.clock()), error="")))
            with step(self.listener, _SUBJECT, f"what view {view.id} means"):
                survey = self.hands.survey(view)
            for row in survey.rows:
                if row.error:
                    self.listener(Event(EventKind.WARNING, row.old, "not looked at", row.error))
            self._note(view, survey, past)
            return self._act(view, survey, rule(survey.pending, policy, approved, survey.links), key, before)

    def _act(self, view: View, survey: Survey, ruling: Ruling, key: str, before: Standing) -> Round:
        known = {one.id for one in before.waiting}
        for one in ruling.waiting:
            if one.id not in known:
                self._tell(EventKind.NOTE, f"{one.id} waits for approval", f"{len(one.pending)} images")
        # What our last round made but could not publish; what a person made, a person publishes.
        unsent = before.error and any(line.record.build > 1 and not line.published for line in survey.lines)
        rows: tuple[RefreshRow, ...] = ()
        if ruling.renew or unsent:
            self._tell(EventKind.NOTE, "refresh", f"{len(ruling.renew)} images on view {view.id}")
            rows = self.hands.renew(view, ruling.renew).images
            self._settle(tuple(self.history))
        # What was renewed has other records: the next round looks whether anything is left.
        settled = "" if rows else key
        standing = Standing(view.id, int(self.clock()), settled, ruling.waiting)
        done = Round(view.id, rows, standing)
        return replace(done, standing=self._kept(replace(standing, error="; ".join(done.errors))))

    def _kept(self, standing: Standing) -> Standing:
        keep_standing(self.settings, standing)
        return standing

    def _key(self, view: View, policy: Renewal, approved: Iterable[str]) -> str:
        """Name all that a round depends on: while it is the same, there is nothing to do."""
        images = sorted(f"{record.digest} {record.view}" for record in self.book)
        text = json.dumps([view.id, images, str(policy), sorted(approved)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _note(self, view: View, survey: Survey, past: Iterable[Happening]) -> None:
        """Note what became due in images that are published."""
        known, now = open_dues(past), int(self.clock())
        found = []
        for line in survey.lines:
            name, digest = line.recipe.repository, line.record.digest
            new = not_noted(survey.updates.get(digest, ()), known.get(name, ())) if line.published else ()
            if new:
                found.append(Due(name, digest, view.id, now, new))
        self.history.add(*found)
        for security in (True, False):
            packages = sorted({str(update) for due in found for update in due.updates if update.security is security})
            if packages:
                images = sum(any(update.security is security for update in due.updates) for due in found)
                what = "security update" if security else "update"
                self._tell(EventKind.NOTE, what, f"{_some(packages)}; in {images} images")

    def _settle(self, past: Iterable[Happening]) -> tuple[Patched, ...]:
        """Note which published images have what was due, whoever made them."""
        store = Store(self.settings.store)
        reader = PackageReader(store)
        current = self._current() if (dues := open_dues(past)) else {}
        found = []
        for name, every in dues.items():
            record = current.get(name)
            if record is None or record.digest in {due.digest for due in every}:
                continue
            published, image = self.book.published(record.digest), store.load(record.digest)
            if published is None or image is None:
                continue
            held = {(one.name, one.architecture): one.version for one in reader.packages(image, record.layers)}
            done = fixed(every, held)
            if done:
                noticed = min(due.at for due in every if {*due.updates} & {*done})
                told = (record.reference, record.digest, published.at, noticed, str(record.how))
                found.append(Patched(name, *told, done))
        self.history.add(*found)
        return tuple(found)

    def _current(self) -> dict[str, BuildRecord]:
        newest = sorted(self.book, key=lambda record: (record.made, record.build))
        return {record.repository: record for record in newest}

    def _tell(self, kind: EventKind, what: str, detail: str) -> None:
        self.listener(Event(kind, _SUBJECT, what, detail))

    def run(self, sleep: Callable[[float], None], done: Callable[[Round], None]) -> None:
        """Look at the archive for ever; what fails is told and tried again, later and later.

        Args:
            sleep: Waits.
            done: Is told of each round that came to an end.
        """
        failures = 0
        while True:
            failed = self._tried(done)
            failures = failures + 1 if failed else 0
            every = pause(self.hands.policy().every, failures)
            if failed:
                self._tell(EventKind.WARNING, "the next look", f"in {every} s")
            sleep(every)

    def _tried(self, done: Callable[[Round], None]) -> bool:
        try:
            found = self.round()
        except (RopewalkError, OSError) as error:
            hint = f"; {error.hint}" if isinstance(error, RopewalkError) else ""
            self._tell(EventKind.WARNING, "this look failed", f"{error}{hint}")
            self._kept(replace(standing_of(self.settings), settled="", error=str(error)))
            return True
        done(found)
        return bool(found.errors)


def _some(words: list[str]) -> str:
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""  # noqa: PLR2004  as many as fit a line
    return ", ".join(words[:3]) + more
