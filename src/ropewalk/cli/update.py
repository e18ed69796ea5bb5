"""``ropewalk update``: new changelog entries for an image and all that stand on it, or for every image of a tree."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, print_json, print_line, print_table
from ropewalk.cli.session import Session
from ropewalk.errors import InputError

if TYPE_CHECKING:
    from ropewalk.recipe import Edit, Entry, Recipe, TreeConfig

_SECURITY, _WEEKLY = "Security update", "Weekly rebuild."
"""Reasons where none is given: docker-pkg's, and that of the public tree's weekly script."""


def update(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [DIR]...",
            help="The image, then directories with recipes (those of the last build of this config by default). No NAME with --all.",
            show_default=False,
        ),
    ] = None,
    *,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            help=f"Why, for the changelog; by default `{_SECURITY}`, with --all `{_WEEKLY}`",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", "-v", help="Version for NAME; -s1, -s2... is counted up by default.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every image: today's date replaces or follows as -YYYYMMDD (weekly renewal).")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="With --all: not these; matches name, full name or directory."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Add a changelog entry to NAME and to every image that depends on it, directly or not.

    The next build makes them anew under the new versions. Author: DEBFULLNAME and DEBEMAIL, else git's, else the
    config's fallback. All entries are worked out before the first file is written. Weekly, in place of a shell script:
    [bold]ropewalk update --all --reason "Weekly rebuild." --exclude '*spark*' images[/].
    """
    session: Session = context.obj
    name, directories = _sort(words or [], every=every, version=version, exclude=exclude)
    tree = _Tree(session.recipes(directories), session.config(), session.now())
    skipped: dict[str, str] = {}
    if name is None:
        edits = _all(tree, reason or _WEEKLY, tuple(exclude or ()), skipped)
    else:
        edits = _one(tree, name, reason or _SECURITY, version)
    if not dry_run:
        _write(edits)
    _show(edits, skipped, dry_run=dry_run, output=output)


def _sort(
    words: list[str], *, every: bool, version: str | None, exclude: list[str] | None
) -> tuple[str | None, list[Path]]:
    """Tell the image from the directories."""
    if every and version is not None:
        raise typer.BadParameter("--version is for one image; --all dates every image's own version")
    if exclude and not every:
        raise typer.BadParameter("--exclude goes with --all")
    if every:
        return None, [Path(word) for word in words]
    if not words:
        raise typer.BadParameter("name an image, or say --all")
    return words[0], [Path(word) for word in words[1:]]


@dataclass(frozen=True, slots=True)
class _Tree:
    """What is updated, and when."""

    recipes: "tuple[Recipe, ...]"
    config: "TreeConfig"
    now: int

    def entry(self, recipe: "Recipe", reason: str, urgency: str) -> "Entry":
        """Return what a new entry says; git's settings are those of the recipe's repository."""
        from ropewalk.recipe import Entry, author

        who = author(self.config, os.environ, recipe.directory)
        return Entry(reason, who, self.now, self.config.distribution, urgency)


def _one(tree: _Tree, name: str, reason: str, version: str | None) -> "list[Edit]":
    from ropewalk.plan import check_control, to_update
    from ropewalk.recipe import counted, edited

    check_control(tree.recipes, tree.config)
    chosen, *children = (affected := to_update(tree.recipes, name))
    entry = tree.entry(chosen, reason, "high")
    inherited = replace(entry, reason=f"Refresh for update in parent image {chosen.name}:\n{reason}")
    new = {recipe.name: counted(recipe.version, tree.config.update_id) for recipe in affected}
    edits = [edited(chosen.directory, version or new[chosen.name], entry)]
    return edits + [edited(recipe.directory, new[recipe.name], inherited) for recipe in children]


def _all(tree: _Tree, reason: str, exclude: tuple[str, ...], skipped: dict[str, str]) -> "list[Edit]":
    from ropewalk.plan import renewable
    from ropewalk.recipe import dated, edited

    today = datetime.fromtimestamp(tree.now, UTC).date()
    edits: list[Edit] = []
    entry = None
    for recipe, why_not in renewable(tree.recipes, exclude):
        new = dated(recipe.version, today)
        if why_not or new == recipe.version:
            skipped[recipe.name] = why_not or f"is of today: {new}"
            continue
        entry = entry or tree.entry(recipe, reason, "medium")
        edits.append(edited(recipe.directory, new, entry))
    return edits


def _write(edits: "list[Edit]") -> None:
    from ropewalk.recipe import write

    for number, edit in enumerate(edits):
        try:
            write(edit)
        except OSError as error:
            hint = f"{number} of {len(edits)} files are written; `git diff --stat` shows them, `git checkout` undoes it"
            raise InputError(f"cannot be written: {error.strerror}", where=str(edit.path), hint=hint) from error


def _show(edits: "list[Edit]", skipped: dict[str, str], *, dry_run: bool, output: Format) -> None:
    if output is Format.JSON:
        rows = [{"name": e.name, "file": str(e.path), "from": e.old, "to": e.new, "reason": e.reason} for e in edits]
        left_out = [{"name": name, "why": why} for name, why in skipped.items()]
        print_json({"written": not dry_run, "updates": rows, "skipped": left_out})
        return
    print_table(("image", "from", "to", "changelog"), ((e.name, e.old, e.new, e.path) for e in edits))
    for name, why in skipped.items():
        print_line(f"left out  {name}: {why}")
    written = "would be written; --dry-run" if dry_run else "is written" if len(edits) == 1 else "are written"
    print_line(f"{count(len(edits), 'changelog')} {written}")
