"""A plan as a picture: graphviz's text, and the SVG that ``dot`` draws from it."""

from ropewalk.plan.decide import Action, Plan, PlanEntry
from ropewalk.plan.graph import recipe_of
from ropewalk.plan.output import name_of
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import Parent, ParentRole

_FILLS = {
    Action.BUILD: "#f6c177",
    Action.PUBLISH: "#9ccfd8",
    Action.REFRESH: "#c4a7e7",
    Action.REFUSED: "#eb6f92",
    Action.NONE: "#ffffff",
}
_SECONDS = 120.0
_HEAD = (
    "digraph plan {",
    "  rankdir=LR; ranksep=0.6; nodesep=0.12;",
    '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=10, height=0.3, margin="0.12,0.04"];',
    "  edge [arrowsize=0.6, color=gray40];",
)


def to_dot(plan: Plan) -> str:
    """Return a plan in graphviz's language: a box an image, coloured by its action, an arrow from each parent.

    Args:
        plan: The plan; parents that are no recipes in it are dashed boxes, build parents dashed arrows.

    Returns:
        The same text for the same plan.
    """
    recipes = {entry.recipe.repository: entry.recipe for entry in plan.entries}
    lines = [_box(entry) for entry in plan.entries]
    outside: dict[str, None] = {}
    for entry in plan.entries:
        for parent in entry.recipe.parents:
            above = recipe_of(parent, recipes)
            name = above.reference if above is not None else name_of(parent)
            if above is None:
                outside[name] = None
            lines.append(f"  {_text(name)} -> {_text(entry.recipe.reference)}{_line(parent)};")
    lines += [f'  {_text(name)} [style="rounded,dashed"];' for name in outside]
    return "\n".join((*_HEAD, *lines, "}")) + "\n"


def _box(entry: PlanEntry) -> str:
    recipe = entry.recipe
    label = f"{recipe.name}\n{recipe.version}" + (f"\n{entry.action}" if entry.action is not Action.NONE else "")
    tip = ", ".join(entry.reasons) or "current"
    fill = _FILLS[entry.action]
    return f'  {_text(recipe.reference)} [label={_text(label)}, tooltip={_text(tip)}, fillcolor="{fill}"];'


def _line(parent: Parent) -> str:
    return " [style=dashed]" if parent.role is ParentRole.BUILD else ""


def _text(value: str) -> str:
    """Quote a string; its line ends stay line ends."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def draw(plan: Plan) -> bytes:
    """Draw a plan.

    Args:
        plan: The plan.

    Returns:
        An SVG file.

    Raises:
        ProgramMissing: graphviz is not installed.
        CommandFailed: ``dot`` did not succeed.
    """
    return run(Command(("dot", "-Tsvg"), stdin=to_dot(plan).encode(), timeout=_SECONDS)).stdout
