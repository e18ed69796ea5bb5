"""A store with an image a line and an archive whose views can be made: a small tree to plan refreshes of."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kit.archive import Archive, Deb
from kit.images import add_files, add_image, owners, parent, recipe, record, source_fields, status
from ropewalk.archive import Tracker, View, ViewBook
from ropewalk.events import silent
from ropewalk.oci.store import Store
from ropewalk.plan import Known, Observed, observe
from ropewalk.recipe.recipe import BaseSpec, ParentRole, Recipe
from ropewalk.recipe.record import BuildRecord, RecordBook
from ropewalk.refresh import Ask, RefreshRow, Scope, lines_of, plan_refresh, scope_of

SUITES = ("bookworm", "bookworm-security")
SPEC = BaseSpec(SUITES, ("main",), (), (), ())
BASE = replace(recipe("bookworm"), base=SPEC)
NGINX = recipe("nginx", "bookworm")
SITE = recipe("site", "nginx")
GCC = recipe("gcc", "bookworm")
HELLO = recipe("hello", parent("bookworm"), parent("gcc", ParentRole.BUILD))
TREE = (HELLO, SITE, NGINX, GCC, BASE)
_RELEASE = b'ID=debian\nVERSION_CODENAME="bookworm"\n'


def _debs(packages: Mapping[str, str]) -> Iterator[Deb]:
    """Make packages; a version may be followed by ``@source`` or ``@source=version``."""
    for name, version in packages.items():
        plain, _, source = version.partition("@")
        yield Deb(name, plain, fields=source_fields(source))


class House:
    """The store, its records, the archive and its views."""

    """A store with one image a line, and an archive whose views can be made."""

    def __init__(self, place: Path) -> None:
        """Make all of it below ``place``."""
        self.archive = Archive(place / "archive")
        self.store = Store(place / "store")
        self.book = RecordBook(place / "records")
        self.views = ViewBook(place / "views", self.archive.keyring)

    def view(self, packages: Mapping[str, str], security: Mapping[str, str], date: int) -> View:
        """Publish packages (name -> version; see `_debs`) in both suites and make a view."""
        self.archive.publish("bookworm", [*_debs(packages)], date=date)
        self.archive.publish("bookworm-security", [*_debs(security)], date=date)
        with self.archive.serve() as served:
            return self.views.make(SUITES, ("main",), "amd64", served.upstream, silent)

    def make(self, of: Recipe, packages: str, *pins: BuildRecord, view: str, build: int = 1) -> BuildRecord:
        """Make an image whose own layer has dpkg's status with all packages so far."""
        below = [layer for layer in (self.store.layer(x.diff_id) for x in (pins[0].layers if pins else ())) if layer]
        files = {"etc/os-release": _RELEASE} if not pins else {of.name: b"x"}
        own = add_files(self.store, {"var/lib/dpkg/status": status(*packages.split()), **files})
        image = add_image(self.store, *below, own)
        layers = (*(pins[0].layers if pins else ()), *owners((own, of.name)))
        made = record(of, *pins, image=image, layers=layers, view=view, build=build)
        self.book.save(made)
        return made

    def built(self, view: View, packages: str = "libc6=1") -> dict[str, BuildRecord]:
        """Make the whole tree; the base has some packages, the others what they are called after."""
        base = self.make(BASE, packages, view=view.id)
        nginx = self.make(NGINX, f"{packages} nginx=1", base, view=view.id)
        gcc = self.make(GCC, f"{packages} gcc=1", base, view=view.id)
        hello = self.make(HELLO, packages, base, gcc, view=view.id)
        site = self.make(SITE, f"{packages} nginx=1", nginx, view=view.id)
        return {made.name: made for made in (base, nginx, gcc, hello, site)}

    def plan(self, view: View, tree: tuple[Recipe, ...] = TREE) -> list[tuple[str, str, str]]:
        """Plan; name, way and reason of each line."""
        return [(row.name, row.how, row.reason) for row in self.rows(view, tree)]

    def rows(self, view: View, tree: tuple[Recipe, ...] = TREE, *away: BuildRecord) -> tuple[RefreshRow, ...]:
        """Plan; some builds are known by their attestations alone."""
        observed = self.observed(tree, *away)
        return plan_refresh(tree, view, observed=observed, store=self.store, views=self.views)

    def observed(self, tree: tuple[Recipe, ...] = TREE, *away: BuildRecord) -> Observed:
        """Say what is known; some builds are known by their attestations alone."""
        found = observe(tree, book=self.book, store=self.store)
        return Observed((*found.known, *(Known(record, here=False, published=True) for record in away)))

    def scope(self, ask: Ask, view: View, tracker: Tracker | None = None, begun: tuple[str, ...] = ()) -> Scope:
        """Say what a campaign concerns."""
        lines = lines_of(TREE, self.observed(), self.store)
        return scope_of(ask, lines, view, self.views, self.store, tracker=tracker, begun=begun)
