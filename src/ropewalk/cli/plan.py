"""``ropewalk plan``: what a build would do to every recipe, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk import atomic
from ropewalk.cli.dockerpkg import NightlyOption, SnapshotOption, version_suffix
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.session import DirectoriesArgument, OfflineOption, RegistryOption, Session, ViewOption

if TYPE_CHECKING:
    from ropewalk.oci import RegistryClient
    from ropewalk.plan import Plan
    from ropewalk.recipe import Recipe

ForceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--force", metavar="GLOB", help="Build these even if they are current; matches registry/name:version."
    ),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="GLOB",
        help="Only these and what they need; matches registry/name:version; may be given again.",
    ),
]


def make_plan(
    session: Session,
    recipes: "tuple[Recipe, ...]",
    client: "RegistryClient | None",
    *,
    view: str | None,
    select: tuple[str, ...],
    force: tuple[str, ...] = (),
) -> "Plan":
    """Observe store and registry and decide.

    Args:
        session: The run.
        recipes: The tree.
        client: The registry; None decides without one.
        view: The view that builds would use; None before the first one.
        select: Globs that cut the plan to some recipes and their parents; the whole plan where there are none.
        force: Globs of recipes to build in any case.

    Returns:
        An entry a recipe, in build order.

    Raises:
        InputError: A glob matches nothing.
    """
    from ropewalk.plan import check_globs, decide, selected

    check_globs(recipes, select, "--select")
    check_globs(recipes, force, "--force")
    plan = decide(recipes, session.observe(recipes, client), view, force=force)
    return selected(plan, select) if select else plan


def plan(  # one argument an option
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    select: SelectOption = None,
    force: ForceOption = None,
    nightly: NightlyOption = False,
    snapshot: SnapshotOption = False,
    view: ViewOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    as_tree: Annotated[bool, typer.Option("--tree", help="Show each image below its parent.")] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw it into this file too (needs graphviz).")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show what would happen to every recipe, in build order, and why. Changes nothing.

    build: never built, recipe changed, parent rebuilt, or forced. publish: built, not published. refresh: a parent or
    the archive view is newer. refused: `build` leaves it out; the hint says what to do.
    """
    session: Session = context.obj
    suffix = version_suffix(session.now(), nightly=nightly, snapshot=snapshot)
    with session.client(offline=offline, registry=registry) as client:
        recipes = session.recipes(directories, suffix=suffix, client=client)
        newest = session.views().newest()
        used = session.view(view).id if view else (newest.id if newest else None)
        made = make_plan(session, recipes, client, view=used, select=tuple(select or ()), force=tuple(force or ()))
    if svg is not None:
        from ropewalk.plan.picture import draw

        atomic.write_output(svg, draw(made))
    if output is Format.JSON:
        from ropewalk.plan import to_json

        print_json(to_json(made))
    elif as_tree:
        _print_tree(made)
    else:
        rows = (
            (entry.recipe.reference, entry.recipe.generation, entry.action, ", ".join(entry.reasons) or "current")
            for entry in made.entries
        )
        print_table(("image", "generation", "action", "why"), rows)
        _print_hints(made)


def _print_tree(made: "Plan") -> None:
    from ropewalk.plan import tree

    for row in tree(made):
        why = f"  {row.action}: {', '.join(row.reasons)}" if row.reasons else ""
        print_line(f"{'  ' * row.depth}{row.reference}{why}")
    _print_hints(made)


def _print_hints(made: "Plan") -> None:
    """Say each hint once, with the images that it is for."""
    hints: dict[str, list[str]] = {}
    for entry in made.entries:
        if entry.hint:
            hints.setdefault(entry.hint, []).append(entry.recipe.reference)
    for hint, references in hints.items():
        more = f" and {len(references) - 1} more" if len(references) > 1 else ""
        print_line(f"{references[0]}{more}: {hint}", "yellow")
