"""Which input of a public recipe is not to be had where only Debian's archive is reached: rules over what was rendered."""

import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ropewalk.archive import View, ViewBook, suite_names
from ropewalk.archive.suite import Pockets
from ropewalk.plan import recipe_of
from ropewalk.recipe import Parent, Recipe
from ropewalk.recipe.dockerfile import Dockerfile, Instruction, Stage, expand, parse, stage_values

_SOURCE = re.compile(r"\bdeb(?:\s+\[[^\]]*\])?\s+(https?://\S+)\s+(\S+)((?:\s+[a-z][\w/.-]*)*)")
_INSTALL = re.compile(r"\bapt(?:-get)?\s+(?:-\S+\s+)*install\s+([^&;|\n]*)")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_NAMES = re.compile(r"^(?:Package|Provides): (.*)$", re.MULTILINE)
_URL = re.compile(r"https?://[\w./${}:%~@+-]+")
_FETCHES = re.compile(
    r"\b(git\s+clone|curl|wget|pip3?\s+install|npm\s+(?:install|ci)|go\s+(?:mod|get|install)|mvn|composer\s+install"
    r"|luarocks\s+install|gem\s+install)\b([^&;|]*)"
)
_FROM_DEBIAN = "deb.debian.org", "security.debian.org"


@dataclass(frozen=True, slots=True)
class Debian:
    """What Debian's archive offers: names of packages, and those that packages provide, by suite."""

    book: ViewBook
    view: View

    def names(self, release: str) -> frozenset[str]:
        """Return what apt can install in a release with its updates."""
        return _names(self, release)

    def holds(self, suite: str) -> bool:
        """Say whether the view has a suite."""
        return any(held.suite == suite for held in self.view.suites)


@cache
def _names(debian: Debian, release: str) -> frozenset[str]:
    found: set[str] = set()
    wanted = suite_names(release, Pockets.ALL)
    for suite in (suite for suite in debian.view.suites if suite.suite in wanted):
        for index in suite.indexes:
            for line in _NAMES.findall(lzma.decompress(debian.book.file(index.sha256)).decode()):
                found.update(word.split()[0].partition(":")[0] for word in line.split(","))
    return frozenset(found)


def missing(recipes: Sequence[Recipe], debian: Debian, releases: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Say what each production recipe lacks.

    Args:
        recipes: The tree with its base recipes.
        debian: What the archive offers.
        releases: Names of base images, which are those of Debian's releases.

    Returns:
        The recipe's name -> one text an input that is missing; none where Debian alone feeds it.
    """
    by_repository = {recipe.repository: recipe for recipe in recipes}
    by_reference = {recipe.reference: recipe for recipe in recipes}

    def made_here(parent: Parent) -> Recipe | None:
        return recipe_of(parent, by_repository)

    @cache
    def release(reference: str) -> str:
        recipe = by_reference[reference]
        if recipe.name in releases:
            return recipe.name
        first = next((made_here(parent) for parent in recipe.parents), None)
        return release(first.reference) if first else ""

    @cache
    def lacks(reference: str) -> tuple[str, ...]:
        recipe = by_reference[reference]
        found: list[str] = []
        if recipe.dockerfile:
            below = {p.reference: release(other.reference) for p in recipe.parents if (other := made_here(p))}
            found += _own(recipe, parse(recipe.dockerfile), debian, below)
        for parent in recipe.parents:
            other = made_here(parent)
            if other is None:
                found.append(f"parent {parent.reference}: no recipe here makes it")
            elif lacks(other.reference):
                found.append(f"parent {other.name}")
        return tuple(dict.fromkeys(found))

    return {recipe.name: lacks(recipe.reference) for recipe in recipes if recipe.dockerfile}


def _own(recipe: Recipe, dockerfile: Dockerfile, debian: Debian, below: Mapping[str, str]) -> Iterator[str]:
    """Name what a recipe itself lacks.

    Args:
        recipe: The recipe.
        dockerfile: Its Dockerfile, parsed.
        debian: What the archive offers.
        below: Its parents -> Debian's release that each is made of.
    """
    lists = [
        file.source.read_text(errors="replace")
        for file in recipe.context
        if not file.directory and file.path.endswith((".list", ".sources"))
    ]
    yield from _repositories("\n".join((recipe.dockerfile, *lists)), debian)
    stages: dict[str, str] = {}
    packages: dict[str, dict[str, None]] = {}
    downloads: dict[str, None] = {}
    for stage in dockerfile.stages:
        base = stage.base if ":" in stage.base else f"{stage.base}:latest"
        release = stages.get(stage.base.lower()) or below.get(base, "")
        stages[stage.alias] = release
        values = {**_environment(stage), **stage_values(dockerfile, stage)}
        for run in (item for item in stage.instructions if item.keyword == "RUN"):
            found = _packages(run.value, values, debian.names(release))
            packages.setdefault(release, {}).update(dict.fromkeys(found))
            downloads |= dict.fromkeys(_downloads(run.value, values))
        downloads |= dict.fromkeys(_added(stage.instructions))
    for release, names in packages.items():
        if names:
            yield f"package {_first(list(names))}, not in Debian {release}"
    if downloads:
        yield f"download {_first(list(downloads))}"


def _first(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _repositories(text: str, debian: Debian) -> Iterator[str]:
    for uri, suite, components in _SOURCE.findall(text):
        if uri.split("/")[2] not in _FROM_DEBIAN or not debian.holds(suite):
            yield f"repository {uri.partition('://')[2].rstrip('/')} {suite}{components}"


def _environment(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in stage.instructions:
        if item.keyword == "ENV":
            found |= dict(re.findall(r"(\w+)=(\S+)", item.value)) or dict([item.value.partition(" ")[::2]])
    return found


def _filled(text: str, values: Mapping[str, str]) -> str:
    try:
        return expand(text, values)
    except ValueError:
        return text


def _packages(run: str, values: Mapping[str, str], offered: frozenset[str]) -> Iterator[str]:
    for words in _INSTALL.findall(run.replace("\\\n", " ")):
        for word in _filled(words, values).split():
            name = re.split(r"[=/:]", word)[0]
            if _PACKAGE.fullmatch(name) and name not in offered:
                yield name


def _downloads(run: str, values: Mapping[str, str]) -> Iterator[str]:
    for tool, rest in _FETCHES.findall(run.replace("\\\n", " ")):
        words = " ".join(tool.split())
        url = _URL.search(_filled(rest, values))
        if url is not None:
            yield url[0]
        elif not words.startswith(("git", "curl", "wget")):
            yield f"by {words}"


def _added(instructions: Sequence[Instruction]) -> Iterator[str]:
    for item in instructions:
        url = _URL.search(item.value) if item.keyword == "ADD" else None
        if url is not None:
            yield url[0]
