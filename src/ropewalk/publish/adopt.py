"""Taking over what others published: images stay as they are, and get an inventory, a statement and signatures.

Nothing is known of how such an image was made: its record says *adopted*, and its statement is no provenance. What is
bound is the recipe as it stands now, so that only what changes from then on is built.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine

from ropewalk.errors import InputError, NetworkError, RopewalkError
from ropewalk.events import Listener, silent, step
from ropewalk.inventory import PackageReader, ingest
from ropewalk.inventory.read import is_of_interest
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.model import DOCKER_MANIFEST, MANIFEST, Image
from ropewalk.oci.reference import parse
from ropewalk.oci.store import Store
from ropewalk.plan import LATEST, edges, newest, order, recipe_of, resolve, split_tag
from ropewalk.publish.distribution import check_distribution
from ropewalk.publish.fetch import note_image
from ropewalk.publish.publish import publish
from ropewalk.recipe.recipe import Generation, Parent, Recipe
from ropewalk.recipe.record import BuildRecord, How, LayerKind, OwnedLayer, ParentPin, RecordBook
from ropewalk.trust import PublicKeys, load, verify_image

Chains = Mapping[tuple[str, ...], tuple[OwnedLayer, ...]]
"""diff_ids of an image that is known -> its layers with their owners."""


class State(StrEnum):
    """How a line stands to adoption."""

    ADOPT = "adopt"
    """Its tag is in the registry and nobody vouches for it: it can be taken over."""
    ADOPTED = "adopted"
    """It was taken over before."""
    OURS = "ours"
    """Ropewalk built it."""
    MISSING = "missing"
    """It is not in the registry; the next build makes it."""
    REFUSED = "refused"
    """It cannot be taken over as it is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line whose image may be taken over.

    Attributes:
        repository: ``registry/namespace/name``.
        name: The line's name.
        tag: The version tag.
        generation: Whose keys will vouch for it.
        state: How it stands.
        reason: Why, in plain words.
        digest: The manifest that the tag names; empty where there is none.
        recipe: The recipe that it is bound to; None for a base image without one.
    """

    repository: str
    name: str
    tag: str
    generation: Generation
    state: State
    reason: str = ""
    digest: str = ""
    recipe: Recipe | None = None

    @property
    def reference(self) -> str:
        """``registry/namespace/name:tag``."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Surveyor:
    """What a survey asks.

    Attributes:
        client: The registry.
        book: The build records.
        publics: Keys that statements may be signed with.
    """

    client: RegistryClient
    book: RecordBook
    publics: tuple[PublicKeys, ...]

    def survey(self, recipes: Sequence[Recipe], bases: Collection[str] = ()) -> tuple[Candidate, ...]:
        """Say how every line of a tree stands, and the base images that it builds on without a recipe.

        Args:
            recipes: The tree.
            bases: Repositories of ``base_images``.

        Returns:
            One candidate a line, parents before children.

        Raises:
            NetworkError: The registry does not answer as it should.
            InputError: Recipes need each other.
        """
        self.client.ping()
        found = [self._base(parent) for parent in _bases(recipes, bases)]
        for recipe in order(recipes, edges(recipes)):
            line = Candidate(
                recipe.repository, recipe.path, recipe.version, recipe.generation, State.ADOPT, recipe=recipe
            )
            found.append(self._look(line, self.client.tags(parse(line.repository).repository)))
        return tuple(found)

    def _base(self, parent: Parent) -> Candidate:
        tags = self.client.tags(parse(parent.repository).repository)
        tag = newest(tags) if parent.tag == LATEST else parent.tag
        line = Candidate(parent.repository, parent.name or "", tag or LATEST, Generation.BASE, State.ADOPT)
        if not tag and tags:
            reason = "has no version tag: push it under one, since `latest` moves"
            return replace(line, state=State.REFUSED, reason=reason)
        return self._look(line, tags)

    def _look(self, line: Candidate, tags: Collection[str]) -> Candidate:
        if line.tag not in tags:
            return replace(line, state=State.MISSING, reason="is not in the registry")
        path = parse(line.repository).repository
        found = self.client.manifest(path, line.tag)
        if found is None:
            return replace(line, state=State.MISSING, reason="is not in the registry")
        descriptor = found[0]
        line = replace(line, digest=descriptor.digest)
        if descriptor.media_type not in (MANIFEST, DOCKER_MANIFEST):
            reason = f"is no image of one platform but {descriptor.media_type}"
            return replace(line, state=State.REFUSED, reason=reason)
        return self._known(line)

    def _known(self, line: Candidate) -> Candidate:
        verdict = verify_image(self.client, line.repository, line.digest, self.publics)
        record = verdict.record if verdict.ok else self.book.load(line.digest)
        if record is not None and record.reference != line.reference:
            return replace(line, state=State.REFUSED, reason=f"is the image of {record.reference}")
        if verdict.ok and record is not None:
            return replace(line, state=State.ADOPTED if record.how is How.ADOPTED else State.OURS)
        if record is not None and record.how is not How.ADOPTED:
            return replace(line, state=State.OURS, reason="was built here: `ropewalk publish` signs it")
        other = self._moved(line)
        if other is not None:
            return replace(line, state=State.REFUSED, reason=f"was {other.digest} when it was {other.how}: it moved")
        return replace(line, reason=verdict.reason)

    def _moved(self, line: Candidate) -> BuildRecord | None:
        """Return the record of another image that stood under this tag."""
        version, _ = split_tag(line.tag)
        builds = (r for r in self.book.builds(line.repository, version) if r.tag == line.tag)
        return next((r for r in builds if r.digest != line.digest and self.book.published(r.digest)), None)


def _bases(recipes: Sequence[Recipe], bases: Collection[str]) -> list[Parent]:
    """Return parents that ``base_images`` names and no recipe makes, each once."""
    by_repository = {recipe.repository: recipe for recipe in recipes}
    found: dict[str, Parent] = {}
    for recipe in recipes:
        for parent in recipe.parents:
            if parent.repository in bases and recipe_of(parent, by_repository) is None:
                found.setdefault(f"{parent.repository}:{parent.tag}", parent)
    return [found[reference] for reference in sorted(found)]


def chains(records: Iterable[BuildRecord]) -> dict[tuple[str, ...], tuple[OwnedLayer, ...]]:
    """Return the layers of known images, to tell whose they are in others.

    Args:
        records: Records of the images; the first that has a chain of layers owns it.
    """
    known: dict[tuple[str, ...], tuple[OwnedLayer, ...]] = {}
    for record in records:
        known.setdefault(tuple(layer.diff_id for layer in record.layers), record.layers)
    return known


def owners(image: Image, name: str, known: Chains) -> tuple[OwnedLayer, ...]:
    """Say whose the layers of an image are: the longest chain of a known image is inherited, the rest is its own.

    Args:
        image: The image.
        name: The line's name.
        known: Chains of known images.
    """
    diff_ids = tuple(layer.diff_id for layer in image.layers)
    inherited = next((known[diff_ids[:end]] for end in range(len(diff_ids), 0, -1) if diff_ids[:end] in known), ())
    own = (OwnedLayer(diff_id, name, LayerKind.OWN) for diff_id in diff_ids[len(inherited) :])
    return (*inherited, *own)


def note(
    candidate: Candidate,
    recipes: Sequence[Recipe],
    *,
    store: Store,
    client: RegistryClient,
    book: RecordBook,
    view: str,
    now: int,
) -> tuple[Image, BuildRecord]:
    """Read a candidate's image, layer by layer, and make its record; nothing vouches for it yet.

    Args:
        candidate: A line that can be taken over.
        recipes: The tree.
        store: Gets manifest, config and the layers' indexes, not the layers.
        client: The registry.
        book: The build records; a record that an earlier run made is taken as it is, so that signatures stay the same.
        view: Id of the newest archive view; empty where there is none.
        now: Seconds since 1970.

    Returns:
        The image and its record, which is not saved.

    Raises:
        RopewalkError: The image cannot be read.
    """
    image = note_image(client, parse(candidate.repository).repository, candidate.digest, store, is_of_interest)
    earlier = book.load(candidate.digest)
    if earlier is not None:
        return image, earlier
    if not image.layers:
        raise InputError("has no layers", where=candidate.reference, hint="push an image, or leave it out")
    recipe, records = candidate.recipe, tuple(book)
    version, build = split_tag(candidate.tag)
    record = BuildRecord(
        digest=image.digest,
        platform=str(image.platform),
        repository=candidate.repository,
        name=candidate.name,
        version=version,
        build=build or 1,
        generation=candidate.generation,
        recipe_digest=recipe.digest if recipe else "",
        parents=_pins(recipe, recipes, records) if recipe else (),
        view=view,
        epoch=image.created,
        how=How.ADOPTED,
        layers=owners(image, candidate.name, chains(records)),
        dockerfile=recipe.dockerfile if recipe else "",
        made=now,
        tested=False,
        reasons=("adopted as the registry had it",),
    )
    return image, record


def _pins(recipe: Recipe, recipes: Sequence[Recipe], records: Sequence[BuildRecord]) -> tuple[ParentPin, ...]:
    """Return what stands for a recipe's parents now; those that are not known here are left out."""
    pairs = ((parent, resolve(parent, recipes, records)) for parent in recipe.parents)
    return tuple(ParentPin(parent.reference, now.digest, parent.role) for parent, now in pairs if now is not None)


@dataclass(frozen=True, slots=True)
class Adopter:
    """What taking over needs.

    Attributes:
        client: The registry.
        store: Gets manifests, configs and the layers' indexes.
        book: The build records.
        engine: The inventory's database.
        keys: The directory of the signing keys.
        lookaside: The directory of OpenPGP signatures that nodes read.
        recipes: The tree.
        view: Id of the newest archive view; empty where there is none.
        clock: Gives the time in seconds since 1970.
        listener: Is told of each step.
        distributions: Distributions beside Debian that the config allows.
    """

    client: RegistryClient
    store: Store
    book: RecordBook
    engine: Engine
    keys: Path
    lookaside: Path
    recipes: tuple[Recipe, ...]
    view: str
    clock: Callable[[], int]
    listener: Listener = silent
    distributions: Collection[str] = ()

    def take(self, line: Candidate) -> Candidate:
        """Take one image over, if it can be.

        Args:
            line: What a survey said.

        Returns:
            How the line stands now; what is wrong with its image is told there, so that the others go on.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        if line.state is not State.ADOPT:
            return line
        try:
            with step(self.listener, line.reference, "adopt"):
                self._take(line)
        except NetworkError:
            raise
        except RopewalkError as error:
            return replace(line, state=State.REFUSED, reason=f"{error}; {error.hint}")
        return replace(line, state=State.ADOPTED, reason="")

    def _take(self, line: Candidate) -> None:
        keys = load(self.keys, line.generation)
        now = self.clock()
        image, record = note(
            line, self.recipes, store=self.store, client=self.client, book=self.book, view=self.view, now=now
        )
        check_distribution(image, self.store, line.reference, self.distributions)
        reader = PackageReader(self.store)
        # Read before anybody vouches for it: an image whose packages cannot be told is not taken over.
        packages, codename = reader.packages(image, record.layers), reader.release(image)[1]
        self.book.save(record)
        publish(
            image,
            record,
            store=self.store,
            client=self.client,
            keys=keys,
            lookaside=self.lookaside,
            book=self.book,
            latest=False,
            now=now,
            listener=self.listener,
        )
        self.store.tag(record.reference, record.digest)
        ingest(self.engine, image, record, packages, codename)
