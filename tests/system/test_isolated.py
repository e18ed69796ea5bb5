"""Builds with a network of their own: apt reaches the archive view, and instructions nothing else."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from kit.recipes import REGISTRY, production, write
from kit.street import ROOT
from ropewalk.archive import Pockets, ViewBook, from_apt, suite_names
from ropewalk.archive.doorway import listening, new_namespace
from ropewalk.events import silent

pytestmark = pytest.mark.system

BASE = "name: bookworm\nversion: 12-1\nsuites: [bookworm, bookworm-updates, bookworm-security]\n"
FROM = "FROM {{ 'bookworm' | image_tag }}\n"
KNOCK = "RUN bash -c 'for port in @; do (: </dev/tcp/127.0.0.1/$port) || true; done'\n"
"""Asks for connections, and leaves nothing that differs with the answers."""
ABSTRACT = "\0ropewalk-test"
CALL = """RUN perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => "\\0ropewalk-test")'\n"""
"""Abstract Unix sockets belong to a network namespace too (unix(7))."""
ALONE = """\
RUN [ "$(ls /sys/class/net)" = lo ] && [ "$(wc -l </proc/net/route)" -le 1 ] && [ -z "$http_proxy" ]
RUN ! bash -c ': </dev/tcp/192.0.2.1/80' && ! getent hosts deb.debian.org
RUN ! perl -MSocket -e 'socket(my $s, PF_INET, SOCK_RAW, 6) or exit 1'
RUN ! unshare --net true
"""
"""What holds in a network of its own only."""


def knocked(listener: socket.socket) -> bool:
    """Tell whether anybody asked for a connection since the last time."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count > 0


class Works:
    """A tree and a state directory."""

    def __init__(self, place: Path, state: Path) -> None:
        self.place, self.state = place, state
        self.view = ViewBook(state / "views").make(
            suite_names("bookworm", Pockets.RELEASE), ("main",), "amd64", from_apt(), silent
        )

    def write(self, files: Mapping[str, str], config: str = "") -> None:
        write(self.place, {"config.yaml": f"registry: {REGISTRY}\n{config}", **files})

    def build(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [ROOT / ".venv/bin/ropewalk", "-c", self.place / "config.yaml", "build", "--offline", *arguments]
        environment = {**os.environ, "ROPEWALK_STATE": str(self.state)}
        return subprocess.run(
            [*argv, "--format", "json", self.place], capture_output=True, text=True, check=False, env=environment
        )

    def images(self, *arguments: str) -> dict[str, Any]:
        done = self.build(*arguments)
        assert done.returncode == 0, done.stderr
        return {image["name"]: image["digest"] for image in json.loads(done.stdout)["images"]}


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    state = Path(os.environ.get("ROPEWALK_STATE", "/tmp/ropewalk-test")) / "build"  # noqa: S108  by hand only
    place = tmp_path_factory.mktemp("isolated")
    (place / "state").mkdir()
    for kept in ("views", "pool"):
        (state / kept).mkdir(parents=True, exist_ok=True)
        (place / "state" / kept).symlink_to(state / kept)
    return Works(place / "tree", place / "state")


@pytest.fixture
def doors() -> Iterator[dict[str, socket.socket]]:
    """Listen where an instruction must not get: on this host, and in another network namespace."""
    with ExitStack() as stack:
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(ABSTRACT)
        abstract.listen()
        everyone = socket.create_server(("0.0.0.0", 0))  # noqa: S104  on every address, which is what is tried
        elsewhere = listening(0, stack.enter_context(new_namespace()))
        found = {"loopback": listening(0), "everyone": everyone, "elsewhere": elsewhere, "abstract": abstract}
        for one in found.values():
            stack.enter_context(one)
        yield found


def test_an_isolated_build_gives_the_same_digest_and_reaches_nobody(
    works: Works, doors: dict[str, socket.socket]
) -> None:
    ports = " ".join(str(doors[name].getsockname()[1]) for name in ("loopback", "everyone", "elsewhere"))
    template = FROM + KNOCK.replace("@", ports) + CALL + "RUN {{ 'hello' | apt_install }}\n"
    config = "ropewalk: {network: isolated}\n"
    works.write({"bookworm/base.yaml": BASE, **production("a", "1-1", template)}, config)
    isolated = works.images()
    assert [name for name, door in doors.items() if knocked(door)] == []
    assert sorted(isolated) == ["a", "bookworm"]
    assert works.images("--network", "host", "--force", "*") == isolated
    reached = [name for name, door in doors.items() if knocked(door)]
    assert reached == ["loopback", "everyone", "abstract"], "the same recipe on the host's network reaches them"


def test_instructions_have_nothing_but_the_proxy(works: Works) -> None:
    config = "http_proxy: http://127.0.0.1:1\napt_only_proxy: ''\nropewalk: {network: isolated}\n"
    works.write({"bookworm/base.yaml": BASE, **production("alone", "1-1", FROM + ALONE)}, config)
    assert "alone" in works.images("--select", "*/alone:*")
    works.write(production("fetches", "1-1", FROM + "ADD http://127.0.0.1:1/x /x\n"))
    assert works.build("--select", "*/fetches:*", "--network", "isolated").returncode == 1
