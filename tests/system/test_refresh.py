"""One real base image, then a newer one on a newer view: what is rebased equals a full rebuild, and nothing else is."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.campaign import write_tree
from kit.rebases import Base, Trials, Verdict, judged
from ropewalk.archive import Pockets, View, from_apt, suite_names
from ropewalk.build import Workshop, open_fresh, open_workshop, run_plan
from ropewalk.events import silent
from ropewalk.plan import Action, decide, observe
from ropewalk.recipe import BuildRecord, LayerKind, Recipe
from ropewalk.refresh import Claim, Rebased, RefreshReport, RefreshRow, Sources, prove, rebase, refresh, reproduce
from ropewalk.settings import Settings

pytestmark = pytest.mark.system

_LIBRARIES = ("libonig5", "libyaml-0-2", "libcdb1", "libtommath1", "libdeflate0")
"""Small ones; those that the view has in one version only are taken, so that no update makes the child an owner."""
_SIMPLE = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
_IMAGES = {
    "library": f"FROM @bookworm:latest\nRUN {_SIMPLE} LIBRARY && rm -rf /var/lib/apt/lists/*\n",
    "site": "FROM @library:latest\nCOPY changelog /srv/www/index.html\nUSER 33\n",
    "modes": "FROM @bookworm:latest\nRUN chmod a-s /usr/bin/passwd && chmod 0700 /usr/bin/apt-get\n",
    "greeting": "FROM @bookworm:latest\nRUN echo hello > /hello\n",
    "listing": "FROM @bookworm:latest\nRUN dpkg -l > /packages.txt\n",
    "undocumented": "FROM @bookworm:latest\nRUN rm -rf /usr/share/doc/*\n",
}


@dataclass(frozen=True)
class Case:
    """A refresh that was done, and what it was done with."""

    shop: Workshop
    before: View
    view: View
    recipes: dict[str, Recipe]
    report: RefreshReport
    sent: tuple[str, ...]

    def row(self, name: str) -> RefreshRow:
        return next(row for row in self.report.images if row.name == name)

    def record(self, name: str) -> BuildRecord:
        return self.shop.book.builds(self.recipes[name].repository, self.recipes[name].version)[-1]

    def again(self) -> RefreshReport:
        return refresh(self.shop, tuple(self.recipes.values()), self.view)


def _build(shop: Workshop, recipes: dict[str, Recipe], view: View) -> None:
    tree = tuple(recipes.values())
    plan = decide(tree, observe(tree, book=shop.book, store=shop.store), view.id)
    errors = [str(outcome.error) for outcome in run_plan(shop, plan, {Action.BUILD}, view) if outcome.error]
    assert errors == []


def _single(shop: Workshop, view: View) -> list[str]:
    versions: dict[str, set[str]] = {name: set() for name in _LIBRARIES}
    for package in shop.views.packages(view):
        if package.package in versions:
            versions[package.package].add(package.version)
    return [name for name in _LIBRARIES if len(versions[name]) == 1]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    # The pool and the views stay over runs, as on a real builder; what is made from them does not.
    settings = Settings(Path(os.environ["ROPEWALK_STATE"]) / "refresh")
    for name in ("store", "records", "containers", "scratch"):
        shutil.rmtree(settings.state / name, ignore_errors=True)
    place = tmp_path_factory.mktemp("tree")
    upstream = from_apt()
    with open_workshop(settings, upstream, silent) as shop:
        old, new = (
            shop.views.make(suite_names("bookworm", pockets), ("main",), "amd64", upstream, silent)
            for pockets in (Pockets.RELEASE, Pockets.ALL)
        )
        own, inherited = _single(shop, new)[:2]
        images = {name: text.replace("LIBRARY", own) for name, text in _IMAGES.items()}
        _build(shop, write_tree(place, "12-1", "", images), old)
        recipes = write_tree(place, "12-2", inherited, images)
        _build(shop, {"bookworm": recipes["bookworm"]}, new)
        sent: list[str] = []
        report = refresh(shop, tuple(recipes.values()), new, lambda made: sent.append(made.reference) or 7)
        yield Case(shop, old, new, recipes, report, tuple(sent))


def test_each_image_is_renewed_in_its_way(case: Case) -> None:
    assert [row.error for row in case.report.images if row.error] == []
    assert {row.name: str(row.how) for row in case.report.images} == {
        "bookworm": "unchanged",
        "library": "rebased",
        "site": "rebased",
        "modes": "rebased",
        "greeting": "rebased",
        "listing": "rebuilt",
        "undocumented": "rebuilt",
    }


def test_a_refused_rebase_tells_rule_and_path(case: Case) -> None:
    assert "a full rebuild differs: packages.txt" in case.row("listing").reason
    assert "usr/share/doc/" in case.row("undocumented").reason
    assert "(rule 7)" in case.row("undocumented").reason


@pytest.mark.parametrize("name", ["library", "site", "modes", "greeting"])
def test_what_was_rebased_equals_a_full_rebuild(case: Case, name: str) -> None:
    proof = prove(case.shop, case.record(name), case.recipes[name], case.view)
    assert proof.differences == ()
    assert case.shop.book.proof(case.record(name).digest) == proof


def test_a_rebased_image_is_reproduced_by_a_full_rebuild(case: Case) -> None:
    record = case.record("library")
    image = case.shop.store.load(record.digest)
    assert image is not None
    claim = Claim(image, record, case.shop.store, case.recipes["library"], "the tree here", case.view)
    with open_fresh(case.shop.settings, from_apt(), silent, "reproduce") as shop:
        (answer,) = reproduce(shop, [claim], Sources((case.shop.store,), None))
    assert (answer.error, answer.differences) == (None, ())
    assert (answer.equal, answer.same_layers, answer.same_digest) == (True, False, False)


def test_what_a_command_may_have_computed_was_proven_before_it_was_sent(case: Case) -> None:
    assert case.row("greeting").proven
    assert not case.row("site").proven


def test_a_rebased_image_sends_a_few_kilobytes(case: Case) -> None:
    layers = case.record("library").layers
    assert [(layer.owner, layer.kind) for layer in layers] == [
        ("bookworm", LayerKind.OWN),
        ("library", LayerKind.OWN),
        ("library", LayerKind.RECONCILE),
    ]
    small = case.shop.store.layer(layers[-1].diff_id)
    assert small is not None
    assert small.blob.size < 100_000
    assert {"etc/ld.so.cache", "var/lib/dpkg/status"} <= {e.path for e in case.shop.store.entries(layers[-1].diff_id)}


def test_renewed_images_are_published_once(case: Case) -> None:
    renewed = [row.new for row in case.report.images if row.how != "unchanged"]
    assert sorted(case.sent) == sorted(renewed)
    assert all(reference.endswith("-r2") for reference in renewed)
    assert {row.bytes_pushed for row in case.report.images if row.how != "unchanged"} == {7}


def test_a_second_refresh_does_nothing(case: Case) -> None:
    again = case.again()
    assert {row.how for row in again.images} == {"unchanged"}
    assert [row.new for row in again.images] == [row.new for row in case.report.images]


def test_reconcile_layers_never_pile_up(case: Case) -> None:
    """`modes` stands on the new base image: as a parent it is one more step away from the own layer's parent."""
    shop, record = case.shop, case.record("library")
    first = shop.book.load(record.rebased_from)
    assert first is not None
    pin = first.parent()
    assert pin is not None
    old, new = shop.store.load(pin.digest), shop.store.load(case.record("modes").digest)
    assert old is not None
    assert new is not None
    result = rebase(shop, record, case.recipes["library"], old, new, build=2)
    assert isinstance(result, Rebased)
    assert [layer.kind for layer in result.layers if layer.owner == "library"] == [LayerKind.OWN, LayerKind.RECONCILE]


def test_a_rebase_of_random_images_equals_a_rebuild_or_is_refused(case: Case, tmp_path: Path) -> None:
    """Real packages and instructions, two generations, on the two base images of this tree; `make long` takes more."""
    repository = case.recipes["bookworm"].repository
    old, new = (case.shop.book.builds(repository, version)[-1] for version in ("12-1", "12-2"))
    trials = Trials(case.shop, {"bookworm": Base(old, new, case.before, case.view)}, tmp_path)
    answers = list(judged(trials, 10, seed=3))
    assert [answer for answer in answers if answer.verdict in {Verdict.WRONG, Verdict.BROKEN}] == []
    assert {answer.verdict for answer in answers} & {Verdict.ACCEPTED, Verdict.PROVEN}
