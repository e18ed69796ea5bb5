"""How RUN instructions are kept apart from this host: found out once by a real run, not by guessing."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from platform import release
from shutil import which
from tempfile import TemporaryDirectory

from ropewalk import atomic
from ropewalk.build import storage
from ropewalk.errors import HostError
from ropewalk.process import run
from ropewalk.settings import Settings

_PROBE = 'FROM scratch\nCOPY probe /probe\nRUN ["/probe", "--version"]\n'
_STATIC = ("/usr/sbin/ldconfig", "/sbin/ldconfig")


@dataclass(frozen=True, slots=True)
class Isolation:
    """A way to run instructions.

    Attributes:
        kind: ``oci`` (an OCI runtime), ``chroot`` (never for untrusted recipes), or ``none``: only base images are made.
        runtime: ``crun`` or ``runc``; empty for the others.
    """

    kind: str
    runtime: str


NONE = Isolation("none", "")


_CANDIDATES = (Isolation("oci", "crun"), Isolation("oci", "runc"), Isolation("chroot", ""))


def isolation(settings: Settings) -> Isolation:
    """Return the best isolation that works here; the answer is kept for this kernel.

    Args:
        settings: Where the state is.

    Returns:
        The first of crun, runc and chroot under which a tiny image could be built.

    Raises:
        HostError: None works.
    """
    kept = settings.state / "isolation.json"
    known = _read(kept)
    if known is not None:
        return known
    for candidate in _CANDIDATES:
        if works(settings, candidate):
            text = json.dumps({"kernel": release(), **asdict(candidate)})
            atomic.write_text(kept, text)
            return candidate
    raise no_isolation()


def isolation_or_none(settings: Settings) -> Isolation:
    """Return what `isolation` does, and `NONE` where nothing works: base images need none.

    Args:
        settings: Where the state is.
    """
    try:
        return isolation(settings)
    except HostError:
        return NONE


def no_isolation() -> HostError:
    """Return the error of a host where no RUN instruction can be kept apart; the caller raises it."""
    return HostError(
        "no isolation works here, neither crun nor runc nor chroot",
        where="buildah",
        hint="run as root with CAP_SYS_ADMIN and install runc; `ropewalk doctor` says more",
    )


def _read(path: Path) -> Isolation | None:
    try:
        data = json.loads(path.read_bytes())
        known = Isolation(data["kind"], data["runtime"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    there = not known.runtime or which(known.runtime) is not None
    return known if data.get("kernel") == release() and there else None


def works(settings: Settings, candidate: Isolation) -> bool:
    """Try an isolation: build an image whose only RUN is a static program of this host.

    Args:
        settings: Where the state is; a storage of its own is used and removed.
        candidate: What to try.
    """
    if candidate.runtime and which(candidate.runtime) is None:
        return False
    program = next((path for path in _STATIC if Path(path).is_file()), None)
    if program is None or which("buildah") is None:
        return False
    settings.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="probe-", dir=settings.scratch, ignore_cleanup_errors=True) as name:
        place = Path(name)
        apart = replace(settings, state=place / "state")
        storage.prepare(apart, candidate.runtime or "runc")
        context = place / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(_PROBE, encoding="utf-8")
        (context / "probe").write_bytes(Path(program).read_bytes())
        (context / "probe").chmod(0o755)
        command = storage.buildah(apart, "bud", *build_options(apart, candidate), "--tag", "probe", str(context))
        done = run(command, check=False)
        storage.clean(apart)
    return done.returncode == 0


def no_own_network(chosen: Isolation) -> HostError:
    """Return the error of a host where no RUN instruction can have a network of its own; the caller raises it.

    Args:
        chosen: What works here.
    """
    works = "nothing" if chosen == NONE else "chroot"
    message = f"an isolated network needs an OCI runtime; what works here is {works}"
    return HostError(message, where="network: isolated", hint="install runc, or build with `--network host`")


def build_options(settings: Settings, chosen: Isolation, *, apart: bool = False) -> tuple[str, ...]:
    """Return what every ``buildah bud`` gets: one layer, nothing pulled, no network made, no label of its own.

    Args:
        settings: Where the state is.
        chosen: The isolation.
        apart: buildah runs in a network namespace of the build's: with ``ns:`` instructions see its devices in their own
            ``/sys``, with ``host`` they would see the host's.

    Raises:
        HostError: It is none.
    """
    if chosen == NONE:
        raise no_isolation()
    runtime = ("--runtime", chosen.runtime) if chosen.runtime else ()
    policy = ("--signature-policy", str(settings.containers / "policy.json"))
    fixed = (
        "--layers=false",
        "--pull-never",
        "--network",
        "ns:/proc/self/ns/net" if apart else "host",
        "--uts",
        "host",
        # Whoever reads all packets of the builder's loopback would read other builds' words to the archive proxy.
        "--cap-drop",
        "CAP_NET_RAW",
        "--identity-label=false",
        "--format",
        "oci",
    )
    return (*fixed, *policy, "--isolation", chosen.kind, *runtime)
