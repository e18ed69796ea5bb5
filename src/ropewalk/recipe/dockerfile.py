"""Dockerfiles as Docker reads them: directives, comments, continuations, flags, heredocs, ARG before FROM.

Written after Docker's Dockerfile reference; the instructions' own arguments are left to the builder.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ropewalk.errors import InputError

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\"[^\"]*\"|'[^']*'|\S*))?(?:\s+|\Z)")
_HEREDOC = re.compile(r"[0-9]*<<(-?)(['\"]?)([^<'\"\s]+)\2")
_HEREDOC_KEYWORDS = frozenset({"RUN", "COPY", "ADD"})
_FLAG_KEYWORDS = _HEREDOC_KEYWORDS | {"FROM", "HEALTHCHECK"}
_KEYWORDS = _FLAG_KEYWORDS | {
    *("ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "MAINTAINER", "ONBUILD"),
    *("SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
_FROM = re.compile(r"(\S+)(?:\s+[Aa][Ss]\s+(\S+))?")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST = 20
"""Levels of ``${A:-${B}}``; what is below stays as it is written."""
_OPERATOR = re.compile(r":?[-+?]")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: In upper case.
        flags: ``--name=value`` in order; a flag without a value has an empty one.
        value: The rest, continuations joined, with heredocs after a newline.
        line: Its first line, counted from 1.
        last_line: Its last line.
    """

    keyword: str
    flags: tuple[tuple[str, str], ...]
    value: str
    line: int
    last_line: int

    def flag(self, name: str) -> str:
        """Return a flag's last value; empty where it is not given."""
        return dict(self.flags).get(name, "")


@dataclass(frozen=True, slots=True)
class Stage:
    """A ``FROM`` and what follows it.

    Attributes:
        base: The image or the earlier stage, arguments expanded.
        alias: Its own name, in lower case; empty where it has none.
        platform: ``--platform``, arguments expanded; empty where it is not given.
        line: The line of its ``FROM``.
        instructions: What follows.
        last_line: The last line of its ``FROM``.
    """

    base: str
    alias: str
    platform: str
    line: int
    instructions: tuple[Instruction, ...]
    last_line: int


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed Dockerfile.

    Attributes:
        arguments: ``ARG``s before the first ``FROM``, with their defaults; None where one has none.
        stages: At least one.
    """

    arguments: tuple[tuple[str, str | None], ...]
    stages: tuple[Stage, ...]

    def standing_on(self) -> tuple[Stage, ...]:
        """Return the final stage, with the stages that it is made FROM before it."""
        by_alias = {stage.alias: stage for stage in self.stages if stage.alias}
        chain = [self.stages[-1]]
        while (below := by_alias.get(chain[0].base.lower())) is not None and below not in chain:
            chain.insert(0, below)
        return tuple(chain)

    def labels(self) -> str:
        """Return the text of the ``LABEL`` instructions that the image gets."""
        found = (item for stage in self.standing_on() for item in stage.instructions if item.keyword == "LABEL")
        return "\n".join(item.value for item in found)


def expand(text: str, values: Mapping[str, str], depth: int = 0) -> str:
    """Put variables in: ``$X``, ``${X}``, ``${X:-default}``, ``${X:+other}``; a backslash keeps the next character.

    Args:
        text: What may hold variables.
        values: Their values; an unknown one is empty.
        depth: How many braces ``text`` stands in.
    """
    if depth > _DEEPEST:
        return text
    out, index = [], 0
    while index < len(text):
        character, rest = text[index], text[index + 1 :]
        if character == "\\" and rest:
            out.append(rest[0])
            index += 2
        elif character == "$" and (match := _NAME.match(rest)):
            out.append(values.get(match[0], ""))
            index += 1 + match.end()
        elif character == "$" and rest.startswith("{") and (end := _closing(text, index + 1)):
            out.append(_braced(text[index + 2 : end], values, depth + 1))
            index = end + 1
        else:
            out.append(character)
            index += 1
    return "".join(out)


def _closing(text: str, start: int) -> int:
    """Return the index of the brace that closes the one at ``start``; 0 where none does."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return 0


def _braced(inner: str, values: Mapping[str, str], depth: int) -> str:
    """Return what ``${inner}`` stands for."""
    name = _NAME.match(inner)
    if name is None:
        return ""
    value = values.get(name[0])
    operator = _OPERATOR.match(inner, name.end())
    if operator is None:
        return value or ""
    there = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        return expand(inner[operator.end() :], values, depth) if there else ""
    if operator[0].endswith("-") and not there:
        return expand(inner[operator.end() :], values, depth)
    return value or ""


@dataclass(frozen=True, slots=True)
class _Source:
    """The lines of a Dockerfile and where they come from."""

    lines: tuple[str, ...]
    where: str
    escape: str

    def fault(self, number: int, message: str, hint: str) -> InputError:
        return InputError(message, where=f"{self.where}:{number}", hint=hint)


def _escape(lines: list[str]) -> str:
    """Return the escape character: directives stand above everything else."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


@dataclass(frozen=True, slots=True)
class _Heredoc:
    """A heredoc: the word that ends it, and whether leading tabs are dropped."""

    word: str
    tabs: bool


def _heredocs(value: str) -> list[_Heredoc]:
    """Return the heredocs that a line asks for."""
    found: list[_Heredoc] = []
    if "<<" not in value:
        return found
    quote = ""
    index = 0
    while index < len(value):
        character = value[index]
        if character == "\\" and quote != "'":
            index += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif (index == 0 or value[index - 1].isspace()) and (match := _HEREDOC.match(value, index)):
            found.append(_Heredoc(match[3], bool(match[1])))
            index = match.end()
            continue
        index += 1
    return found


def _joined(source: _Source, index: int) -> tuple[str, int, int]:
    """Join a line with its continuations; comments and empty lines do not count, also in between.

    Returns:
        The text, empty at the end of the file; its first line; and the index after its last.
    """
    ending = re.compile(re.escape(source.escape) + r"[ \t]*\Z")
    parts: list[str] = []
    first = 0
    while index < len(source.lines):
        line = source.lines[index]
        index += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first or index
        match = ending.search(line)
        parts.append(line[: match.start()] if match else line)
        if match is None:
            break
    return "".join(parts).strip(), first, index


def _logical(source: _Source) -> Iterator[tuple[str, int, int]]:
    """Yield each instruction's text, heredocs included, with its first and its last line."""
    index = 0
    while index < len(source.lines):
        text, first, index = _joined(source, index)
        if not text:
            continue
        if text.split(maxsplit=1)[0].upper() in _HEREDOC_KEYWORDS:
            for document in _heredocs(text):
                body, index = _body(source, index, document)
                text += "\n" + body
        yield text, first, index


def _body(source: _Source, index: int, document: _Heredoc) -> tuple[str, int]:
    """Return a heredoc's lines with its terminator, and the index after it."""
    taken = []
    for number in range(index, len(source.lines)):
        line = source.lines[number].lstrip("\t") if document.tabs else source.lines[number]
        taken.append(line)
        if line == document.word:
            return "\n".join(taken), number + 1
    word = document.word
    raise source.fault(index, f"the heredoc `{word}` does not end", f"end it with a line `{word}`")


def _instruction(text: str, line: int, last_line: int, source: _Source) -> Instruction:
    keyword, *rest = text.split(maxsplit=1)
    if keyword.upper() not in _KEYWORDS:
        raise source.fault(line, f"unknown instruction `{keyword}`", "see Docker's Dockerfile reference")
    value = rest[0] if rest else ""
    if not value:
        raise source.fault(line, f"`{keyword.upper()}` has no arguments", "write them behind it")
    flags = []
    while keyword.upper() in _FLAG_KEYWORDS and (match := _FLAG.match(value)):
        flags.append((match[1], (match[2] or "").strip("'\"")))
        value = value[match.end() :]
    return Instruction(keyword.upper(), tuple(flags), value, line, last_line)


def argument(value: str) -> tuple[tuple[str, str | None], ...]:
    """Read ``ARG``'s arguments: names, each with its default or None.

    Raises:
        ValueError: Quotes do not close.
    """
    words = (word.partition("=") for word in shlex.split(value))
    return tuple((name, default if equals else None) for name, equals, default in words)


def _arguments(instruction: Instruction, source: _Source) -> tuple[tuple[str, str | None], ...]:
    try:
        return argument(instruction.value)
    except ValueError as error:
        raise source.fault(instruction.line, f"`ARG {instruction.value}`: {error}", "close the quotes") from error


def _stage(head: Instruction, body: list[Instruction], values: Mapping[str, str], source: _Source) -> Stage:
    match = _FROM.fullmatch(head.value.strip())
    if match is None or (match[2] and not _ALIAS.fullmatch(match[2])):
        raise source.fault(
            head.line, f"`FROM {head.value}` cannot be read", "write `FROM image` or `FROM image AS name`"
        )
    base = expand(match[1].strip("'\""), values)
    if not base:
        hint = "give the ARG a default before the first FROM"
        raise source.fault(head.line, f"`FROM {head.value}` names no image once its arguments are put in", hint)
    platform = expand(head.flag("platform"), values)
    return Stage(base, (match[2] or "").lower(), platform, head.line, tuple(body), head.last_line)


def parse(text: str, where: str = "Dockerfile") -> Dockerfile:
    """Parse a Dockerfile.

    Args:
        text: The Dockerfile.
        where: What to call it in errors.

    Returns:
        Its arguments and stages.

    Raises:
        InputError: It cannot be read, or has no ``FROM``; names the line.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    source = _Source(tuple(lines), where, escape)
    if escape not in ("\\", "`"):
        raise source.fault(1, f"the escape directive says `{escape}`", "it can be \\ or `")
    instructions = [_instruction(*found, source) for found in _logical(source)]
    starts = [index for index, item in enumerate(instructions) if item.keyword == "FROM"]
    if not starts:
        raise source.fault(1, "there is no FROM", "begin with `FROM image`")
    arguments = _outer(instructions[: starts[0]], source)
    for item in instructions[starts[0] :]:
        if item.keyword == "ARG":
            _arguments(item, source)
    values = _defaults(arguments)
    cut = zip(starts, [*starts[1:], len(instructions)], strict=True)
    stages = tuple(_stage(instructions[a], instructions[a + 1 : b], values, source) for a, b in cut)
    return Dockerfile(arguments, stages)


def _outer(instructions: list[Instruction], source: _Source) -> tuple[tuple[str, str | None], ...]:
    """Return the arguments before the first ``FROM``."""
    found: list[tuple[str, str | None]] = []
    for item in instructions:
        if item.keyword != "ARG":
            raise source.fault(item.line, f"`{item.keyword}` stands before FROM", "only ARG may")
        found.extend(_arguments(item, source))
    return tuple(found)


def _defaults(arguments: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, default in arguments:
        if default is not None:
            values[name] = expand(default, values)
    return values


def stage_values(dockerfile: Dockerfile, stage: Stage) -> dict[str, str]:
    """Return the values that a stage's ``ARG`` and ``ENV`` lines give by themselves, for ``COPY --from=${X}``.

    Args:
        dockerfile: Where the stage stands.
        stage: The stage.
    """
    outer = _defaults(dockerfile.arguments)
    values: dict[str, str] = {}
    for item in stage.instructions:
        if item.keyword == "ARG":
            for name, default in argument(item.value):
                found = expand(default, values) if default is not None else outer.get(name)
                values |= {} if found is None else {name: found}
    return values
