"""What a build or a test may use of this machine: as options of buildah and podman, and as a control group of its own."""

import shlex
from collections.abc import Iterator
from dataclasses import replace

from ropewalk.process import Command
from ropewalk.recipe.limits import Limits

PIDS = 4096
"""How many processes a test's container may have at once."""

_FRAME = """\
set -e
# put CONTROLLER FILE VALUE FILE VALUE: make the group, limit it (v2's file, else v1's), and go in.
put() {
    place=/sys/fs/cgroup
    [ -f $place/cgroup.controllers ] || place=$place/$1
    for part in PARTS; do
        [ ! -f $place/cgroup.subtree_control ] || echo +$1 >$place/cgroup.subtree_control
        mkdir -p $place/$part
        # v1: a set without processors or memory takes no process.
        if [ $1 = cpuset ] && [ ! -f $place/cgroup.controllers ]; then
            for file in cpus mems; do cat $place/cpuset.$file >$place/$part/cpuset.$file; done
        fi
        place=$place/$part
    done
    if [ -f $place/$2 ]; then
        echo $3 >$place/$2
    elif [ -f $place/$4 ]; then
        echo $5 >$place/$4
    else
        echo "container_limits: this kernel does not limit $2; it is left out" >&2
    fi
    echo 0 >$place/cgroup.procs
}
"""


def limit_options(limits: Limits) -> tuple[str, ...]:
    """Return the options for some limits; none where nothing is limited.

    Args:
        limits: From the config's ``container_limits``.
    """
    given = {
        "memory": limits.memory,
        "memory-swap": limits.memory_swap,
        "cpu-shares": limits.cpu_shares,
        "cpuset-cpus": limits.cpus or None,
    }
    return tuple(f"--{name}={value}" for name, value in given.items() if value is not None)


def limited(command: Command, group: str, limits: Limits) -> Command:
    """Let a program that is no container run under the same limits, in a control group of its own.

    Args:
        command: The program; it needs root.
        group: The control group, from the top of the hierarchy; whoever names it removes it.
        limits: From the config's ``container_limits``.

    Returns:
        The command; the same where nothing is limited.
    """
    lines = "".join(f"put {shlex.join(words)}\n" for words in _settings(limits))
    if not lines:
        return command
    text = _FRAME.replace("PARTS", shlex.join(group.strip("/").split("/")))
    return replace(command, argv=("sh", "-c", f'{text}{lines}exec "$@"', "sh", *command.argv))


def _settings(limits: Limits) -> Iterator[tuple[str, ...]]:
    """Go through controllers with their files and values, as OCI runtimes write them: cgroup v2's, then v1's."""
    if limits.memory is not None:
        bytes_ = str(limits.memory)
        yield ("memory", "memory.max", bytes_, "memory.limit_in_bytes", bytes_)
    if limits.memory_swap is not None:
        both, alone = limits.memory_swap, limits.memory_swap - (limits.memory or 0)
        swap = "max" if both < 0 else str(max(alone, 0))
        yield ("memory", "memory.swap.max", swap, "memory.memsw.limit_in_bytes", str(both))
    if limits.cpu_shares is not None:
        # A weight of 2 to 262144 is one of 1 to 10000 in v2 (runtime-spec's conversion).
        weight = 1 + max(limits.cpu_shares - 2, 0) * 9999 // 262142
        yield ("cpu", "cpu.weight", str(weight), "cpu.shares", str(limits.cpu_shares))
    if limits.cpus:
        yield ("cpuset", "cpuset.cpus", limits.cpus, "cpuset.cpus", limits.cpus)
