"""What stands in the deployment repository, and what becomes of it: files, history and registry looked at together."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ropewalk.deploy.config import DeployConfig
from ropewalk.deploy.decide import Build, Facts, Policy, State, Step, Verdict, judge
from ropewalk.deploy.message import Deployment, deployments_in, mentioned
from ropewalk.deploy.published import Published
from ropewalk.deploy.repository import Clone, Logged
from ropewalk.deploy.values import Place, decoded, read
from ropewalk.errors import InputError
from ropewalk.events import Event, EventKind, Listener
from ropewalk.oci.reference import parse

_SUFFIXES = (".yaml", ".yml")
_SAYS_IMAGE = (b"image", b"Image", b"repository")
_LARGEST = 4 << 20
"""Bytes of a file that is read; versions stand in no larger one."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the deployment repository.

    Attributes:
        mode: As git has it.
        text: What it holds, line ends as they are.
    """

    mode: str
    text: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What stands at one commit.

    Attributes:
        head: The commit.
        verdicts: Each version of ours with its wave's name, in the order of files and lines.
        files: The files that hold them.
        troubles: Files that name images of ours and cannot be read, with the reason.
    """

    head: str
    verdicts: tuple[tuple[str, Verdict], ...]
    files: Mapping[str, File]
    troubles: tuple[tuple[str, str], ...] = ()

    def of(self, wave: str, state: State) -> tuple[Verdict, ...]:
        """Return the versions of a wave that stand in one way."""
        return tuple(verdict for name, verdict in self.verdicts if name == wave and verdict.state is state)


@dataclass(frozen=True, slots=True)
class _Found:
    """A version of ours.

    Attributes:
        place: Where it stands.
        wave: The wave in which it changes.
        repository: With the registry's own name.
        stands: The line's version and N of ``-rN``.
    """

    place: Place
    wave: str
    repository: str
    stands: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Looks at the deployment repository.

    Attributes:
        clone: The repository.
        config: ``deploy.yaml``.
        published: What is published.
        chosen: Says of an image, named without registry, that it is meant.
        again: What was put back or rolled back may be set again.
        listener: Is told what is odd.
    """

    clone: Clone
    config: DeployConfig
    published: Published
    chosen: Callable[[str], bool]
    again: bool = False
    listener: Listener = field(default=lambda _event: None)

    def look(self) -> Survey:
        """Fetch the branch and say what becomes of every version on it.

        Raises:
            NetworkError: Repository or registry do not answer.
            InputError: The branch is not there.
        """
        head = self.clone.fetch()
        blobs = [blob for blob in self.clone.files(head) if self._may_hold(blob.path) and blob.size <= _LARGEST]
        data = self.clone.contents(blobs)
        words = (*_SAYS_IMAGE, *(name.encode() for name in self._registries()))
        files: dict[str, File] = {}
        for blob in blobs:
            raw = data[blob.identifier]
            if not self.config.keys and not any(word in raw for word in words):
                continue
            text = decoded(raw)
            if text is None:
                self.listener(Event(EventKind.WARNING, blob.path, "passed over", "is not UTF-8"))
            else:
                files[blob.path] = File(blob.mode, text)
        return self._judged(head, files)

    def _may_hold(self, path: str) -> bool:
        return path.endswith(_SUFFIXES) and any(wave.reads(path) for wave in self.config.waves)

    def _judged(self, head: str, files: Mapping[str, File]) -> Survey:
        troubles: list[tuple[str, str]] = []
        found: list[_Found] = []
        for path, file in files.items():
            reading = read(file.text, path, self.config.keys)
            found += [ours for place in reading.places if (ours := self._ours(place)) is not None]
            if reading.trouble and any(f"{name}/" in file.text for name in self._registries()):
                troubles.append((path, reading.trouble))
        found = self._known(found)
        first = [(one, judge(one.place, facts, self._policy(one))) for one, facts in self._facts(found)]
        moving = [one for one, verdict in first if verdict.state in (State.CHANGE, State.WAITS)]
        again = dict(zip(moving, self._with_history(head, moving), strict=True))
        verdicts = [(one.wave, again.get(one, verdict)) for one, verdict in first]
        kept = {verdict.place.path for _, verdict in verdicts}
        held = {path: file for path, file in files.items() if path in kept}
        return Survey(head, _unshared(verdicts), held, tuple(troubles))

    def _registries(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.published.registry, *self.published.aliases)))

    def _policy(self, one: _Found) -> Policy:
        wait = self.config.wait_for_proof and one.wave != self.config.waves[0].name
        return Policy(wait, again=self.again)

    def _ours(self, place: Place) -> _Found | None:
        """Return a place of an image that is deployed from here and meant; None for any other."""
        try:
            repository = self.published.repository(place.name)
        except InputError:
            return None
        wave = self.config.wave_of(place.path, place.namespace)
        start = f"{self.published.registry}/" if self.published.registry else ""
        image = repository.removeprefix(start)
        if not repository or wave is None or not self.config.wants(image) or not self.chosen(image):
            return None
        return _Found(place, wave.name, repository, self.published.stands(repository, *place.version))

    def _known(self, found: Sequence[_Found]) -> list[_Found]:
        """Leave out what names no registry and that ours does not have either."""
        lines = {one: (one.repository, one.stands[0]) for one in found if one.stands is not None}
        newest = self.published.newest(lines.values())
        return [
            one
            for one in found
            if parse(one.place.name).registry
            or (one in lines and newest[lines[one]] is not None)
            or self.published.knows(one.repository)
        ]

    def _facts(self, found: Sequence[_Found]) -> list[tuple[_Found, Facts]]:
        newest = self.published.newest((one.repository, one.stands[0]) for one in found if one.stands is not None)
        wrong = self.published.mismatched((one.repository, *one.place.version) for one in found)
        return [
            (
                one,
                Facts(
                    one.stands,
                    mismatch=(one.repository, *one.place.version) in wrong,
                    target=newest[one.repository, one.stands[0]] if one.stands is not None else None,
                ),
            )
            for one in found
        ]

    def _with_history(self, head: str, moving: Sequence[_Found]) -> Iterable[Verdict]:
        if not moving:
            return []
        rolled = rolled_back(self.clone, head)
        steps = self._steps(head, moving)
        return [
            judge(
                one.place,
                replace(facts, steps=steps[one], rolled_back=rolled.get(one.repository, ())),
                self._policy(one),
            )
            for one, facts in self._facts(moving)
        ]

    def _steps(self, head: str, moving: Sequence[_Found]) -> dict[_Found, tuple[Step, ...]]:
        """Return what stood at places, the present version first, each with the commit that brought it."""
        paths = list(dict.fromkeys(one.place.path for one in moving))
        versions = self.clone.versions(head, paths)
        data = self.clone.contents([blob for path in paths for _, blob in versions[path]])
        wanted = {one.place.identity: one for one in moving}
        steps: dict[_Found, list[Step]] = {one: [] for one in moving}
        for path in paths:
            for logged, blob in versions[path]:
                text = decoded(data[blob.identifier]) or ""
                for place in read(text, path, self.config.keys).places:
                    one = wanted.get(place.identity)
                    if one is not None:
                        stood = self.published.stands(one.repository, *place.version)
                        _add(steps[one], Step(stood, logged.id, logged.who, logged.day))
        return {one: tuple(found) for one, found in steps.items()}


def _add(steps: list[Step], step: Step) -> None:
    """Add an older step; where the version is the same, the older commit is the one that brought it."""
    if steps and steps[-1].version == step.version:
        steps[-1] = step
    else:
        steps.append(step)


def _unshared(verdicts: Sequence[tuple[str, Verdict]]) -> tuple[tuple[str, Verdict], ...]:
    """Leave alone what shares its value, by an anchor, with something that is to be another version."""
    wanted: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for _, verdict in verdicts:
        for spot in verdict.place.spots:
            wanted.setdefault((verdict.place.path, spot.start), set()).add(_meant(verdict))
    return tuple(
        (wave, replace(verdict, state=State.LEFT, reason="shares its value with another image, by an anchor"))
        if verdict.state is State.CHANGE
        and any(len(wanted[verdict.place.path, spot.start]) > 1 for spot in verdict.place.spots)
        else (wave, verdict)
        for wave, verdict in verdicts
    )


def _meant(verdict: Verdict) -> tuple[str, str]:
    """Return what a place is to say: the tag alone counts where it has no digest."""
    place, target = verdict.place, verdict.target
    if verdict.state is not State.CHANGE or target is None:
        return place.version
    return target.tag if place.tag else "", target.digest if place.digest else ""


def _ours(clone: Clone, head: str) -> tuple[Logged, ...]:
    return clone.log(head, "--extended-regexp", "--grep=^Ropewalk-(Image|Rolled-Back): ")


def deployments(clone: Clone, head: str) -> tuple[Deployment, ...]:
    """Return what our commits did, the newest first.

    Args:
        clone: The repository.
        head: The commit to look back from.
    """
    return tuple(one for commit in _ours(clone, head) for one in deployments_in(commit.message, commit.id, commit.at))


def rolled_back(clone: Clone, head: str) -> Mapping[str, Collection[tuple[str, int]]]:
    """Return what was rolled back and not set again since: versions by repository.

    Args:
        clone: The repository.
        head: The commit to look back from.
    """
    said: dict[Build, bool] = {}
    for logged in _ours(clone, head):
        for build, back in mentioned(logged.message):
            said.setdefault(build, back)
    found: dict[str, set[tuple[str, int]]] = {}
    for build, back in said.items():
        if back:
            found.setdefault(build.repository, set()).add((build.version, build.build))
    return found
