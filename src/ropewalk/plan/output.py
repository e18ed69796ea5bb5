"""A plan as values that others show: JSON for scripts, a tree's rows for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ropewalk.plan.decide import Action, Plan, PlanEntry
from ropewalk.plan.graph import recipe_of
from ropewalk.recipe.recipe import Parent, ParentRole, Recipe


def to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as ``ropewalk plan --format json`` prints it.

    Args:
        plan: The plan.

    Returns:
        ``{"entries": [{name, version, reference, generation, action, reasons, hint, parents, build_parents, unresolved}]}``
        in build order; parents as ``registry/name:tag``, whether a recipe or not; ``unresolved`` are those of ours that
        are neither recipes here nor known to store and registry.
    """
    return {"entries": [_entry(entry) for entry in plan.entries]}


def _entry(entry: PlanEntry) -> dict[str, Any]:
    recipe = entry.recipe
    return {
        "name": recipe.path,
        "version": recipe.version,
        "reference": recipe.reference,
        "generation": str(recipe.generation),
        "action": str(entry.action),
        "reasons": list(entry.reasons),
        "hint": entry.hint,
        "parents": _parents(recipe, ParentRole.FINAL),
        "build_parents": _parents(recipe, ParentRole.BUILD),
        "unresolved": [name_of(parent) for parent in entry.unresolved],
    }


def _parents(recipe: Recipe, role: ParentRole) -> list[str]:
    return [name_of(parent) for parent in recipe.parents if parent.role is role]


def name_of(parent: Parent) -> str:
    """Return ``registry/name:tag`` of a parent, by the registry's own name; a foreign digest stays as it is written."""
    return f"{parent.repository}:{parent.tag}" if parent.tag else parent.reference


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plan drawn as a tree.

    Attributes:
        depth: 0 for an image whose final parent is no recipe here, else one more than that parent's.
        reference: ``registry/name:version``.
        action: What happens to it.
        reasons: Why.
        hint: What the user can do; may be empty.
    """

    depth: int
    reference: str
    action: Action
    reasons: tuple[str, ...]
    hint: str


def tree(plan: Plan) -> tuple[Row, ...]:
    """Return a plan's entries as a tree by final parent: each entry once, right below its parent's.

    Args:
        plan: The plan; children of one parent keep its order.
    """
    recipes = {entry.recipe.repository: entry.recipe for entry in plan.entries}
    children: dict[str | None, list[PlanEntry]] = {}
    for entry in plan.entries:
        children.setdefault(_above(entry.recipe, recipes), []).append(entry)
    rows: list[Row] = []
    waiting = [(0, entry) for entry in reversed(children.get(None, []))]
    while waiting:
        depth, entry = waiting.pop()
        rows.append(Row(depth, entry.recipe.reference, entry.action, entry.reasons, entry.hint))
        waiting.extend((depth + 1, child) for child in reversed(children.get(entry.recipe.reference, [])))
    return tuple(rows)


def _above(recipe: Recipe, recipes: Mapping[str, Recipe]) -> str | None:
    final = next((parent for parent in recipe.parents if parent.role is ParentRole.FINAL), None)
    above = recipe_of(final, recipes) if final is not None else None
    return above.reference if above is not None else None
