"""A clone of the deployment repository without files: git's objects and references are read and written, nothing is run.

Hooks, filters and line end settings have no say: a file's bytes are what we say. Nothing is ever pushed by force.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ropewalk.deploy.config import DeployConfig
from ropewalk.errors import InputError, NetworkError
from ropewalk.process import Command, CommandFailed, Completed, run
from ropewalk.recipe.revision import (
    Blob,
    anonymous,
    blobs_of,
    contents,
    remote_of,
    repository_of,
    write_commit,
)

_QUIET = (
    *(
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "gc.auto=0",
        "-c",
        "maintenance.auto=false",
    ),
    *("-c", "protocol.ext.allow=never", "-c", "push.followTags=false", "-c", "safe.directory=*"),
)
_SSH = "ssh -o BatchMode=yes"
_NETWORK_SECONDS = 900.0
_MOVED = ("fetch first", "non-fast-forward", "cannot lock ref", "incorrect old value", "stale info", "already exists")
"""What git says where somebody else pushed meanwhile."""
_NO_OPTIONS = "does not support push options"
_MOST_VERSIONS = 50
"""Of a file's history: what was put back is mostly the last change."""
_COMMIT, _FIELD = "\x01", "\x02"
_RAW = re.compile(r":[0-7]{6} [0-7]{6} [0-9a-f]+ (?P<blob>[0-9a-f]+) [A-Z][0-9]*")


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits, and when.

    Attributes:
        name: ``Name <address>``.
        at: Seconds since 1970.
    """

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Logged:
    """A commit.

    Attributes:
        id: Its id.
        who: Its author's name.
        day: The day it was committed: 2026-01-31.
        at: When, in seconds since 1970.
        message: All of its words.
    """

    id: str
    who: str
    day: str
    at: int
    message: str


class PushRefused(NetworkError):
    """The repository does not take what we push."""


class Clone:
    """A bare clone of the deployment repository, kept in the state directory."""

    def __init__(self, directory: Path, remote: str, branch: str, environment: Mapping[str, str]) -> None:
        """Use a directory, which need not exist yet.

        Args:
            directory: Where the clone is.
            remote: Path or URL for git.
            branch: The branch that counts.
            environment: The caller's; of it the agent of ssh alone is passed on.
        """
        self.directory, self.remote, self.branch = directory, remote, branch
        agent = environment.get("SSH_AUTH_SOCK")
        self._environment = (
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_SSH_COMMAND", environment.get("GIT_SSH_COMMAND", _SSH)),
            *((("SSH_AUTH_SOCK", agent),) if agent else ()),
        )

    @classmethod
    def of(cls, place: Path, config: DeployConfig, environment: Mapping[str, str]) -> "Clone":
        """Return the clone of the repository that a ``deploy.yaml`` means.

        Args:
            place: The directory of clones.
            config: What it says; without a repository, the origin of the one that holds the file is meant.
            environment: The caller's.

        Raises:
            InputError: The file names no repository and lies in none that was cloned.
        """
        remote = config.repository or _origin(config.path)
        name = hashlib.sha256(remote.encode()).hexdigest()[:16]
        return cls(place / name, remote, config.branch, environment)

    @property
    def address(self) -> str:
        """The remote without user and password, for people."""
        return anonymous(self.remote)

    def _git(
        self,
        *arguments: str,
        stdin: bytes = b"",
        more: Sequence[tuple[str, str]] = (),
        check: bool = True,
        timeout: float | None = None,
    ) -> Completed:
        command = Command(
            ("git", *_QUIET, "-C", str(self.directory), *arguments),
            environment=(*self._environment, *more),
            stdin=stdin,
            timeout=timeout,
        )
        return run(command, check=check)

    def _say(self, *arguments: str, stdin: bytes = b"", more: Sequence[tuple[str, str]] = ()) -> str:
        return self._git(*arguments, stdin=stdin, more=more).stdout.decode("utf-8", "surrogateescape").strip()

    def fetch(self) -> str:
        """Bring the branch here.

        Returns:
            The id of its commit.

        Raises:
            NetworkError: The repository does not answer.
            InputError: It has no such branch.
        """
        if not (self.directory / "HEAD").exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._git("init", "-q", "--bare", ".")
        wanted = f"+refs/heads/{self.branch}:{self._tip}"
        fetch = ("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--", self.remote, wanted)
        done = self._git(*fetch, check=False, timeout=_NETWORK_SECONDS)
        if done.returncode == 0:
            return self._say("rev-parse", "--verify", self._tip)
        said = done.stderr.decode(errors="replace").strip()
        if "couldn't find remote ref" in said:
            raise InputError(
                f"has no branch `{self.branch}`", where=self.address, hint="name it in deploy.yaml: branch"
            )
        last = said.splitlines()[-1] if said else "no answer"
        raise NetworkError(
            f"cannot be fetched: {last.replace(self.remote, self.address)}",
            where=self.address,
            hint="check the address in deploy.yaml, and that git can read it without asking for a password",
        )

    @property
    def _tip(self) -> str:
        return f"refs/remotes/origin/{self.branch}"

    def files(self, commit: str) -> tuple[Blob, ...]:
        """Return the plain files of a commit."""
        return tuple(blob for blob in blobs_of(self.directory, commit) if blob.mode in ("100644", "100755"))

    def contents(self, blobs: Sequence[Blob]) -> dict[str, bytes]:
        """Return what files hold, by the id of the blob."""
        return {blob.identifier: data for blob, data in contents(self.directory, blobs)}

    def write_out(self, commit: str, into: Path) -> None:
        """Write the files of a commit into an empty directory."""
        write_commit(self.directory, commit, into)

    def log(self, commit: str, *options: str) -> tuple[Logged, ...]:
        """Return commits, the newest first.

        Args:
            commit: Where to start.
            options: Of ``git log``: which commits.
        """
        form = f"--format={_COMMIT}%H{_FIELD}%an{_FIELD}%cs{_FIELD}%ct{_FIELD}%B"
        said = self._say("log", form, *options, commit, "--")
        return tuple(_logged(entry) for entry in said.split(_COMMIT)[1:])

    def versions(self, commit: str, paths: Sequence[str]) -> dict[str, list[tuple[Logged, Blob]]]:
        """Return the versions of files, as the branch had them one after the other.

        Args:
            commit: Where to start.
            paths: The files.

        Returns:
            For each file, the newest first, at most 50: the commit that brought it, and its blob.
        """
        form = f"--format={_COMMIT}%H{_FIELD}%an{_FIELD}%cs{_FIELD}%ct{_FIELD}"
        options = ("--first-parent", "--diff-merges=first-parent", "--raw", "--no-abbrev", "--no-renames", "-z")
        said = self._say("--literal-pathspecs", "log", form, *options, commit, "--", *paths)
        found: dict[str, list[tuple[Logged, Blob]]] = {path: [] for path in paths}
        for entry in said.split(_COMMIT)[1:]:
            head, _, rest = entry.partition("\0")
            fields = rest.strip("\0\n").split("\0")
            for raw, path in zip(fields[::2], fields[1::2], strict=False):
                match = _RAW.search(raw)
                if match and path in found and len(found[path]) < _MOST_VERSIONS and set(match["blob"]) != {"0"}:
                    found[path].append((_logged(head), Blob("100644", match["blob"], 1 << 16, path)))
        return found

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Say whether a commit is part of another's history."""
        return self._git("merge-base", "--is-ancestor", commit, of, check=False).returncode == 0

    def parent(self, commit: str) -> str:
        """Return a commit's first parent."""
        return self._say("rev-parse", "--verify", f"{commit}^1")

    def commit(self, parent: str, changes: Mapping[str, tuple[str, bytes]], message: str, author: Author) -> str:
        """Make a commit.

        Args:
            parent: What it follows.
            changes: New contents by path, each with its mode.
            message: Its words.
            author: Who, and when.

        Returns:
            Its id; no reference names it yet.
        """
        with TemporaryDirectory(prefix="index-", dir=self.directory) as place:
            index = (("GIT_INDEX_FILE", str(Path(place) / "index")),)
            self._git("read-tree", parent, more=index)
            lines = []
            for path, (mode, data) in changes.items():
                blob = self._say("hash-object", "-w", "--stdin", stdin=data) if data else self._empty()
                lines.append(f"{mode} {blob}\t{path}\0")
            text = "".join(lines).encode("utf-8", "surrogateescape")
            self._git("update-index", "-z", "--index-info", stdin=text, more=index)
            tree = self._say("write-tree", more=index)
        name, _, mail = author.name.rstrip(">").rpartition(" <")
        who = tuple(
            (f"GIT_{role}_{what}", value)
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", mail), ("DATE", f"@{author.at} +0000"))
        )
        return self._say("commit-tree", "-p", parent, tree, stdin=message.encode(), more=who)

    def _empty(self) -> str:
        return self._say("hash-object", "-w", "/dev/null")

    def push(self, commit: str, to: str, options: Sequence[str] = ()) -> bool:
        """Push a commit, never by force.

        Args:
            commit: Its id.
            to: The reference there: ``refs/heads/main``.
            options: Push options; left out where the server takes none.

        Returns:
            False where somebody else pushed meanwhile, or the reference is another's.

        Raises:
            PushRefused: The server does not take it.
        """
        given = [word for option in options for word in ("-o", option)]
        push = ("push", "--porcelain", "--no-verify", *given, "--", self.remote, f"{commit}:{to}")
        done = self._git(*push, check=False, timeout=_NETWORK_SECONDS)
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode == 0:
            return True
        if options and _NO_OPTIONS in said:
            return self.push(commit, to)
        if any(words in said for words in _MOVED):
            return False
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        told = [line for word in ("remote:", "fatal:", "!") for line in lines if line.startswith(word)] or lines[-1:]
        raise PushRefused(
            f"takes no push to {to}: {'; '.join(told).replace(self.remote, self.address)}",
            where=self.address,
            hint="the account needs the right to push there; or set merge-request: true in deploy.yaml",
        )

    def mark(self, name: str) -> str:
        """Return the commit that a mark of ours names, which stays in this clone; empty where there is none."""
        with suppress(CommandFailed):
            return self._say("rev-parse", "--verify", "--quiet", f"refs/ropewalk/{name}^{{commit}}")
        return ""

    def set_mark(self, name: str, commit: str) -> None:
        """Keep a commit under a mark."""
        self._git("update-ref", f"refs/ropewalk/{name}", commit)

    def drop_mark(self, name: str) -> None:
        """Forget a mark."""
        self._git("update-ref", "-d", f"refs/ropewalk/{name}")


def _origin(path: Path) -> str:
    hint = "write repository: PATH or URL"
    repository = repository_of(path)
    remote = remote_of(repository)
    if not remote:
        raise InputError(f"names no repository, and {repository} has no origin", where=str(path), hint=hint)
    local = "://" not in remote and ":" not in remote.partition("/")[0]
    return str((repository / remote).resolve()) if local else remote


def _logged(entry: str) -> Logged:
    identifier, who, day, at, message = (*entry.split(_FIELD), "")[:5]
    return Logged(identifier, who, day, int(at), message.strip())
