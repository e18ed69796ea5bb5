"""Builds with a network of their own: where they are refused, and what buildah is told."""

import json
from pathlib import Path
from platform import release

import pytest

from kit.recipes import REGISTRY, config, write
from ropewalk.archive import Upstream
from ropewalk.build import Isolation, open_workshop
from ropewalk.build.isolation import build_options
from ropewalk.cli.session import Session
from ropewalk.errors import Exit, HostError, InputError
from ropewalk.events import silent
from ropewalk.recipe import Network
from ropewalk.settings import Settings

RUNC = Isolation("oci", "runc")


def kept(state: Path, kind: str, runtime: str = "") -> Settings:
    """Write down which isolation works here, as the first build does."""
    words = json.dumps({"kernel": release(), "kind": kind, "runtime": runtime})
    write(state, {"isolation.json": words})
    return Settings(state)


def test_chroot_isolation_gives_no_network_of_its_own(tmp_path: Path) -> None:
    settings = kept(tmp_path / "state", "chroot")
    with open_workshop(settings, Upstream(), silent) as shop:
        assert not shop.isolated
    with (
        pytest.raises(HostError) as refused,
        open_workshop(settings, Upstream(), silent, isolated=True),
    ):
        pass
    assert (
        str(refused.value) == "network: isolated: an isolated network needs an OCI runtime; what works here is chroot"
    )
    assert refused.value.exit_code is Exit.HOST


def test_buildah_joins_the_network_that_it_was_started_in(tmp_path: Path) -> None:
    for apart, network in ((False, "host"), (True, "ns:/proc/self/ns/net")):
        options = build_options(Settings(tmp_path), RUNC, apart=apart)
        assert options[options.index("--network") + 1] == network
        assert options[options.index("--cap-drop") + 1] == "CAP_NET_RAW"


@pytest.mark.parametrize(
    ("text", "given", "isolated"),
    [
        ("", None, False),
        ("", Network.ISOLATED, True),
        ("ropewalk: {network: host}\n", None, False),
        ("ropewalk: {network: isolated}\n", None, True),
        ("ropewalk: {network: isolated}\n", Network.HOST, False),
    ],
)
def test_the_option_goes_before_the_config(text: str, given: Network | None, *, isolated: bool, tmp_path: Path) -> None:
    write(tmp_path, {"config.yaml": f"registry: {REGISTRY}\n{text}"})
    assert Session(Settings(tmp_path / "state"), tmp_path / "config.yaml", silent).isolated(given) is isolated


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config.yaml:2.*no network is called `isolate`") as refused:
        config(tmp_path, "ropewalk: {network: isolate}\n")
    assert refused.value.hint == "did you mean `isolated`?"
