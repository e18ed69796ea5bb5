"""What a recipe says, once it is read: plain values that plan, build and refresh work with."""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ropewalk.debian import Repository
from ropewalk.recipe.concern import Concern
from ropewalk.recipe.limits import NO_LIMITS, Limits


class Generation(StrEnum):
    """Where an image stands in the strategy's tree; base images are never deployed."""

    BASE = "base"
    PRODUCTION = "production"
    SERVICE = "service"


class ParentRole(StrEnum):
    """What an image takes from a parent."""

    FINAL = "final"
    """It stands in the last ``FROM``: its layers are below ours."""
    BUILD = "build"
    """It is used to build only: another stage, ``COPY --from``, ``Build-Depends``."""


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Why a foreign image may not be a parent, or a recipe may not be built.

    Attributes:
        reason: Where it stands, and what is wrong with it.
        hint: What the user can do.
    """

    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Parent:
    """An image that a recipe needs.

    Attributes:
        reference: As the rendered Dockerfile names it, arguments expanded, with a tag (``latest`` where none is written).
        repository: ``registry/namespace/name`` in the registry's own name where it is ours (aliases are resolved).
        name: ``namespace/name`` of the line, without registry and tag; None for a foreign image.
        tag: The tag.
        role: Final or build.
        forbidden: Why the config does not allow it; None where it does, and for our own.
    """

    reference: str
    repository: str
    name: str | None
    tag: str
    role: ParentRole
    forbidden: Forbidden | None = None


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A path of the build context.

    Attributes:
        path: Relative to the context.
        source: Where its content is read from (a link inside the tree is followed).
        mode: Permission bits.
        directory: It is a directory.
        sha256: Of the content; empty for a directory.
    """

    path: str
    source: Path
    mode: int
    directory: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class BaseFile:
    """A file that a base image gets beside its packages.

    Attributes:
        path: Relative to the root.
        content: Its bytes.
        mode: Permission bits.
        owner: A user of the image by name, or a number.
        group: Likewise a group.
    """

    path: str
    content: bytes
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class BaseUser:
    """An account that a base image gets (passwd(5)).

    Attributes:
        name: Its name, and its group's where no other group has the number.
        uid: Its number.
        gid: Its group's number.
        home: Its home directory, made where it is missing; ``/nonexistent`` stays so.
        shell: Its login shell.
    """

    name: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate authority that a base image trusts.

    Attributes:
        name: Its file's name in ``/usr/local/share/ca-certificates``.
        content: One certificate in PEM.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Strip:
    """What a base image leaves out of its packages, as dpkg's globs (dpkg(1)).

    Attributes:
        exclude: What is left out.
        include: What is kept all the same.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseSpec:
    """A base image as its ``base.yaml`` says.

    Attributes:
        suites: Suites of the archive, the release first: ``bookworm``, ``bookworm-updates``, ``bookworm-security``.
        components: ``main`` and others.
        packages: Packages beside those that are essential and apt.
        env: Environment variables of the image.
        labels: Labels of the image.
        files: Files beside those of packages, by path.
        users: Accounts beside those that packages make.
        certificates: Authorities that the image trusts beside those of ca-certificates.
        strip: What is left out of packages.
        archives: Archives beside Debian's; their keyrings stand beside the recipe.
    """

    suites: tuple[str, ...]
    components: tuple[str, ...]
    packages: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    files: tuple[BaseFile, ...] = ()
    users: tuple[BaseUser, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    strip: Strip = Strip()
    archives: tuple[Repository, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptTest:
    """docker-pkg's contract: a program of the host that gets the image's name.

    Attributes:
        argv: The command with ``{path}`` replaced; ``{image}`` stands where the image's full name goes.
    """

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VariantTest:
    """A service's test variant: an image that is built beside it and whose entry point must succeed.

    Attributes:
        dockerfile: The rendered Dockerfile of the variant.
    """

    dockerfile: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one image is made.

    Attributes:
        generation: Base, production or service.
        registry: The registry's name (``registry.example.org``), never its address.
        namespace: docker-pkg's ``namespace``; may be empty.
        name: The changelog's name, without registry and namespace.
        version: The changelog's newest version (base: ``version``); an OCI tag that does not end in ``-rN``.
        directory: The recipe's directory.
        digest: ``sha256:...`` over all that the recipe says: rendered Dockerfile, context with modes, test, base spec.
        epoch: SOURCE_DATE_EPOCH in seconds; None for a base image, whose view gives it.
        dockerfile: The rendered Dockerfile; empty for a base image.
        parents: Images that it needs, the final one first, each once per role.
        context: The build context, sorted by path, `.dockerignore` applied; of a base image, the files that it names.
        base: What a base image is made of; None for the others.
        test: How the built image is tested; None where the recipe has no test.
        rebase: False where the recipe says that its images must never be rebased.
        limits: What its build may use of this machine; no input of the image.
        proxy: The HTTP proxy that RUN instructions get; empty for none. No input of the image.
        config: The config file that it was read with; None where there was none.
        roots: The directories that were named when it was read.
        test_seconds: How long its test may take; no input of the image.
        refuse: What its build must not make; no input of the image.
        lacks: What it copies and does not have, so that no build of it can succeed; None where it has all.
    """

    generation: Generation
    registry: str
    namespace: str
    name: str
    version: str
    directory: Path
    digest: str
    epoch: int | None
    dockerfile: str = ""
    parents: tuple[Parent, ...] = ()
    context: tuple[ContextFile, ...] = ()
    base: BaseSpec | None = None
    test: ScriptTest | VariantTest | None = None
    rebase: bool = True
    limits: Limits = NO_LIMITS
    proxy: str = ""
    config: Path | None = None
    roots: tuple[Path, ...] = ()
    test_seconds: int = 600
    refuse: tuple[Concern, ...] = ()
    lacks: Forbidden | None = None

    @property
    def path(self) -> str:
        """``namespace/name``: what people, owners and outputs call it; the registry's repository."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def repository(self) -> str:
        """``registry/namespace/name``, empty parts left out."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    @property
    def reference(self) -> str:
        """``registry/namespace/name:version``: the line."""
        return f"{self.repository}:{self.version}"

    @property
    def new_version(self) -> str:
        """How it gets a version that is not used up: the hint of plans and checks, with the exact command."""
        if self.generation is Generation.BASE:
            return f"raise `version` in {self.directory / 'base.yaml'}"
        config = ("-c", str(self.config)) if self.config is not None else ()
        words = ("ropewalk", *config, "update", self.name, "--reason", "WHY", *map(str, self.roots))
        return f"run: {shlex.join(words)}"
