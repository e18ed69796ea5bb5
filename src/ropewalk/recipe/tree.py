"""All recipes below some directories, read in one pass: names first, since templates name each other's versions."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ropewalk import __version__
from ropewalk.errors import InputError
from ropewalk.oci import reference
from ropewalk.recipe import base
from ropewalk.recipe.bounds import Rendering, bounded
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.context import tree_of
from ropewalk.recipe.head import Head, check_version, read_head
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.opened import inside, is_there
from ropewalk.recipe.parents import Rules
from ropewalk.recipe.recipe import BaseSpec, Recipe

_CHANGELOG = "changelog"


@dataclass(frozen=True, slots=True)
class Found:
    """A recipe's directory before its files are read.

    Attributes:
        directory: Where it is.
        kind: What it holds.
        tree: The tree's root.
    """

    directory: Path
    kind: Kind
    tree: Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load_tree` read.

    Attributes:
        recipes: By directory, in the order in which the directories were given.
        warnings: One line each.
    """

    recipes: tuple[Recipe, ...]
    warnings: tuple[str, ...]


def _kind(directory: Path, files: set[str], warnings: list[str]) -> Kind | None:
    """Say what a directory's files make of it."""
    kinds = [kind for kind in Kind if kind.value in files]
    if len(kinds) > 1:
        names = " and ".join(kind.value for kind in kinds)
        raise InputError(f"{names} stand in one directory", where=str(directory), hint="give each a directory")
    if not kinds:
        if _CHANGELOG in files:
            warnings.append(f"{directory}: left out: it has a changelog but no {Kind.PRODUCTION.value}")
        return None
    if kinds[0] is Kind.PRODUCTION and _CHANGELOG not in files:
        warnings.append(f"{directory}: left out: it has a {kinds[0].value} but no changelog")
        return None
    return kinds[0]


def _stop(error: InputError) -> None:
    raise error


def find(
    directory: Path, config: TreeConfig, warnings: list[str], fault: Callable[[InputError], None] = _stop
) -> Iterator[Found]:
    """Find the recipes below a directory, by path.

    Args:
        directory: Where to look; links to directories are not followed.
        config: Says which tree it belongs to.
        warnings: Grows by what is left out.
        fault: What to do with the error of a single directory; by default it is raised.

    Raises:
        InputError: The directory does not exist, one holds two kinds of recipes, or a link to one leads out of the tree.
    """
    if not directory.is_dir():
        raise InputError("there is no such directory", where=str(directory), hint="name a directory of recipes")
    tree = tree_of(directory, config.path)
    recipes: set[str] = set()
    for root, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if name != ".git")
        try:
            kind = _kind(Path(root), set(files), warnings)
            if kind:
                recipes.add(root)
            elif not any(root.startswith(f"{recipe}/") for recipe in recipes):
                _check_links(Path(root), directories, tree, warnings)
        except InputError as error:
            fault(error)
            continue
        if kind:
            yield Found(Path(root), kind, tree)


def _check_links(directory: Path, names: Sequence[str], tree: Path, warnings: list[str]) -> None:
    """Look at links to directories between recipes; those inside a recipe are its build context's.

    docker-pkg does not follow them when it looks for recipes, so what is behind them is no recipe a second time.
    """
    for path in (directory / name for name in names):
        if path.is_symlink():
            real = inside(path, tree)
            warnings.append(f"{path}: left out: a link to {real}; recipes are looked for in directories alone")


def base_specs(directories: Sequence[Path], config: TreeConfig) -> tuple[BaseSpec, ...]:
    """Read the base recipes below some directories, and nothing else of them.

    Args:
        directories: Where to look.
        config: The tree's configuration.

    Raises:
        InputError: A directory does not exist, or a base recipe is wrong.
    """
    found = [item for start in directories for item in find(start, config, []) if item.kind is Kind.BASE]
    specs = (base.load_base(item.directory, config).base for item in found)
    return tuple(spec for spec in specs if spec is not None)


def head_of(found: Found, suffix: str = "") -> Head:
    """Read the name, version and date of a recipe that has a changelog.

    Args:
        found: Its directory.
        suffix: Ends the version.

    Raises:
        InputError: The changelog is missing or wrong.
    """
    changelog = found.directory / _CHANGELOG
    if not is_there(changelog):
        hint = "write one in Debian's format (`dch --create`); it says name and version"
        raise InputError("the service has no changelog", where=str(found.directory), hint=hint)
    head = read_head(changelog, found.tree)
    return replace(head, version=_version(head.version, suffix, changelog)) if suffix else head


def _version(version: str, suffix: str, where: Path) -> str:
    check_version(version + suffix, str(where))
    return version + suffix


def _suffixed(recipe: Recipe, config: TreeConfig, suffix: str) -> Recipe:
    if not suffix or recipe.reference in config.base_images:
        return recipe
    version = _version(recipe.version, suffix, recipe.directory / Kind.BASE)
    return replace(recipe, version=version)


def known_names(config: TreeConfig, heads: Sequence[Head]) -> dict[str, str]:
    """Return what ``image_tag`` knows; an entry of ``base_images`` goes before a recipe of that name.

    Args:
        config: The tree's configuration.
        heads: Name and version of every recipe.

    Returns:
        ``registry/namespace/name`` -> the reference that is written into a Dockerfile.

    Raises:
        InputError: An entry of ``base_images`` is no reference.
    """
    known = {config.full_name(head.name): f"{config.full_name(head.name)}:{head.version}" for head in heads}
    for entry in config.base_images:
        try:
            parsed = reference.parse(entry)
        except InputError as error:
            where = str(config.path or "config")
            raise InputError(f"`base_images` has `{entry}`: {error.message}", where=where, hint=error.hint) from error
        if parsed.tag:
            known[parsed.name] = entry
    return known


def _check_twice(named: Sequence[tuple[str, Path]]) -> None:
    seen: dict[str, Path] = {}
    for name, directory in named:
        if name in seen:
            hint = "rename one of them in its changelog or base.yaml"
            raise InputError(f"`{name}` is also the name of {seen[name]}", where=str(directory), hint=hint)
        seen[name] = directory


def _templates(config: TreeConfig, known: Mapping[str, str], cache: Path | None) -> Rendering:
    """Return what renders; this version's compiled templates are kept in a directory of their own."""
    import jinja2

    from ropewalk.recipe.template import Templates

    if cache is None:
        return Templates(config, known)
    directory = cache / f"{__version__}-jinja-{jinja2.__version__}"
    with suppress(OSError):  # then nothing is kept
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Templates(config, known, compiled=directory)


def load_tree(
    directories: Sequence[Path],
    config: TreeConfig,
    today: date | None = None,
    *,
    suffix: str = "",
    cache: Path | None = None,
    named: Callable[[Sequence[str]], None] | None = None,
) -> Loaded:
    """Read every recipe below some directories.

    Args:
        directories: Where to look; a recipe found twice counts once.
        config: The tree's configuration; services take registry and namespace from it too.
        today: The day on which allowed foreign parents are judged; None allows none.
        suffix: Ends every version, as nightly builds have it (``-20260105``). A base image that ``base_images`` names by
            its version keeps it, since recipes ask for that very image.
        cache: A directory, of nobody else's, where compiled templates are kept; None keeps none.
        named: Told the repositories of all recipes and base images (``registry/namespace/name``) before templates are
            rendered, which takes longest.

    Returns:
        The recipes by directory, and what was odd.

    Raises:
        InputError: A recipe is wrong, or two have one name; names file and line.
    """
    warnings: list[str] = []
    places = {item.directory.resolve(): item for start in directories for item in find(start, config, warnings)}
    heads: dict[Path, Head] = {}
    bases: dict[Path, Recipe] = {}
    for place, found in places.items():
        if found.kind is Kind.BASE:
            recipe = _suffixed(base.load_base(found.directory, config), config, suffix)
            bases[place], heads[place] = recipe, Head(recipe.name, recipe.version, 0)
        else:
            heads[place] = head_of(found, suffix)
    _check_twice([(heads[place].name, found.directory) for place, found in places.items()])
    known = known_names(config, tuple(heads.values()))
    made = [(item.directory, item.tree) for item in places.values() if item.kind is Kind.PRODUCTION]
    with bounded(config, known, made, lambda: _templates(config, known, cache)) as templates:
        if named is not None:
            named(tuple(known))
        # What reads Dockerfiles is loaded only now: by the time it is, the first answers are here.
        from ropewalk.recipe.production import load_production

        def load(place: Path, found: Found) -> Recipe:
            if found.kind is Kind.BASE:
                return bases[place]
            if found.kind is Kind.PRODUCTION:
                return load_production(found.directory, heads[place], templates, found.tree, today)
            from ropewalk.recipe.service.service import load_service

            rules = Rules(config, known, today, Kind.SERVICE)
            return load_service(found.directory, heads[place], rules, found.tree)

        recipes = tuple(given(load(place, found), config, directories) for place, found in places.items())
        warnings.extend(templates.warnings)
    return Loaded(recipes, tuple(warnings))


def given(recipe: Recipe, config: TreeConfig, directories: Sequence[Path]) -> Recipe:
    """Put in what a recipe has of its tree; no input of the image.

    Args:
        recipe: The recipe.
        config: The tree's configuration.
        directories: What was named when it was read.
    """
    proxy, roots = config.http_proxy or "", tuple(directories)
    found = replace(recipe, limits=config.limits, proxy=proxy, config=config.path, roots=roots)
    return replace(found, test_seconds=config.test_seconds, refuse=config.refuse)
