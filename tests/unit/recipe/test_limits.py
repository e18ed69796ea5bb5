from pathlib import Path

import pytest

from kit.recipes import config, load, production
from ropewalk.errors import InputError
from ropewalk.recipe import Limits, parse_limits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits()),
        ("memory=2g", Limits(memory=2 << 30)),
        ("memory=512mb, memswap=-1", Limits(memory=512 << 20, memory_swap=-1)),
        ("memory=1000,memswap=2K,cpushares=512,cpusetcpus=0-1", Limits(1000, 2048, 512, "0-1")),
        ("cpusetcpus=0,2,memory=1b", Limits(memory=1, cpus="0,2")),
    ],
)
def test_container_limits(text: str, limits: Limits) -> None:
    assert parse_limits(text, "config.yaml:1") == limits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory", "`memory`"),
        ("memory=", "`memory=`"),
        ("cpus=2", "keys: memory, memswap, cpushares, cpusetcpus"),
        ("memory=much", "memory=2g"),
        ("memory=2g,", "``"),
        ("cpushares=-1", "cpushares=512"),
        ("cpusetcpus=a-b", "cpusetcpus=0-2"),
    ],
)
def test_wrong_limits_are_refused_with_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        config(tmp_path, f"container_limits: {text}\n")
    assert words in f"{caught.value} {caught.value.hint}"
    assert str(caught.value).startswith(f"{tmp_path}/config.yaml:2: ")


def test_a_recipe_carries_limits_and_proxy_but_its_digest_does_not(tmp_path: Path) -> None:
    files = production("a", "1", "FROM scratch\n")
    (plain,) = load(tmp_path, files)
    (limited,) = load(tmp_path, files, "container_limits: memory=1g\nhttp_proxy: http://proxy:8080\n")
    assert (limited.limits, limited.proxy, limited.config) == (
        Limits(memory=1 << 30),
        "http://proxy:8080",
        tmp_path / "config.yaml",
    )
    assert (plain.limits, plain.proxy) == (Limits(), "")
    assert limited.digest == plain.digest
