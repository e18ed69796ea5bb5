"""A deployment repository, a person who works in it, and published images whose versions it names."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from kit.command import Command
from kit.registry import LiveRegistry
from kit.signing import NAME, record_of, signing_keys, tiny_image
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.store import Store
from ropewalk.publish import publish
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.record import BuildRecord, How, RecordBook
from ropewalk.settings import Settings
from ropewalk.trust import load

_PERSON = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
_WHO = ("-c", "user.name=Ada Person", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")


def git(directory: Path, *arguments: str) -> str:
    """Run git as a person does."""
    done = subprocess.run(
        ["git", *_WHO, "-C", directory, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **_PERSON},
    )
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A bare repository and a person's clone of it.

    Attributes:
        bare: The repository.
        person: The clone.
    """

    bare: Path
    person: Path

    @classmethod
    def made(cls, directory: Path, files: Mapping[str, str]) -> "Deployment":
        """Make both below a directory, with some files on ``main``."""
        made = cls(directory / "charts.git", directory / "person")
        made.bare.mkdir(parents=True)
        git(made.bare, "init", "-q", "--bare")
        git(directory, "clone", "-q", str(made.bare), str(made.person))
        made.push(files, "First")
        return made

    def push(self, files: Mapping[str, str], words: str) -> str:
        """Write files as a person, commit and push; return the commit."""
        if git(self.bare, "branch", "--list", "main"):
            git(self.person, "pull", "-q", "--rebase", "origin", "main")
        for path, text in files.items():
            (self.person / path).parent.mkdir(parents=True, exist_ok=True)
            (self.person / path).write_bytes(text.encode())
        git(self.person, "add", "-A")
        git(self.person, "commit", "-q", "-m", words)
        git(self.person, "push", "-q", "origin", "HEAD:main")
        return git(self.person, "rev-parse", "HEAD")

    def read(self, path: str, branch: str = "main") -> str:
        """Return a file as the repository has it, line ends as they are."""
        return subprocess.run(
            ["git", "-C", self.bare, "show", f"{branch}:{path}"], check=True, capture_output=True
        ).stdout.decode()

    def subjects(self, branch: str = "main") -> list[str]:
        """Return the first lines of the commits, the newest first."""
        return git(self.bare, "log", "--first-parent", "--format=%s", branch).splitlines()

    def message(self, revision: str = "main") -> str:
        """Return a commit's words."""
        return git(self.bare, "log", "-1", "--format=%B", revision)


@dataclass(frozen=True, slots=True)
class Works:
    """A registry with keys, and the state directory that publishes there.

    Attributes:
        live: The registry.
        directory: Where config and deploy.yaml are written.
    """

    live: LiveRegistry
    directory: Path

    @property
    def settings(self) -> Settings:
        """The state directory."""
        return self.live.settings

    def set_up(self) -> None:
        """Make keys and config.yaml."""
        signing_keys(self.settings.keys, Generation.BASE, Generation.PRODUCTION)
        config = {"registry": NAME, "ropewalk": {"endpoint": self.live.endpoint, "aliases": ["docker.example.org"]}}
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "config.yaml").write_text(yaml.safe_dump(config))

    def publish(self, name: str, build: int, *, how: How = How.BUILT, reason: str = "") -> BuildRecord:
        """Make a tiny image, publish it as a build of ``name:1.0-1`` and keep its record."""
        store, book = Store(self.settings.store), RecordBook(self.settings.records)
        image = tiny_image(store, f"{name} {build}".encode())
        record = replace(
            record_of(image, name),
            version="1.0-1",
            build=build,
            generation=Generation.PRODUCTION,
            how=how,
            reasons=(reason,) if reason else (),
        )
        book.save(record)
        with RegistryClient(self.live.endpoint) as client:
            publish(
                image,
                record,
                store=store,
                client=client,
                keys=load(self.settings.keys, Generation.PRODUCTION),
                lookaside=self.live.lookaside_directory,
                book=book,
                latest=True,
                now=1_700_000_200 + build,
            )
        return record

    def settle(self, deployment: Deployment, text: str) -> Command:
        """Write deploy.yaml for a repository; return the command that reads it."""
        (self.directory / "deploy.yaml").write_text(f"repository: {deployment.bare}\n{text}")
        return Command(self.settings.state, self.directory / "config.yaml")
