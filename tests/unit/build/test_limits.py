"""Limits as options of buildah and podman, and as a control group for what is no container."""

import pytest

from ropewalk.build.limits import limit_options, limited
from ropewalk.process import Command
from ropewalk.recipe import Limits


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), ()),
        (Limits(memory=1 << 30), ("--memory=1073741824",)),
        (
            Limits(memory=1, memory_swap=-1, cpu_shares=512, cpus="0-1"),
            ("--memory=1", "--memory-swap=-1", "--cpu-shares=512", "--cpuset-cpus=0-1"),
        ),
    ],
)
def test_limits_are_options(limits: Limits, expected: tuple[str, ...]) -> None:
    assert limit_options(limits) == expected


def test_a_program_that_is_no_container_enters_a_group_of_its_own() -> None:
    limits = Limits(memory=1 << 20, memory_swap=3 << 20, cpu_shares=1024, cpus="0-1")
    command = limited(Command(("prog", "a b"), contained=True), "/ropewalk-1/b2", limits)
    shell, option, text, name, *rest = command.argv
    assert (shell, option, name, rest, command.contained) == ("sh", "-c", "sh", ["prog", "a b"], True)
    assert "for part in ropewalk-1 b2;" in text
    assert text.splitlines()[-5:] == [
        "put memory memory.max 1048576 memory.limit_in_bytes 1048576",
        "put memory memory.swap.max 2097152 memory.memsw.limit_in_bytes 3145728",
        "put cpu cpu.weight 39 cpu.shares 1024",
        "put cpuset cpuset.cpus 0-1 cpuset.cpus 0-1",
        'exec "$@"',
    ]


@pytest.mark.parametrize("swap", ["max", "0"])
def test_swap_without_limit_and_none(swap: str) -> None:
    both = -1 if swap == "max" else 1 << 20
    command = limited(Command(("true",)), "/g/b", Limits(memory=1 << 20, memory_swap=both))
    assert f"put memory memory.swap.max {swap} memory.memsw.limit_in_bytes {both}" in command.argv[2]


def test_without_limits_a_program_runs_as_it_is() -> None:
    command = Command(("prog",))
    assert limited(command, "/g/b", Limits()) is command
