"""Which build of a line is the newest that is published, and which build a digest is: records and registry, verified."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ropewalk.deploy.decide import Build, named
from ropewalk.oci.reference import parse
from ropewalk.oci.together import together
from ropewalk.plan import Observed
from ropewalk.recipe.record import BuildRecord, How, Proven, RecordBook

if TYPE_CHECKING:
    from ropewalk.oci.client import RegistryClient

Line = tuple[str, str]
"""``registry/namespace/name`` and the line's version."""


@dataclass(slots=True)
class Published:
    """Answers what is published; each line is asked once.

    Attributes:
        registry: The registry's name.
        aliases: Its other names.
        book: The build records, with proofs.
        observe: Collects what is known of lines.
        client: The registry; None asks none.
    """

    registry: str
    aliases: tuple[str, ...]
    book: RecordBook
    observe: Callable[[list[Line]], Observed]
    client: "RegistryClient | None" = None
    _newest: dict[Line, Build | None] = field(default_factory=dict)
    _digests: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _known: dict[str, BuildRecord] | None = None
    _repositories: set[str] | None = None

    def repository(self, name: str) -> str:
        """Return the repository that a file means, with the registry's own name; empty where it is another registry's.

        Args:
            name: ``registry/repository`` as written; without a registry, ours is meant.
        """
        reference = parse(name)
        if reference.registry not in ("", self.registry, *self.aliases):
            return ""
        return f"{self.registry}/{reference.repository}" if self.registry else reference.repository

    def newest(self, lines: Iterable[Line]) -> Mapping[Line, Build | None]:
        """Return the newest published build of lines; None where there is none."""
        new = [line for line in dict.fromkeys(lines) if line not in self._newest]
        if new:
            self._newest.update(dict.fromkeys(new))
            for known in self.observe(new).known:  # of each line the oldest first
                line = (known.record.repository, known.record.version)
                if known.published and line in self._newest:
                    self._newest[line] = self._build(known.record)
        return self._newest

    def _build(self, record: BuildRecord) -> Build:
        return Build(
            record.repository,
            record.version,
            record.build,
            record.digest,
            self._proven(record),
            record.reasons[0] if record.reasons else "",
        )

    def _proven(self, record: BuildRecord) -> Proven:
        """Say whether a build is proven; of another machine's, its attested record alone speaks."""
        known = self.book.proven(record.digest)
        return known or (Proven.NOT_YET if record.how is How.REBASED else Proven.BUILT)

    def knows(self, repository: str) -> bool:
        """Say whether there is a record of any build of a repository."""
        if self._repositories is None:
            self._repositories = {record.repository for record in self._records().values()}
        return repository in self._repositories

    def stands(self, repository: str, tag: str, digest: str) -> tuple[str, int] | None:
        """Return the version and N of ``-rN`` that a file names.

        Args:
            repository: As `repository` gives it.
            tag: May be empty.
            digest: May be empty; it counts, as it does for Kubernetes.

        Returns:
            None where the digest is of no known build and no tag helps.
        """
        record = self._records().get(digest) if digest else None
        if record is not None and record.repository == repository:
            return record.version, record.build
        return named(tag) if tag else None

    def mismatched(self, wanted: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Return those repositories, tags and digests where the tag is known to name another image."""
        both = [one for one in dict.fromkeys(wanted) if one[1] and one[2]]
        new = dict.fromkeys((repository, tag) for repository, tag, _ in both if (repository, tag) not in self._digests)
        for repository, tag, digest in together(lambda one: (*one, self._named(*one)), new):
            self._digests[repository, tag] = digest
        return {one for one in both if self._digests[one[0], one[1]] not in (None, one[2])}

    def _named(self, repository: str, tag: str) -> str | None:
        for record in self._records().values():
            if (record.repository, record.tag) == (repository, tag):
                return record.digest
        start = f"{self.registry}/" if self.registry else ""
        return self.client.digest_of(repository.removeprefix(start), tag) if self.client is not None else None

    def _records(self) -> dict[str, BuildRecord]:
        if self._known is None:
            verified = {one.record.digest: one.record for one in self.book.attested()}
            self._known = verified | {record.digest: record for record in self.book}
        return self._known
