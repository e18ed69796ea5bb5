"""The embedded registry on a real docker-registry."""

import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from kit.registry import live_registry
from ropewalk import registry
from ropewalk.oci.client import RegistryClient
from ropewalk.settings import Settings

pytestmark = pytest.mark.system


def read(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
        return bytes(answer.read())


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_up_is_idempotent_and_down_keeps_data_and_ports(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    try:
        first = registry.up(settings)
        assert registry.up(settings) == first == registry.status(settings)
        assert read(f"{first.registry}/v2/") == b"{}"
        with RegistryClient(first.registry) as client:
            digest = client.upload_bytes("kept", b"content")
        assert registry.down(settings) is True
        assert all(gone(pid) for pid in first.pids)
        assert registry.down(settings) is False
        assert registry.status(settings) is None
        again = registry.up(settings)
        assert (again.registry, again.lookaside) == (first.registry, first.lookaside)
        with RegistryClient(again.registry) as client:
            assert client.blob("kept", digest) == b"content"
    finally:
        registry.down(settings)


def test_the_lookaside_is_served(tmp_path: Path) -> None:
    with live_registry(tmp_path) as live:
        (live.lookaside_directory / "nginx@sha256=00").mkdir()
        (live.lookaside_directory / "nginx@sha256=00" / "signature-1").write_bytes(b"signature")
        assert read(f"{live.lookaside}/nginx@sha256=00/signature-1") == b"signature"


def test_one_dead_server_means_down_and_the_next_up_heals(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    try:
        first = registry.up(settings)
        os.kill(first.pids[1], signal.SIGKILL)
        while not gone(first.pids[1]):
            time.sleep(0.01)
        assert registry.status(settings) is None
        again = registry.up(settings)
        assert gone(first.pids[0])
        assert again.registry == first.registry
        assert read(f"{again.lookaside}/")
    finally:
        registry.down(settings)


def test_another_address_than_the_running_one_is_refused(tmp_path: Path) -> None:
    with live_registry(tmp_path) as live:
        assert registry.up(live.settings, "127.0.0.1").registry == live.endpoint
        assert registry.up(live.settings, live.host).registry == live.endpoint
        with pytest.raises(registry.RegistryElsewhere, match="the registry runs at") as caught:
            registry.up(live.settings, "127.0.0.2")
        assert caught.value.hint == "end it first: ropewalk registry down"


def test_an_address_that_this_host_lacks(tmp_path: Path) -> None:
    with pytest.raises(registry.RegistryNotStarted, match="cannot be listened on"):
        registry.up(Settings(tmp_path), "192.0.2.7:5000")
    assert registry.status(Settings(tmp_path)) is None
