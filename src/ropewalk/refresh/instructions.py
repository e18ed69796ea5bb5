"""What the instructions of a Dockerfile may have computed from the parent image (refusal rule 9); pure.

A layer of files that were only copied, unpacked by dpkg or made by a command that reads nothing of the parent stays right on
a new parent. Known generators stay right while their inputs do. What any other command made is not known.
"""

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.recipe.dockerfile import Dockerfile, Instruction


class Kind(StrEnum):
    """What a command can leave behind."""

    SIMPLE = "simple"
    """It computes nothing from the parent, apart from where its arguments say so."""
    GENERATOR = "generator"
    """It computes from inputs that are known."""
    UNKNOWN = "unknown"
    """It may compute from anything."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a RUN.

    Attributes:
        command: The command for people.
        line: Its instruction's line in the Dockerfile.
        kind: What it can leave behind.
        inputs: Regular expressions for the start of paths that it depends on.
        interpreter: A regular expression for packages whose upstream version it depends on; empty for none.
    """

    command: str
    line: int
    kind: Kind
    inputs: tuple[str, ...] = ()
    interpreter: str = ""


@dataclass(frozen=True, slots=True)
class Generator:
    """A program that computes files from inputs that are known.

    Attributes:
        inputs: Regular expressions for the start of paths that it depends on.
        interpreter: A regular expression for packages whose upstream version decides what it makes.
    """

    inputs: tuple[str, ...]
    interpreter: str = ""


_SIMPLE = frozenset(
    {
        "cd",
        "apt-get",
        "dpkg",
        "useradd",
        "groupadd",
        "usermod",
        "mkdir",
        "chown",
        "chmod",
        "ln",
        "install",
        "rm",
        "rmdir",
    }
    | {"true", ":", "set", "export", "dpkg-divert"}
)
_READERS = frozenset({"getent", "id"})
"""They tell of users; what follows may depend on the answer."""
_USERS = ("etc/passwd$", "etc/group$")
_PIP = re.compile(r"(?:.*/)?pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
_PYTHON_MODULES = frozenset({"pip", "venv", "ensurepip"})
PYTHON_INPUTS = (
    r"usr/(?:local/)?bin/python3?$",
    r"usr/lib/python3(?:\.\d+)?/(?:venv|ensurepip)/",
    r"usr/lib/python3\.\d+/(?:_sysconfigdata[^/]*|sysconfig|py_compile|compileall)\.py$",
    r"usr/lib/python3/dist-packages/(?:pip|setuptools|wheel|pkg_resources|_distutils_hack)[/-]",
    r"usr/lib/python3/dist-packages/[^/]+\.(?:dist|egg)-info(?:/|$)",
    r"usr/share/python-wheels/",
    r"etc/pip\.conf$",
)
"""What pip and venv take from the parent: which interpreter ``python3`` is, and what they copy into a new environment."""

PYTHON = Generator(PYTHON_INPUTS, r"python3(?:\.\d+)?-minimal")
"""``pyvenv.cfg`` says the interpreter's version to the last digit."""
NODE = Generator(
    (r"usr/bin/(?:node|nodejs|npm|npx)$", r"usr/share/(?:nodejs|npm)/", r"usr/include/node(?:js)?/", r"etc/npmrc$"),
    r"nodejs|libnode\d+",
)
"""npm reads its own modules; what it compiles is for this very version of Node.js (node-gyp)."""
COMPOSER = Generator((r"usr/bin/composer$", r"usr/share/php/Composer/", r"etc/alternatives/php$", r"usr/bin/php$"))
"""Which ``php`` stands behind the name says its minor version; Debian packages of each minor version have names of their own."""
_SUBCOMMANDS = {
    "npm": (NODE, frozenset({"ci", "install", "i", "prune", "cache"})),
    "composer": (COMPOSER, frozenset({"install", "clear-cache"})),
}
"""What of npm and composer runs nothing but themselves and what the packages bring."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SILENCE = re.compile(r"[12]?>{1,2}\s*/dev/null(?=[\s;&|)]|$)|[12]?>&[12]")
_SEPARATOR = re.compile(r"(?:&&|\|\||;|\(|\))+")
_HEREDOC = re.compile(r"<<-?(['\"]?)(?P<word>\w+)\1\n(?P<script>.*)\n(?P=word)\s*", re.DOTALL)
_PUNCTUATION = re.compile(r"[();<>|&]+")
_ANYTHING = ("",)
_CD = 2
"""Words of a ``cd`` that says where to."""
_SHOWN = 60
"""Characters of a command that a reason shows."""
_DOES_NOTHING = frozenset(
    {"ARG", "CMD", "COPY", "ADD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD"}
    | {"STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)


def classify(dockerfile: Dockerfile) -> tuple[Step, ...]:
    """Say what each command of the final stage can leave behind.

    Args:
        dockerfile: The rendered Dockerfile; other stages are build parents' affair (rule 4).

    Returns:
        One step for each command of each RUN, in order, also of stages that the final one stands on.
    """
    steps: list[Step] = []
    directory: str | None = ""
    for stage in dockerfile.standing_on():
        for instruction in stage.instructions:
            if instruction.keyword == "WORKDIR":
                directory = _into(directory, instruction.value)
            elif instruction.keyword == "RUN":
                steps += _steps(instruction, directory)
            elif instruction.keyword not in _DOES_NOTHING:
                steps.append(Step(instruction.keyword, instruction.line, Kind.UNKNOWN))
    return tuple(steps)


def _into(directory: str | None, value: str) -> str | None:
    """Follow a WORKDIR; None where a variable hides it."""
    path = value.strip().strip("\"'")
    if "$" in path:
        return None
    if path.startswith("/"):
        return posixpath.normpath(path).lstrip("/")
    return None if directory is None else posixpath.normpath(posixpath.join(directory, path))


def _steps(instruction: Instruction, directory: str | None) -> Iterator[Step]:
    text = instruction.value.strip()
    if instruction.flags or text.startswith("["):
        yield Step(_short(text), instruction.line, Kind.UNKNOWN)
        return
    commands = _commands(text)
    if commands is None:
        yield Step(_short(text), instruction.line, Kind.UNKNOWN)
        return
    leaves = any(words[0] == "cd" for words in commands)
    for words in commands:
        if words[0] == "cd":
            # Where a subshell ends is not known here, nor where a failed command left the shell.
            directory = _into(directory, words[1]) if len(words) == _CD and "(" not in text else None
        yield _judge(words, instruction.line, None if leaves and "(" in text else directory)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def _commands(text: str) -> list[list[str]] | None:
    """Cut a shell line into commands without their assignments; None where it does more than run one after the other."""
    script = _HEREDOC.fullmatch(text)
    text = script["script"] if script else text
    if "`" in text or "$(" in text or "<<" in text:
        return None
    lexer = shlex.shlex(_SILENCE.sub(" ", text.replace("\n", " ; ")), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    try:
        words = list(lexer)
    except ValueError:
        return None
    for word in words:
        if _SEPARATOR.fullmatch(word):
            commands.append([])
        elif _PUNCTUATION.fullmatch(word):
            return None
        elif commands[-1] or not _ASSIGNMENT.fullmatch(word):
            commands[-1].append(word)
    return [words for words in commands if words]


def _judge(words: list[str], line: int, directory: str | None) -> Step:
    name, arguments, said = words[0], words[1:], _short(" ".join(words))
    generator = _generator(name, arguments)
    if generator is not None:
        return Step(said, line, Kind.GENERATOR, generator.inputs, generator.interpreter)
    if name in _READERS:
        return Step(said, line, Kind.SIMPLE, _USERS)
    if name not in _SIMPLE:
        return Step(said, line, Kind.UNKNOWN)
    return Step(said, line, Kind.SIMPLE, tuple(_reach(name, arguments, directory)))


def _generator(name: str, arguments: list[str]) -> Generator | None:
    if _PIP.fullmatch(name):
        return PYTHON
    if name in _SUBCOMMANDS:
        generator, known = _SUBCOMMANDS[name]
        return generator if next((word for word in arguments if not word.startswith("-")), "") in known else None
    module = arguments[1] if arguments[:1] == ["-m"] and len(arguments) > 1 else ""
    return PYTHON if _PYTHON.fullmatch(name) and module in _PYTHON_MODULES else None


def _reach(name: str, arguments: list[str], directory: str | None) -> Iterable[str]:
    """Return what a command on many paths at once (a glob, a whole directory) depends on."""
    if name not in {"chown", "chmod", "rm", "install", "ln"}:
        return
    recursive = any(re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive", word) for word in arguments)
    for word in arguments:
        glob = re.search(r"[*?\[{]", word)
        if word.startswith("-") or not (recursive or glob):
            continue
        if "$" in word or (directory is None and not word.startswith("/")):
            yield from _ANYTHING
            return
        start = word[: glob.start()] if glob else word.rstrip("/") + "/"
        absolute = start if start.startswith("/") else f"/{directory}/{start}"
        yield re.escape(posixpath.normpath(absolute).lstrip("/") + ("/" if start.endswith("/") else ""))


def touched(inputs: Iterable[str], paths: Iterable[str]) -> str:
    """Return the first path that one of the inputs matches; empty where there is none.

    Args:
        inputs: Regular expressions for the start of paths.
        paths: Changed paths.
    """
    patterns = tuple(inputs)
    if not patterns:
        return ""
    expression = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    return next((path for path in paths if expression.match(path)), "")
