"""Where a test runs: namespaces of its own, a ``docker`` that is podman, and nothing of ours that it does not need.

The test sees its tree and our images, both read-only. Keys, store, records and the caller's home are covered by empty
directories in its mount namespace. That keeps accidents out; a test is a program of root all the same, and an untrusted
one belongs on a machine of its own.
"""

import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ropewalk.build import storage
from ropewalk.build.limits import PIDS, limit_options
from ropewalk.process import Command, clean_environment
from ropewalk.recipe.recipe import Recipe
from ropewalk.settings import Settings

_COVERED = ("/root", "/home", "/run/user", "/run/containers", "/run/podman")
"""Where credentials lie, beside the state directory and $HOME."""
_SOCKETS = ("/run/docker.sock", "/run/containerd/containerd.sock")
_DOCKER = """\
#!/bin/bash
# What a test calls "docker": podman on Ropewalk's images. Nothing is pulled; all containers share the test's network.
verb=$1
case $verb in
run | create) shift ;;
build | commit | import | load | login | logout | pull | push | search)
    echo "docker $verb: a test may not; it runs what was built" >&2
    exit 125
    ;;
*) exec podman {options} "$@" ;;
esac

# -p HOST:CONTAINER: what asks for HOST in the test's network reaches CONTAINER.
publish() {
    local ports=${1%/tcp} host inside
    inside=${ports##*:} host=${ports%:*}
    host=${host##*:}
    [ "$host" = "$inside" ] && return
    if ! [[ $ports == *:* && $host$inside =~ ^[0-9]+$ ]]; then
        [[ $inside =~ ^[0-9]+$ ]] && return
        echo "docker $verb -p $1: write HOST:CONTAINER, two TCP ports" >&2
        exit 125
    fi
    nft -f - <<RULES || exit 125
add table inet ropewalk
add chain inet ropewalk ports { type nat hook output priority -100; }
add rule inet ropewalk ports tcp dport $host fib daddr type local redirect to :$inside
RULES
}

given=()
while [ $# -gt 0 ]; do
    case $1 in
    -p | --publish) publish "$2"; shift 2 ;;
    --publish=*) publish "${1#*=}"; shift ;;
    -p?*) publish "${1#-p}"; shift ;;
    --network | --net) shift 2 ;;
    --network=* | --net=* | -P | --publish-all) shift ;;
    --*=* | --rm | --init | --detach | --interactive | --tty | --read-only | --privileged | --no-healthcheck | --replace)
        given+=("$1"); shift ;;
    -[deEiqt]*)
        # Single letters in a row; one of them that takes a value takes the next word.
        given+=("$1")
        case $1 in *e) given+=("$2"); shift ;; esac
        shift
        ;;
    -[a-z]?*) given+=("$1"); shift ;;
    -*) given+=("$1" "$2"); shift 2 ;;
    *) break ;;
    esac
done
exec podman {options} "$verb" --pull=never --network=host --cgroup-parent={cgroup} {limits} "${given[@]}" "$@"
"""


@dataclass(frozen=True, slots=True)
class Room:
    """Where one test runs.

    Attributes:
        settings: Where the state is.
        place: The test's scratch directory: its ``docker``, its home, its containers.
        name: A short word, this test's alone.
        recipe: The recipe: the test runs in its directory, under its limits.
    """

    settings: Settings
    place: Path
    name: str
    recipe: Recipe


def furnish(room: Room) -> None:
    """Write what a test's command needs: ``docker``, the frame that hides what is not its own, and an empty home.

    Args:
        room: Where the test runs.
    """
    for directory in ("bin", "home", "containers"):
        (room.place / directory).mkdir()
    keep = storage.run_root(room.settings) / room.name / "keep"
    keep.mkdir(parents=True)
    own = storage.apart(room.settings, room.place / "containers", room.name)
    options = (*own, "--tmpdir", str(storage.run_root(room.settings) / room.name / "libpod"))
    cgroup = f"{storage.cgroup(room.settings)}/{room.name}"
    docker = docker_script(options, cgroup, (f"--pids-limit={PIDS}", *limit_options(room.recipe.limits)))
    (room.place / "bin" / "docker").write_text(docker, encoding="utf-8")
    (room.place / "bin" / "docker").chmod(0o755)
    home = Path(clean_environment(())["HOME"])
    (room.place / "frame").write_text(frame(room, keep, covered(room, home)), encoding="utf-8")


def docker_script(options: Iterable[str], cgroup: str, limits: Iterable[str]) -> str:
    """Return the text of the program that a test calls ``docker``.

    Args:
        options: podman's global options.
        cgroup: The control group below which containers run.
        limits: podman's options for what a container may use.
    """
    words = {"{options}": shlex.join(options), "{cgroup}": cgroup, "{limits}": shlex.join(limits)}
    text = _DOCKER
    for name, value in words.items():
        text = text.replace(name, value)
    return text


def room_command(room: Room, argv: tuple[str, ...]) -> Command:
    """Return a test's command in namespaces of its own: network, processes, mounts; what it leaves ends with it.

    Args:
        room: Where the test runs; `furnish` has been there.
        argv: The test.
    """
    path = f"{room.place / 'bin'}:{clean_environment(())['PATH']}"
    mine = (("PATH", path), ("HOME", str(room.place / "home")), ("TMPDIR", "/tmp"), ("XDG_RUNTIME_DIR", ""))  # noqa: S108
    environment = (*storage.environment(room.settings), *mine)
    framed = ("unshare", "--net", "--", "sh", str(room.place / "frame"), *argv)
    return Command(framed, environment, room.recipe.directory, timeout=room.recipe.test_seconds, contained=True)


def covered(room: Room, home: Path) -> tuple[Path, ...]:
    """Return the directories that a test finds empty.

    Args:
        room: Where the test runs.
        home: The caller's home.
    """
    states = [path.absolute() for path in (room.settings.state, room.settings.shared) if path is not None]
    wanted = [*states, home.absolute(), *(Path(path) for path in _COVERED)]
    return tuple(sorted({path.resolve() for path in wanted if path.is_dir() and path.resolve() != Path("/")}))


@dataclass(frozen=True, slots=True)
class _Mount:
    """What the frame lays over a directory.

    Attributes:
        path: The directory.
        shown: Whether it shows what it has outside; otherwise it is empty.
        writable: Whether a test may write there.
    """

    path: Path
    shown: bool
    writable: bool = False


def frame(room: Room, keep: Path, hidden: Iterable[Path]) -> str:
    """Return the shell script that leads into a test: network up, what is not its own covered, then the test.

    Args:
        room: Where the test runs.
        keep: An empty directory that is not hidden, to hold mounts for a moment.
        hidden: Directories to cover.
    """
    mounts = tuple(_mounts(room, tuple(hidden)))
    kept = {mount.path: f"{keep}/{number}" for number, mount in enumerate(m for m in mounts if m.shown)}
    lines = ["set -e", "ip link set lo up", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start"]
    for path, held in kept.items():
        lines += [f"mkdir {held}", f"mount --bind {shlex.quote(str(path))} {held}"]
    for mount in mounts:
        place = shlex.quote(str(mount.path))
        if mount.shown:
            lines += [f"mkdir -p {place}", f"mount --move {kept[mount.path]} {place}"]
            lines += [] if mount.writable else [f"mount -o remount,bind,ro {place}"]
        else:
            lines.append(f"mount -t tmpfs -o mode=755 ropewalk {place}")
    lines += [f"[ ! -S {path} ] || mount --bind /dev/null {path}" for path in _SOCKETS]
    return "\n".join([*lines, f"cd {shlex.quote(str(room.recipe.directory.absolute()))}", 'exec "$@"', ""])


def _mounts(room: Room, hidden: tuple[Path, ...]) -> Iterator[_Mount]:
    """Go through what is laid over what, a directory before those below it.

    A checkout below a covered home is shown again, and a state directory in that checkout is covered again.
    """
    wanted = {path: _Mount(path, shown=False) for path in hidden}
    for path in (_tree_of(room.recipe, hidden), room.settings.containers):
        wanted.setdefault(Path(os.path.realpath(path)), _Mount(Path(os.path.realpath(path)), shown=True))
    place = Path(os.path.realpath(room.place))
    wanted[place] = _Mount(place, shown=True, writable=True)
    laid: dict[Path, _Mount] = {}
    for path, mount in sorted(wanted.items()):
        above = next((laid[parent] for parent in path.parents if parent in laid), None)
        if mount.shown == (above is not None and not above.shown):
            laid[path] = mount
            yield mount


def _tree_of(recipe: Recipe, hidden: Iterable[Path]) -> Path:
    """Return the tree that a recipe stands in, as tests read files of their neighbours; else its own directory."""
    directory = recipe.directory.absolute()
    config = () if recipe.config is None else (recipe.config.absolute().parent,)
    checkouts = (path for path in (directory, *directory.parents) if (path / ".git").exists())
    found = (path for path in (*config, *checkouts) if path in (directory, *directory.parents) and path not in hidden)
    return next(found, directory)
