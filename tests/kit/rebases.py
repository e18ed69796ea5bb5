"""Random images on old and new bases: what a rebase gives, or why it was refused, beside a full rebuild of each.

Each image is built on the old base and on the new one; the second build is what a rebase must equal. Builds and answers are
kept, so a long run goes on where it stopped; answers are given anew when the rules changed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import ropewalk.refresh
from kit.campaign import CHANGELOG, CONFIG, REGISTRY
from kit.samples import FILES, SERVICE, Sample, draw
from ropewalk import atomic
from ropewalk.archive import Pockets, View, from_apt, suite_names
from ropewalk.build import Workshop, build_recipe, open_workshop, unload
from ropewalk.errors import RopewalkError
from ropewalk.events import silent
from ropewalk.oci import Image, ImageConfig
from ropewalk.oci.tree import Tree, changed
from ropewalk.recipe import BuildRecord, Recipe, load_config, load_tree
from ropewalk.recipe.record import How, ParentPin
from ropewalk.refresh import DpkgReader, Rebased, Refusal, differences, newer_packages, rebase
from ropewalk.refresh.decide import LD_CACHE, combine
from ropewalk.refresh.inputs import changes
from ropewalk.refresh.rebase import configured, gather
from ropewalk.settings import Settings

BASES: Mapping[str, tuple[str, str, str]] = {
    "bookworm": ("bookworm", "ca-certificates", "ca-certificates"),
    "bookworm-rich": (
        "bookworm",
        "ca-certificates, python3, curl, tzdata, netbase, xz-utils",
        "ca-certificates, python3, curl, procps, openssh-client, libyaml-0-2, xz-utils",
    ),
    "trixie": ("trixie", "ca-certificates", "ca-certificates"),
    "trixie-rich": (
        "trixie",
        "ca-certificates, perl, curl, libxml2, openssh-client, tzdata",
        "ca-certificates, perl, curl, libxml2, openssh-client, libyaml-0-2, netbase, cron",
    ),
}
"""Base images: the release, and the packages of the old and of the new one."""
_BASE = """\
name: {name}
version: {version}
suites: [{suite}, {suite}-updates, {suite}-security]
components: [main]
packages: [{packages}]
env: {{LANG: C.UTF-8}}
"""
_NAMED = 3
_ROOM = tuple(
    path.read_text(encoding="utf-8")
    for path in (*sorted(Path(str(ropewalk.refresh.__file__)).parent.glob("*.py")), Path(__file__))
)
"""The code that answers, as it was when this program started."""
_NEVER = frozenset({"record"})


class Verdict(StrEnum):
    """What became of one image."""

    ACCEPTED = "accepted"
    """Rebased, and equal to the rebuild."""
    PROVEN = "accepted after proof"
    """Rebased, proven before it is published as the rules ask, and equal."""
    RIGHTLY = "refused rightly"
    """Refused, and what stacking and merging gives differs from the rebuild, or cannot be made."""
    NEEDLESSLY = "refused needlessly"
    """Refused, although stacking and merging gives the rebuild."""
    BOUND = "refused for its size"
    """The reconcile layer would be equal, but too large to be worth it."""
    WRONG = "wrong"
    """Rebased without asking for a proof, and not equal to the rebuild."""
    OWNER = "owner"
    """Not asked: the archive has its own packages newer, so it is rebuilt."""
    BROKEN = "not built"
    """A build failed; nothing can be said."""


ASKED = tuple(verdict for verdict in Verdict if verdict not in {Verdict.OWNER, Verdict.BROKEN})
"""Verdicts of images of which the rules were asked."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base image, old and new.

    Attributes:
        old: On the old view.
        new: On the new view.
        old_view: The archive before the updates.
        new_view: The archive with them.
    """

    old: BuildRecord
    new: BuildRecord
    old_view: View
    new_view: View


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one image of a sample.

    Attributes:
        name: The image's name.
        verdict: What became of it.
        rule: The rule that refused; empty where none did.
        reason: Why, or what differs.
        reconcile_bytes: Compressed size of the reconcile layer.
        base: The base image's name.
        late: See `Sample`.
        instructions: Its Dockerfile below ``FROM``.
    """

    name: str
    verdict: Verdict
    rule: str
    reason: str
    reconcile_bytes: int
    base: str
    late: bool
    instructions: str


@dataclass(frozen=True, slots=True)
class _Twice:
    """An image on its old and on its new parent.

    Attributes:
        recipe: Its recipe.
        below: The parent that the first build stood on.
        first: The record of the build on the old parent.
        again: The record of the build on the new one; its tree is what counts.
    """

    recipe: Recipe
    below: Image
    first: BuildRecord
    again: BuildRecord


@dataclass(frozen=True, slots=True)
class Trials:
    """Where samples are built and judged.

    Attributes:
        shop: The workshop.
        bases: The base images by name.
        place: Where recipes and answers are kept.
    """

    shop: Workshop
    bases: dict[str, Base]
    place: Path

    def judge(self, sample: Sample) -> tuple[Answer, ...]:
        """Build a sample's images and say of each what a rebase does to it; kept answers are given again.

        Args:
            sample: The sample.
        """
        kept = self.place / f"{sample.number:04}.json"
        asked = _fingerprint(sample)
        if kept.exists() and (data := json.loads(kept.read_bytes()))["asked"] == asked:
            return tuple(Answer(**{**row, "verdict": Verdict(row["verdict"])}) for row in data["answers"])
        answers = tuple(self._judged(sample))
        text = json.dumps({"asked": asked, "answers": [asdict(answer) for answer in answers]}, indent=1)
        atomic.write_text(kept, text)
        return answers

    def _judged(self, sample: Sample) -> Iterator[Answer]:
        base = self.bases[sample.base]
        recipes = write_sample(self.place / "trees" / sample.names[0], sample)
        olds, news = self._image(base.old), self._image(base.new)
        parents = (base.old, base.new)
        for recipe, text in zip(recipes, (sample.child, sample.grandchild), strict=False):
            try:
                built = self.build(recipe, parents, base, late=sample.late)
                verdict, rule, reason, size, image = self._verdict(built, olds, news, base)
            except RopewalkError as error:
                yield Answer(
                    recipe.name, Verdict.BROKEN, "", f"{error}; {error.hint}", 0, sample.base, sample.late, text
                )
                return
            yield Answer(recipe.name, verdict, rule, reason, size, sample.base, sample.late, text or "(a service)")
            # The next generation stands on what was rebased, where that is right, as it would in a refresh.
            olds, news = self._image(built.first), image or self._image(built.again)
            parents = (built.first, built.again)

    def build(self, recipe: Recipe, parents: tuple[BuildRecord, BuildRecord], base: Base, *, late: bool) -> _Twice:
        """Build a recipe on its old and on its new parent, unless that was done.

        Args:
            recipe: The recipe.
            parents: The old and the new parent.
            base: Has the views.
            late: The first build sees the new view too.
        """
        views = (base.new_view if late else base.old_view, base.new_view)
        made = []
        for number, (parent, view) in enumerate(zip(parents, views, strict=True), 1):
            pins = (ParentPin(recipe.parents[0].reference, parent.digest, recipe.parents[0].role),)
            made.append(self._kept(recipe, pins, view, number) or self._built(recipe, pins, view, number))
        return _Twice(recipe, self._image(parents[0]), made[0], made[1])

    def _kept(self, recipe: Recipe, pins: tuple[ParentPin, ...], view: View, number: int) -> BuildRecord | None:
        note = self.place / "builds" / f"{recipe.name}-{number}"
        record = self.shop.book.load(note.read_text()) if note.exists() else None
        wanted = (recipe.digest, pins, view.id)
        return record if record and (record.recipe_digest, record.parents, record.view) == wanted else None

    def _built(self, recipe: Recipe, pins: tuple[ParentPin, ...], view: View, number: int) -> BuildRecord:
        record = build_recipe(self.shop, recipe, pins, view, build=number)
        if pins[0].reference not in {f"{REGISTRY}/{name}:latest" for name in self.bases}:
            unload(self.shop, pins[0].reference)  # nothing else stands on it
        atomic.write_text(self.place / "builds" / f"{recipe.name}-{number}", record.digest)
        return record

    def _image(self, record: BuildRecord) -> Image:
        image = self.shop.store.load(record.digest)
        assert image is not None
        return image

    def _verdict(
        self, built: _Twice, old: Image, new: Image, base: Base
    ) -> tuple[Verdict, str, str, int, Image | None]:
        shop, recipe, record = self.shop, built.recipe, built.first
        own = newer_packages(base.new_view, shop.views, shop.store, [(recipe, record)]).get(recipe.reference, ())
        if own:
            return Verdict.OWNER, "", ", ".join(map(str, own[:_NAMED])), 0, None
        pins = (replace(record.parents[0], digest=new.digest),)
        outcome = rebase(shop, record, recipe, old, new, build=record.build + 1, pins=pins)
        rebuilt = self._image(built.again)
        if isinstance(outcome, Refusal):
            assert outcome.rule not in _NEVER, outcome
            found = self._forced(built, old, new, rebuilt)
            verdict = Verdict.RIGHTLY if found else Verdict.BOUND if outcome.rule == "size" else Verdict.NEEDLESSLY
            reason = f"{outcome}; {found[0]}" if found else str(outcome)
            return verdict, str(outcome.rule), reason, 0, None
        found = self._unequal(outcome, rebuilt)
        if not found:
            self._note(built, outcome, pins, base)
            reason = outcome.proof[0] if outcome.proof else ""
            verdict = Verdict.PROVEN if outcome.proof else Verdict.ACCEPTED
            return verdict, "", reason, outcome.reconcile_bytes, outcome.image
        reason = "; ".join([*outcome.proof[:1], *found[:_NAMED]])
        return (Verdict.RIGHTLY, "proof", reason, 0, None) if outcome.proof else (Verdict.WRONG, "", reason, 0, None)

    def _unequal(self, rebased: Rebased, rebuilt: Image) -> tuple[str, ...]:
        trees = self.shop.store.tree(rebased.image), self.shop.store.tree(rebuilt)
        same = _settings(rebased.image.config) == _settings(rebuilt.config)
        return (*(() if same else ("configuration differs",)), *differences(*trees))

    def _forced(self, built: _Twice, old: Image, new: Image, rebuilt: Image) -> tuple[str, ...]:
        """Stack and merge without asking the rules; say where that differs from the rebuild, or why it cannot be done."""
        store, image = self.shop.store, self._image(built.first)
        pins = (replace(built.first.parents[0], digest=new.digest),)
        own = image.layers[len(old.layers) :]
        inputs = gather(store, built.recipe, built.first, pins, (old, new, own), reader=DpkgReader(store))
        made = combine(changes(inputs))
        config = configured(old.config, new.config, image.config, built.first.dockerfile)
        for refusal in (made, config):
            if isinstance(refusal, Refusal):
                return (f"cannot be made: {refusal}",)
        assert not isinstance(made, Refusal)
        assert not isinstance(config, Refusal)
        target = {**made.target, **_merged(made.target, made.merged)}
        tree = store.tree(rebuilt)
        found = tuple(path for path in changed(target, tree) if path != LD_CACHE or not made.ldconfig)
        same = _settings(config) == _settings(rebuilt.config)
        return (*(() if same else ("configuration differs",)), *(f"differs at {path}" for path in found))

    def _note(self, built: _Twice, rebased: Rebased, pins: tuple[ParentPin, ...], base: Base) -> None:
        """Record a rebased image, since the next generation stands on it."""
        record = replace(
            built.first,
            digest=rebased.image.digest,
            build=3,
            parents=pins,
            view=base.new_view.id,
            how=How.REBASED,
            layers=rebased.layers,
            rebased_from=rebased.origin,
        )
        self.shop.book.save(record)


@contextmanager
def opened(state: Path, seed: int, names: Sequence[str]) -> Iterator[Trials]:
    """Open a place for samples with its base images, which are made unless they are there.

    Args:
        state: Its state directory; builds and answers stay in it.
        seed: Of the samples; each has answers of its own.
        names: Base images of `BASES`.
    """
    upstream = from_apt()
    with open_workshop(Settings(state), upstream, silent) as shop:
        bases = {}
        for name in names:
            release, *packages = BASES[name]
            views = [
                shop.views.make(suite_names(release, pockets), ("main",), "amd64", upstream, silent)
                for pockets in (Pockets.RELEASE, Pockets.ALL)
            ]
            made = [
                _base(shop, state / "bases", name, (release, number, packages[number - 1]), view)
                for number, view in enumerate(views, 1)
            ]
            bases[name] = Base(made[0], made[1], views[0], views[1])
        yield Trials(shop, bases, state / f"seed-{seed}")


def _base(shop: Workshop, place: Path, name: str, said: tuple[str, int, str], view: View) -> BuildRecord:
    release, number, packages = said
    text = _BASE.format(name=name, version=f"{number}-1", suite=release, packages=packages)
    where = place / f"{name}-{number}"
    for path, content in {"config.yaml": CONFIG.format(base=name), "tree/base.yaml": text}.items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_text(content, encoding="utf-8")
    (recipe,) = load_tree([where / "tree"], load_config(where / "config.yaml", None), date(2025, 7, 1)).recipes
    kept = shop.book.builds(recipe.repository, recipe.version)
    if kept and (kept[-1].recipe_digest, kept[-1].view) == (recipe.digest, view.id):
        return kept[-1]
    return build_recipe(shop, recipe, (), view)


def _merged(target: Tree, merged: Sequence[tuple[str, bytes]]) -> Tree:
    return {
        path: replace(target[path], sha256=hashlib.sha256(data).hexdigest(), size=len(data)) for path, data in merged
    }


def _settings(config: ImageConfig) -> ImageConfig:
    return replace(config, env=tuple(sorted(config.env)))


def _fingerprint(sample: Sample) -> str:
    """Return what a kept answer depends on: the sample, and the room that answers."""
    return hashlib.sha256("\0".join((repr(sample), *FILES.values(), *_ROOM)).encode()).hexdigest()


def write_sample(into: Path, sample: Sample) -> tuple[Recipe, ...]:
    """Write a sample's recipes and read them: the child, and the image on it where there is one.

    Args:
        into: A directory for them.
        sample: The sample.
    """
    child, above = sample.names
    files = {"config.yaml": CONFIG.format(base=sample.base)}
    files |= _production(child, f"FROM {REGISTRY}/{sample.base}:latest\n{sample.child}\n")
    if sample.grandchild:
        # The child may have another user than root, who installs.
        files |= _production(above, f"FROM {REGISTRY}/{child}:latest\nUSER 0\n{sample.grandchild}\n")
    else:
        files |= {f"tree/{above}/blubber.yaml": SERVICE.format(parent=child)}
        files |= {f"tree/{above}/changelog": CHANGELOG.format(name=above)}
        files |= {f"tree/{above}/{path}": text for path, text in FILES.items()}
    for path, text in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text, encoding="utf-8")
    loaded = load_tree([into / "tree"], load_config(into / "config.yaml", None), date(2025, 7, 1))
    by_name = {recipe.name: recipe for recipe in loaded.recipes}
    return by_name[child], by_name[above]


def _production(name: str, dockerfile: str) -> dict[str, str]:
    files = {"Dockerfile.template": dockerfile, "changelog": CHANGELOG.format(name=name), **FILES}
    return {f"tree/{name}/{path}": text for path, text in files.items()}


def judged(trials: Trials, count: int, seed: int) -> Iterator[Answer]:
    """Judge samples until a number of images was asked of.

    Args:
        trials: Where.
        count: How many images.
        seed: Of the samples.

    Yields:
        Each answer as it is known, those of owners and of what could not be built too.
    """
    asked, number = 0, 0
    while asked < count:
        for answer in trials.judge(draw(seed, number, tuple(trials.bases))):
            asked += answer.verdict in ASKED
            yield answer
        number += 1


def table(answers: Sequence[Answer]) -> dict[str, Any]:
    """Count the answers by verdict, and the refusals by rule.

    Args:
        answers: The answers.
    """
    counted = {verdict.value: sum(answer.verdict is verdict for answer in answers) for verdict in Verdict}
    rules = sorted({answer.rule for answer in answers if answer.rule})
    refused = (Verdict.RIGHTLY, Verdict.NEEDLESSLY, Verdict.BOUND)
    by_rule = {
        rule: {v.value: sum(a.verdict is v and a.rule == rule for a in answers) for v in refused} for rule in rules
    }
    return {"asked": sum(answer.verdict in ASKED for answer in answers), **counted, "rules": by_rule}
