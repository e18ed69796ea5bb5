"""Reads a whole tree and goes on after an error: each becomes a finding with its file and line."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from ropewalk.errors import InputError
from ropewalk.recipe import base
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.context import docker_pkg_ignored, load_context
from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.head import Head
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.lint import graph
from ropewalk.recipe.lint.instructions import lint_dockerfile
from ropewalk.recipe.lint.places import split_where, template_lines
from ropewalk.recipe.lint.rules import Finding, Level, Rule
from ropewalk.recipe.lint.secrets import secret_line, secret_name, secrets_in
from ropewalk.recipe.parents import Rules, parents
from ropewalk.recipe.production import check_user, load_production, read_control
from ropewalk.recipe.recipe import ParentRole, Recipe
from ropewalk.recipe.service.service import load_service
from ropewalk.recipe.template import Templates
from ropewalk.recipe.tree import Found, find, given, head_of, known_names

_T = TypeVar("_T")
_HEADING = re.compile(r"^([^\s#][^\s(]*) +\(", re.MULTILINE)
_NO_UID = re.compile(r"(?P<path>.*?): (?P<text>no uid is known for the user `(?P<user>.*?)`.*)")
_REVOKE = "take it out of the tree and revoke it; what was pushed once is known"
_LARGE = 1 << 20
"""Files above this many bytes are not searched for secrets."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at a tree gave.

    Attributes:
        findings: By file and line.
        recipes: Those that could be read, in the order of their directories.
        directories: How many recipes there are.
    """

    findings: tuple[Finding, ...]
    recipes: tuple[Recipe, ...]
    directories: int


@dataclass(slots=True)
class _Reading:
    """One look at a tree: what is known, and what was found so far."""

    config: TreeConfig
    today: date | None
    templates: Templates
    findings: dict[tuple[str, int, str], Finding] = field(default_factory=dict)
    rendered: dict[str, str] = field(default_factory=dict)
    warned: int = 0

    def attempt(self, rule: Rule, what: Callable[[], _T], directory: Path) -> _T | None:
        """Do something; what goes wrong becomes a finding, and None is returned."""
        try:
            return what()
        except InputError as error:
            self.fault(rule, error)
        except OSError as error:
            hint = "check the path"
            self.add(Finding(rule, str(error.filename or directory), 0, f"cannot be read: {error.strerror}", hint))
        except (MemoryError, RecursionError) as error:
            message = f"cannot be read within its bounds ({type(error).__name__})"
            self.add(Finding(Rule.BOUNDS, str(directory), 0, message, "make the recipe smaller"))
        return None

    def fault(self, rule: Rule, error: InputError) -> None:
        """Take an error as a finding."""
        path, line, rendered = split_where(error.where)
        self.add(Finding(rule, path, self.line(path, line) if rendered else line, error.message, error.hint))

    def line(self, path: str, line: int) -> int:
        """Return the template's line of a rendered line; 0 for a file that is rendered from another format."""
        if path not in self.rendered:
            return 0
        lines = template_lines(Path(path).read_text("utf-8"), self.rendered[path])
        return lines[min(line, len(lines)) - 1] if line else 0

    def add(self, finding: Finding) -> None:
        """Keep a finding; of several that say the same of one place the first."""
        self.findings.setdefault((finding.path, finding.line, finding.message), finding)


def check_recipes(
    directories: Sequence[Path],
    config: TreeConfig,
    today: date | None,
    *,
    visit: Callable[[Path], None] = lambda _: None,
    skip: Collection[Path] = (),
) -> Checked:
    """Read every recipe below some directories and look at each.

    Args:
        directories: Where to look.
        config: The tree's configuration.
        today: The day on which allowed foreign parents are judged; None allows none.
        visit: Is told of each directory before it is read, so that a watcher knows where the time goes.
        skip: Directories that are not read.

    Returns:
        What was found, and the recipes that could be read.

    Raises:
        InputError: A directory is not there, or ``base_images`` is wrong.
    """
    look = _Reading(config, today, Templates(config, {}, []))
    for doubt in config.doubts:
        look.add(Finding(Rule.CONFIG, str(doubt.path), doubt.line, doubt.message, doubt.hint))
    places = _places(look, directories)
    found = [item for item in places.values() if item.directory not in skip]
    heads: dict[Path, Head] = {}
    for item in found:
        visit(item.directory)
        if head := _head(look, item):
            heads[item.directory] = head
    for finding in graph.twice([(head.name, directory) for directory, head in heads.items()]):
        look.add(finding)
    look.templates = Templates(config, known_names(config, tuple(heads.values())), [])
    recipes = []
    for item in found:
        visit(item.directory)
        if item.directory in heads and (recipe := _recipe(look, item, heads[item.directory])):
            recipes.append(given(recipe, config, directories))
    unique = tuple({recipe.repository: recipe for recipe in reversed(recipes)}.values())[::-1]
    for finding in graph.loops(unique):
        look.add(finding)
    return Checked(ordered(look.findings.values()), unique, len(places))


def _places(look: _Reading, directories: Sequence[Path]) -> dict[Path, Found]:
    """Find the recipes by where they really are; what is left out is a finding."""
    warnings: list[str] = []
    places: dict[Path, Found] = {}
    for start in directories:
        for item in find(start, look.config, warnings, lambda error: look.fault(Rule.RECIPE, error)):
            places.setdefault(item.directory.resolve(), item)
    for warning in warnings:
        directory, _, message = warning.partition(": ")
        look.add(Finding(Rule.HALF_RECIPE, directory, 0, message, "complete it or remove it"))
    return places


def ordered(findings: Collection[Finding]) -> tuple[Finding, ...]:
    """Sort findings by file and line."""
    return tuple(sorted(findings, key=lambda one: (one.path, one.line, one.rule.value, one.message)))


def _head(look: _Reading, item: Found) -> Head | None:
    if item.kind is Kind.BASE:
        recipe = look.attempt(Rule.RECIPE, lambda: base.load_base(item.directory, look.config), item.directory)
        return Head(recipe.name, recipe.version, 0) if recipe else None
    head = look.attempt(Rule.CHANGELOG, lambda: head_of(item), item.directory)
    if head is not None:
        path = item.directory / "changelog"
        names = _HEADING.findall(path.read_text("utf-8"))
        if len(names) > 1 and names[0] != names[1]:
            message = f"the newest entry is called `{names[0]}`, the one before `{names[1]}`"
            look.add(Finding(Rule.RENAMED, str(path), 1, message, "check the name; nothing to do if it was renamed"))
    return head


def _recipe(look: _Reading, item: Found, head: Head) -> Recipe | None:
    """Read a recipe; where it fails look for further errors, else look at what it says."""
    directory = item.directory
    if item.kind is Kind.BASE:
        recipe = look.attempt(Rule.RECIPE, lambda: base.load_base(directory, look.config), directory)
        if recipe is not None:
            _base(look, recipe)
    elif item.kind is Kind.SERVICE:
        rules = Rules(look.config, look.templates.known, look.today, Kind.SERVICE)
        recipe = look.attempt(Rule.RECIPE, lambda: load_service(directory, head, rules, item.tree), directory)
        _foreign(look, recipe)
    else:
        _production(look, item)
        count = len(look.findings)
        recipe = look.attempt(
            Rule.RECIPE, lambda: load_production(directory, head, look.templates, item.tree, look.today), directory
        )
        if recipe is not None and len(look.findings) == count:
            _foreign(look, recipe)
    if recipe is not None:
        _secrets(look, recipe)
        if recipe.test is None:
            name = "a variant `test`" if item.kind is Kind.SERVICE else "a test.sh"
            look.add(Finding(Rule.NO_TEST, str(directory), 0, "the image has no test", f"write {name}"))
    return recipe


def _production(look: _Reading, item: Found) -> None:
    """Look at each file of a production recipe by itself, so that one error hides no other."""
    directory = item.directory
    path = directory / Kind.PRODUCTION
    control = look.attempt(Rule.RECIPE, lambda: read_control(directory / "control", item.tree), directory)
    look.attempt(
        Rule.FILE, lambda: load_context(directory, item.tree, docker_pkg_ignored(directory, item.tree)), directory
    )
    text = look.attempt(Rule.TEMPLATE, lambda: look.templates.render(directory, item.tree), directory)
    _uids(look)
    if text is None:
        return
    look.rendered[str(path)] = text
    where = f"{path} (rendered)"
    dockerfile = look.attempt(Rule.DOCKERFILE, lambda: parse(text, where), directory)
    if dockerfile is None:
        return
    if look.config.force_numeric_user:
        look.attempt(Rule.USER, lambda: check_user(dockerfile, where), directory)
    rules = Rules(look.config, look.templates.known, look.today, where)
    named = look.attempt(Rule.PARENT, lambda: parents(dockerfile, rules), directory)
    if control is not None and named is not None:
        _control(look, directory / "control", control.depends, {parent.name for parent in named})
    for remark in lint_dockerfile(dockerfile, text):
        line = look.line(str(path), remark.line)
        look.add(Finding(remark.rule, str(path), line, remark.message, remark.hint, remark.weight))


def _control(look: _Reading, path: Path, depends: Collection[str], named: Collection[str | None]) -> None:
    """Look for names in ``control`` that nothing has; what the Dockerfile names too is judged there as a parent."""
    inner = {name.rpartition("/")[2] for name in named if name}
    for name in depends:
        if look.config.full_name(name) in look.templates.known or name in inner:
            continue
        text = path.read_text("utf-8").splitlines()
        word = re.compile(rf"(?<![\w.+-]){re.escape(name)}(?![\w.+-])")
        line = next((number for number, found in enumerate(text, 1) if word.search(found)), 0)
        message = f"no recipe and no base image is called `{name}`"
        look.add(Finding(Rule.CONTROL, str(path), line, message, "check the name, or remove it"))


def _uids(look: _Reading) -> None:
    """Turn the filters' warnings into findings; a user without a number fails a config that wants numbers."""
    for warning in look.templates.warnings[look.warned :]:
        match = _NO_UID.fullmatch(warning)
        if match is not None:
            lines = Path(match["path"]).read_text("utf-8").splitlines()
            line = next((number for number, text in enumerate(lines, 1) if match["user"] in text), 0)
            weight = Level.ERROR if look.config.force_numeric_user else None
            message, _, hint = match["text"].partition("; ")
            look.add(Finding(Rule.UID, match["path"], line, message, hint, weight))
    look.warned = len(look.templates.warnings)


def _foreign(look: _Reading, recipe: Recipe | None) -> None:
    """Look at parents that are not ours."""
    for parent in recipe.parents if recipe else ():
        if recipe is None or parent.name is not None:
            continue
        path, line = graph.place(recipe, parent)
        if parent.forbidden is not None:
            _, _, said = parent.forbidden.reason.partition(": `")
            look.add(Finding(Rule.PARENT, path, line, f"`{said}", parent.forbidden.hint))
        elif parent.tag == "latest":
            role = "built on" if parent.role is ParentRole.FINAL else "made with"
            hint = "name a version, or better its digest"
            look.add(Finding(Rule.LATEST, path, line, f"is {role} `{parent.reference}`", hint))


def _secrets(look: _Reading, recipe: Recipe) -> None:
    """Search the files that go into the build."""
    for file in recipe.context:
        if file.directory or file.path == Kind.PRODUCTION or file.source.stat().st_size > _LARGE:
            continue
        data = file.source.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        for kind in secrets_in(text):
            look.add(Finding(Rule.SECRET, str(file.source), secret_line(text), f"holds {kind}", _REVOKE))


def _base(look: _Reading, recipe: Recipe) -> None:
    """Look at a base recipe's own text: contents of files stand in it, and variables of the image."""
    path = recipe.directory / Kind.BASE
    text = path.read_text("utf-8")
    for kind in secrets_in(text):
        look.add(Finding(Rule.SECRET, str(path), secret_line(text), f"holds {kind}", _REVOKE))
    for name, value in recipe.base.env if recipe.base else ():
        if secret_name(name, value):
            lines = text.splitlines()
            line = next((number for number, found in enumerate(lines, 1) if name in found), 0)
            look.add(Finding(Rule.SECRET, str(path), line, f"`{name}` has a value that every copy shows", _REVOKE))
