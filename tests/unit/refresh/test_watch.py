"""Rounds of a watch: on a real archive, store, records and inventory; what renews images is a few lines of ours."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kit.archive import NEW_YEAR, Archive, Deb, Served
from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk.archive import View, ViewBook
from ropewalk.db import open_database
from ropewalk.errors import HostError, NetworkError
from ropewalk.events import Event, EventKind, silent
from ropewalk.inventory import ingest_image
from ropewalk.oci.store import Store
from ropewalk.plan import observe
from ropewalk.recipe import BuildRecord, Consent, How, Published, RecordBook, Renewal
from ropewalk.refresh import (
    Approved,
    Hands,
    History,
    RefreshReport,
    RefreshRow,
    Round,
    Watch,
    Way,
    patches,
    standing_of,
    survey,
)
from ropewalk.refresh.survey import Survey
from ropewalk.settings import Settings

BASE = recipe("base")
TOOL, TZ = Deb("tool", "1", "amd64"), Deb("tz", "1", "amd64")
TOLD = "tool 1 -> 2"


@dataclass
class Shed:
    """A state directory with one image, and an archive that it follows."""

    settings: Settings
    archive: Archive
    served: Served
    policy: Renewal = field(default_factory=Renewal)
    now: int = NEW_YEAR + 1000
    events: list[Event] = field(default_factory=list)
    asked: list[frozenset[str]] = field(default_factory=list)
    fails: str = ""

    @property
    def store(self) -> Store:
        return Store(self.settings.store)

    @property
    def book(self) -> RecordBook:
        return RecordBook(self.settings.records)

    @property
    def watch(self) -> Watch:
        return Watch(
            self.settings,
            Hands(self.look, self.survey, self.renew, lambda: self.policy),
            self.events.append,
            lambda: self.now,
        )

    def look(self) -> View:
        book = ViewBook(self.settings.views, self.archive.keyring)
        return book.make(["bookworm", "bookworm-security"], ["main"], "amd64", self.served.upstream, silent)

    def survey(self, view: View) -> Survey:
        observed = observe((BASE,), book=self.book, store=self.store)
        engine = open_database(self.settings.database)
        views = ViewBook(self.settings.views, self.archive.keyring)
        return survey((BASE,), view, observed=observed, store=self.store, views=views, engine=engine)

    def made(self, view: View, build: int, *packages: str, how: How = How.BUILT) -> BuildRecord:
        release = b"ID=debian\nVERSION_CODENAME=bookworm\n"
        layer = add_files(self.store, {"var/lib/dpkg/status": status(*packages), "usr/lib/os-release": release})
        made = record(
            BASE, build=build, image=add_image(self.store, layer), layers=owners((layer, "base")), made=self.now
        )
        made = replace(made, view=view.id, how=how)
        self.book.save(made)
        self.store.tag(made.reference, made.digest)
        ingest_image(open_database(self.settings.database), self.store, made)
        return made

    def publish(self, made: BuildRecord) -> None:
        self.book.mark_published(made.digest, Published("http://r", self.now))

    def renew(self, view: View, lines: frozenset[str]) -> RefreshReport:
        self.asked.append(lines)
        old = list(self.book)[-1]
        if self.fails:
            return RefreshReport(
                view.id, (RefreshRow("base", old.reference, old.reference, Way.UNCHANGED, "", error=self.fails),)
            )
        self.now += 60
        new = self.made(view, old.build + 1, "tool=2", "tz=2" if "tz 1 -> 2" in self.due else "tz=1", how=How.REBUILT)
        self.publish(new)
        return RefreshReport(view.id, (RefreshRow("base", old.reference, new.reference, Way.REBUILT, TOLD),))

    @property
    def due(self) -> list[str]:
        return [str(one) for waits in self.watch.history for one in getattr(waits, "updates", ())]

    def release(self, suite: str, *debs: Deb, date: int) -> None:
        self.archive.publish(suite, debs, date=NEW_YEAR + date)

    def told(self, step: str) -> list[str]:
        return [event.detail for event in self.events if event.step == step]


@pytest.fixture
def shed(tmp_path: Path) -> Iterator[Shed]:
    archive = Archive(tmp_path / "archive")
    archive.publish("bookworm", [TOOL, TZ])
    archive.publish("bookworm-security", [])
    with archive.serve() as served:
        shed = Shed(Settings(tmp_path / "state"), archive, served)
        shed.publish(shed.made(shed.look(), 1, "tool=1", "tz=1"))
        yield shed


def security_update(shed: Shed) -> None:
    shed.release("bookworm-security", replace(TOOL, version="2"), date=600)


def test_a_security_update_is_taken_without_being_asked_and_measured(shed: Shed) -> None:
    assert shed.watch.round().rows == ()
    security_update(shed)
    done = shed.watch.round()
    assert [(row.new.rpartition(":")[2], row.how) for row in done.rows] == [("1-r2", Way.REBUILT)]
    assert shed.asked == [{BASE.reference}]
    (patch,) = patches(shed.watch.history)
    assert (patch.security, patch.released, patch.noticed, patch.how) == (
        True,
        NEW_YEAR + 600,
        NEW_YEAR + 1000,
        "rebuilt",
    )
    assert patch.to_published == 460
    assert [one.suite for one in patch.updates] == ["bookworm-security"]
    assert shed.told("security update") == [f"{TOLD}; in 1 images"]


def test_where_nothing_changed_each_suite_is_asked_once_and_nothing_is_read(shed: Shed) -> None:
    shed.watch.round()
    before = len(shed.served.requests)
    shed.events.clear()
    shed.watch.round()
    assert [path.rpartition("/")[2] for path in shed.served.requests[before:]] == ["InRelease", "InRelease"]
    assert shed.served.unchanged[-2:] == shed.served.requests[before:]
    assert shed.events == []


def test_another_update_waits_until_it_is_approved(shed: Shed) -> None:
    shed.release("bookworm", TOOL, replace(TZ, version="2"), date=700)
    (waiting,) = shed.watch.round().standing.waiting
    assert (waiting.kind, [one.reference for one in waiting.pending]) == ("update", [BASE.reference])
    assert standing_of(shed.settings).waiting == (waiting,)
    assert shed.told(f"{waiting.id} waits for approval") == ["1 images"]
    shed.watch.round()
    assert shed.told(f"{waiting.id} waits for approval") == ["1 images"], "it is told once"
    assert shed.asked == []
    History(shed.settings).add(Approved(waiting.id, shed.now, "root"))
    assert shed.watch.round().standing.waiting == ()
    (patch,) = patches(shed.watch.history)
    assert (patch.security, [str(one) for one in patch.updates]) == (False, ["tz 1 -> 2"])


def test_security_updates_wait_where_the_policy_says_so(shed: Shed) -> None:
    shed.policy = Renewal(security=Consent.APPROVAL)
    security_update(shed)
    done = shed.watch.round()
    assert [one.kind for one in done.standing.waiting] == ["security"]
    assert shed.asked == []


def test_what_somebody_else_renewed_is_measured_too(shed: Shed) -> None:
    shed.policy = Renewal(security=Consent.APPROVAL)
    security_update(shed)
    view = shed.watch.round().view
    new = shed.made(ViewBook(shed.settings.views).load(view), 2, "tool=2", "tz=1", how=How.REBASED)
    assert shed.watch.round().standing.waiting == ()
    assert patches(shed.watch.history) == (), "it is not published"
    shed.publish(new)
    shed.watch.round()
    assert [(one.how, one.reference) for one in patches(shed.watch.history)] == [("rebased", new.reference)]


def test_an_image_that_was_never_published_has_no_time_to_patch(shed: Shed) -> None:
    (shed.settings.records / next(iter(shed.book)).digest.removeprefix("sha256:") / "published.json").unlink()
    security_update(shed)
    shed.watch.round()
    assert patches(shed.watch.history) == ()


def test_a_failed_image_is_tried_again(shed: Shed) -> None:
    security_update(shed)
    shed.fails = "no room"
    assert shed.watch.round().errors == (f"{BASE.reference}: no room",)
    assert "no room" in standing_of(shed.settings).error
    shed.fails = ""
    assert shed.watch.round().rows
    assert standing_of(shed.settings).error == ""


def test_what_was_made_but_could_not_be_sent_is_sent_by_the_next_round(shed: Shed) -> None:
    security_update(shed)
    watch = shed.watch

    def unsent(view: View, _lines: frozenset[str]) -> RefreshReport:
        made = shed.made(view, 2, "tool=2", "tz=1")
        row = RefreshRow(
            "base", made.reference, made.reference, Way.UNCHANGED, TOLD, error="the registry does not answer"
        )
        return RefreshReport(view.id, (row,))

    assert replace(watch, hands=replace(watch.hands, renew=unsent)).round().errors
    shed.watch.round()
    assert shed.asked == [frozenset()]


class Enough(Exception):
    """Ends a watch."""


def test_an_archive_that_is_away_is_told_and_asked_later(shed: Shed) -> None:
    pauses: list[float] = []
    rounds: list[Round] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            security_update(shed)
        if len(pauses) == 4:
            raise Enough

    shed.served.failing["/debian/dists/bookworm/InRelease"] = 8
    with pytest.raises(Enough):
        shed.watch.run(sleep, rounds.append)
    assert pauses == [600, 1200, 300, 300]
    assert len(rounds) == 2
    assert len(shed.told("this look failed")) == 2
    assert "InRelease: answered 503" in shed.told("this look failed")[0]
    assert [event.kind for event in shed.events if event.step == "this look failed"] == [EventKind.WARNING] * 2
    assert len(patches(shed.watch.history)) == 1


def test_a_round_alone_raises_what_failed(shed: Shed) -> None:
    shed.served.failing["/debian/dists/bookworm/InRelease"] = 4
    with pytest.raises(NetworkError, match="answered 503"):
        shed.watch.round()


def test_what_a_busy_builder_says_is_no_end(shed: Shed) -> None:
    def busy(_view: View, _lines: frozenset[str]) -> RefreshReport:
        raise HostError("another ropewalk process is at work here", where="build.lock", hint="wait for it")

    def sleep(_seconds: float) -> None:
        raise Enough

    security_update(shed)
    watch = shed.watch
    with pytest.raises(Enough):
        replace(watch, hands=replace(watch.hands, renew=busy)).run(sleep, lambda _round: None)
    assert shed.told("this look failed") == ["build.lock: another ropewalk process is at work here; wait for it"]
    shed.watch.round()
    assert len(patches(shed.watch.history)) == 1
