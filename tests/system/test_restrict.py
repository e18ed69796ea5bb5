"""A node runs what its realm's keys have signed, and says clearly why it refuses the rest."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kit.busybox import TAG, fetch_busybox, write_layout
from kit.node import Addresses, NodeDown, RestrictedNode, addresses, last_line
from ropewalk import process
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import Generation
from ropewalk.restrict import ClientVersion, Egress, Realm, render_node, write_node
from ropewalk.trust import keys, sign

pytestmark = pytest.mark.system

NAME = "registry.example.org"
ALIAS = "docker-registry.example.org"
REGISTRY, LOOKASIDE, FOREIGN, SERVICE = 5000, 5001, 5002, 8080
TODAY = date(2026, 1, 1)


@dataclass(frozen=True)
class World:
    """A node, its registry and what it needs to sign for it."""

    node: RestrictedNode
    own: Addresses
    scratch: Path
    busybox: bytes

    def push(self, repository: str, tag: str, page: str, host: str = "") -> str:
        """Push an image of its own digest; return the digest."""
        layout = self.scratch / "layouts" / f"{repository}-{tag}".replace("/", "-")
        digest = write_layout(layout, self.busybox, page, SERVICE)
        target = f"docker://{host or self.own.host}:{FOREIGN if host else REGISTRY}/{repository}:{tag}"
        run(Command(("skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:{TAG}", target)))
        return digest

    def sign(self, generation: Generation, repository: str, tag: str, digest: str) -> None:
        """Sign an image as publish does, for the clients that read a lookaside."""
        payload = sign.lookaside_payload(f"{NAME}/{repository}:{tag}", digest)
        signature = sign.sign_openpgp(keys.load(self.scratch / "keys", generation), payload)
        directory = self.scratch / "lookaside" / f"{repository}@{digest.replace(':', '=')}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "signature-1").write_bytes(signature)


@contextmanager
def registry(address: str, port: int, scratch: Path) -> Iterator[None]:
    config = scratch / f"registry-{port}.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\n"
        f"storage: {{filesystem: {{rootdirectory: {scratch}/registry-{port}}}}}\n"
        f"http: {{addr: '{address}:{port}'}}\n"
    )
    with process.started(Command(("docker-registry", "serve", str(config))), scratch / f"registry-{port}.log"):
        limit = time.monotonic() + 20
        ask = Command(("skopeo", "list-tags", "--tls-verify=false", f"docker://{address}:{port}/none"))
        while b"connection refused" in run(ask, check=False).stderr:
            assert time.monotonic() < limit
            time.sleep(0.05)
        yield


@contextmanager
def lookaside(address: str, directory: Path) -> Iterator[None]:
    directory.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((address, LOOKASIDE), partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    scratch = tmp_path_factory.mktemp("restrict")
    name = f"t{os.getpid() % 1000000}"
    own = addresses(name)
    for generation in Generation:
        keys.new_keys(scratch / "keys", generation)
    allowed = (Egress(own.host6, FOREIGN, "tcp", "an address of the other family"),)
    realm = Realm("production", (Generation.PRODUCTION, Generation.SERVICE), None, (ALIAS,), allowed, ())
    files = render_node(
        realm,
        ClientVersion.PODMAN_4_3,
        name=NAME,
        endpoint=f"http://{own.host}:{REGISTRY}",
        lookaside=f"http://{own.host}:{LOOKASIDE}",
        keys=keys.public(scratch / "keys"),
        today=TODAY,
    )
    write_node(files, scratch / "files")
    with ExitStack() as stack:
        node = stack.enter_context(RestrictedNode(name, scratch / "files", scratch))
        stack.enter_context(registry(own.host, REGISTRY, scratch))
        stack.enter_context(registry(own.other, FOREIGN, scratch))
        stack.enter_context(lookaside(own.host, scratch / "lookaside"))
        yield World(node, own, scratch, fetch_busybox(scratch / "busybox"))


@pytest.mark.parametrize("generation", [Generation.PRODUCTION, Generation.SERVICE])
def test_an_image_signed_by_a_key_of_the_realm_runs(world: World, generation: Generation) -> None:
    digest = world.push(f"web/{generation}", "1.0", f"{generation} signed")
    world.sign(generation, f"web/{generation}", "1.0", digest)
    assert world.node.run_service(f"{NAME}/web/{generation}:1.0", SERVICE) == 200
    assert world.node.run_service(f"{NAME}/web/{generation}@{digest}", SERVICE) == 200
    assert world.node.run_service(f"{ALIAS}/web/{generation}:1.0", SERVICE) == 200


def test_an_unsigned_image_is_refused(world: World) -> None:
    world.push("unsigned", "1.0", "unsigned")
    with pytest.raises(NodeDown, match="A signature was required, but no signature exists"):
        world.node.run_service(f"{NAME}/unsigned:1.0", SERVICE)


def test_a_base_image_is_refused_though_it_is_signed(world: World) -> None:
    digest = world.push("bookworm", "1.0", "base")
    world.sign(Generation.BASE, "bookworm", "1.0", digest)
    refused = world.node.pull(f"{NAME}/bookworm:1.0")
    assert refused.returncode != 0
    signer = next(key for key in keys.public(world.scratch / "keys") if key.generation is Generation.BASE)
    assert last_line(refused) == f"Source image rejected: Invalid GPG signature by key {signer.fingerprint}"


def test_a_signature_of_another_tag_does_not_let_a_moved_tag_run(world: World) -> None:
    digest = world.push("moved", "1.0", "moved")
    world.sign(Generation.PRODUCTION, "moved", "1.0", digest)
    assert world.push("moved", "2.0", "moved") == digest
    assert "is not accepted" in last_line(world.node.pull(f"{NAME}/moved:2.0"))


def test_a_foreign_image_is_refused_by_name(world: World) -> None:
    start = time.monotonic()
    assert "registry docker.io is blocked" in last_line(world.node.pull("docker.io/library/busybox:latest"))
    assert "registry *.com is blocked" in last_line(world.node.pull("images.example.com/x:1"))
    assert "did not resolve to an alias" in last_line(world.node.pull("busybox"))
    assert time.monotonic() - start < 5


def test_our_registry_by_address_is_not_our_name(world: World) -> None:
    refused = world.node.pull(f"{world.own.host}:{REGISTRY}/web/production:1.0")
    assert refused.returncode != 0


def test_a_foreign_registry_that_answers_is_refused_by_address(world: World) -> None:
    world.push("theirs", "1.0", "theirs", host=world.own.other)
    assert "connection refused" in last_line(world.node.pull(f"{world.own.other}:{FOREIGN}/theirs:1.0"))


def test_packet_rules_know_both_families(world: World) -> None:
    own = world.own
    with registry(f"[{own.host6}]", FOREIGN, world.scratch), registry(f"[{own.host6}]", REGISTRY, world.scratch):
        assert world.node.connect(own.host6, FOREIGN).returncode == 0
        refused = world.node.connect(own.host6, REGISTRY)
    assert last_line(refused).endswith("Connection refused")
    assert world.node.connect(own.host, REGISTRY).returncode == 0


def _bridge_net(world: World) -> str:
    _, second, third, _ = world.own.node.split(".")
    return f"198.{37 - int(second)}.{third}"


@pytest.fixture
def bridged(world: World) -> Iterator[str]:
    # A network namespace behind the node, as podman makes one for a container on its bridge.
    node, container, net = f"rw-{world.node.name}", f"rw-{world.node.name}-c", _bridge_net(world)
    lines = (
        f"ip netns add {container}",
        f"ip -n {node} link add podman0 type veth peer name eth0 netns {container}",
        f"ip -n {node} address add {net}.1/24 dev podman0",
        f"ip -n {node} link set podman0 up",
        f"ip -n {container} address add {net}.2/24 dev eth0",
        f"ip -n {container} link set eth0 up",
        f"ip -n {container} link set lo up",
        f"ip -n {container} route add default via {net}.1",
        f"ip route add {net}.0/24 via {world.own.node}",
        f"ip netns exec {node} sysctl -q -w net.ipv4.ip_forward=1",
    )
    try:
        for line in lines:
            run(Command(tuple(line.split())))
        yield container
    finally:
        run(Command(("ip", "netns", "delete", container)), check=False)
        run(Command(("ip", "route", "delete", f"{net}.0/24", "via", world.own.node)), check=False)


_OPEN = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()"
_LISTEN = "import socket; s = socket.create_server(('', 8080)); print('up', flush=True); s.accept()"


def test_containers_on_a_bridge_reach_the_registry_and_are_reached(world: World, bridged: str) -> None:
    inside = ("ip", "netns", "exec", bridged, sys.executable, "-I", "-c")
    assert run(Command((*inside, _OPEN, world.own.host, str(REGISTRY))), check=False).returncode == 0
    refused = run(Command((*inside, _OPEN, world.own.other, str(FOREIGN))), check=False)
    assert b"ConnectionRefusedError" in refused.stderr
    with subprocess.Popen((*inside, _LISTEN), stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == b"up\n"
        with socket.create_connection((f"{_bridge_net(world)}.2", 8080), 5):
            pass


def test_a_node_without_rules_runs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    name = f"u{os.getpid() % 1000000}"
    with RestrictedNode(name, tmp_path / "files", tmp_path) as node:
        with pytest.raises(NodeDown, match="no packet rules yet"):
            node.pull("x")
        assert Path(f"/run/netns/rw-{name}").exists()
    assert not Path(f"/run/netns/rw-{name}").exists()
    assert not (tmp_path / f"node-{name}").exists()
    assert not Path(f"/sys/class/net/rw-{name}-h").exists()


_HOLD = """
import sys, time
from pathlib import Path
from kit.node import RestrictedNode
name, scratch, root = sys.argv[1:]
node = RestrictedNode(name, Path(scratch) / "files", Path(scratch))
node.start()
done = node._podman("run", "--detach", "--network", "host", "--rootfs", root, "/bin/busybox", "sleep", "600")
print(done.returncode, done.stderr.decode(), flush=True)
time.sleep(60)
"""


def processes(network: str) -> list[str]:
    return run(Command(("ip", "netns", "pids", network))).stdout.decode().split()


def test_kill_9_leaves_no_process_and_the_next_start_cleans_up(world: World, tmp_path: Path) -> None:
    name = f"k{os.getpid() % 1000000}"
    program = tmp_path / "root/bin/busybox"
    program.parent.mkdir(parents=True)
    program.write_bytes(world.busybox)
    program.chmod(0o755)
    argv = (sys.executable, "-c", _HOLD, name, str(tmp_path), str(tmp_path / "root"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    node = RestrictedNode(name, tmp_path / "files", tmp_path)
    with ExitStack() as stack:
        stack.callback(node.stop)
        held = stack.enter_context(subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE))
        assert held.stdout is not None
        assert held.stdout.readline().startswith(b"0")
        assert len(processes(f"rw-{name}")) > 2
        held.kill()
        limit = time.monotonic() + 10
        while processes(f"rw-{name}"):
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert str(tmp_path) not in Path("/proc/mounts").read_text()
        node.start()
        assert processes(f"rw-{name}")
    assert not Path(f"/run/netns/rw-{name}").exists()
    assert not (tmp_path / f"node-{name}").exists()


_KEEP = """
import sys
from pathlib import Path
from kit.node import RestrictedNode
RestrictedNode(sys.argv[1], Path(sys.argv[2]) / "files", Path(sys.argv[2])).start(keep=True)
"""


def test_a_kept_node_outlives_its_maker_and_is_stopped_by_name(tmp_path: Path) -> None:
    name = f"s{os.getpid() % 1000000}"
    node = RestrictedNode(name, tmp_path / "files", tmp_path)
    try:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", _KEEP, name, str(tmp_path)], env=environment, check=True)
        kept = processes(f"rw-{name}")
        assert kept
    finally:
        node.stop()
    limit = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in kept):  # until the host's first process has reaped them
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert not Path(f"/run/netns/rw-{name}").exists()
