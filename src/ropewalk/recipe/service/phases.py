"""A variant's instructions, in Blubber's five phases."""

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ropewalk.errors import InputError
from ropewalk.recipe.service.merge import merge_accounts
from ropewalk.recipe.service.schema import DEFAULT, LOCAL, Account, Artifact, Builder, Custom, Python, Settings

LIBRARIES = "/opt/lib"
VENV = f"{LIBRARIES}/venv"
_LIVES = Account("somebody", 65533, 65533, "/srv/app")
_RUNS = Account("runuser", 900, 900, None)
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_SHELL_SCRIPT = re.compile(r"-[A-Za-z]*c")
_WORD = re.compile(r"[A-Za-z0-9_./@%+,:=-]+")
_PLAIN = re.compile(r"[A-Za-z0-9_./*?@%+,:=-]+")


@dataclass(frozen=True, slots=True)
class User:
    """A user with every value known.

    Attributes:
        name: User and group.
        uid: User number.
        gid: Group number.
    """

    name: str
    uid: int
    gid: int

    @property
    def home(self) -> str:
        """The home directory."""
        return "/root" if self.name == "root" else f"/home/{self.name}"

    @property
    def owner(self) -> str:
        """``uid:gid``."""
        return f"{self.uid}:{self.gid}"


@dataclass(frozen=True, slots=True)
class Variant:
    """A resolved variant, Blubber's defaults put in.

    Attributes:
        name: Its name.
        settings: What the file says.
        lives: Who owns the application's files.
        directory: Where they are (``lives.in``).
        runs: Who runs it.
    """

    name: str
    settings: Settings
    lives: User
    directory: str
    runs: User

    @property
    def scratch(self) -> bool:
        """It has no base."""
        return not self.settings.base

    @property
    def builders(self) -> tuple[Builder, ...]:
        """The builders that do something, in order."""
        found = (*self.settings.builders, self.settings.python)
        return tuple(
            item for item in found if not isinstance(item, Python) or (item.version and item.requirements is not None)
        )

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All that it copies in, in order."""
        needed = (artifact for builder in self.builders for artifact in builder.requirements or ())
        return (*needed, *self.settings.copies)


def variant(name: str, settings: Settings) -> Variant:
    """Put Blubber's defaults into a resolved variant.

    Args:
        name: Its name.
        settings: What holds for it.
    """
    lives = merge_accounts(_LIVES, settings.lives)
    runs = merge_accounts(_RUNS, settings.runs.account)
    return Variant(name, settings, _user(lives), lives.directory or "/", _user(runs))


def _user(account: Account) -> User:
    return User(account.name or "", account.uid or 0, account.gid or 0)


def _path(path: str) -> str:
    return path.replace("\\", "\\\\").replace("$", "\\$")


def copy(sources: list[str], destination: str, owner: str, stage: str = "") -> str:
    """Return a ``COPY``.

    Args:
        sources: What is copied; a ``$`` in a name stays one.
        destination: Where to.
        owner: ``uid:gid``.
        stage: Another stage or an image; empty for the context.
    """
    words = [_path(word) for word in (*sources, destination)]
    origin = f"--from={stage} " if stage else ""
    text = " ".join(words) if all(_PLAIN.fullmatch(word) for word in words) else json.dumps(words)
    return f"COPY {origin}--chown={owner} {text}"


def environment(name: str, value: str) -> str:
    """Return an ``ENV``; variables in the value are put in by the builder, quotes and backslashes stay."""
    text = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'ENV {name}="{text}"'


def _is_script(words: tuple[str, ...]) -> bool:
    """Say whether the arguments are another shell's script (``bash -c ...``)."""
    flat = [*words[0].split(), *words[1:]]
    return posixpath.basename(flat[0] if flat else "") in _SHELLS and any(
        _SHELL_SCRIPT.fullmatch(word) for word in flat[1:]
    )


def _double(word: str) -> str:
    return word if _WORD.fullmatch(word) else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command(words: tuple[str, ...]) -> str:
    """Return a ``RUN`` of a command that the shell reads as it was written.

    The exec form keeps line breaks and every ``$``, ``%`` and backslash: nothing but the shell interprets it.

    Args:
        words: A shell command and arguments. Variables in arguments are put in; where they are a script for another
            shell, that shell does it, so that its own ``$i`` and ``$?`` arrive.
    """
    quoted = map(shlex.quote if _is_script(words) else _double, words[1:])
    return "RUN " + json.dumps(["/bin/sh", "-c", " ".join([words[0], *quoted])], ensure_ascii=False)


def _apt(settings: Settings) -> Iterator[str]:
    listed = sorted((release, names) for release, names in settings.packages if names)
    if not listed:
        return
    yield environment("DEBIAN_FRONTEND", "noninteractive")
    steps = ["apt-get update"]
    for release, names in listed:
        target = "" if release == DEFAULT else f"-t {release} "
        steps.append(f"apt-get install -y {target}{' '.join(dict.fromkeys(names))}")
    yield "RUN " + " && ".join([*steps, "rm -rf /var/lib/apt/lists/*"])


def _add_user(user: User) -> list[str]:
    return [
        f"(getent group {user.gid} || groupadd -o -g {user.gid} -r {user.name})",
        f"(getent passwd {user.uid} || useradd -l -o -m -d {user.home} -r -g {user.gid} -u {user.uid} {user.name})",
    ]


def _quote(path: str) -> str:
    return path if _PLAIN.fullmatch(path) else shlex.quote(path)


def privileged(made: Variant) -> Iterator[str]:
    """Phase 1: root installs packages and makes the users and the application's directories."""
    yield "USER 0"
    yield environment("HOME", "/root")
    yield from _apt(made.settings)
    steps = _add_user(made.lives)
    for directory in (made.directory, LIBRARIES):
        steps += [f"mkdir -p {_quote(directory)}", f"chown {made.lives.owner} {_quote(directory)}"]
    yield "RUN " + " && ".join(steps)
    yield "RUN " + " && ".join(_add_user(made.runs))


def privileges_dropped(made: Variant) -> Iterator[str]:
    """Phase 2: from here on the application's owner works, in its directory."""
    yield f"USER {made.lives.uid}"
    yield environment("HOME", made.lives.home)
    yield f"WORKDIR {_path(made.directory)}"
    for name, value in made.settings.runs.environment:
        yield environment(name, value)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where copies come from.

    Attributes:
        stages: Variants by name, each with its stage's name.
    """

    stages: Mapping[str, tuple[str, Variant]]

    def copies(self, artifact: Artifact, made: Variant) -> Iterator[str]:
        """Yield the ``COPY`` lines of an artifact."""
        owner, destination = made.lives.owner, artifact.destination or artifact.source
        if artifact.origin == LOCAL:
            yield copy([artifact.source or "."], destination or ".", owner)
            return
        stage, other = self.stages.get(artifact.origin, (artifact.origin, None))
        if artifact.source:
            below = "/" if other is None else other.settings.runs.account.directory or other.directory
            yield copy([_join(below, artifact.source)], destination, owner, stage)
            return
        yield copy([other.directory if other else made.directory], made.directory, owner, stage)
        if other is None or not other.scratch:
            yield copy([LIBRARIES], LIBRARIES, owner, stage)

    def requirements(self, artifacts: tuple[Artifact, ...], made: Variant) -> Iterator[str]:
        """Yield the ``COPY`` lines of requirements, those of one origin and one place together."""
        groups: dict[tuple[str, str], list[str]] = {}
        for artifact in artifacts:
            groups.setdefault((artifact.origin, _place(artifact)), []).append(_clean(artifact.source))
        for (origin, destination), sources in groups.items():
            target = destination if len(sources) == 1 or destination.endswith("/") else f"{destination}/"
            stage, other = ("", None) if origin == LOCAL else self.stages.get(origin, (origin, None))
            below = "/" if other is None else other.settings.runs.account.directory or other.directory
            found = [source if origin == LOCAL else _join(below, source) for source in sources]
            yield copy(found, target, made.lives.owner, stage)


def _join(below: str, source: str) -> str:
    """Join paths, a trailing slash kept."""
    return posixpath.join(below, source)


def _is_directory(path: str) -> bool:
    return path.endswith("/") or posixpath.normpath(path) == "."


def _clean(path: str) -> str:
    clean = posixpath.normpath(path)
    return f"{clean}/" if _is_directory(path) and clean != "/" else clean


def _place(artifact: Artifact) -> str:
    """Return where a requirement goes: without a destination, to its own place."""
    if not artifact.destination:
        if _is_directory(artifact.source):
            return artifact.source
        return (posixpath.dirname(_clean(artifact.source)) or ".") + "/"
    clean = posixpath.normpath(artifact.destination)
    ends = _is_directory(artifact.destination) or _is_directory(artifact.source)
    return f"{clean}/" if ends and clean != "/" else clean


def installed(artifact: Artifact) -> str:
    """Return the path of a requirement once it is copied in."""
    place = _place(artifact)
    if not place.endswith("/") or _is_directory(artifact.source):
        return place
    name = posixpath.basename(artifact.source)
    return name if place == "./" else place + name


def _python(builder: Python) -> Iterator[str]:
    python = builder.version
    yield f"RUN {python} -m venv {VENV}"
    yield environment("VIRTUAL_ENV", VENV)
    yield environment("PATH", f"{VENV}/bin:$PATH")
    files = " ".join(f"-r {_quote(installed(artifact))}" for artifact in builder.requirements or ())
    if files:
        # Nothing is written to a cache: it would stay in the layer.
        yield f"RUN {python} -m pip install --no-cache-dir --disable-pip-version-check {files}"


def pre_install(made: Variant, origins: Origins) -> Iterator[str]:
    """Phase 3: each builder's requirements, then its commands."""
    for builder in made.builders:
        yield from origins.requirements(builder.requirements or (), made)
        if isinstance(builder, Custom):
            yield command(builder.command)
        else:
            yield from _python(builder)


def install(made: Variant, origins: Origins) -> Iterator[str]:
    """Phase 4: the application itself."""
    for artifact in made.settings.copies:
        yield from origins.copies(artifact, made)


def post_install(made: Variant) -> Iterator[str]:
    """Phase 5: another user runs what was installed."""
    if not made.settings.runs.insecurely:
        yield f"USER {made.runs.uid}"
        yield environment("HOME", made.runs.home)
    for builder in made.builders:
        if isinstance(builder, Python) and builder.requirements:
            yield f"RUN {builder.version} -m pip check --disable-pip-version-check"
    yield from _start(made)


def _start(made: Variant) -> Iterator[str]:
    if made.settings.runs.account.directory:
        yield f"WORKDIR {_path(made.settings.runs.account.directory)}"
    if made.settings.entrypoint:
        yield "ENTRYPOINT " + json.dumps(made.settings.entrypoint, ensure_ascii=False)
        yield "CMD []"


def _scratch(made: Variant, origins: Origins) -> Iterator[str]:
    """A variant without base: files, environment, a numeric user; there is no shell to run anything."""
    if made.builders or any(names for _, names in made.settings.packages):
        hint = "give it a `base`; without one it can only copy files"
        raise InputError(
            f"the variant `{made.name}` has no base but packages or builders", where=made.settings.where, hint=hint
        )
    yield f"WORKDIR {_path(made.directory)}"
    for name, value in made.settings.runs.environment:
        yield environment(name, value)
    yield from install(made, origins)
    # There is no /etc/passwd: without a group the process would have root's.
    yield f"USER {(made.lives if made.settings.runs.insecurely else made.runs).owner}"
    yield from _start(made)


def instructions(made: Variant, origins: Origins) -> Iterator[str]:
    """Yield a variant's instructions after its ``FROM``.

    Args:
        made: The variant.
        origins: Where its copies come from.

    Raises:
        InputError: It has no base, but packages or builders.
    """
    if made.scratch:
        yield from _scratch(made, origins)
        return
    with_origins: tuple[Callable[[Variant, Origins], Iterator[str]], ...] = (pre_install, install)
    yield from privileged(made)
    yield from privileges_dropped(made)
    for phase in with_origins:
        yield from phase(made, origins)
    yield from post_install(made)
