"""Where a Dockerfile is built: its context, what its RUN instructions are lent, and buildah's command.

The Dockerfile is changed in memory only: every stage learns SOURCE_DATE_EPOCH, and the last one ends with the image's
own ldconfig, since what libraries are cached must not depend on which package happened to come last.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ropewalk.archive import View
from ropewalk.build import hostpip, storage
from ropewalk.build.aptfiles import SOURCES
from ropewalk.build.containers import load_image
from ropewalk.build.isolation import build_options
from ropewalk.build.limits import limit_options
from ropewalk.build.normalise import APT_CONF, MOUNT
from ropewalk.build.sources import lend_sources, mounting, write_stages
from ropewalk.build.workshop import Workshop
from ropewalk.errors import InputError
from ropewalk.oci.model import Image
from ropewalk.process import Command
from ropewalk.recipe.dockerfile import Dockerfile, parse
from ropewalk.recipe.limits import NO_LIMITS, Limits
from ropewalk.recipe.recipe import ContextFile

BUILT = "localhost/ropewalk/built"
"""The repository of what is being built, in buildah's storage only; the tag is the build's own."""
_WRITING = ("RUN", "COPY", "ADD")
_AUTHORITY = "archives.pem"
_WAITED = 75
"""How the ending ends where nothing is to be committed."""
_FINISH = f"""\
#!/bin/sh
# The end of every build: what depends on the order of installation is written once more.
set -e
/sbin/ldconfig
if command -v fc-cache >/dev/null && command -v find >/dev/null; then
    # fontconfig's caches hold the directories' times, which are clamped to the epoch in the image.
    for fonts in /usr/share/fonts /usr/local/share/fonts; do
        [ -d "$fonts" ] && find "$fonts" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {{}} +
    done
    fc-cache -s
fi
# Nothing need be committed where what was added is read now: this step waits for that, and ends the build.
if [ -p /{MOUNT}/finished ]; then
    echo yes >/{MOUNT}/finished
    read -r answer </{MOUNT}/was-read
    exit {_WAITED}
fi
exit 0
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built.

    Attributes:
        name: The line, for messages.
        dockerfile: The rendered Dockerfile.
        context: The build context.
        parents: Images by the reference that the Dockerfile names, the final one first.
        final: The image in the last ``FROM``; None for ``scratch``.
        view: The archive view that apt sees.
        epoch: SOURCE_DATE_EPOCH in seconds.
        build: A word that no other build of this process has (`Names.fresh`).
        limits: What it may use of this machine.
        proxy: The HTTP proxy for what is no package; empty for none.
        allowed: The sha256 of each .deb that it may have; None lets it have all of the view.
    """

    name: str
    dockerfile: str
    context: tuple[ContextFile, ...]
    parents: Mapping[str, Image]
    final: Image | None
    view: View
    epoch: int
    build: str
    limits: Limits = NO_LIMITS
    proxy: str = ""
    allowed: frozenset[str] | None = None


def prepared(text: str, arguments: Sequence[str], ending: Sequence[str]) -> str:
    """Give every stage some build arguments and the last stage an ending that runs as root.

    Args:
        text: The rendered Dockerfile.
        arguments: Names for ``ARG``.
        ending: Program and arguments of the last RUN; nothing is added where it is empty.

    Returns:
        The Dockerfile for buildah; the last ``USER`` stands again after the ending.
    """
    parsed = parse(text)
    stages = parsed.stages
    lines = text.splitlines()
    starts = [stage.line for stage in stages[1:]] + [len(lines) + 1]
    args = [f"ARG {name}" for name in arguments]
    for stage, following in reversed(list(zip(stages, starts, strict=True))):
        at = (stage.instructions[0].line if stage.instructions else following) - 1
        lines[at:at] = args
    if ending:
        words = ", ".join(f'"{word}"' for word in ending)
        user = standing_user(parsed)
        lines += ["USER 0:0", f"RUN [{words}]", *([f"USER {user}"] if user else [])]
    return "\n".join(lines) + "\n"


def standing_user(dockerfile: Dockerfile) -> str:
    """Return the user that the final image has by its Dockerfile, also where an earlier stage says it.

    Args:
        dockerfile: The parsed Dockerfile.

    Returns:
        The value of the last ``USER`` that holds, as written; empty where the parent's user stays.

    Raises:
        InputError: An earlier stage says it by a variable, which means nothing in the last stage.
    """
    chain = dockerfile.standing_on()
    found = [(stage, i) for stage in chain for i in stage.instructions if i.keyword.upper() == "USER"]
    if not found:
        return ""
    stage, last = found[-1]
    if stage is not chain[-1] and "$" in last.value:
        hint = "write USER with the plain user in the last stage too"
        raise InputError(f"USER {last.value} of an earlier stage is a variable", where=f"line {last.line}", hint=hint)
    return last.value


def fill_context(files: Iterable[ContextFile], into: Path, epoch: int) -> None:
    """Lay a build context out: links followed, modes as recorded, one time for all.

    Args:
        files: The context, sorted by path.
        into: An empty directory.
        epoch: The time of every file, in seconds since 1970.
    """
    directories = []
    for file in files:
        target = into / file.path
        if file.directory:
            target.mkdir(parents=True, exist_ok=True)
            directories.append((target, file.mode))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)
        target.chmod(file.mode)
        os.utime(target, (epoch, epoch))
    for directory, mode in reversed(directories):
        directory.chmod(mode)
        os.utime(directory, (epoch, epoch))


@dataclass(frozen=True, slots=True)
class Site:
    """A build that is laid out.

    Attributes:
        place: Its scratch directory.
        command: buildah's command.
        storage: Options that name a storage of the build's own; empty where it uses that of all.
    """

    place: Path
    command: Command
    storage: tuple[str, ...] = ()

    @property
    def finished(self) -> Path:
        """The pipe to which the ending writes; only with a storage of the build's own."""
        return self.place / "lent" / "finished"

    @property
    def was_read(self) -> Path:
        """The pipe from which the ending then reads."""
        return self.place / "lent" / "was-read"

    @property
    def containers(self) -> Path:
        """The root of its own storage."""
        return self.place / "containers"


@contextmanager
def laid_out(shop: Workshop, order: Order, ending: Sequence[str], *, apart: bool = False) -> Iterator[Site]:
    """Lay a build out: parents in the storage, context, Dockerfile, and what is lent.

    Args:
        shop: The workshop.
        order: What is to be built.
        ending: The last RUN; see `prepared`.
        apart: Give it a storage of its own above that of all.

    Yields:
        The site; its directories and names are gone when the body ends.
    """
    with ExitStack() as stack:
        place = shop.scratch("build")
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        stack.callback(storage.drop_cgroup, shop.settings, order.build)
        stack.enter_context(shop.names.held({reference: image.digest for reference, image in order.parents.items()}))
        for reference, image in order.parents.items():
            load_image(shop, image, reference)
        (place / "context").mkdir()
        fill_context(order.context, place / "context", order.epoch)
        sources = _sources(shop, order)
        volumes = _lend(shop, order, place, sources)
        lent = lend_sources(order.dockerfile, sources, order.view)
        if lent.everywhere is not None:
            (place / "debian.sources").write_text(lent.everywhere, encoding="utf-8")
            volumes.append((place / "debian.sources", SOURCES))
        # The ending gets no mount of sources: buildah takes away what it made for one when the instruction has ended.
        text = prepared(mounting(order.dockerfile, lent.stages), tuple(_arguments(shop, order)), ending)
        (place / "Dockerfile").write_text(text, encoding="utf-8")
        own: tuple[str, ...] = ()
        if apart:
            own = storage.apart(shop.settings, place / "containers", order.build)
            stack.callback(shutil.rmtree, storage.run_root(shop.settings) / order.build, ignore_errors=True)
        contexts = write_stages(lent.stages, place / "sources")
        command = build_command(shop, order, place, volumes, more=contexts, own=own)
        if shop.isolated:
            command = replace(command, network=stack.enter_context(shop.proxy.apart(order.build)))
        yield Site(place, command, own)


def configuring(text: str) -> str:
    """Return a Dockerfile that gives the config of another's last stage, and no file of it.

    Args:
        text: The Dockerfile.
    """
    parsed = parse(text)
    last = parsed.stages[-1]
    gone = [(stage.line, following.line) for stage, following in pairwise(parsed.stages)]
    gone += [(item.line, item.last_line + 1) for item in last.instructions if item.keyword in _WRITING]
    numbers = {number for start, end in gone for number in range(start, end)}
    return "".join(f"{line}\n" for number, line in enumerate(text.splitlines(), 1) if number not in numbers)


def build_command(
    shop: Workshop,
    order: Order,
    place: Path,
    volumes: Iterable[tuple[Path, str]] = (),
    *,
    file: str = "Dockerfile",
    more: Sequence[str] = (),
    own: tuple[str, ...] = (),
) -> Command:
    """Return the buildah command.

    Args:
        shop: The workshop.
        order: What is built; its image and its control group are named after its word.
        place: Where the Dockerfile and ``context`` are.
        volumes: What RUN instructions see read-only: (path here, path there).
        file: The Dockerfile's name.
        more: More options.
        own: The options of a storage of its own.
    """
    options = (
        *build_options(shop.settings, shop.isolation, apart=shop.isolated),
        *storage.cgroup_parent(shop.settings, order.build),
        *limit_options(order.limits),
    )
    arguments = {**_arguments(shop, order), **proxies("" if shop.isolated else order.proxy)}
    args = (f"--build-arg={key}={value}" for key, value in arguments.items())
    mounts = (f"--volume={source}:/{target}:ro" for source, target in volumes)
    last = ("--file", str(place / file), "--tag", f"{BUILT}:{order.build}", str(place / "context"))
    return storage.nameless(storage.buildah(shop.settings, "bud", *options, *args, *mounts, *more, *last, own=own))


def _arguments(shop: Workshop, order: Order) -> dict[str, str]:
    pip = {"PIP_CONFIG_FILE": f"/{MOUNT}/pip.conf"} if shop.pip else {}
    # TeX's own switch, without which it ignores SOURCE_DATE_EPOCH for dates in documents and formats.
    return {"SOURCE_DATE_EPOCH": str(order.epoch), "FORCE_SOURCE_DATE": "1", "PIP_NO_CACHE_DIR": "1", **pip}


def proxies(proxy: str) -> dict[str, str]:
    """Return a proxy as build arguments; every Dockerfile has them without ``ARG``, and no image keeps them.

    Args:
        proxy: Its address; empty for none.
    """
    names = ("http_proxy", "https_proxy")
    return {name: proxy for lower in names for name in (lower, lower.upper())} if proxy else {}


def _lend(shop: Workshop, order: Order, place: Path, sources: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Write what RUN instructions see but no image keeps; return the mounts."""
    lent = place / "lent"
    lent.mkdir()
    shop.lists.link(order.view, {word for text in sources.values() for word in text.split()}, lent / "lists")
    (lent / "finish").write_text(_FINISH, encoding="utf-8")
    if shop.pip:
        hostpip.write(shop.pip, lent)
    mounts = [(lent, MOUNT)]
    if any("etc/apt/apt.conf.d" in shop.store.tree(image) for image in order.parents.values()):
        (lent / _AUTHORITY).write_text(shop.proxy.certificate, encoding="utf-8")
        settings = apt_settings(shop.proxy.url(order.view.id, order.build), f"/{MOUNT}/{_AUTHORITY}")
        (place / "apt.conf").write_text(settings, encoding="utf-8")
        mounts.append((place / "apt.conf", APT_CONF))
    return mounts


def _sources(shop: Workshop, order: Order) -> dict[str, str]:
    """Read ``debian.sources`` of the parents that have one."""
    read = ((name, shop.store.read_files(image.layers, (SOURCES,))) for name, image in order.parents.items())
    return {name: files[SOURCES].decode() for name, files in read if SOURCES in files}


def apt_settings(proxy: str, certificate: str) -> str:
    """Return the apt settings of a build: the view's proxy, also for https, no doubt about old dates, and lists at hand.

    Lists appear when ``apt-get update`` is run, as everywhere; what apt makes of them is kept until something is installed.

    Args:
        proxy: The proxy's URL for the view.
        certificate: Where apt finds the proxy's certificate.
    """
    lists = f"ln -sf /{MOUNT}/lists/* /var/lib/apt/lists/ 2>/dev/null || true"
    return (
        f'Acquire::http::Proxy "{proxy}";\n'
        f'Acquire::https::Proxy "{proxy}";\n'
        f'Acquire::https::CAInfo "{certificate}";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::GzipIndexes "false";\n'
        'Dir::Cache::pkgcache "pkgcache.bin";\n'
        f'APT::Update::Pre-Invoke {{ "{lists}"; }};\n'
    )
