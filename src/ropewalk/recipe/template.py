"""``Dockerfile.template``: Jinja2 with docker-pkg's filters, sandboxed.

The filters give the same bytes as docker-pkg 4, odd blanks included, so that a tree renders unchanged.
"""

import copy
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import jinja2
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from ropewalk.errors import InputError
from ropewalk.recipe.config import TreeConfig
from ropewalk.recipe.kind import Kind
from ropewalk.recipe.opened import inside, is_there, read_text
from ropewalk.recipe.yamlfile import nearest

_PROXY_FILE = "/etc/apt/apt.conf.d/80_proxy"
_CLEAN = "&& apt-get clean && rm -rf /var/lib/apt/lists/* "


class _Fault(Exception):
    """A filter cannot answer; `render` adds file and line."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Filters:
    """docker-pkg's filters.

    Attributes:
        config: The tree's configuration.
        known: ``registry/namespace/name`` to the reference that ``image_tag`` prints.
        warn: Takes each warning.
    """

    config: TreeConfig
    known: Mapping[str, str]
    warn: Callable[[str], None]

    def image_tag(self, name: str) -> str:
        """Return the full reference of a recipe or base image."""
        found = self.known.get(self.config.full_name(name))
        if found is None:
            start = self.config.full_name("")
            names = [full.removeprefix(start).lstrip("/") for full in self.known]
            raise _Fault(f"image_tag: no recipe and no base image is called `{name}`", nearest(name, names))
        return found

    @staticmethod
    def upstream_version(reference: str) -> str:
        """Return the upstream part of a reference's version: what stands before the first ``-``."""
        _, colon, tag = reference.rpartition(":")
        if not colon or "/" in tag:
            raise _Fault(f"upstream_version: `{reference}` has no tag", 'write `"name" | image_tag | upstream_version`')
        return tag.partition("-")[0]

    def uid(self, user: str) -> str:
        """Return a user's number; its name, with a warning, where none is known."""
        number = dict(self.config.known_uid_mappings).get(user)
        if number is None:
            self.warn(f"no uid is known for the user `{user}`; add it to `known_uid_mappings`")
            return user
        return str(number)

    def add_user(self, user: str) -> str:
        """Return the commands that add a user and its group under the known number."""
        mappings = dict(self.config.known_uid_mappings)
        if user not in mappings:
            raise _Fault(f"add_user: no uid is known for `{user}`", "add it to `known_uid_mappings` in the config")
        number = mappings[user]
        home = f"/var/lib/{user}"
        return f"groupadd -o -g {number} -r {user} && useradd -l -o -r -m -d {home} -g {user} -u {number} {user}"

    def apt_install(self, packages: str) -> str:
        """Return the commands that install packages and leave no lists."""
        options, proxy = self.config.apt_options, self.config.apt_only_proxy
        names = packages.replace("\n", " ")
        update = f"apt-get update {options} "
        lines = [self._set_proxy(proxy), f"    && {update}"] if proxy else [update]
        lines.append("    && DEBIAN_FRONTEND=noninteractive ")
        lines.append(f"    apt-get install {options} --yes {names} --no-install-recommends ")
        return "\\\n".join([*lines, *self._end(proxy)])

    def apt_remove(self, packages: str) -> str:
        """Return the commands that purge packages."""
        proxy = self.config.apt_only_proxy
        # With a proxy docker-pkg's text runs on after a backslash that the shell drops: kept for the same bytes.
        start = f"{self._set_proxy(proxy)} && \\" if proxy else ""
        remove = f"apt-get update && DEBIAN_FRONTEND=noninteractive apt-get remove --yes --purge {packages} "
        return "\\\n".join([start + remove, *self._end(proxy)])

    @staticmethod
    def _set_proxy(proxy: str) -> str:
        return f"echo 'Acquire::http::Proxy \"{proxy}\";' > {_PROXY_FILE} "

    @staticmethod
    def _end(proxy: str | None) -> list[str]:
        return [f"    && rm -f {_PROXY_FILE} ", f"    {_CLEAN}"] if proxy else [f"    {_CLEAN}"]

    def named(self) -> dict[str, Callable[[Context, str], str]]:
        """Return the filters by name."""
        names = ("image_tag", "upstream_version", "uid", "add_user", "apt_install", "apt_remove")
        return {name: _when_run(getattr(self, name)) for name in names}


def _when_run(function: Callable[[str], str]) -> Callable[[Context, str], str]:
    """Keep Jinja from calling a filter while it compiles: kept templates would hold the answer of another day."""

    @jinja2.pass_context
    def named(_: Context, value: str) -> str:
        return function(value)

    return named


@dataclass(frozen=True, slots=True)
class Templates:
    """Renders the templates of one tree.

    Attributes:
        config: The tree's configuration: what templates see.
        known: Full names to references; see `Filters`.
        warnings: Grows by what the filters warn of.
        compiled: Where compiled templates are kept, each checked against its source; None keeps none.
    """

    config: TreeConfig
    known: Mapping[str, str]
    warnings: list[str] = field(default_factory=list)
    compiled: Path | None = None

    def render(self, directory: Path, tree: Path) -> str:
        """Render a recipe's Dockerfile.

        Args:
            directory: The recipe's directory, from which templates are loaded.
            tree: The tree's root; a link that leaves it is refused.

        Returns:
            The Dockerfile.

        Raises:
            InputError: The template is wrong; names file and line.
        """
        loader = _Loader(directory, tree)
        environment = SandboxedEnvironment(
            extensions=["jinja2.ext.do"],
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            loader=jinja2.FunctionLoader(loader.load),
            bytecode_cache=_Compiled(str(self.compiled), "run-%s") if self.compiled else None,
        )
        where = directory / Kind.PRODUCTION
        filters = Filters(self.config, self.known, lambda text: self.warnings.append(f"{where}: {text}"))
        environment.filters.update(filters.named())
        try:
            # A copy, so that `do` in one template changes nothing for the next.
            return environment.get_template(Kind.PRODUCTION.value).render(copy.deepcopy(self.config.context()))
        except jinja2.TemplateSyntaxError as error:
            place = f"{error.filename or where}:{error.lineno}"
            raise InputError(f"is no template: {error.message}", where=place, hint="mend the line") from error
        except (InputError, MemoryError):
            raise
        except Exception as error:
            raise _wrong(error, loader.files, where, self.config.path or "the config") from error


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Compiled templates on disk; where it is full or may not be written, nothing is kept."""

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


class _Loader:
    """Loads templates from the recipe's directory only."""

    def __init__(self, directory: Path, tree: Path) -> None:
        self._directory = directory
        self._tree = tree
        self.files: set[str] = set()

    def load(self, name: str) -> tuple[str, str, None] | None:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            return None
        path = self._directory / name
        if not is_there(path):
            return None
        # Only a name with directories may pass a link before its last part.
        text = read_text(inside(path, self._tree) if "/" in name else path, self._tree)
        self.files.add(str(path))
        return text, str(path), None


def _wrong(error: Exception, files: set[str], where: Path, config: Path | str) -> InputError:
    """Say what went wrong in a template, at its line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(where)
    if isinstance(error, _Fault):
        return InputError(str(error), where=place, hint=error.hint)
    if isinstance(error, jinja2.UndefinedError):
        return InputError(f"{error.message}", where=place, hint=f"set it in {config} or in the template")
    if isinstance(error, jinja2.TemplateNotFound):
        hint = "templates are loaded from the recipe's directory"
        return InputError(f"there is no template `{error.name}`", where=place, hint=hint)
    return InputError(f"{type(error).__name__}: {error}", where=place, hint="mend the template")
