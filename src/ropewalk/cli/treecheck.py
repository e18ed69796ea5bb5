"""Both sides of ``ropewalk tree check``: the look at a tree, and the process with bounds in which it happens."""

import json
import os
import resource
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from ropewalk.cli.output import err, printable
from ropewalk.cli.session import Session
from ropewalk.errors import Exit, InputError
from ropewalk.process import Command, run

if TYPE_CHECKING:
    from ropewalk.plan import Observed
    from ropewalk.recipe import Recipe, TreeConfig
    from ropewalk.recipe.lint import Checked, Finding

_ITEM_SECONDS = 5
"""Processor time for one recipe; the largest honest ones need a tenth of a second."""
_ALL_SECONDS = 600
_MEMORY = 2 << 30
_MARK = "ropewalk-at: "
_TRIES = 5
"""Recipes that pass a bound, after which the rest is not looked at any more."""
_OUT_OF_MEMORY = "MemoryError"
_START = "from ropewalk.cli import main; main()"


def look_bounded(session: Session, arguments: Sequence[str]) -> dict[str, Any]:
    """Look at a tree in a process with bounds of time and memory and without this environment's variables.

    Args:
        session: The run.
        arguments: Directories and options of ``tree check``.

    Returns:
        What `look` gave; recipes that passed a bound are findings.
    """
    config = ("-c", str(session.config_path)) if session.config_path else ()
    kept = tuple((name, os.environ[name]) for name in ("ROPEWALK_STATE", "XDG_STATE_HOME") if name in os.environ)
    # The user's own docker-pkg.yaml may hold a password, and the tree says which registry is asked.
    # Threads share malloc's arenas: one for each would use the bound up with addresses alone.
    environment = (*kept, ("XDG_CONFIG_HOME", "/nonexistent"), ("MALLOC_ARENA_MAX", "2"))
    skipped: list[str] = []
    while True:
        skips = [word for path in skipped for word in ("--skip", path)]
        # -I: a module that lies in the tree is not imported.
        program = (sys.executable, "-I", "-c", _START, "-q", *config, "tree", "check", "--inside", *skips, *arguments)
        limits = ("prlimit", f"--as={_MEMORY}", f"--cpu={_ITEM_SECONDS}:{_ALL_SECONDS}", "--core=0", "--")
        done = run(Command((*limits, *program), environment=environment, timeout=_ALL_SECONDS), check=False)
        said = done.stderr.decode(errors="replace").splitlines()
        for line in said:
            if done.returncode in (Exit.OK, *tuple(Exit)[2:]) and not line.startswith(_MARK):
                err().print(printable(line), markup=False)
        if done.returncode == 0:
            report: dict[str, Any] = json.loads(done.stdout)
            return _with_bounds(report, skipped)
        if done.returncode in tuple(Exit)[2:]:
            raise typer.Exit(done.returncode)
        if done.returncode == Exit.FAILED and not any(_OUT_OF_MEMORY in line for line in said[-3:]):
            err().print("\n".join(said), markup=False)  # a bug of ours, with its traceback
            raise typer.Exit(Exit.FAILED)
        marks = [line.removeprefix(_MARK) for line in said if line.startswith(_MARK)]
        culprit = marks[-1] if marks else ""
        if not culprit or culprit in skipped or len(skipped) >= _TRIES:
            raise InputError(
                f"cannot be read within {_ITEM_SECONDS} s and {_MEMORY >> 30} GiB (status {done.returncode})",
                where=culprit or str(session.config_path or "config.yaml"),
                hint="; ".join(line for line in said[-1:] if not line.startswith(_MARK)) or "make it smaller",
            )
        skipped.append(culprit)


def _finding_json(finding: "Finding") -> dict[str, Any]:
    """Return a finding as JSON-ready values."""
    return {
        "rule": finding.rule.value,
        "level": finding.level.value,
        "path": finding.path,
        "line": finding.line,
        "message": finding.message,
        "hint": finding.hint,
        "why": finding.rule.why,
    }


def _with_bounds(report: dict[str, Any], skipped: Sequence[str]) -> dict[str, Any]:
    """Add a finding for each recipe whose reading had to be ended."""
    from ropewalk.recipe.lint import Finding, Rule

    message = f"reading it did not end within {_ITEM_SECONDS} s and {_MEMORY >> 30} GiB"
    more = [_finding_json(Finding(Rule.BOUNDS, path, 0, message, "make its template smaller")) for path in skipped]
    return {**report, "findings": [*more, *report["findings"]], "errors": report["errors"] + len(more)}


def _visit(directory: Path) -> None:
    """Say which recipe comes, and give it its own time."""
    sys.stderr.write(f"{_MARK}{directory}\n")
    sys.stderr.flush()
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime) + _ITEM_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _all_read() -> None:
    """Lift the bound of a single recipe; that of the whole stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def look(
    session: Session,
    directories: list[Path] | None,
    *,
    since: str | None,
    skip: Collection[Path],
    offline: bool,
    registry: str | None,
) -> dict[str, Any]:
    """Look at a tree; runs within the bounds.

    Args:
        session: The run.
        directories: Where recipes are; the config's own where none is given.
        since: The commit to compare with; None for none.
        skip: Directories that are not read.
        offline: Ask no registry.
        registry: The registry's address; None for the config's.

    Returns:
        ``{findings, recipes, errors, warnings, notes, merge}``; ``merge`` is None where no plan can be made.
    """
    from ropewalk.recipe import own_directories
    from ropewalk.recipe.lint import Level, check_recipes, ordered

    config = session.config()
    chosen = directories or list(own_directories(config))
    checked = check_recipes(chosen, config, session.today(), visit=_visit, skip=skip)
    old = _old(session, chosen, config, since) if since else None
    _all_read()
    findings = ordered((*checked.findings, *_changes(checked, old, since or "")))
    with session.client(offline=offline, registry=registry) as client:
        observed = _observed(session, checked.recipes, client)
    more, merge = _plan(session, checked, observed, config, old)
    findings = ordered([replace(one, path=_short(one.path)) for one in (*findings, *more)])
    levels = [finding.level for finding in findings]
    return {
        "findings": [_finding_json(finding) for finding in findings],
        "recipes": checked.directories,
        "errors": levels.count(Level.ERROR),
        "warnings": levels.count(Level.WARNING),
        "notes": levels.count(Level.NOTE),
        "merge": merge,
    }


def _old(session: Session, directories: Sequence[Path], config: "TreeConfig", since: str) -> "tuple[Recipe, ...]":
    """Read the recipes as they were at a commit; what cannot be read there is left out."""
    from ropewalk.recipe import load_config
    from ropewalk.recipe.lint import check_recipes
    from ropewalk.recipe.revision import repository_of, write_out

    repository = repository_of(directories[0])
    with TemporaryDirectory(prefix="ropewalk-since-") as name:
        place = Path(name)
        write_out(repository, since, place)
        (place / ".git").mkdir()  # links may lead anywhere in what was written, as in the repository itself
        inner = [path.resolve().relative_to(repository) for path in directories]
        there = [place / path for path in inner if (place / path).is_dir()]
        path = config.path
        was = config
        if path is not None and path.resolve().is_relative_to(repository):
            old_path = place / path.resolve().relative_to(repository)
            was = load_config(old_path, None) if old_path.is_file() else config
        return check_recipes(there, was, session.today(), visit=_visit).recipes


def _changes(checked: "Checked", old: "tuple[Recipe, ...] | None", since: str) -> "tuple[Finding, ...]":
    from ropewalk.recipe.lint import unversioned

    return () if old is None else unversioned(checked.recipes, old, since)


def _observed(session: Session, recipes: "tuple[Recipe, ...]", client: Any) -> "Observed":
    from ropewalk.plan import observe
    from ropewalk.trust import Publics

    publics = Publics(session.settings.keys)
    return observe(recipes, book=session.book(), store=session.store(), client=client, publics=publics)


def _plan(
    session: Session,
    checked: "Checked",
    observed: "Observed",
    config: "TreeConfig",
    old: "tuple[Recipe, ...] | None",
) -> "tuple[tuple[Finding, ...], list[dict[str, Any]] | None]":
    """Find parents that are nowhere and versions that are published otherwise, and list what a merge would build."""
    from ropewalk.plan import Action, decide, resolve, to_json
    from ropewalk.recipe.lint import Finding, Rule, changed, nowhere, version_place

    records = [known.record for known in observed.known]
    tagged = {tag.repository for tag in observed.unverified}

    def held(parent: Any) -> bool | None:
        there = resolve(parent, checked.recipes, records) is not None or parent.repository in tagged
        return there or (False if observed.asked else None)

    found = list(nowhere(checked.recipes, config, held))
    if any(finding.rule is Rule.LOOP for finding in checked.findings):
        return tuple(found), None
    newest = session.views().newest()
    plan = decide(checked.recipes, observed, newest.id if newest else None)
    for entry in plan.of(Action.REFUSED):
        if any(parent.forbidden for parent in entry.recipe.parents):
            continue  # a finding with its line already
        record = entry.current
        changed_since = record is not None and record.recipe_digest != entry.recipe.digest
        rule = Rule.VERSION if changed_since else Rule.REFUSED
        at = version_place(entry.recipe) if entry.hint == entry.recipe.new_version else (str(entry.recipe.directory), 0)
        found.append(Finding(rule, *at, ", ".join(entry.reasons), entry.hint))
    touched = None if old is None else {recipe.reference for recipe in changed(checked.recipes, old)}
    wanted = [entry.recipe.reference for entry in plan.entries if _is_built(entry.recipe, entry.action, touched)]
    rows = [row for row in to_json(plan)["entries"] if row["reference"] in wanted]
    return tuple(found), rows


def _is_built(recipe: "Recipe", action: Any, touched: set[str] | None) -> bool:
    from ropewalk.plan import Action

    return action is Action.BUILD if touched is None else recipe.reference in touched


def _short(path: str) -> str:
    """Return a path relative to the working directory where it is below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
