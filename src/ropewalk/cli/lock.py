"""``ropewalk lock``: write down what each image was made of; and what ``build --locked`` takes from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk import atomic
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table
from ropewalk.cli.session import Session
from ropewalk.errors import Exit, InputError, RopewalkError
from ropewalk.events import Event, EventKind

if TYPE_CHECKING:
    from ropewalk.archive import View
    from ropewalk.build import Locked
    from ropewalk.recipe import BuildRecord, LockFile, Recipe

LockedOption = Annotated[
    bool,
    typer.Option(
        "--locked",
        help="Build from each recipe's ropewalk.lock: its view and its .debs, from the pool alone; nothing is fetched.",
    ),
]


@dataclass(frozen=True, slots=True)
class _Row:
    """What became of one recipe's lock."""

    recipe: "Recipe"
    result: str
    reason: str = ""
    file: "LockFile | None" = None


def _path(recipe: "Recipe") -> Path:
    from ropewalk.recipe import LOCK_FILE

    return recipe.directory / LOCK_FILE


def lock(
    context: typer.Context,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]...", help="Images; all of the tree by default.", show_default=False),
    ] = None,
    *,
    directories: Annotated[
        list[Path] | None,
        typer.Option("--tree", metavar="DIR", help="Directory with recipes; those of the last build by default."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a lock is missing or not current.")
    ] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Write `ropewalk.lock` beside each recipe: the exact .debs of its newest build, and the view they came from.

    Commit it: `ropewalk build --locked` builds from it with no archive at hand, and gives the same layers. --check needs
    no build; where none was made here it says whether the recipe changed since. Exits with 1 where a recipe has no build
    of what it says now.
    """
    session: Session = context.obj
    recipes = _chosen(session.recipes(directories), wanted or [])
    rows = [_checked(session, recipe) if check else _written(session, recipe) for recipe in recipes]
    if output is Format.JSON:
        print_json({"locks": [_json(row) for row in rows]})
    else:
        _print(rows)
    if any(row.reason for row in rows):
        raise typer.Exit(Exit.FAILED)


def _chosen(recipes: "tuple[Recipe, ...]", wanted: list[str]) -> "list[Recipe]":
    from difflib import get_close_matches

    chosen: list[Recipe] = []
    for word in wanted:
        found = [x for x in recipes if word in {x.name, x.repository, f"{x.name}:{x.version}", x.reference}]
        if not found:
            near = get_close_matches(word, sorted({recipe.name for recipe in recipes}), n=1)
            hint = f"did you mean {near[0]}?" if near else "`ropewalk plan` lists the recipes"
            raise InputError("no such recipe", where=word, hint=hint)
        chosen += [recipe for recipe in found if recipe not in chosen]
    return chosen if wanted else list(recipes)


def _record(session: Session, recipe: "Recipe") -> "BuildRecord | None":
    """Return the newest build of a recipe as it is now."""
    builds = session.book().builds(recipe.repository, recipe.version)
    return next((record for record in reversed(builds) if record.recipe_digest == recipe.digest), None)


def _made(session: Session, recipe: "Recipe") -> "LockFile | None":
    """Return the lock of that build; None where there is none, or none that recorded it."""
    from ropewalk.build import file_of

    record = _record(session, recipe)
    return file_of(session.store(), record) if record is not None and record.lock is not None else None


def _checked(session: Session, recipe: "Recipe") -> _Row:
    from ropewalk.recipe import read_lock, why_stale

    file = read_lock(recipe.directory)
    reason = why_stale(file, recipe, _made(session, recipe))
    return _Row(recipe, "stale" if reason else "current", reason, file)


def _written(session: Session, recipe: "Recipe") -> _Row:
    from ropewalk.build import file_of
    from ropewalk.recipe import LockRefused, lock_text, read_lock

    record = _record(session, recipe)
    if record is None:
        return _Row(recipe, "none", "there is no build of the recipe as it is now: `ropewalk build`")
    try:
        file = file_of(session.store(), record)
    except LockRefused as error:
        return _Row(recipe, "none", f"{error.message}: {error.hint}")
    try:
        same = read_lock(recipe.directory) == file
    except InputError:  # a damaged one is written anew
        same = False
    if same:
        return _Row(recipe, "current", file=file)
    with atomic.named(_path(recipe)):
        atomic.write_text(_path(recipe), lock_text(file))
    return _Row(recipe, "written", file=file)


def _json(row: _Row) -> dict[str, object]:
    file = row.file
    return {
        "image": row.recipe.reference,
        "path": str(_path(row.recipe)),
        "result": row.result,
        "reason": row.reason or None,
        "view": file.lock.view if file else None,
        "debs": len(file.lock.debs) if file else 0,
        "unpinned": list(file.lock.unpinned) if file else [],
    }


def _print(rows: list[_Row]) -> None:
    print_table(
        ("image", "lock", "debs", "view or reason"),
        (
            (row.recipe.reference, row.result, len(file.lock.debs), row.reason or file.lock.view)
            if (file := row.file)
            else (row.recipe.reference, row.result, "", row.reason)
            for row in rows
        ),
        right=("debs",),
    )
    for row in rows:
        for reason in row.file.lock.unpinned if row.file else ():
            print_line(f"{row.recipe.reference}: not pinned: {reason}", "yellow")


def build_inputs(
    session: Session, recipes: "tuple[Recipe, ...]", view: str | None, *, locked: bool, renew: bool
) -> "tuple[View | None, tuple[str, ...]]":
    """Say what a build is made from.

    Args:
        session: The run.
        recipes: The tree.
        view: ``--view``.
        locked: ``--locked``.
        renew: ``--refresh``.

    Returns:
        The view, or None where locks say it; then also the lines to build again, since their image is not the lock's.

    Raises:
        typer.BadParameter: Options that contradict each other.
        InputError: There is no such view, or a lock is damaged.
    """
    if not locked:
        return session.view(view), ()
    if view or renew:
        given = "--view" if view else "--refresh"
        raise typer.BadParameter(f"--locked takes views and parents from the locks: leave out {given}")
    return None, tuple(recipe.reference for recipe in recipes if _is_out_of_lock(session, recipe))


def _is_out_of_lock(session: Session, recipe: "Recipe") -> bool:
    from ropewalk.recipe import read_lock, why_stale

    file, made = read_lock(recipe.directory), _made(session, recipe)
    return file is not None and file.recipe == recipe.digest and (made is None or why_stale(file, recipe, made) != "")


def locks_of(session: Session, recipes: "list[Recipe]") -> "dict[str, Locked]":
    """Return the locks that recipes are built from; what no lock covers is told.

    Args:
        session: The run.
        recipes: Those that are to be built.

    Raises:
        typer.Exit: One of them cannot be built from its lock; each is told, and nothing is built.
    """
    from ropewalk.archive import Pool
    from ropewalk.build import Locked, read_locks

    found = read_locks(recipes, session.views(), Pool(session.settings.pool))
    held = {line: one for line, one in found.items() if isinstance(one, Locked)}
    for line, error in found.items():
        if isinstance(error, RopewalkError):
            session.listener(Event(EventKind.WARNING, line, "refused", f"{error}; {error.hint}"))
    if len(held) < len(found):
        raise typer.Exit(Exit.REFUSED)
    for recipe in recipes:
        _tell_outside(session, recipe)
    return held


def _tell_outside(session: Session, recipe: "Recipe") -> None:
    """Tell what a locked build takes from elsewhere than the pool."""
    from ropewalk.recipe import outside

    took = outside(recipe)
    for reason in took.unpinned:
        session.listener(Event(EventKind.WARNING, recipe.reference, "not pinned by its lock", reason))
    if took.hashed:
        told = f"what {', '.join(took.hashed)} names: the build fetches it itself and checks it by hash"
        session.listener(Event(EventKind.WARNING, recipe.reference, "is not in the pool", told))
