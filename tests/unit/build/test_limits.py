"""Limits as options of buildah and podman."""

import pytest

from ropewalk.build.limits import limit_options
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
