"""What a view means for a tree: what a refresh would do, and which packages of whose images are newer, since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from ropewalk.archive import View, ViewBook
from ropewalk.inventory import Upgrade, upgrades
from ropewalk.oci.store import Store
from ropewalk.plan import Edges, Observed, edges
from ropewalk.recipe.recipe import Recipe
from ropewalk.refresh.history import Update
from ropewalk.refresh.intent import Way
from ropewalk.refresh.lines import Line, lines_of
from ropewalk.refresh.planned import plan_refresh
from ropewalk.refresh.policy import Pending
from ropewalk.refresh.released import Released, Version, released
from ropewalk.refresh.report import RefreshRow


@dataclass(frozen=True, slots=True)
class Survey:
    """What a view means for a tree.

    Attributes:
        lines: The lines with an image, parents before children.
        rows: What a refresh would do with each.
        updates: The packages that the view has newer, by the digest of the image that holds them.
        links: Who stands on whom.
    """

    lines: tuple[Line, ...]
    rows: tuple[RefreshRow, ...]
    updates: Mapping[str, tuple[Update, ...]]
    links: Edges

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The lines that a refresh would renew, parents before children."""
        rows = {row.old: row for row in self.rows}
        return tuple(
            Pending(line.recipe.reference, line.record.digest, row.reason, self.updates.get(line.record.digest, ()))
            for line in self.lines
            if (row := rows[line.record.reference]).how is not Way.UNCHANGED
        )


def survey(
    recipes: Sequence[Recipe], view: View, *, observed: Observed, store: Store, views: ViewBook, engine: Engine
) -> Survey:
    """Say what a view means for a tree.

    Args:
        recipes: The tree.
        view: The view.
        observed: What store, records and registry know.
        store: The local store.
        views: Reads the view's packages.
        engine: The inventory.

    Raises:
        InputError: Recipes need each other.
    """
    lines = lines_of(recipes, observed, store)
    rows = plan_refresh(recipes, view, observed=observed, store=store, views=views)
    built_on = {line.record.digest: line.record.view for line in lines}
    return Survey(lines, rows, updates_of(built_on, view, views=views, engine=engine), edges(recipes))


def updates_of(
    images: Mapping[str, str], view: View, *, views: ViewBook, engine: Engine
) -> dict[str, tuple[Update, ...]]:
    """Find the packages that a view has newer than images, whoever's layers brought them in.

    Args:
        images: Digests, each with the view that the image was made from.
        view: The view.
        views: Reads its packages.
        engine: The inventory.

    Returns:
        Digest -> packages, by name; images without any are left out.
    """
    found = upgrades(engine, views.packages(view), [*images], views.beside(images.values()))
    since = released(views, view, {(one.package, one.candidate) for one in found})
    updates: dict[str, tuple[Update, ...]] = {}
    for one in found:
        updates[one.digest] = (*updates.get(one.digest, ()), _update(one, since))
    return updates


def _update(one: Upgrade, since: Mapping[Version, Released]) -> Update:
    first = since[one.package, one.candidate]
    known = (one.package, one.architecture, one.installed, one.candidate)
    return Update(*known, security=one.security, released=first.at, suite=first.suite)
