"""Base images: mmdebstrap lays Debian packages out through the archive proxy; what stays is packages and apt's settings."""

import io
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ropewalk.archive import DEBIAN_KEYRING, View, uri_of
from ropewalk.build import storage
from ropewalk.build.aptfiles import STRIP, SmallFile, base_files
from ropewalk.build.basetree import furnished, stripped
from ropewalk.build.concerns import tell
from ropewalk.build.failure import telling
from ropewalk.build.limits import limited
from ropewalk.build.normalise import concerns, normalise
from ropewalk.build.scan import scan
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, ImageConfig
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import BaseSpec, Recipe
from ropewalk.recipe.strip import dpkg_lines

_LEFT_BEHIND = re.compile(
    r"etc/(resolv\.conf|hosts|hostname|machine-id|apt/sources\.list|apt/apt\.conf\.d/99mmdebstrap)"
)
"""What the bootstrap took from this host or wrote for itself."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a bootstrap works with.

    Attributes:
        view: The archive view; of the recipe's suites those that it holds are used.
        proxy: The proxy's URL for that view.
        epoch: SOURCE_DATE_EPOCH in seconds.
        place: An empty directory of its own; the root is made in it.
    """

    view: View
    proxy: str
    epoch: int
    place: Path

    @property
    def root(self) -> Path:
        """Where the root is made."""
        return self.place / "root"

    @property
    def certificates(self) -> Path:
        """Where the recipe's certificates are."""
        return self.place / "certificates"

    @property
    def keyrings(self) -> Path:
        """Where the keyrings of the recipe's archives are."""
        return self.place / "keyrings"

    @property
    def apt(self) -> Path:
        """Settings of apt while the root is made."""
        return self.place / "apt.conf"

    @property
    def strip(self) -> Path:
        """What dpkg leaves out."""
        return self.place / "strip"


def bootstrap_command(spec: BaseSpec, ground: Ground) -> Command:
    """Return the mmdebstrap command for a base image.

    Args:
        spec: What the image is made of.
        ground: Where it is made, and from which view.

    Raises:
        InputError: The view holds none of the suites, lacks a component of one, or an archive's suite.
    """
    suites = _held(spec, ground.view)
    components = " ".join(spec.components)
    argv = (
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--architectures={ground.view.architecture}",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        # Each source names its keyring; mmdebstrap would compare all of this host's keys by gpg.
        "--skip=check/signed-by",
        # Not as a variable: maintainer scripts would see it, and one might keep it. Not on the command line: it holds the
        # build's word.
        f"--aptopt={ground.apt}",
        # mmdebstrap copies both from this host.
        '--setup-hook=: >"$1/etc/resolv.conf" && echo localhost >"$1/etc/hostname"',
        *_strip_hooks(spec, ground),
        # A root that starts merged needs the empty package only; usrmerge would bring all of perl along. The pattern
        # matches nothing, silently, in a release that has no such package.
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        "--include=?exact-name(usr-is-merged)",
        *(f"--include={package}" for package in spec.packages),
        *_certificate_hooks(spec, ground),
        # libc-bin's trigger ran before the last package; the cache must be the same as after any later build.
        '--customize-hook=chroot "$1" ldconfig',
        suites[0],
        str(ground.root),
        *(f'deb [signed-by="{DEBIAN_KEYRING}"] {uri_of(suite)} {suite} {components}' for suite in suites),
        *_archive_lines(spec, ground),
    )
    environment = (("SOURCE_DATE_EPOCH", str(ground.epoch)), ("TMPDIR", str(ground.place)))
    return Command(argv, environment=environment, contained=True)


def _held(spec: BaseSpec, view: View) -> list[str]:
    """Return the suites of a recipe that a view holds, with all the components that the recipe wants."""
    held = {suite.suite: suite for suite in view.suites if suite.of_debian}
    suites = [suite for suite in spec.suites if suite in held]
    if not suites:
        raise InputError(
            f"holds none of {', '.join(spec.suites)}", where=f"view {view.id}", hint="make one: `ropewalk archive view`"
        )
    for suite in suites:
        if lacking := [name for name in spec.components if name not in held[suite].components]:
            hint = f"make a view that has it: `ropewalk archive view --component {lacking[0]}`"
            raise InputError(f"holds no {', '.join(lacking)} of {suite}", where=f"view {view.id}", hint=hint)
    return suites


def _archive_lines(spec: BaseSpec, ground: Ground) -> Iterator[str]:
    """Go through sources of archives beside Debian's; the proxy serves each by its host, so that plain http will do."""
    held = {(suite.uri, suite.suite) for suite in ground.view.suites}
    for archive in spec.archives:
        address = archive.uri.partition("://")[2]
        for suite in archive.suites:
            if (archive.uri, suite) not in held:
                hint = "make a view that has it: `ropewalk archive view`"
                raise InputError(f"holds no {archive.uri} {suite}", where=f"view {ground.view.id}", hint=hint)
            options = f'signed-by="{ground.keyrings / archive.keyring.name}"'
            yield " ".join(("deb", f"[{options}]", f"http://{address}", suite, *archive.components))


def _strip_hooks(spec: BaseSpec, ground: Ground) -> tuple[str, ...]:
    """Let dpkg leave out what the recipe strips, and delete it of what was unpacked before there was a dpkg."""
    if not spec.strip.exclude:
        return ()
    include, exclude = (_find_any(globs) for globs in (spec.strip.include, spec.strip.exclude))
    found = shlex.join(("!", "-type", "d", "!", "-type", "l", "!", *include, *exclude, "-delete"))
    target = f'"$1/{STRIP}"'
    return (
        f'--setup-hook=mkdir -p "$1/etc/dpkg/dpkg.cfg.d" && cp {shlex.quote(str(ground.strip))} {target}',
        f'--extract-hook=cd "$1" && find ./usr {found}',
    )


def _find_any(globs: Iterable[str]) -> tuple[str, ...]:
    words = [word for glob in globs for word in ("-o", "-path", f".{glob}")]
    return ("(", *words[1:], ")")


def _certificate_hooks(spec: BaseSpec, ground: Ground) -> tuple[str, ...]:
    if not spec.certificates:
        return ()
    source = shlex.quote(str(ground.certificates))
    copied = f'cp {source}/*.crt "$1/usr/local/share/ca-certificates/" && chroot "$1" update-ca-certificates'
    return (f"--customize-hook={copied}",)


def base_config(spec: BaseSpec) -> ImageConfig:
    """Return how a base image runs: a shell, Debian's search path, and what its recipe says.

    Args:
        spec: What the image is made of.
    """
    env = dict(spec.env)
    path = () if "PATH" in env else (("PATH", _PATH),)
    return ImageConfig(env=(*path, *spec.env), cmd=("bash",), labels=tuple(sorted(spec.labels)))


def base_items(scanned: Iterable[TarItem], files: Iterable[SmallFile], epoch: int) -> Iterator[TarItem]:
    """Give a bootstrapped root its small files and leave out what came from this host.

    Args:
        scanned: The root as mmdebstrap left it.
        files: Files to put in.
        epoch: Their time, in seconds since 1970.

    Yields:
        The items of the image's one layer, before they are normalised.
    """
    added = {file.path: file for file in files}
    for item in scanned:
        if item.entry.path not in added and not _LEFT_BEHIND.fullmatch(item.entry.path):
            yield item
    for file in added.values():
        entry = Entry(file.path, EntryType.FILE, file.mode, size=len(file.content), mtime=epoch)
        yield TarItem(entry, partial(io.BytesIO, file.content))


def dated(item: TarItem, epoch: int) -> TarItem:
    """Give a directory the image's time: whether a package or mmdebstrap's hook made it first is its version's affair.

    Args:
        item: An item of the root.
        epoch: SOURCE_DATE_EPOCH in seconds.
    """
    if item.entry.type is not EntryType.DIRECTORY:
        return item
    return replace(item, entry=replace(item.entry, mtime=epoch))


@contextmanager
def bootstrapped(
    shop: Workshop, recipe: Recipe, view: View, epoch: int, log: Path, *, build: str
) -> Iterator[tuple[TarItem, ...]]:
    """Bootstrap a base image's root.

    Args:
        shop: The workshop.
        recipe: A base recipe.
        view: The archive view.
        epoch: SOURCE_DATE_EPOCH in seconds.
        log: Where mmdebstrap writes.
        build: A word that tells this build's errors at the proxy, and its control group, from those of others.

    Yields:
        The normalised items of the image's one layer; their content is there during the ``with``.

    Raises:
        BuildFailed: mmdebstrap failed; the log says why.
        InputError: The recipe is no base recipe, or the view holds none of its suites.
    """
    spec = recipe.base
    if spec is None:
        raise InputError("is no base recipe", where=recipe.reference, hint="give it a base.yaml")
    place = shop.scratch("root")
    try:
        ground = Ground(view, shop.proxy.url(view.id, build), epoch, place)
        command = bootstrap_command(spec, ground)
        _prepare(spec, ground)
        group = f"{storage.cgroup(shop.settings)}/{build}"
        command = limited(storage.nameless(command), group, recipe.limits)
        with shop.proxy.apart(build) if shop.isolated else nullcontext() as network, telling(recipe.reference, log):
            run(replace(command, network=network), log=log)
        # Without an entry of its own, clients give the root their own mode: podman 0555.
        root = TarItem(Entry("", EntryType.DIRECTORY, 0o755, mtime=epoch), None)
        laid = tuple(base_items(stripped(scan(ground.root), spec.strip), base_files(spec), epoch))
        tell(shop, recipe, concerns(laid))
        items = normalise(laid, {}, epoch)
        yield (root, *furnished((dated(item, epoch) for item in items), spec, epoch, recipe.reference))
    finally:
        shutil.rmtree(place, ignore_errors=True)
        storage.drop_cgroup(shop.settings, build)


def _prepare(spec: BaseSpec, ground: Ground) -> None:
    """Write what the hooks put into the root."""
    ground.apt.write_text(f'Acquire::http::Proxy "{ground.proxy}";\n', encoding="utf-8")
    ground.strip.write_text(dpkg_lines(spec.strip), encoding="utf-8")
    ground.certificates.mkdir()
    for certificate in spec.certificates:
        (ground.certificates / certificate.name).write_bytes(certificate.content)
    ground.keyrings.mkdir()
    for archive in spec.archives:
        (ground.keyrings / archive.keyring.name).write_bytes(archive.keyring.read_bytes())
