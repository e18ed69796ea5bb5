"""Where buildah and podman keep their things: settings of our own, none of the host's, and cleaning after a dead run."""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ropewalk import atomic
from ropewalk.process import Command, run
from ropewalk.settings import Settings

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
log_driver = "k8s-file"

[engine]
runtime = "{runtime}"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{tmp}"
"""
_REGISTRIES_CONF = "unqualified-search-registries = []\n"
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
_STORAGE_CONF = '[storage]\ndriver = "overlay"\ngraphroot = "{root}"\nrunroot = "{run}"\n'


def root(settings: Settings) -> Path:
    """Return the directory of images and layers."""
    return settings.containers / "storage"


def lists(settings: Settings) -> Path:
    """Return the directory of package lists that builds of this run share."""
    return settings.containers / "lists"


def run_root(settings: Settings) -> Path:
    """Return the directory of what only matters while something runs.

    podman takes at most 50 characters for it, and a state directory may have a longer name.
    """
    return settings.run / _short_name(settings)


def cgroup(settings: Settings) -> str:
    """Return the control group below which all containers run, so that what they leave is known to be ours."""
    return f"/ropewalk-{_short_name(settings)}"


def cgroup_parent(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the option that puts a container into a control group of ours; none for who may make no group.

    Args:
        settings: Where the state is.
        name: The build's word.
    """
    return (f"--cgroup-parent={cgroup(settings)}/{name}",) if settings.groups else ()


def apart(settings: Settings, place: Path, name: str) -> tuple[str, ...]:
    """Return the options of a storage that sees our images but keeps containers of its own: none clash, all go with it.

    Args:
        settings: Where the state is.
        place: Where its containers are kept.
        name: A short word, one build's or test's alone.
    """
    mine = ("--root", str(place), "--runroot", str(run_root(settings) / name))
    shared = ("--storage-driver", "overlay", "--storage-opt", f"overlay.imagestore={root(settings)}")
    return (*mine, *shared)


def drop_cgroup(settings: Settings, name: str) -> None:
    """Remove the empty control groups that a build or a test leaves.

    Args:
        settings: Where the state is.
        name: The build's word.
    """
    _drop_cgroups(f"{cgroup(settings)}/{name}")


def _short_name(settings: Settings) -> str:
    return hashlib.sha256(str(settings.state.absolute()).encode()).hexdigest()[:12]


def prepare(settings: Settings, runtime: str) -> None:
    """Write the settings that buildah, podman and skopeo get instead of the host's.

    Args:
        settings: Where the state is.
        runtime: The OCI runtime's name: ``runc`` or ``crun``.
    """
    settings.scratch.mkdir(parents=True, exist_ok=True)
    texts = {
        "containers.conf": _CONTAINERS_CONF.format(runtime=runtime, tmp=run_root(settings) / "libpod"),
        "registries.conf": _REGISTRIES_CONF,
        "policy.json": _POLICY,
        "storage.conf": _STORAGE_CONF.format(root=root(settings), run=run_root(settings)),
    }
    for name, text in texts.items():
        atomic.write_text(settings.containers / name, text)


def environment(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the variables that point the programs at our settings."""
    place = settings.containers
    return (
        ("CONTAINERS_CONF", str(place / "containers.conf")),
        ("CONTAINERS_REGISTRIES_CONF", str(place / "registries.conf")),
        ("CONTAINERS_STORAGE_CONF", str(place / "storage.conf")),
        ("TMPDIR", str(settings.scratch)),
    )


def storage_options(settings: Settings) -> tuple[str, ...]:
    """Return the options that name our storage to buildah and podman."""
    return ("--root", str(root(settings)), "--runroot", str(run_root(settings)), "--storage-driver", "overlay")


def buildah(settings: Settings, *arguments: str, own: tuple[str, ...] = ()) -> Command:
    """Return a buildah command on our storage.

    Args:
        settings: Where the state is.
        arguments: Verb and arguments.
        own: The options of another storage; see `apart`.
    """
    argv = ("buildah", *(own or storage_options(settings)), *arguments)
    return Command(argv, environment=environment(settings), contained=True)


def podman(settings: Settings, *arguments: str, own: tuple[str, ...] = ()) -> Command:
    """Return a podman command on our storage.

    Args:
        settings: Where the state is.
        arguments: Verb and arguments.
        own: The options of another storage; see `apart`.
    """
    argv = ("podman", *(own or storage_options(settings)), *arguments)
    return Command(argv, environment=environment(settings), contained=True)


def nameless(command: Command) -> Command:
    """Give a build a host name that is the same everywhere: some packages write it into their configuration.

    Args:
        command: A contained command; buildah must be told to share our host name (``--uts host``).
    """
    frame = ("unshare", "--uts", "--", "sh", "-c", 'hostname localhost && exec "$@"', "sh")
    return replace(command, argv=(*frame, *command.argv))


def copy_in(settings: Settings, layout: Path, reference: str) -> Command:
    """Return the command that copies an image from an OCI layout into our storage.

    Args:
        settings: Where the state is.
        layout: The layout's directory.
        reference: The image's name in the layout and, in full, in the storage.
    """
    place = f"[overlay@{root(settings)}+{run_root(settings)}]"
    target = f"containers-storage:{place}{reference}"
    argv = ("skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout}:{reference}", target)
    return Command(argv, environment=environment(settings), contained=True)


def clean(settings: Settings) -> None:
    """Remove what a run that died left: working containers, counted mounts, temporary directories.

    Nothing is mounted then: mounts and processes of a run vanish with it. The build lock must be held.

    Args:
        settings: Where the state is.
    """
    for left in (settings.scratch, lists(settings), run_root(settings), root(settings) / "libpod"):
        shutil.rmtree(left, ignore_errors=True)
    left_over = _containers(settings)
    if left_over:
        for command in (buildah(settings, "rm", "--all"), podman(settings, "rm", "--force", *left_over)):
            run(replace(command, environment=()), check=False)
        shutil.rmtree(run_root(settings), ignore_errors=True)
        shutil.rmtree(root(settings) / "libpod", ignore_errors=True)
    _drop_cgroups(cgroup(settings))


def _containers(settings: Settings) -> tuple[str, ...]:
    """Return the ids of containers in the storage, buildah's and podman's.

    Debian 13's keep those that need not outlive a crash in a file of their own.
    """
    found: list[dict[str, str]] = []
    for path in (root(settings) / "overlay-containers").glob("*containers.json"):
        with suppress(FileNotFoundError, ValueError):
            found += json.loads(path.read_bytes()) or ()
    return tuple(item["id"] for item in found)


def _drop_cgroups(name: str) -> None:
    """Remove empty control groups, in every hierarchy (cgroups(7))."""
    mounted = Path("/sys/fs/cgroup")
    for top in (*mounted.glob(name.removeprefix("/")), *mounted.glob(f"*/{name.removeprefix('/')}")):
        for directory, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
