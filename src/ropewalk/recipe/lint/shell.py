"""What RUN lines do, as far as a reader can tell: simple commands of a shell text, nothing is run."""

import re
import shlex
from collections.abc import Iterator

_BREAKS = frozenset({"&&", "||", ";", "|", "&", "(", ")", "{", "}", "then", "do", "else", "if", "!"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_SH = r"(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+(?:\S+=\S*\s+)*)?(?:/usr)?(?:/bin/)?(?:ba|da|z|k|a)?sh\b"
_PIPED = re.compile(
    rf"\b(?:curl|wget)\b[^|;&\n]*\|\s*{_SH}"
    r"|\b(?:ba|da|z|k)?sh\s+<\(\s*(?:curl|wget)\b"
    r"|\b(?:ba|da|z|k)?sh\s+-c\s+[\"']?\$\((?:curl|wget)\b"
)


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Cut a shell text into its simple commands.

    Args:
        text: What follows RUN; heredocs included.

    Yields:
        Words of each command, assignments before it left out. A line that is no shell text yields its plain words.
    """
    for line in text.replace("\\\n", " ").split("\n"):
        words: list[str] = []
        for word in _words(line):
            if word in _BREAKS or set(word) <= set(";&|()"):
                yield from _command(words)
                words = []
            else:
                words.append(word)
        yield from _command(words)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _command(words: list[str]) -> Iterator[tuple[str, ...]]:
    start = next((index for index, word in enumerate(words) if not _ASSIGNMENT.match(word)), len(words))
    if words[start:]:
        yield tuple(words[start:])


def pipes_to_shell(text: str) -> bool:
    """Say whether a download goes straight into a shell."""
    return _PIPED.search(text) is not None


def apt_installs(command: tuple[str, ...]) -> bool:
    """Say whether a command installs packages with apt."""
    return command[0] in ("apt-get", "apt") and "install" in command[1:]


def says_recommends(command: tuple[str, ...]) -> bool:
    """Say whether an installation says what it wants of recommended packages: none, or expressly all."""
    return any(
        word in ("--no-install-recommends", "--install-recommends")
        or re.search(r"(?i)apt::install-recommends=(0|false|no)\b", word.replace('"', "")) is not None
        for word in command
    )


_PIP = re.compile(r"(?:.*/)?pip[0-9.]*")
_PIP_VALUED = frozenset(
    {
        *("-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links"),
        *("-t", "--target", "--prefix", "--root", "--platform", "--python-version", "--progress-bar", "--cache-dir"),
        *("-e", "--editable", "--trusted-host", "--timeout", "--retries", "--cert", "--proxy", "--no-binary"),
        *("--only-binary", "--config-settings", "--log", "--src", "--upgrade-strategy", "--global-option"),
    }
)
_PINNED = re.compile(r"===?|~=|@|://|^\.|/|\.whl$|\.tar\.gz$|\$")


def unpinned_pip(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the packages that pip takes in whatever version it finds.

    Args:
        command: A simple command.

    Returns:
        Their names; none for another program, or where hashes, a constraint or a file of requirements decide.
    """
    if len(command) > 2 and command[1] == "-m" and command[2] == "pip":  # noqa: PLR2004  # python3 -m pip
        command = command[2:]
    if not _PIP.fullmatch(command[0]) or "install" not in command[1:]:
        return ()
    words = command[command.index("install") + 1 :]
    if any(word in ("-c", "--constraint", "--require-hashes") or word.startswith("--constraint=") for word in words):
        return ()
    names = _plain(words, _PIP_VALUED)
    return tuple(name for name in names if not _PINNED.search(name))


_NPM_VALUED = frozenset({"--prefix", "--registry", "--cache", "--loglevel", "--omit", "--include", "-w", "--workspace"})
_NPM_PINNED = re.compile(r".@[~^]?[0-9][^/]*\Z|://|^\.|^/|\.tgz$|\$|^[^@/]+/[^/]+$")


def unpinned_npm(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the packages that npm takes in whatever version it finds.

    Args:
        command: A simple command.
    """
    if command[0].rpartition("/")[2] != "npm":
        return ()
    verb = next((word for word in command[1:] if not word.startswith("-")), "")
    if verb not in ("install", "i", "add"):
        return ()
    words = command[command.index(verb) + 1 :]
    return tuple(name for name in _plain(words, _NPM_VALUED) if not _NPM_PINNED.search(name))


def _plain(words: tuple[str, ...], valued: frozenset[str]) -> Iterator[str]:
    """Yield the arguments that are neither options nor options' values nor redirections."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in valued or re.fullmatch(r"[0-9]*[<>]+", word):
            skip = True
        elif not word.startswith("-") and not re.match(r"[0-9]*[<>]", word):
            yield word
