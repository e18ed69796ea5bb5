"""A campaign from its question to its end, kept as it goes: run again, the same question on the same view goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ropewalk.archive import Tracker, View
from ropewalk.build import Workshop
from ropewalk.plan import Observed
from ropewalk.recipe.recipe import Recipe
from ropewalk.refresh.campaign import Fetch, Publish, refresh
from ropewalk.refresh.intent import Way
from ropewalk.refresh.lines import Line
from ropewalk.refresh.logbook import Campaign, CampaignBook, CampaignRow
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.scope import Ask, Scope, scope_of


@dataclass(frozen=True, slots=True)
class Ran:
    """What a campaign did this time.

    Attributes:
        campaign: The campaign, with what it did before.
        report: What became of each line now.
        scope: Which lines it could touch.
    """

    campaign: Campaign
    report: RefreshReport
    scope: Scope


@dataclass(slots=True)
class _Keeper:
    """Keeps a campaign while it runs; nothing is written before there is something to keep."""

    book: CampaignBook
    campaign: Campaign
    known: bool

    def begin(self, lines: Sequence[str]) -> None:
        """Keep what the campaign is about before it changes anything."""
        again = dict.fromkeys((*self.campaign.lines, *lines))
        self.campaign = replace(self.campaign, lines=tuple(again), ended=0)
        self.book.save(self.campaign)
        self.known = True

    def told(self, row: RefreshRow) -> None:
        """Keep what became of an image, where anything did."""
        if row.how is Way.UNCHANGED and not row.error:
            return
        if not self.known:
            self.begin(())
        kept = CampaignRow(
            row.name, row.old, row.new, row.digest, row.how, row.reason, row.seconds, row.bytes_pushed, row.error
        )
        self.campaign = self.book.add(self.campaign, kept)

    def end(self, now: int) -> None:
        """Keep that the campaign came to its end."""
        if self.known:
            self.campaign = replace(self.campaign, ended=now)
            self.book.save(self.campaign)


def run_campaign(
    shop: Workshop,
    recipes: Sequence[Recipe],
    view: View,
    ask: Ask,
    book: CampaignBook,
    *,
    publish: Publish | None,
    observed: Observed,
    fetch: Fetch | None,
    tracker: Tracker | None = None,
    only: frozenset[str] | None = None,
    jobs: int = 1,
) -> Ran:
    """Renew what a campaign concerns, and keep what it did; one that was stopped goes on.

    Args:
        shop: The workshop.
        recipes: The tree.
        view: The archive view.
        ask: What the campaign is asked for.
        book: Where campaigns are kept.
        publish: Publishes each renewed image; see `refresh`.
        observed: What store, records and registry know.
        fetch: Brings what only the registry has; see `refresh`.
        tracker: What the security tracker says.
        only: Lines beyond which nothing is touched; None for no such bound.
        jobs: How many images at once.

    Raises:
        InputError: Recipes need each other, or the tracker does not know the advisory.
    """
    identifier = ask.campaign(view.id)
    before = book.find(identifier)
    new = Campaign(identifier, str(ask), view.id, int(shop.clock()))
    keeper = _Keeper(book, before or new, known=before is not None)
    chosen: list[Scope] = []

    def choose(lines: Sequence[Line]) -> Scope:
        begun = keeper.campaign.lines
        scope = scope_of(ask, lines, view, shop.views, shop.store, tracker=tracker, begun=begun)
        scope = replace(scope, only=only)
        chosen.append(scope)
        if scope.holds:
            keeper.begin([line.recipe.reference for line in lines if line.recipe.reference in scope])
        return scope

    report = refresh(
        shop,
        recipes,
        view,
        publish,
        observed=observed,
        fetch=fetch,
        jobs=jobs,
        choose=choose,
        tracker=tracker,
        told=keeper.told,
    )
    keeper.end(int(shop.clock()))
    return Ran(keeper.campaign, report, chosen[0])
