"""The waves: each changes, is pushed as a commit, and must be well before the next begins; what is not well is put back.

The repository is the state. A commit that was pushed and not yet found well is marked in our clone, so that a run that was
killed goes on there: it asks for that wave's health first.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from ropewalk.deploy.config import DeployConfig, Wave, Way
from ropewalk.deploy.decide import Build, State, Verdict
from ropewalk.deploy.message import (
    advisories_of,
    back_message,
    builds_of,
    mentioned,
    set_message,
    with_change_id,
)
from ropewalk.deploy.repository import Author, Clone
from ropewalk.deploy.survey import File, Survey, Surveyor
from ropewalk.deploy.undo import Undo, undo
from ropewalk.deploy.values import rewritten
from ropewalk.errors import NetworkError
from ropewalk.events import Listener, step
from ropewalk.process import Command, CommandFailed, ProgramMissing, run

_TRIES = 8
"""How often a push is tried anew on what somebody else pushed meanwhile."""


class Outcome(StrEnum):
    """What became of a wave."""

    UNCHANGED = "unchanged"
    PLANNED = "planned"
    """It would change; nothing was done."""
    WAITS = "waits"
    """For proofs, or for the merge of what was proposed."""
    DEPLOYED = "deployed"
    PROPOSED = "proposed"
    """As a merge request."""
    UNWELL = "unwell"
    """An earlier wave's health does not let it begin."""
    ROLLED_BACK = "rolled back"
    NOT_BEGUN = "not begun"
    """A wave before it did not end well, or waits."""

    @property
    def ends(self) -> bool:
        """Whether the waves behind it do not begin."""
        return self in {Outcome.PROPOSED, Outcome.UNWELL, Outcome.ROLLED_BACK}

    @property
    def bad(self) -> bool:
        """Whether somebody must look."""
        return self in {Outcome.UNWELL, Outcome.ROLLED_BACK}


@dataclass(frozen=True, slots=True)
class WaveReport:
    """What became of a wave, or would become.

    Attributes:
        name: Its name.
        outcome: What became of it.
        changes: What changed or would.
        diff: The same as a unified diff.
        commit: The commit that was pushed; empty where none was.
        detail: One line more; may be empty.
    """

    name: str
    outcome: Outcome
    changes: tuple[Verdict, ...] = ()
    diff: str = ""
    commit: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RolloutReport:
    """What a rollout did.

    Attributes:
        waves: One report each, in their order.
        survey: What stands there at the end.
    """

    waves: tuple[WaveReport, ...]
    survey: Survey

    @property
    def bad(self) -> bool:
        """Whether somebody must look."""
        return any(wave.outcome.bad for wave in self.waves)


def changed(files: "dict[str, File] | Survey", changes: Sequence[Verdict]) -> dict[str, tuple[str, bytes]]:
    """Return the files that changes make, each with its mode.

    Args:
        files: The files as they are.
        changes: Places of those files, with the builds that they are to name.
    """
    held = files.files if isinstance(files, Survey) else files
    found: dict[str, tuple[str, bytes]] = {}
    for path in dict.fromkeys(change.place.path for change in changes):
        wanted = [
            (change.place, change.target.tag, change.target.digest)
            for change in changes
            if change.place.path == path and change.target is not None
        ]
        found[path] = (held[path].mode, rewritten(held[path].text, wanted).encode())
    return found


def difference(survey: Survey, changes: Sequence[Verdict]) -> str:
    """Return what changes make of files, as a unified diff."""
    lines: list[str] = []
    for path, (_, data) in changed(survey, changes).items():
        old, new = survey.files[path].text.splitlines(), data.decode().splitlines()
        lines += difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="")
    return "".join(f"{line}\n" for line in lines)


@dataclass(slots=True)
class Rollout:
    """A rollout at work.

    Attributes:
        surveyor: Looks at the repository.
        author: Of the commits: ``Name <address>``.
        clock: Gives the time in seconds since 1970.
        place: A directory for logs of health commands.
        advisories: Ids that commits name.
        deployed: Is told of each build that the last wave which has it holds, once that wave is well.
        listener: Is told of each step.
    """

    surveyor: Surveyor
    clock: Callable[[], int]
    place: Path
    advisories: tuple[str, ...] = ()
    deployed: Callable[[Build, str], None] = lambda _build, _wave: None
    listener: Listener = field(default=lambda _event: None)
    _well: set[str] = field(default_factory=set)

    @property
    def config(self) -> DeployConfig:
        """``deploy.yaml``."""
        return self.surveyor.config

    @property
    def clone(self) -> Clone:
        """The repository."""
        return self.surveyor.clone

    def plan(self) -> RolloutReport:
        """Say what would be done; nothing changes.

        Raises:
            NetworkError: Repository or registry do not answer.
        """
        survey = self.surveyor.look()
        reports = []
        for wave in self.config.waves:
            changes = survey.of(wave.name, State.CHANGE)
            if changes:
                outcome, diff = Outcome.PLANNED, difference(survey, changes)
            else:
                outcome, diff = self._idle(wave, survey), ""
            pending = self.clone.mark(_pending(wave))
            told = f"{pending[:10]} is not known to be well yet: --apply asks first" if pending else ""
            reports.append(WaveReport(wave.name, outcome, changes, diff, detail=told))
        return RolloutReport(tuple(reports), survey)

    def _idle(self, wave: Wave, survey: Survey) -> Outcome:
        return Outcome.WAITS if survey.of(wave.name, State.WAITS) else Outcome.UNCHANGED

    def apply(self) -> RolloutReport:
        """Change what is to be changed, wave by wave.

        Returns:
            What became of each wave; a wave that is not well is rolled back, and those behind it do not begin.

        Raises:
            NetworkError: Repository or registry do not answer, or a push is refused. Run again, it goes on.
        """
        reports: list[WaveReport] = []
        survey = self.surveyor.look()
        for wave in self.config.waves:
            if reports and reports[-1].outcome in {*(one for one in Outcome if one.ends), Outcome.NOT_BEGUN}:
                reports.append(WaveReport(wave.name, Outcome.NOT_BEGUN, survey.of(wave.name, State.CHANGE)))
                continue
            reports.append(self._wave(wave, survey))
            survey = self.surveyor.look()
        return RolloutReport(tuple(reports), survey)

    def _wave(self, wave: Wave, survey: Survey) -> WaveReport:
        settled = self._settle(wave, survey)
        if settled is not None:
            return settled
        changes = survey.of(wave.name, State.CHANGE)
        if not changes:
            return WaveReport(wave.name, self._idle(wave, survey))
        for earlier in self.config.waves[: self.config.waves.index(wave)]:
            why = self._why_unwell_before(earlier, survey, builds_of(changes))
            if why:
                return WaveReport(wave.name, Outcome.UNWELL, changes, detail=f"{earlier.name} is not well: {why}")
        return self._push(wave, survey) if self.config.way is Way.PUSH else self._propose(wave, survey, changes)

    def _why_unwell_before(self, earlier: Wave, survey: Survey, builds: Sequence[Build]) -> str:
        """Ask for the health of a wave that has what the next is to get, once a run."""
        if earlier.name in self._well:
            return ""
        if not any(verdict.target in builds for verdict in survey.of(earlier.name, State.CURRENT)):
            return ""
        return self._unwell(earlier, survey.head, builds)

    def _push(self, wave: Wave, survey: Survey) -> WaveReport:
        with step(self.listener, wave.name, "push"):
            for _ in range(_TRIES):
                changes = survey.of(wave.name, State.CHANGE)
                if not changes:
                    return WaveReport(wave.name, self._idle(wave, survey))
                message = set_message(wave.name, changes, advisories_of(builds_of(changes), self.advisories))
                commit = self._commit(survey.head, changed(survey, changes), message)
                self.clone.set_mark(_pending(wave), commit)
                if self.clone.push(commit, self._branch):
                    break
                survey = self.surveyor.look()
            else:
                self.clone.drop_mark(_pending(wave))
                raise self._busy()
        diff = difference(survey, changes)
        why = self._unwell(wave, commit, builds_of(changes))
        if why:
            return replace(self._roll_back(wave, commit, why), changes=changes, diff=diff)
        self._is_well(wave, builds_of(changes), self.surveyor.look())
        return WaveReport(wave.name, Outcome.DEPLOYED, changes, diff, commit)

    @property
    def _branch(self) -> str:
        return f"refs/heads/{self.config.branch}"

    def _busy(self) -> NetworkError:
        hint = "run it again; what was pushed stays"
        return NetworkError(f"others pushed {_TRIES} times meanwhile", where=self.clone.address, hint=hint)

    def _commit(self, parent: str, files: dict[str, tuple[str, bytes]], message: str) -> str:
        return self.clone.commit(parent, files, message, Author(self.config.author, self.clock()))

    def _settle(self, wave: Wave, survey: Survey) -> WaveReport | None:
        """Ask for the health of what an earlier run pushed or proposed; None where the wave may go on."""
        commit = self.clone.mark(_pending(wave))
        if not commit:
            return None
        undoing = self._undo(commit, survey)
        if not undoing.places:
            if self.config.way is not Way.PUSH and self._still_wanted(wave, commit, survey):
                return WaveReport(
                    wave.name, Outcome.PROPOSED, survey.of(wave.name, State.CHANGE), commit=commit, detail=_MERGE
                )
            self.clone.drop_mark(_pending(wave))
            return None
        builds = [build for build, _ in mentioned(self._message(commit))]
        why = self._unwell(wave, survey.head, builds)
        if why:
            return self._roll_back(wave, commit, why)
        self._is_well(wave, builds, survey)
        return None

    def _message(self, commit: str) -> str:
        return self.clone.log(commit, "-1")[0].message

    def _still_wanted(self, wave: Wave, commit: str, survey: Survey) -> bool:
        """Say whether what was proposed is what would be proposed now."""
        if self.surveyor.again:
            return False
        proposed = {build.pinned for build, _ in mentioned(self._message(commit))}
        return {build.pinned for build in builds_of(survey.of(wave.name, State.CHANGE))} == proposed

    def _is_well(self, wave: Wave, builds: Iterable[Build], survey: Survey) -> None:
        """Note that a wave is well; a build that no later wave is still to get is deployed."""
        self._well.add(wave.name)
        self.clone.drop_mark(_pending(wave))
        later = [one.name for one in self.config.waves[self.config.waves.index(wave) + 1 :]]
        open_ones = {
            verdict.target.digest
            for name, verdict in survey.verdicts
            if name in later and verdict.state in (State.CHANGE, State.WAITS) and verdict.target is not None
        }
        for build in builds:
            if build.digest not in open_ones:
                self.deployed(build, wave.name)

    def _undo(self, commit: str, survey: Survey) -> Undo:
        return undo(self.clone, commit, survey.head, self.config.keys)

    def _roll_back(self, wave: Wave, commit: str, why: str) -> WaveReport:
        """Put back what a commit set, as far as it still stands there."""
        set_by = self._message(commit)
        builds = [build.pinned for build, _ in mentioned(set_by)]
        detail = f"{why}; fix it, then run with --again"
        with step(self.listener, wave.name, "roll back"):
            for _ in range(_TRIES):
                head = self.clone.fetch()
                undoing = undo(self.clone, commit, head, self.config.keys)
                if not undoing.places:
                    detail = f"{detail}; nothing of it stands there any more"
                    break
                back = self._commit(head, undoing.files, back_message(wave.name, builds, commit, why))
                if self.config.way is not Way.PUSH:
                    self._send(wave, back, f"back-{commit[:10]}")
                    detail = f"{detail}; the way back is proposed, merge it"
                elif not self.clone.push(back, self._branch):
                    continue
                self.clone.drop_mark(_pending(wave))
                return WaveReport(wave.name, Outcome.ROLLED_BACK, commit=back, detail=detail)
            else:
                raise self._busy()
        self.clone.drop_mark(_pending(wave))
        return WaveReport(wave.name, Outcome.ROLLED_BACK, detail=detail)

    def _propose(self, wave: Wave, survey: Survey, changes: tuple[Verdict, ...]) -> WaveReport:
        advisories = advisories_of(builds_of(changes), self.advisories)
        message = set_message(wave.name, changes, advisories)
        seed = f"{wave.name} {' '.join(build.digest for build in builds_of(changes))}"
        commit = self._commit(survey.head, changed(survey, changes), with_change_id(message, seed))
        with step(self.listener, wave.name, "propose"):
            there = self._send(wave, commit, commit[:10])
        self.clone.set_mark(_pending(wave), commit)
        return WaveReport(
            wave.name, Outcome.PROPOSED, changes, difference(survey, changes), commit, f"{there}; {_MERGE}"
        )

    def _send(self, wave: Wave, commit: str, name: str) -> str:
        """Push a commit as a merge request; return where it is."""
        topic = f"ropewalk/{wave.name}-{name}"
        target = self.config.branch
        if self.config.way is Way.REFS_FOR:
            self.clone.push(commit, f"refs/for/{target}", (f"topic={topic}",))
            return f"refs/for/{target}"
        options = ("merge_request.create", f"merge_request.target={target}", "merge_request.remove_source_branch")
        self.clone.push(commit, f"refs/heads/{topic}", options)
        return topic

    def _unwell(self, wave: Wave, commit: str, builds: Iterable[Build]) -> str:
        """Run a wave's health command in a checkout of a commit; return what is wrong, empty where it is well."""
        if not wave.health:
            self._well.add(wave.name)
            return ""
        log = self.place / f"{wave.name}.log"
        log.unlink(missing_ok=True)
        with TemporaryDirectory(prefix="deploy-") as directory, step(self.listener, wave.name, "health", log=str(log)):
            self.clone.write_out(commit, Path(directory))
            images = " ".join(build.pinned for build in builds)
            said = (("ROPEWALK_WAVE", wave.name), ("ROPEWALK_COMMIT", commit), ("ROPEWALK_IMAGES", images))
            command = Command(wave.health, environment=said, directory=Path(directory), timeout=float(wave.seconds))
            try:
                run(command, log=log)
            except (CommandFailed, ProgramMissing) as error:
                return f"{error}; {error.hint}"
        self._well.add(wave.name)
        return ""


_MERGE = "the next waves begin when it is merged and well"


def _pending(wave: Wave) -> str:
    return f"pending/{wave.name}"
