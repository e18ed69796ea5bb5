"""Plans: which recipes must be built, published or refreshed, in which order, and why."""

from ropewalk.plan.decide import Action, Plan, PlanEntry, decide, installs_packages, selected
from ropewalk.plan.graph import Edges, ancestors, descendants, edges, order, pick, recipe_of, resolve
from ropewalk.plan.known import LATEST, Known, Observed, Unverified, age, newest, next_build, split_tag
from ropewalk.plan.observe import observe, observe_lines
from ropewalk.plan.output import Row, to_json, tree
from ropewalk.plan.prune import Pruning, to_prune
from ropewalk.plan.select import check_globs
from ropewalk.plan.update import check_control, renewable, to_update

__all__ = [
    "LATEST",
    "Action",
    "Edges",
    "Known",
    "Observed",
    "Plan",
    "PlanEntry",
    "Pruning",
    "Row",
    "Unverified",
    "age",
    "ancestors",
    "check_control",
    "check_globs",
    "decide",
    "descendants",
    "edges",
    "installs_packages",
    "newest",
    "next_build",
    "observe",
    "observe_lines",
    "order",
    "pick",
    "recipe_of",
    "renewable",
    "resolve",
    "selected",
    "split_tag",
    "to_json",
    "to_prune",
    "to_update",
    "tree",
]
