import json
import os
import socket
import stat
from pathlib import Path

import pytest

from ropewalk import registry
from ropewalk.errors import InputError
from ropewalk.process import Command, detach
from ropewalk.registry import embedded
from ropewalk.registry.owned import Owned, alive, end, identify
from ropewalk.settings import Settings


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 0),
        ("192.0.2.7:5000", "192.0.2.7", 5000),
        ("::1", "::1", 0),
        ("[::1]", "::1", 0),
        ("[2001:db8::7]:5000", "2001:db8::7", 5000),
    ],
)
def test_listen(text: str, host: str, port: int) -> None:
    wanted = embedded.parse_listen(text)
    assert (wanted.host, wanted.registry) == (host, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registry.example.org", "'registry.example.org' is no IP address"),
        ("localhost:5000", "'localhost' is no IP address"),
        (":5000", "'' is no IP address"),
        ("127.0.0.1:", "'' is no port"),
        ("127.0.0.1:0", "'0' is no port"),
        ("127.0.0.1:65536", "'65536' is no port"),
        ("127.0.0.1:http", "'http' is no port"),
        ("127.0.0.1:-1", "'-1' is no port"),
        ("127.0.0.1:٣", "'٣' is no port"),
    ],
)
def test_listen_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        embedded.parse_listen(text)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert embedded.parse_listen("::1").url(5000) == "http://[::1]:5000"


def test_ports_are_kept_where_they_fit() -> None:
    kept = embedded.parse_listen("127.0.0.1:5000")
    other = embedded.parse_listen("192.0.2.7")
    assert embedded.choose(None, None).host == "127.0.0.1"
    assert embedded.choose(None, kept) == kept
    assert embedded.choose(embedded.parse_listen("127.0.0.1"), kept) == kept
    assert embedded.choose(embedded.parse_listen("127.0.0.1:5001"), kept).registry == 5001
    assert embedded.choose(other, kept) == other


def test_an_address_that_is_gone_is_not_kept() -> None:
    assert embedded.choose(None, embedded.parse_listen("192.0.2.7:5000")) == embedded.parse_listen("127.0.0.1")


def test_a_given_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanted = embedded.parse_listen(f"127.0.0.1:{port}")
        with pytest.raises(registry.RegistryNotStarted, match="cannot be listened on") as caught:
            embedded.free_ports(wanted, given=True)
        assert caught.value.where == f"127.0.0.1:{port}"
        assert embedded.free_ports(wanted, given=False).registry not in (0, port)


def test_registry_and_lookaside_get_two_ports() -> None:
    ports = embedded.free_ports(embedded.parse_listen("127.0.0.1"), given=False)
    assert len({0, ports.registry, ports.lookaside}) == 3


def test_configuration_is_private_and_keeps_its_secret(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    listen = embedded.parse_listen("127.0.0.1:5000")
    embedded.write_config(settings, listen)
    first = json.loads((settings.registry / "config.json").read_text())
    embedded.write_config(settings, listen)
    assert json.loads((settings.registry / "config.json").read_text()) == first
    assert first["http"]["addr"] == "127.0.0.1:5000"
    assert first["storage"]["filesystem"] == {"rootdirectory": str(settings.registry / "data")}
    for name in ("config.json", "secret"):
        assert stat.S_IMODE((settings.registry / name).stat().st_mode) == 0o600


def test_nothing_runs_in_a_new_state(tmp_path: Path) -> None:
    assert registry.status(Settings(tmp_path)) is None
    assert registry.down(Settings(tmp_path)) is False
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"pid": 1}]', "rubbish"])
def test_a_broken_note_means_that_nothing_runs(tmp_path: Path, content: str) -> None:
    settings = Settings(tmp_path)
    settings.registry.mkdir()
    (settings.registry / "running.json").write_text(content)
    (settings.registry / "listen.json").write_text(content)
    assert registry.status(settings) is None
    assert registry.down(settings) is False


def test_a_foreign_process_with_our_number_is_never_ended(tmp_path: Path) -> None:
    pid = detach(Command(("sleep", "60")), tmp_path / "log")
    ours = identify(pid)
    for foreign in (Owned(pid, ours.started - 1, ours.boot), Owned(pid, ours.started, "another boot")):
        assert not alive(foreign)
        assert end(foreign) is False
    assert alive(ours)
    assert end(ours) is True
    assert not alive(ours)
    assert end(ours) is False
    os.waitpid(pid, 0)
    assert end(ours) is False


def test_a_process_that_ignores_term_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = detach(Command(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")), log)
    ours = identify(pid)
    while not log.read_bytes():
        assert alive(ours)
    assert end(ours, grace=0.2) is True
    os.waitpid(pid, 0)
