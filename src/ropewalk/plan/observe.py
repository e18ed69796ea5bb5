"""What is there: the builds of the store and their records, and what the registry holds under the same lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from ropewalk.oci.together import together
from ropewalk.plan.graph import recipe_of
from ropewalk.plan.known import LATEST, Known, Observed, Unverified, newest, split_tag
from ropewalk.recipe.recipe import Generation, Recipe
from ropewalk.recipe.record import Attested, BuildRecord, RecordBook

if TYPE_CHECKING:
    from ropewalk.oci.client import RegistryClient
    from ropewalk.oci.store import Store
    from ropewalk.trust import PublicKeys, Publics


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A line that the plan needs to know of.

    Attributes:
        registry: The registry's name.
        repository: ``registry/namespace/name``.
        version: The line's version; None where the newest one counts.
        build: The very build that is pinned; None where the newest one counts.
    """

    registry: str
    repository: str
    version: str | None
    build: int | None = None

    @property
    def path(self) -> str:
        """The repository as the registry itself knows it: without the registry's name."""
        return self.repository.removeprefix(f"{self.registry}/") if self.registry else self.repository


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of one wanted line."""

    known: tuple[Known, ...]
    unverified: tuple[Unverified, ...] = ()


def observe(
    recipes: Sequence[Recipe],
    *,
    book: RecordBook,
    store: "Store",
    client: "RegistryClient | None" = None,
    publics: "Publics | None" = None,
) -> Observed:
    """Collect what is known of the lines of a tree, and of parents of ours that no recipe here makes.

    The registry's newest build of a line counts as known where its attestation verifies, so that work goes on here
    where another machine left off. Each repository is asked once, for its tags; what a version tag names is asked only
    until it is known (published from here, or verified once), since such a tag never moves.

    Args:
        recipes: The tree.
        book: The build records; what verifies is kept there.
        store: The local store.
        client: The registry; None asks none: store and records then say what is published.
        publics: Keys that attestations may be signed with; they are read when there is one to verify. None trusts none.

    Raises:
        NetworkError: The registry does not answer as it should.
    """
    return _observe(_wanted(recipes), book, store, client, publics)


def observe_lines(
    lines: Sequence[tuple[str, str]],
    registry: str,
    *,
    book: RecordBook,
    store: "Store",
    client: "RegistryClient | None" = None,
    publics: "Publics | None" = None,
) -> Observed:
    """Collect what is known of lines, whether a recipe here makes them or not; see `observe`.

    Args:
        lines: ``registry/namespace/name`` and version of each.
        registry: The registry's name.
        book: The build records.
        store: The local store.
        client: The registry.
        publics: Keys that attestations may be signed with.

    Raises:
        NetworkError: The registry does not answer as it should.
    """
    wanted = tuple(_Wanted(registry, repository, version) for repository, version in lines)
    return _observe(wanted, book, store, client, publics)


def _observe(
    lines: Sequence[_Wanted],
    book: RecordBook,
    store: "Store",
    client: "RegistryClient | None",
    publics: "Publics | None",
) -> Observed:
    builds = tuple(book)
    published = {record.digest: note for record in builds if (note := book.published(record.digest)) is not None}
    records = tuple(
        Known(record, _is_here(record, store), record.digest in published, book.seen(record.digest))
        for record in builds
    )
    if client is None:
        return Observed(tuple(known for known in records if known.here or known.published))
    sent = frozenset(digest for digest, note in published.items() if note.registry == client.endpoint)
    ids: frozenset[tuple[Generation, str]] = publics.ids() if publics else frozenset()
    loaded = cache(publics.load) if publics else tuple
    registry = _Registry(client, store, book, loaded, sent, _verified(book, client.endpoint, ids))
    ours: dict[str, list[Known]] = {}
    for one in records:
        ours.setdefault(one.record.repository, []).append(one)
    wanted: dict[str, list[_Wanted]] = {}
    for line in lines:
        wanted.setdefault(line.path, []).append(line)

    tagged = client.tags_of(tuple(wanted))

    def ask(path: str) -> list[_Found]:
        tags = tagged[path] if path in tagged else client.tags(path)
        return [_ask(line, ours.get(line.repository, ()), tags, registry) for line in wanted[path]]

    found = [one for answers in together(ask, wanted) for one in answers]
    known = dict.fromkeys(known for one in found for known in one.known)
    doubtful = dict.fromkeys(tag for one in found for tag in one.unverified)
    return Observed(tuple(sorted(known, key=_age)), tuple(doubtful), asked=True)


def _verified(
    book: RecordBook, endpoint: str, trusted: frozenset[tuple[Generation, str]]
) -> dict[tuple[str, str], BuildRecord]:
    """Return what this registry's version tags named when they were verified, by keys that are still trusted."""
    return {
        (one.record.repository, one.tag): one.record
        for one in book.attested()
        if one.registry == endpoint and (one.record.generation, one.key) in trusted
    }


def _is_here(record: BuildRecord, store: "Store") -> bool:
    """Say whether an image is in the store, whole; of one that was adopted, mostly only its indexes are."""
    return store.is_here(record.digest)


def _age(known: Known) -> tuple[str, str, int, int]:
    return (known.record.repository, known.record.version, known.record.build, known.record.made)


def _wanted(recipes: Sequence[Recipe]) -> tuple[_Wanted, ...]:
    """Name the recipes' lines first, then those of parents from elsewhere."""
    by_repository = {recipe.repository: recipe for recipe in recipes}
    lines = [_Wanted(recipe.registry, recipe.repository, recipe.version) for recipe in recipes]
    for recipe in recipes:
        for parent in recipe.parents:
            if parent.name is not None and recipe_of(parent, by_repository) is None:
                version, build = (None, None) if parent.tag == LATEST else split_tag(parent.tag)
                lines.append(_Wanted(recipe.registry, parent.repository, version, build))
    return tuple(dict.fromkeys(lines))


@dataclass(frozen=True, slots=True)
class _Registry:
    """Who is asked, with which keys its answers are verified, and what was learned before.

    Attributes:
        publics: Loads the keys.
        sent: Digests that were published to it from here.
        verified: What version tags name, by repository and tag.
    """

    client: "RegistryClient"
    store: "Store"
    book: RecordBook
    publics: Callable[[], tuple["PublicKeys", ...]]
    sent: frozenset[str]
    verified: Mapping[tuple[str, str], BuildRecord]

    def named(self, wanted: _Wanted, tag: str, ours: Sequence[Known]) -> str | None:
        """Return the digest that a version tag names; None where it is gone meanwhile."""
        record = self.verified.get((wanted.repository, tag))
        if record is None:
            record = next((k.record for k in ours if k.record.tag == tag and k.record.digest in self.sent), None)
        return record.digest if record is not None else self.client.digest_of(wanted.path, tag)

    def read(self, wanted: _Wanted, tag: str, digest: str) -> Known | Unverified:
        """Believe a tag's image if its attestation verifies and says that it is this very build."""
        record = self.verified.get((wanted.repository, tag))
        if record is not None:
            return Known(record, here=_is_here(record, self.store), published=True)
        from ropewalk.trust import verify_image

        publics = self.publics()
        verdict = verify_image(self.client, wanted.repository, digest, publics)
        record = verdict.record
        if not verdict.ok or record is None:
            return Unverified(wanted.repository, tag, verdict.reason)
        if (record.repository, record.tag, record.digest) != (wanted.repository, tag, digest):
            return Unverified(wanted.repository, tag, f"its attestation is for {record.reference}")
        key = next(keys.key_id for keys in publics if keys.generation is verdict.generation)
        self.book.mark_attested(Attested(self.client.endpoint, tag, key, record))
        return Known(record, here=_is_here(record, self.store), published=True)


def _ask(wanted: _Wanted, ours: Sequence[Known], tags: Sequence[str], registry: _Registry) -> _Found:
    version = _version(wanted, ours, tags)
    line = [known for known in ours if known.record.version == version]
    tagged = {build or 1: tag for tag in tags for found, build in [split_tag(tag)] if found == version}
    settled = [replace(known, published=known.record.tag in tags) for known in line]
    number = wanted.build or max(tagged, default=0)
    if number not in tagged:
        return _Found(_usable(settled))
    digest = registry.named(wanted, tagged[number], line)
    if digest is None or any(known.record.digest == digest for known in settled):
        rest = [known for known in settled if digest in (None, known.record.digest) or known.record.build != number]
        return _Found(_usable(rest))
    # The registry holds a build under this tag that is not ours: ours can never be published, so it is not current.
    answer = registry.read(wanted, tagged[number], digest)
    others = [known for known in settled if known.record.build != number]
    if isinstance(answer, Known):
        return _Found(_usable([*others, answer]))
    return _Found(_usable(others), (answer,))


def _usable(known: Sequence[Known]) -> tuple[Known, ...]:
    """Leave out builds that are neither in the store nor in the registry: nothing can be made from them."""
    return tuple(one for one in known if one.here or one.published)


def _version(wanted: _Wanted, ours: Sequence[Known], tags: Sequence[str]) -> str | None:
    """Return the version that counts: the wanted one, else the newest that is known or tagged."""
    if wanted.version is not None:
        return wanted.version
    found = newest([*tags, *(known.record.version for known in ours)])
    return split_tag(found)[0] or next((known.record.version for known in reversed(ours)), None)
