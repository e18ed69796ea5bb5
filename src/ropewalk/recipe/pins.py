"""What a build takes from elsewhere than the archive, and whether a hash says what it must be. Nothing is run.

apt's packages are pinned by the lock. pip checks hashes where the requirements name them (and refuses a file that names them
for some only), ``npm ci`` checks the integrity fields of ``package-lock.json``. What else a RUN fetches is named as it is
written; what a program or a script that is copied in fetches by itself is not seen.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ropewalk.recipe.dockerfile import parse
from ropewalk.recipe.lint.shell import commands
from ropewalk.recipe.packagelock import without_integrity
from ropewalk.recipe.recipe import ContextFile, Recipe
from ropewalk.recipe.requirements import unhashed

_LARGEST = 8 << 20
"""Bytes of a file that is read; requirements and locks are smaller."""
_SHOWN = 60
"""Characters of a command that a reason shows."""
_NAMED = 3
"""Names that a reason shows."""
_PIP = re.compile(r"pip[0-9.]*")
_PYTHON = re.compile(r"python[0-9.]*")
_CHECKED = re.compile(
    r"\b(?:sha(?:256|384|512)sum|shasum)\s[^|;&]*(?:-c|--check)\b|\bgpgv?\s[^|;&]*--verify\b|\bgpgv\s"
)
_LOCAL = re.compile(r"://(?:localhost|127\.0\.0\.1|\[::1\])[:/]")
_FETCHERS: dict[str, frozenset[str]] = {
    "curl": frozenset(),
    "wget": frozenset(),
    "git": frozenset({"clone", "fetch", "pull", "submodule"}),
    "go": frozenset({"get", "install"}),
    "cargo": frozenset({"install"}),
    "gem": frozenset({"install"}),
    "composer": frozenset({"install", "update", "require"}),
    "yarn": frozenset(),
    "pnpm": frozenset(),
}
"""Programs that fetch, each with the words that make it do so; none means always."""
_PIP_VERBS = frozenset({"install", "download", "wheel"})
_PIP_VALUED = frozenset(
    {
        *("-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links"),
        *("-t", "--target", "--prefix", "--root", "--platform", "--python-version", "--progress-bar", "--cache-dir"),
        *("-e", "--editable", "--trusted-host", "--timeout", "--retries", "--cert", "--proxy", "--no-binary", "--log"),
        *("--only-binary", "--config-settings", "--src", "--upgrade-strategy", "--global-option"),
    }
)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a build takes from elsewhere than the archive.

    Attributes:
        hashed: What is checked by hash: ``requirements.txt``, ``package-lock.json``.
        unpinned: What nothing pins, each with the reason.
    """

    hashed: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()


def outside(recipe: Recipe) -> Outside:
    """Say what a recipe's build takes from elsewhere than the archive.

    Args:
        recipe: The recipe; files of its context are read.
    """
    return outside_of(recipe.dockerfile, recipe.context)


def outside_of(dockerfile: str, context: Sequence[ContextFile]) -> Outside:
    """Say what a Dockerfile takes from elsewhere than the archive, in any of its stages.

    Args:
        dockerfile: The rendered Dockerfile; empty for a base image.
        context: The build context; files of it are read.
    """
    if not dockerfile:
        return Outside()
    files = _Files(tuple(context))
    found: list[tuple[str, str]] = []
    for stage in parse(dockerfile).stages:
        for instruction in stage.instructions:
            if instruction.keyword == "RUN":
                found += _of_run(_shell(instruction.value), files)
            elif instruction.keyword == "ADD" and re.search(r"\bhttps?://", instruction.value):
                found += [] if instruction.flag("checksum") else [("", _unchecked(f"ADD {instruction.value}"))]
    hashed = dict.fromkeys(name for name, reason in found if name and not reason)
    return Outside(tuple(hashed), tuple(dict.fromkeys(reason for _, reason in found if reason)))


@dataclass(frozen=True, slots=True)
class _Files:
    """The build context's files by name; a COPY may have put them anywhere."""

    context: tuple[ContextFile, ...]

    def find(self, path: str) -> str:
        """Return the context's path of a file that a command names; the name itself where there is none."""
        clean, name = posixpath.normpath(path).lstrip("/"), posixpath.basename(path)
        paths = [file.path for file in self.context if not file.directory]
        same = [one for one in paths if one == clean]
        return next(iter(same or (one for one in paths if posixpath.basename(one) == name)), clean)

    def read(self, path: str) -> str | None:
        """Return a file's text; None where it is not there or too large to be what it should be."""
        for file in self.context:
            if file.path == path and not file.directory and file.source.stat().st_size <= _LARGEST:
                return file.source.read_text("utf-8", "replace")
        return None


def _shell(value: str) -> str:
    """Return the shell text of a RUN; of the exec form its script, or its words."""
    try:
        words = json.loads(value)
    except ValueError:
        return value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return value
    return words[2] if len(words) > 2 and words[1] == "-c" else " ".join(words)  # noqa: PLR2004  # sh -c SCRIPT


def _of_run(text: str, files: _Files) -> Iterator[tuple[str, str]]:
    """Yield what a RUN takes: (a name, nothing) where it is checked by hash, else (a name, why it is not)."""
    checked = _CHECKED.search(text) is not None
    for words in commands(text):
        name, arguments = posixpath.basename(words[0]), words[1:]
        if _PYTHON.fullmatch(name) and arguments[:2] == ("-m", "pip"):
            name, arguments = "pip", arguments[2:]
        if name == "uv" and arguments[:1] == ("pip",):
            name, arguments = "pip", arguments[1:]
        if _PIP.fullmatch(name) and _PIP_VERBS & {*arguments}:
            yield from _of_pip(words, arguments, files)
        elif name == "npm":
            yield from _of_npm(words, arguments, files)
        elif _fetches(name, arguments) and not checked:
            yield "", _unchecked(" ".join(words))


def _fetches(name: str, arguments: Sequence[str]) -> bool:
    if name not in _FETCHERS or any(_LOCAL.search(word) for word in arguments) or "--version" in arguments:
        return False
    return not _FETCHERS[name] or bool(_FETCHERS[name] & {*arguments})


def _of_pip(words: Sequence[str], arguments: Sequence[str], files: _Files) -> Iterator[tuple[str, str]]:
    if "--no-index" in arguments:
        return
    named, listed = _pip_arguments(arguments)
    if any(not re.match(r"[./$]|file:", name) for name in named):
        yield "pip", f"`{_short(' '.join(words))}`: names no hash; list it with --hash in a requirements file"
    if any(re.match(r"[./]", name) for name in named) and "--no-deps" not in arguments:
        yield (
            "pip",
            f"`{_short(' '.join(words))}`: what it depends on has no hash; install that from a requirements file",
        )
    for path in listed:
        found = files.find(path)
        left = unhashed(found, files.read)
        yield from ((one.path, _left_open(one.path, one.names, "hash", missing=one.missing)) for one in left)
        if not left:
            yield found, ""


def _pip_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what pip is told to install by name, and its requirements files."""
    named, listed, before = [], [], ""
    for word in arguments:
        option, _, value = word.partition("=")
        if before in {"-r", "--requirement"}:
            listed.append(word)
        elif word.startswith("--requirement="):
            listed.append(value)
        elif re.match(r"-r.", word):
            listed.append(word[2:])
        elif before in {"", "-e", "--editable"} and not word.startswith("-") and word not in _PIP_VERBS:
            named.append(word)
        before = option if word in _PIP_VALUED and not before else ""
    return named, listed


def _of_npm(words: Sequence[str], arguments: Sequence[str], files: _Files) -> Iterator[tuple[str, str]]:
    verb = next((word for word in arguments if not word.startswith("-")), "")
    if verb in {"install", "i", "add", "update"}:
        yield (
            "npm",
            f"`{_short(' '.join(words))}`: takes what package.json allows; `npm ci` takes what package-lock.json names",
        )
    elif verb in {"ci", "clean-install"}:
        path = files.find("npm-shrinkwrap.json")
        path = path if files.read(path) is not None else files.find("package-lock.json")
        text = files.read(path)
        names = None if text is None else without_integrity(text)
        if names is None:
            yield path, f"{path}: is not in the build context, or is no lock file of npm"
        else:
            yield path, _left_open(path, names, "integrity") if names else ""


def _left_open(path: str, names: Sequence[str], what: str, *, missing: bool = False) -> str:
    if missing:
        return f"{path}: is not in the build context, so its hashes cannot be read"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{path}: no {what} for {', '.join(_short(name) for name in names[:_NAMED])}{more}"


def _unchecked(command: str) -> str:
    return f"`{_short(command)}`: nothing checks by hash what it fetches"


def _short(text: str) -> str:
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
