"""Rules on a rendered Dockerfile: pure, line by line."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ropewalk.recipe.dockerfile import Dockerfile, Instruction, Stage
from ropewalk.recipe.lint import shell
from ropewalk.recipe.lint.rules import Level, Rule
from ropewalk.recipe.lint.secrets import secret_name, secrets_in

_LISTS = "/var/lib/apt/lists"
_APT_CACHE = re.compile(r"(?:target|dst|destination)=/var/(?:lib/apt|cache/apt)\b")


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding on a line of the rendered Dockerfile.

    Attributes:
        rule: Which rule.
        line: The rendered line, counted from 1.
        message: What is there.
        hint: What to do.
        weight: The level where it departs from the rule's own.
    """

    rule: Rule
    line: int
    message: str
    hint: str
    weight: Level | None = None


def lint_dockerfile(dockerfile: Dockerfile, text: str) -> tuple[Remark, ...]:
    """Look at every instruction of a Dockerfile.

    Args:
        dockerfile: The rendered Dockerfile.
        text: Its text.

    Returns:
        What was found, in the order of its lines.
    """
    found: list[Remark] = []
    for name, default in dockerfile.arguments:
        found += _secret_variable("ARG", name, default or "", 1)
    kept, lines = _kept(dockerfile), text.split("\n")
    for stage in dockerfile.stages:
        for item in stage.instructions:
            found += _instruction(item, lines, kept=stage in kept)
    return tuple(sorted(dict.fromkeys(found), key=lambda remark: (remark.line, remark.rule.value)))


def _kept(dockerfile: Dockerfile) -> tuple[Stage, ...]:
    """Return the stages whose files are in the image: the last one and those that it begins with."""
    stages = list(dockerfile.stages)
    kept = [stages.pop()]
    while stages:
        stage = stages.pop()
        if stage.alias and stage.alias == kept[-1].base.lower():
            kept.append(stage)
    return tuple(kept)


def _instruction(item: Instruction, lines: list[str], *, kept: bool) -> Iterator[Remark]:
    if item.keyword == "RUN":
        yield from _run(item, lines, kept=kept)
    elif item.keyword == "ADD":
        yield from _add(item)
    elif item.keyword in ("ENV", "ARG"):
        for name, value in _pairs(item):
            yield from _secret_variable(item.keyword, name, value, item.line)
    for kind in secrets_in(item.value):
        hint = "take it out and revoke it; mount it while building (RUN --mount=type=secret)"
        yield Remark(Rule.SECRET, item.line, f"holds {kind}", hint)


def _pairs(item: Instruction) -> Iterator[tuple[str, str]]:
    """Yield the names and values of ENV or ARG."""
    name, space, rest = item.value.partition(" ")
    if item.keyword == "ENV" and space and "=" not in name:
        yield name, rest.strip()
        return
    try:
        words = shlex.split(item.value)
    except ValueError:
        words = item.value.split()
    for word in words:
        name, _, value = word.partition("=")
        yield name, value


def _secret_variable(keyword: str, name: str, value: str, line: int) -> Iterator[Remark]:
    if secret_name(name, value):
        hint = "take it out; give it when a container starts, or mount it while building (RUN --mount=type=secret)"
        yield Remark(Rule.SECRET, line, f"{keyword} {name} has a value that looks like a secret", hint, Level.WARNING)


def _add(item: Instruction) -> Iterator[Remark]:
    urls = [word for word in item.value.split() if re.match(r"(?:https?|ftp)://", word)]
    if urls and not item.flag("checksum"):
        hint = "keep the file in the recipe, or download it in a RUN that checks its sha256"
        yield Remark(Rule.ADD_URL, item.line, f"ADD of {urls[0]}", hint)


def _line(item: Instruction, lines: list[str], *words: str) -> int:
    """Return the line of an instruction that holds some words; its first line where none does."""
    spanned = range(item.line, min(item.last_line, len(lines)) + 1)
    return next((n for n in spanned if all(word in lines[n - 1] for word in words)), item.line)


def _run(item: Instruction, lines: list[str], *, kept: bool) -> Iterator[Remark]:
    text = item.value
    if shell.pipes_to_shell(text):
        hint = "download it, check its sha256, then run it; or take a package"
        yield Remark(Rule.PIPE, _line(item, lines, "|"), "a download is piped into a shell", hint)
    parts = tuple(shell.commands(text))
    for command in parts:
        if kept and shell.apt_installs(command) and not shell.says_recommends(command):
            hint = 'write {{ "PACKAGES" | apt_install }}, or add --no-install-recommends'
            line = _line(item, lines, command[0], "install")
            yield Remark(Rule.RECOMMENDS, line, "apt installs recommended packages too", hint)
        if names := shell.unpinned_pip(command):
            line = _line(item, lines, "pip", names[0])
            yield Remark(Rule.PIP, line, f"pip takes any version of {_listed(names)}", f"write {names[0]}==VERSION")
        if names := shell.unpinned_npm(command):
            line = _line(item, lines, "npm", names[0])
            yield Remark(Rule.NPM, line, f"npm takes any version of {_listed(names)}", f"write {names[0]}@VERSION")
    if kept and _leaves_lists(item, parts):
        hint = f"end the same RUN with `&& rm -rf {_LISTS}/*`, or use the filter apt_install"
        line = _line(item, lines, "update")
        yield Remark(Rule.LISTS, line, "apt-get update leaves its lists in the image", hint)


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _leaves_lists(item: Instruction, parts: tuple[tuple[str, ...], ...]) -> bool:
    cached = any(name == "mount" and _APT_CACHE.search(value) for name, value in item.flags)
    updates = any(command[0] in ("apt-get", "apt") and "update" in command[1:] for command in parts)
    return updates and not cached and _LISTS not in item.value
