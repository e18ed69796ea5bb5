"""Production images in docker-pkg's format: ``Dockerfile.template``, ``changelog``, ``control``, ``test.sh``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ropewalk.debian.control import paragraphs
from ropewalk.errors import InputError
from ropewalk.recipe.bounds import Rendering
from ropewalk.recipe.context import docker_pkg_ignored, load_context
from ropewalk.recipe.digest import Says
from ropewalk.recipe.dockerfile import Dockerfile, parse
from ropewalk.recipe.head import Head
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.opened import is_there, read_text
from ropewalk.recipe.parents import Rules, parents
from ropewalk.recipe.recipe import Generation, Recipe
from ropewalk.recipe.script import script_test

_FIELD = re.compile(r"[!-,.-9;-~][!-9;-~]*:")
"""A field's name: printable ASCII but no colon, no hyphen first (Debian Policy 5.1)."""
_NUMERIC_USER = re.compile(r"[0-9]+(:[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Control:
    """What ``control`` says.

    Attributes:
        depends: Names in ``Depends`` and ``Build-Depends`` of every paragraph, without versions, each once.
        rebase: False where a paragraph says ``Rebase: never``.
    """

    depends: tuple[str, ...] = ()
    rebase: bool = True


def _field_line(text: str, name: str) -> int:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.lower().startswith(f"{name}:")), 1)


def _check_fields(text: str, path: Path) -> None:
    """Refuse a line that is no field, no continuation of one and no comment (deb822(5)): what it was to say is lost."""
    open_field = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            open_field = False
        elif line[0] in " \t" and open_field:
            continue
        elif _FIELD.match(line):
            open_field = True
        else:
            hint = "write `Depends: NAME, NAME`; a value goes on in lines that begin with a space"
            raise InputError(f"`{line.strip()}` is no field", where=f"{path}:{number}", hint=hint)


def _names(field: str) -> Iterator[str]:
    for part in field.split(","):
        if name := part.strip():
            yield name


def read_control(path: Path, tree: Path | None = None) -> Control:
    """Read a recipe's ``control``.

    Args:
        path: The file; it need not exist.
        tree: The tree's root; see `read_text`.

    Raises:
        InputError: It cannot be read, a line is no field, or ``Rebase`` says something else than ``never``.
    """
    if not is_there(path):
        return Control()
    text = read_text(path, tree)
    _check_fields(text, path)
    depends: dict[str, None] = {}
    rebase = True
    for paragraph in paragraphs(text):
        given = {name.lower(): value for name, value in paragraph.items()}
        for field in ("build-depends", "depends"):
            depends |= dict.fromkeys(_names(given.get(field, "")))
        said = given.get("rebase", "")
        if said and said.strip() != "never":
            where = f"{path}:{_field_line(text, 'rebase')}"
            raise InputError(
                f"`Rebase: {said.strip()}` is not known", where=where, hint="write `Rebase: never` or nothing"
            )
        rebase = rebase and not said
    return Control(tuple(depends), rebase)


_LOST = frozenset({"HEALTHCHECK", "ONBUILD"})


def check_user(dockerfile: Dockerfile, where: str) -> None:
    """Refuse a last ``USER`` that is a name (``force_numeric_user``).

    Args:
        dockerfile: The rendered Dockerfile.
        where: What to call it in errors.

    Raises:
        InputError: It is one.
    """
    users = [item for stage in dockerfile.stages for item in stage.instructions if item.keyword == "USER"]
    if users and not _NUMERIC_USER.fullmatch(users[-1].value):
        raise InputError(
            f"the last USER is `{users[-1].value}`, no number (`force_numeric_user` is set)",
            where=f"{where}:{users[-1].line}",
            hint='write USER {{ "name" | uid }} and add the name to `known_uid_mappings`',
        )


def lost(dockerfile: Dockerfile, where: str) -> list[str]:
    """Name the instructions whose result has no place in an OCI image (image-spec, config.md).

    Args:
        dockerfile: The rendered Dockerfile.
        where: What to call it.
    """
    found = (item for stage in dockerfile.standing_on() for item in stage.instructions if item.keyword in _LOST)
    return [f"{where}:{item.line}: {item.keyword} has no place in an OCI image and is left out" for item in found]


def load_production(directory: Path, head: Head, templates: Rendering, tree: Path, today: date | None) -> Recipe:
    """Read a production image's recipe.

    Args:
        directory: The recipe's directory.
        head: Its name, version and date.
        templates: Renders the tree's templates; knows every name.
        tree: The tree's root.
        today: The day on which foreign parents are judged; None allows none.

    Returns:
        The recipe.

    Raises:
        InputError: A file of it is wrong; names file and line.
    """
    config = templates.config
    control = read_control(directory / "control", tree)
    context = load_context(directory, tree, docker_pkg_ignored(directory, tree))
    text = templates.render(directory, tree)
    where = f"{directory / Kind.PRODUCTION} (rendered)"
    dockerfile = parse(text, where)
    if config.force_numeric_user:
        check_user(dockerfile, where)
    templates.warnings.extend(lost(dockerfile, where))
    full_names = (config.full_name(name) for name in control.depends)
    depends = [templates.known[name] for name in full_names if name in templates.known]
    test, tested = script_test(directory, config, tree)
    says = Says(Generation.PRODUCTION, head, text, context, test=tested, rebase=control.rebase)
    return Recipe(
        generation=Generation.PRODUCTION,
        registry=config.registry,
        namespace=config.namespace,
        name=head.name,
        version=head.version,
        directory=directory.absolute(),
        digest=says.digest(),
        epoch=head.epoch,
        dockerfile=text,
        parents=parents(dockerfile, Rules(config, templates.known, today, where), depends),
        context=context,
        test=test,
        rebase=control.rebase,
    )
