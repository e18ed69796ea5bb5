"""Service images: ``blubber.yaml`` and ``changelog``; ``production`` is published, ``test`` tests it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ropewalk.errors import InputError
from ropewalk.recipe.context import docker_ignored, load_context
from ropewalk.recipe.digest import Says
from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.head import Head
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.opened import read_text
from ropewalk.recipe.parents import Rules, parents
from ropewalk.recipe.recipe import Forbidden, Generation, Parent, ParentRole, Recipe, VariantTest
from ropewalk.recipe.service.phases import Variant
from ropewalk.recipe.service.render import render, stages
from ropewalk.recipe.service.schema import LOCAL, Python, read_blubber
from ropewalk.recipe.yamlfile import nearest

PUBLISHED = "production"
TESTED = "test"
_FRONTEND = re.compile(r"#\s*syntax\s*=\s*(\S*blubber\S*):v?([0-9]+)\.([0-9]+)[^\s]*\s*\Z")
_VENV_SINCE = (0, 23)


def _check_frontend(path: Path, made: Iterable[Variant]) -> None:
    """Refuse python of a Blubber that made wheels instead of a virtual environment."""
    match = _FRONTEND.match(read_text(path).split("\n", 1)[0])
    if match is None or (int(match[2]), int(match[3])) >= _VENV_SINCE:
        return
    if any(isinstance(builder, Python) for item in made for builder in item.builders):
        raise InputError(
            f"is written for Blubber {match[2]}.{match[3]}, whose python builder made /opt/lib/python/site-packages",
            where=f"{path}:1",
            hint="since 0.23 it is a virtual environment in /opt/lib/venv: drop PYTHONPATH, raise the syntax line",
        )


def _places(made: Iterable[Variant]) -> dict[str, str]:
    """Return where each image is named."""
    places: dict[str, str] = {}
    for item in made:
        places[item.settings.base] = item.settings.base_where
        places |= {artifact.origin: artifact.where for artifact in item.artifacts}
    return places


def load_service(directory: Path, head: Head, rules: Rules, tree: Path) -> Recipe:
    """Read a service's recipe.

    Args:
        directory: Holds ``blubber.yaml``; it is the build context.
        head: Its name, version and date.
        rules: What may be a parent.
        tree: The tree's root.

    Returns:
        The recipe: the variant ``production``, tested by the variant ``test`` where there is one.

    Raises:
        InputError: The file is wrong; names file and line.
    """
    path = directory / Kind.SERVICE
    config, blubber = rules.config, read_blubber(path, tree)
    if PUBLISHED not in blubber.variants:
        hint = f"{nearest(PUBLISHED, blubber.variants)} (the published variant is called {PUBLISHED})"
        raise InputError(f"there is no variant `{PUBLISHED}`", where=str(path), hint=hint)
    wanted = [name for name in (PUBLISHED, TESTED) if name in blubber.variants]
    made = [item for name in wanted for item in stages(name, blubber).values()]
    _check_frontend(path, made)
    text = render(PUBLISHED, blubber)
    test = VariantTest(render(TESTED, blubber)) if TESTED in blubber.variants else None
    rules = replace(rules, where=f"{path} (rendered)", places=_places(made))
    context = load_context(directory, tree, docker_ignored(directory, tree))
    says = Says(Generation.SERVICE, head, text, context, test=(test.dockerfile,) if test else ())
    return Recipe(
        generation=Generation.SERVICE,
        registry=config.registry,
        namespace=config.namespace,
        name=head.name,
        version=head.version,
        directory=directory.absolute(),
        digest=says.digest(),
        epoch=head.epoch,
        dockerfile=text,
        parents=_parents(text, test, rules),
        context=context,
        test=test,
        lacks=_lacking(made, [file.path for file in context]),
    )


def _lacking(made: Iterable[Variant], paths: Sequence[str]) -> Forbidden | None:
    """Say which local source is not in the build context; None where all are."""
    artifacts = (artifact for item in made for artifact in item.artifacts if artifact.origin == LOCAL)
    gone = next((artifact for artifact in artifacts if not _is_there(artifact.source, paths)), None)
    if gone is None:
        return None
    hint = "put it there, correct the name, or take it out of .dockerignore"
    return Forbidden(f"{gone.where}: `{gone.source}` is not in the service's directory", hint)


def _is_there(source: str, paths: Sequence[str]) -> bool:
    """Match a source of ``COPY`` as its builders do (Go's ``filepath.Match``); what it escapes is left to them."""
    parts = PurePosixPath(source.replace("[^", "[!")).parts
    if not parts or "\\" in source:
        return True
    cut = (PurePosixPath(path).parts for path in paths)
    return any(len(own) == len(parts) and all(map(fnmatchcase, own, parts)) for own in cut)


def _parents(text: str, test: VariantTest | None, rules: Rules) -> tuple[Parent, ...]:
    """Return the parents; what only the test needs is a build parent."""
    found = list(parents(parse(text, rules.where), rules))
    if test is not None:
        have = {parent.reference for parent in found}
        more = parents(parse(test.dockerfile, rules.where), rules)
        found += [replace(item, role=ParentRole.BUILD) for item in more if item.reference not in have]
    return tuple(found)
