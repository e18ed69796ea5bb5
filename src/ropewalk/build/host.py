"""What this host can and cannot do: each need tried for real, each with the fix in one line (``ropewalk doctor``)."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ropewalk.archive.fetch import get
from ropewalk.archive.release import DEBIAN_KEYRING, parse_release, verify
from ropewalk.archive.upstream import DEBIAN, Upstream
from ropewalk.build.isolation import isolation
from ropewalk.errors import HostError, RopewalkError
from ropewalk.process import Command, run
from ropewalk.settings import Settings

_GIB = 1 << 30
_MEMORY_PER_BUILD = 2 * _GIB
_DISK_GIB = 5
_CAP_SYS_ADMIN = 21
_TIMEOUT = 20.0
_RELEASE_LIMIT = 4 << 20
_HOUR = 3600
_STATUS = Path("/proc/self/status")
_ROOT_FIX = "run as root on a machine or VM, or in a container that has CAP_SYS_ADMIN (podman run --privileged)"
_PROGRAMS = (
    ("mmdebstrap", "--version", "mmdebstrap"),
    ("buildah", "--version", "buildah"),
    ("podman", "--version", "podman"),
    ("skopeo", "--version", "skopeo"),
    ("docker-registry", "--version", "docker-registry"),
    ("runc", "--version", "runc"),
    ("gpg", "--version", "gpg"),
    ("gpg-agent", "--version", "gpg-agent"),
    ("gpgv", "--version", "gpgv"),
    ("nft", "--version", "nftables"),
    ("ip", "-V", "iproute2"),
    ("unshare", "--version", "util-linux"),
    ("git", "--version", "git"),
    ("curl", "--version", "curl"),
)
"""Program, option that prints its version, Debian package."""
_OPTIONAL = frozenset({"git", "curl"})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that this host can or cannot do.

    Attributes:
        name: What was looked at.
        ok: It is as it should be.
        required: Nothing can be built without it.
        found: What was found, in a few words.
        fix: What to do where it is not ok; empty where it is.
    """

    name: str
    ok: bool
    required: bool
    found: str
    fix: str = ""


def checks(settings: Settings, upstream: Upstream, clock: Callable[[], float] = time.time) -> tuple[Check, ...]:
    """Look at everything that builds, the registry and the restricted node of the demo need.

    Args:
        settings: Where the state is; its disk is looked at.
        upstream: The archive's mirrors.
        clock: The time in seconds since 1970.

    Returns:
        The checks, in the order in which they are best mended.
    """
    programs = tuple(_program(name, option, package) for name, option, package in _PROGRAMS)
    return (
        *programs,
        _capability(_STATUS.read_text(encoding="ascii", errors="replace")),
        *(_try(name, argv, fix, required=required) for name, argv, fix, required in _NAMESPACES),
        _overlay(settings),
        _isolation(settings),
        _disk(settings),
        *_archive(upstream, clock()),
    )


def jobs(cores: int, memory: int) -> int:
    """Return how many images to build at once by default: at most one a core, and one for each 2 GiB of memory.

    Args:
        cores: Processors that this process may use.
        memory: Bytes that it may use.
    """
    return max(1, min(cores, memory // _MEMORY_PER_BUILD))


def memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or less where its control group says so."""
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return here
    return min(here, int(limit)) if limit.isdecimal() else here


def _program(name: str, option: str, package: str) -> Check:
    fix = f"apt-get install {package}, or `make setup`"
    try:
        done = run(Command((name, option), timeout=_TIMEOUT), check=False)
    except RopewalkError:
        return Check(name, False, name not in _OPTIONAL, "not installed", fix)
    first = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    return Check(name, True, name not in _OPTIONAL, _version(first[0] if first else ""))


def _version(line: str) -> str:
    """Return the first word of a version line with a digit and a dot, or the line."""
    words = (word.strip(",()v") for word in line.split())
    return next((word for word in words if "." in word and any(map(str.isdigit, word))), line or "installed")


def _capability(status: str) -> Check:
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    has = bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    return Check("CAP_SYS_ADMIN", has, True, "there" if has else "missing", "" if has else _ROOT_FIX)


_VETH = "ip link set lo up && ip link add name probe0 type veth peer name probe1"
_NAMESPACES: tuple[tuple[str, tuple[str, ...], str, bool], ...] = (
    ("mount namespace", ("unshare", "--mount", "--", "true"), _ROOT_FIX, True),
    ("process namespace", ("unshare", "--pid", "--fork", "--mount-proc", "--", "true"), _ROOT_FIX, True),
    ("network namespace", ("unshare", "--net", "--", "sh", "-c", _VETH), "load the veth module: modprobe veth", True),
    (
        "user namespace",
        ("unshare", "--user", "--map-root-user", "--", "true"),
        "sysctl user.max_user_namespaces=15000 (only builds without root need it)",
        False,
    ),
    (
        "nftables",
        ("unshare", "--net", "--", "nft", "add table inet probe"),
        "load the module: modprobe nf_tables (the restricted node needs it)",
        True,
    ),
)


def _try(name: str, argv: tuple[str, ...], fix: str, *, required: bool) -> Check:
    try:
        done = run(Command(argv, timeout=_TIMEOUT), check=False)
    except RopewalkError as error:
        return Check(name, False, required, error.message, fix)
    if done.returncode == 0:
        return Check(name, True, required, "works")
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return Check(name, False, required, said[-1] if said else f"status {done.returncode}", fix)


@contextmanager
def _probe(settings: Settings) -> Iterator[Path]:
    settings.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="doctor-", dir=settings.scratch, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _overlay(settings: Settings) -> Check:
    """Mount an overlay in the state directory itself: on another overlay, or on some network disks, it fails."""
    fix = f"put ROPEWALK_STATE on a disk with ext4 or xfs; {settings.state} is none, or mounting is not allowed"
    with _probe(settings) as place:
        for part in ("lower", "upper", "work", "merged"):
            (place / part).mkdir()
        options = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        mount = ("unshare", "--mount", "--", "mount", "-t", "overlay", "overlay", "-o", options, f"{place}/merged")
        return _try("overlay mount", mount, fix, required=True)


def _isolation(settings: Settings) -> Check:
    try:
        found = isolation(settings)
    except (HostError, OSError) as error:
        fix = error.hint if isinstance(error, HostError) else _ROOT_FIX
        return Check("build isolation", False, True, str(error), fix)
    if found.kind == "chroot":
        fix = "install runc; chroot keeps a recipe's RUN from nothing, and tests need a runtime"
        return Check("build isolation", False, False, "chroot only", fix)
    return Check("build isolation", True, True, f"{found.kind}, {found.runtime}")


def _disk(settings: Settings) -> Check:
    place = next(path for path in (settings.state, *settings.state.parents) if path.exists())
    free = shutil.disk_usage(place).free // _GIB
    fix = "" if free >= _DISK_GIB else f"free some on the disk of {place}, or set ROPEWALK_STATE to another"
    return Check("disk space", free >= _DISK_GIB, True, f"{free} GiB free, {_DISK_GIB} needed", fix)


def _archive(upstream: Upstream, now: float) -> tuple[Check, ...]:
    url = upstream.url(DEBIAN, "dists/stable/InRelease")
    try:
        with upstream.client() as client:
            data = get(client, url, _RELEASE_LIMIT)
        date = parse_release(verify(data, DEBIAN_KEYRING, url).decode(errors="replace")).date
    except RopewalkError as error:
        return (Check("archive", False, True, str(error), error.hint),)
    return (Check("archive", True, True, f"{upstream.debian} answers"), clock_check(date, now))


def clock_check(date: int, now: float) -> Check:
    """Compare this host's clock with the archive's newest release file.

    Args:
        date: The release file's ``Date``, in seconds since 1970.
        now: This host's time, in seconds since 1970.
    """
    late = int(date - now)
    if late > _HOUR:
        return Check(
            "clock", False, True, f"{late // _HOUR} h behind the archive's release file", "set the clock: timedatectl"
        )
    return Check("clock", True, True, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now)))
