"""``ropewalk refresh`` where renewed images get new versions: changelog entries, one commit a campaign, then builds."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ropewalk.cli.build import entering, fetch
from ropewalk.cli.plan import make_plan
from ropewalk.errors import InputError, RopewalkError
from ropewalk.events import Event, EventKind

if TYPE_CHECKING:
    from ropewalk.archive import View
    from ropewalk.build import Outcome, Workshop
    from ropewalk.cli.session import Session
    from ropewalk.oci import RegistryClient
    from ropewalk.recipe import BuildRecord, Recipe
    from ropewalk.refresh import Ask, Campaign, Ran, RefreshRow


@dataclass(frozen=True, slots=True)
class Bumper:
    """What a campaign with new versions works with.

    Attributes:
        session: The run.
        directories: As given on the command line.
        ask: What the campaign is asked for.
        view: The archive view.
        client: The registry; None asks none.
        jobs: How many images at once.
        send: Publishes an image and says how many bytes were sent; None publishes nothing.
    """

    session: "Session"
    directories: list[Path] | None
    ask: "Ask"
    view: "View"
    client: "RegistryClient | None"
    jobs: int
    send: "Callable[[BuildRecord], int] | None"

    def check(self, recipes: "Sequence[Recipe]") -> None:
        """Refuse trees whose changes are not committed, before anything is done.

        Raises:
            InputError: One is in no git repository, or has changes.
        """
        from ropewalk.recipe.commit import check_clean

        for repository in _repositories(recipes):
            check_clean(repository)

    def begun(self, recipes: "Sequence[Recipe]") -> dict[Path, str]:
        """Return the commits of this campaign, of this run or an earlier one, by repository."""
        from ropewalk.recipe.commit import committed
        from ropewalk.refresh.bump import TRAILER

        trailer = f"{TRAILER}{self.ask.campaign(self.view.id)}"
        found = {repository: committed(repository, trailer) for repository in _repositories(recipes)}
        return {repository: commit for repository, commit in found.items() if commit}

    def commit(self, recipes: "Sequence[Recipe]", rows: "Sequence[RefreshRow]") -> None:
        """Write the changelog entries of what a plan would renew, and commit them, once a repository.

        Args:
            recipes: The tree.
            rows: The plan.

        Raises:
            InputError: A changelog cannot be written, or git refuses.
        """
        from ropewalk.recipe import Entry, author, edited, write
        from ropewalk.recipe.commit import commit
        from ropewalk.refresh.bump import bumps_of, message_of

        config = self.session.config()
        bumps = bumps_of(recipes, rows, self.ask, config.update_id)
        for repository in _repositories([one.recipe for one in bumps]):
            here = [one for one in bumps if _repositories([one.recipe]) == (repository,)]
            who = author(config, os.environ, here[0].recipe.directory)
            now, distribution = self.session.now(), config.distribution
            edits = [
                edited(one.recipe.directory, one.version, Entry(one.reason, who, now, distribution, one.urgency))
                for one in here
            ]
            for edit in edits:
                write(edit)
            done = commit(repository, [edit.path for edit in edits], message_of(self.ask, self.view.id, here), who)
            self.session.listener(Event(EventKind.NOTE, str(repository), f"committed {len(edits)} entries", done))

    def build(self, shop: "Workshop", commits: dict[Path, str]) -> "tuple[RefreshRow, ...]":
        """Build, test and publish the lines of the campaign's commits that have no image of their new version yet.

        Args:
            shop: The workshop.
            commits: What `begun` gave.
        """
        from ropewalk.build import run_plan
        from ropewalk.plan import Action
        from ropewalk.recipe.commit import files_of
        from ropewalk.recipe.update import FILE

        recipes = self.session.recipes(self.directories)
        files = {path for repository, commit in commits.items() for path in files_of(repository, commit)}
        lines = tuple(one.reference for one in recipes if (one.directory / FILE).resolve() in files)
        plan = make_plan(self.session, recipes, self.client, view=self.view.id, select=lines, force=())
        entries = plan.of(Action.BUILD)
        if self.client is not None:
            fetch(self.session, self.client, {record for entry in entries for record in entry.fetch})
        enter, sent = entering(self.session, shop.store), dict[str, int]()
        failed: dict[str, RopewalkError] = {}

        def finished(record: "BuildRecord") -> None:
            enter(record)
            try:
                sent[record.digest] = self.send(record) if self.send is not None else 0
            except RopewalkError as error:
                failed[record.digest] = error

        wanted = {entry.recipe.reference for entry in entries}
        outcomes = run_plan(shop, plan, {Action.BUILD}, self.view, jobs=self.jobs, keep_going=True, finished=finished)
        return tuple(_row(one, sent, failed) for one in outcomes if one.recipe.reference in wanted)


def _repositories(recipes: "Sequence[Recipe]") -> tuple[Path, ...]:
    from ropewalk.recipe.revision import repository_of

    found = dict.fromkeys(repository_of(one.directory) for one in recipes if one.base is None)
    return tuple(found)


def _row(outcome: "Outcome", sent: dict[str, int], failed: dict[str, RopewalkError]) -> "RefreshRow":
    from ropewalk.refresh import RefreshRow, Way

    record, reference = outcome.record, outcome.recipe.reference
    error = outcome.error or (failed.get(record.digest) if record else None)
    return RefreshRow(
        name=outcome.recipe.path,
        old=reference,
        new=record.reference if record else reference,
        how=Way.UNCHANGED if record is None else Way.REBUILT,
        reason="it has a new version",
        seconds=outcome.seconds,
        bytes_pushed=sent.get(record.digest, 0) if record else 0,
        error=f"{error}; {error.hint}" if error else "",
        digest=record.digest if record else "",
    )


def joined(ran: "Ran", commits: dict[Path, str], rows: "Sequence[RefreshRow]", session: "Session") -> "Ran":
    """Add what was built under new versions to what a campaign did, and keep it.

    Args:
        ran: What it did with base images.
        commits: The commits that hold its entries, by repository.
        rows: What was built.
        session: The run.
    """
    from ropewalk.refresh import CampaignBook, CampaignRow

    book = CampaignBook(session.settings.campaigns)
    campaign: Campaign = replace(ran.campaign, commit=" ".join(commits.values()))
    for row in rows:
        kept = CampaignRow(
            row.name, row.old, row.new, row.digest, row.how, row.reason, row.seconds, row.bytes_pushed, row.error
        )
        campaign = book.add(campaign, kept)
    campaign = replace(campaign, ended=session.now())
    book.save(campaign)
    built = {row.name for row in rows}
    images = (*(row for row in ran.report.images if row.name not in built), *rows)
    return replace(ran, campaign=campaign, report=replace(ran.report, images=images))


def refuse_failed(rows: "Sequence[RefreshRow]") -> None:
    """Write no entries on a base image that could not be renewed.

    Raises:
        InputError: One could not.
    """
    bad = next((row for row in rows if row.error), None)
    if bad is not None:
        hint = "mend it and run the same command again; no changelog was written"
        raise InputError(f"could not be renewed: {bad.error}", where=bad.old, hint=hint)
