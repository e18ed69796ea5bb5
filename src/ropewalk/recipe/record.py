"""The build record: what went into an image that this state directory made, and what came out.

Plans, provenance, owners and proofs read it; nothing is ever read from labels (DESIGN, principle 6).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.recipe.lock import Lock, lock_from_json
from ropewalk.recipe.recipe import Generation, ParentRole


class How(StrEnum):
    """How an image came to be."""

    BUILT = "built"
    REBUILT = "rebuilt"
    REBASED = "rebased"
    ADOPTED = "adopted"
    """Made elsewhere, without recorded inputs, and taken over from the registry as it is."""


class LayerKind(StrEnum):
    """What a layer is for."""

    OWN = "own"
    """What a recipe added to its parent."""
    RECONCILE = "reconcile"
    """What a rebase merged; it never owns a package."""


@dataclass(frozen=True, slots=True)
class OwnedLayer:
    """A layer and the line whose recipe made it.

    Attributes:
        diff_id: The layer.
        owner: The line's name, without registry.
        kind: Own or reconcile.
    """

    diff_id: str
    owner: str
    kind: LayerKind


@dataclass(frozen=True, slots=True)
class ParentPin:
    """A parent as it was used.

    Attributes:
        reference: As the recipe names it, with tag.
        digest: The manifest digest that stood for it.
        role: Final or build.
    """

    reference: str
    digest: str
    role: ParentRole


@dataclass(frozen=True, slots=True)
class Commit:
    """Where a recipe stood in git when its image was made.

    Attributes:
        id: The commit that was checked out.
        dirty: What was read of the repository held changes that were not committed.
        remote: Where the repository was cloned from, without user and password; empty where it says none.
        config: The config file, relative to the repository; empty where there was none, or it is elsewhere.
        directories: The directories whose recipes were read, relative to the repository; ``.`` is all of it.
    """

    id: str
    dirty: bool
    remote: str
    config: str
    directories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """The recorded inputs and the outcome of making one image.

    Attributes:
        digest: The image's manifest digest.
        platform: ``os/architecture``.
        repository: ``registry/namespace/name``.
        name: ``namespace/name`` of the line.
        version: The line's version (the changelog's).
        build: 1 for the first build of the line, N for its ``-rN``.
        generation: Base, production or service.
        recipe_digest: Of the recipe it was made from.
        parents: Parents by digest.
        view: Id of the archive view.
        epoch: SOURCE_DATE_EPOCH, in seconds.
        how: Built, rebuilt or rebased.
        layers: All layers, lowest first, with their owners.
        dockerfile: The rendered Dockerfile; empty for a base image.
        made: When it was made, in seconds since 1970.
        tested: A test ran and succeeded; false where the recipe has none.
        rebased_from: For a rebase: the digest of the image whose own layers were taken.
        reasons: Why it was made, in the words of the plan or the refresh; empty where nothing said it.
        commit: Where its recipe stood in git; None where it was in no repository.
        older: The versions below its own in its changelog; known here alone, no part of what is attested.
        lock: What its build took from the archive; None where nothing recorded it (adopted, or made by an older program).
    """

    digest: str
    platform: str
    repository: str
    name: str
    version: str
    build: int
    generation: Generation
    recipe_digest: str
    parents: tuple[ParentPin, ...]
    view: str
    epoch: int
    how: How
    layers: tuple[OwnedLayer, ...]
    dockerfile: str
    made: int
    tested: bool
    rebased_from: str = ""
    reasons: tuple[str, ...] = ()
    commit: Commit | None = None
    older: tuple[str, ...] = ()
    lock: Lock | None = None

    @property
    def tag(self) -> str:
        """The version tag: ``1.22.1-3``, then ``1.22.1-3-r2``."""
        return self.version if self.build == 1 else f"{self.version}-r{self.build}"

    @property
    def reference(self) -> str:
        """``registry/namespace/name:tag``."""
        return f"{self.repository}:{self.tag}"

    @property
    def line(self) -> str:
        """``registry/namespace/name:version``."""
        return f"{self.repository}:{self.version}"

    def parent(self) -> ParentPin | None:
        """Return the final parent; None for an image from scratch."""
        return next((pin for pin in self.parents if pin.role is ParentRole.FINAL), None)


@dataclass(frozen=True, slots=True)
class Published:
    """When an image was published.

    Attributes:
        registry: The address that was written to.
        at: Seconds since 1970.
    """

    registry: str
    at: int


@dataclass(frozen=True, slots=True)
class Attested:
    """A registry's image whose signature and attestation verified.

    Attributes:
        registry: The address that was asked.
        tag: The version tag that named it there; such a tag never moves.
        key: Id of the key that signed both.
        record: The build record that is attested.
    """

    registry: str
    tag: str
    key: str
    record: BuildRecord


@dataclass(frozen=True, slots=True)
class Proof:
    """What a full rebuild said of an image.

    Attributes:
        equal: The trees were equal path by path.
        differences: Differing paths, each with what differs; at most 50.
        seconds: How long the rebuild took.
        at: Seconds since 1970.
    """

    equal: bool
    differences: tuple[str, ...]
    seconds: float
    at: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Why an image that was rebased is no longer vouched for: a full rebuild gave another one.

    Attributes:
        reason: The rule that should have refused the rebase, the path, and what differs there.
        by: Reference of the image that takes its place.
        at: Seconds since 1970.
        told: The registry and the signatures that nodes read say so too.
    """

    reason: str
    by: str
    at: int
    told: bool = False


class Proven(StrEnum):
    """What is known of an image's equality to a full rebuild."""

    BUILT = "built"
    """It was built in full itself, or adopted as it is: there is nothing to prove."""
    EQUAL = "equal"
    """It was rebased, and a full rebuild gave the same, path by path."""
    NOT_YET = "not yet"
    """It was rebased, and nothing confirmed it."""
    WITHDRAWN = "withdrawn"
    """It was rebased, and a full rebuild gave another image, which took its place."""

    @property
    def ok(self) -> bool:
        """It may go where only what is proven may go."""
        return self in {Proven.BUILT, Proven.EQUAL}


def to_json(record: BuildRecord) -> dict[str, Any]:
    """Return a record as JSON-ready values; `from_json` reads them back."""
    data = asdict(record)
    # What an older record does not have is left out, so that it is attested in the same bytes as before.
    empty = {name for name, value in (("older", record.older), ("lock", record.lock)) if not value}
    return {name: value for name, value in data.items() if name not in empty}


def from_json(data: dict[str, Any]) -> BuildRecord:
    """Make a record from what `to_json` gave.

    Raises:
        KeyError, TypeError, ValueError: The data is not a record's.
    """
    parents = tuple(ParentPin(p["reference"], p["digest"], ParentRole(p["role"])) for p in data["parents"])
    layers = tuple(OwnedLayer(x["diff_id"], x["owner"], LayerKind(x["kind"])) for x in data["layers"])
    return BuildRecord(
        **{
            **data,
            "generation": Generation(data["generation"]),
            "how": How(data["how"]),
            "parents": parents,
            "layers": layers,
            "reasons": tuple(data.get("reasons", ())),
            "commit": _commit(data.get("commit")),
            "older": tuple(data.get("older", ())),
            "lock": lock_from_json(data["lock"]) if data.get("lock") else None,
        }
    )


def _commit(data: dict[str, Any] | None) -> Commit | None:
    return None if data is None else Commit(**{**data, "directories": tuple(data["directories"])})


class RecordBook:
    """The build records of a state directory: ``records/HEX/{build,published,seen,proof,withdrawn,seconds,attested}.json``."""

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which need not exist yet."""
        self._directory = directory

    def _path(self, digest: str, name: str) -> Path:
        return self._directory / digest.removeprefix("sha256:") / f"{name}.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            hint = "delete the file; the image is then built again"
            raise InputError(f"is no JSON: {error}", where=str(path), hint=hint) from error
        if not isinstance(data, dict):
            raise InputError("is no record", where=str(path), hint="delete the file; the image is then built again")
        return data

    def save(self, record: BuildRecord) -> None:
        """Keep a record under its image's digest."""
        text = json.dumps(to_json(record), indent=1, sort_keys=True)
        atomic.write_text(self._path(record.digest, "build"), text)

    def load(self, digest: str) -> BuildRecord | None:
        """Return the record of an image; None where this state directory did not make it."""
        data = self._read(self._path(digest, "build"))
        return None if data is None else from_json(data)

    def remove(self, digest: str) -> None:
        """Forget an image; nothing happens if there is no record of it."""
        path = self._path(digest, "build")
        path.unlink(missing_ok=True)  # first, since this file is the record
        shutil.rmtree(path.parent, ignore_errors=True)

    def __iter__(self) -> Iterator[BuildRecord]:
        """Go through all records, by line, then by build number."""
        found = (self.load(f"sha256:{path.parent.name}") for path in self._directory.glob("*/build.json"))
        records = [record for record in found if record is not None]
        yield from sorted(records, key=lambda record: (record.repository, record.version, record.build, record.made))

    def builds(self, repository: str, version: str) -> tuple[BuildRecord, ...]:
        """Return a line's builds, the oldest first; the last is its current image."""
        return tuple(record for record in self if (record.repository, record.version) == (repository, version))

    def mark_published(self, digest: str, published: Published) -> None:
        """Keep when and where an image was published."""
        atomic.write_text(self._path(digest, "published"), json.dumps(asdict(published)))

    def published(self, digest: str) -> Published | None:
        """Return when and where an image was published; None if it was not."""
        data = self._read(self._path(digest, "published"))
        return None if data is None else Published(**data)

    def mark_attested(self, attested: Attested) -> None:
        """Keep that an image's attestation verified, so that it is not fetched again."""
        atomic.write_text(self._path(attested.record.digest, "attested"), json.dumps(asdict(attested)))

    def attested(self) -> tuple[Attested, ...]:
        """Return what was verified before; a file that cannot be read is left out: it is verified again."""
        found = []
        for path in self._directory.glob("*/attested.json"):
            with suppress(InputError, KeyError, TypeError, ValueError):
                data = self._read(path) or {}
                found.append(Attested(**{**data, "record": from_json(data["record"])}))
        return tuple(found)

    def mark_seen(self, digest: str, view: str) -> None:
        """Keep the id of a view that has nothing newer for an image."""
        atomic.write_text(self._path(digest, "seen"), json.dumps({"view": view}))

    def seen(self, digest: str) -> str:
        """Return the id of the last view that had nothing newer for an image; empty if none was looked at."""
        data = self._read(self._path(digest, "seen"))
        return "" if data is None else str(data["view"])

    def mark_proven(self, digest: str, proof: Proof) -> None:
        """Keep what a full rebuild said."""
        atomic.write_text(self._path(digest, "proof"), json.dumps(asdict(proof)))

    def proof(self, digest: str) -> Proof | None:
        """Return what a full rebuild said; None if there was none."""
        data = self._read(self._path(digest, "proof"))
        return None if data is None else replace(Proof(**data), differences=tuple(data["differences"]))

    def mark_withdrawn(self, digest: str, withdrawn: Withdrawn) -> None:
        """Keep that an image is no longer vouched for."""
        atomic.write_text(self._path(digest, "withdrawn"), json.dumps(asdict(withdrawn)))

    def withdrawn(self, digest: str) -> Withdrawn | None:
        """Return why an image is no longer vouched for; None if it is."""
        data = self._read(self._path(digest, "withdrawn"))
        return None if data is None else Withdrawn(**data)

    def proven(self, digest: str) -> Proven | None:
        """Say whether an image equals a full rebuild, as far as it is known here; None where there is no record of it.

        Args:
            digest: The image's manifest digest.
        """
        record = self.load(digest)
        if record is None:
            return None
        if self.withdrawn(digest) is not None:
            return Proven.WITHDRAWN
        if record.how is not How.REBASED:
            return Proven.BUILT
        proof = self.proof(digest)
        return Proven.EQUAL if proof is not None and proof.equal else Proven.NOT_YET

    def mark_seconds(self, digest: str, seconds: float) -> None:
        """Keep how long it took to make and test an image."""
        atomic.write_text(self._path(digest, "seconds"), json.dumps({"seconds": round(seconds, 3)}))

    def seconds(self, digest: str) -> float | None:
        """Return how long it took to make and test an image; None where nobody measured."""
        data = self._read(self._path(digest, "seconds"))
        return None if data is None else float(data["seconds"])
