"""A restricted node for the demo and the tests: a network namespace with a realm's rules, and podman inside.

The node is one contained process: PID, mount and network namespaces of its own. The rendered files lie over
``/etc/containers`` there; ``/run``, ``/dev/shm`` and ``/var/lib/containers`` are fresh; and a veth pair with addresses of the benchmark range
(RFC 2544) leads to the host, where the registry listens. When the process ends, also by kill -9 of its parent,
containers, mounts and storage locks are gone; the network namespace is removed by `stop` or by the next `start`.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from ropewalk import atomic
from ropewalk.errors import HostError, RopewalkError
from ropewalk.process import Command, Completed, detach, run, started

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# PID 1 of the node. It takes TERM, since a process 1 without a handler ignores it.
_INIT = """\
set -e
trap 'exit 0' TERM
mount --bind "$1" /etc/containers
resolver=$(readlink -m /etc/resolv.conf)
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /var/lib/containers
mount -t tmpfs tmpfs /var/lib/containers
# It may lie below /run; podman wants it to be there.
mkdir -p /run/lock "${resolver%/*}"
: >> "$resolver"
: > "$2"
while :; do sleep 3600 & wait $!; done
"""
_ASK = """\
import sys, time, urllib.error, urllib.request
url, limit = sys.argv[1], time.monotonic() + float(sys.argv[2])
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
while True:
    try:
        with open_url(url, timeout=5) as answer:
            print(answer.status)
        break
    except urllib.error.HTTPError as error:
        print(error.code)
        break
    except OSError as error:
        if time.monotonic() > limit:
            sys.exit(f"{url}: {error}")
        time.sleep(0.1)
"""
_CONNECT = """\
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
except OSError as error:
    sys.exit(f"{sys.argv[1]} port {sys.argv[2]}: {error.strerror or error}")
"""
_STRUCTURE = re.compile(r': gpgme\.Signature\{.*?Fingerprint:"([0-9A-F]+)".*\}')
_END_SECONDS = 10.0
_START_SECONDS = 20.0
_ANSWER_SECONDS = 20.0
_PULL_SECONDS = 180.0


class NodeDown(HostError):
    """The node is not running, or has no rules yet."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of a node's veth pair.

    Attributes:
        host: IPv4 of the host's end, where the registry listens.
        other: A second IPv4 of the host's end, for a server that no rule allows.
        node: IPv4 of the node's end.
        host6: IPv6 of the host's end.
        node6: IPv6 of the node's end.
    """

    host: str
    other: str
    node: str
    host6: str
    node6: str


def addresses(name: str) -> Addresses:
    """Return the addresses of a node's veth pair; its name alone decides, so a rule can be rendered before.

    Args:
        name: The node's name.
    """
    digest = sha256(name.encode()).digest()
    v4 = f"198.{18 + digest[0] % 2}.{digest[1]}"
    v6 = f"fd00:198:18:{digest[0]:02x}{digest[1]:02x}:"
    return Addresses(f"{v4}.1", f"{v4}.3", f"{v4}.2", f"{v6}:1", f"{v6}:2")


class RestrictedNode:
    """A node that runs what its realm allows.

    Used with ``with``, it is removed at the end whatever happens. `start` with ``keep`` leaves it up; another process
    stops it with the same name and scratch directory.
    """

    def __init__(self, name: str, files_dir: Path, scratch: Path) -> None:
        """Name a node; nothing is made yet.

        Args:
            name: At most 8 letters and digits; it names the namespace and the interfaces.
            files_dir: Where `ropewalk.restrict.write_node` wrote the files; it may be filled after the start.
            scratch: Directory for the node's storage and logs.
        """
        self.name = name
        self.addresses = addresses(name)
        self._files = files_dir
        self._scratch = scratch / f"node-{name}"
        self._namespace = f"rw-{name}"
        self._network = Path("/run/netns") / self._namespace
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the node; load its rules if they are rendered already."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the node."""
        self.stop()

    # --- its life ---

    def start(self, *, keep: bool = False) -> None:
        """Make the network and start the node's first process.

        Args:
            keep: Let the node outlive this process.

        Raises:
            RopewalkError: A program failed; nothing is left behind.
        """
        self.stop()
        try:
            self._start(keep=keep)
        except BaseException:
            self.stop()
            raise

    def _start(self, *, keep: bool) -> None:
        self._make_network()
        (self._files / "etc/containers").mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self._scratch / "containers.conf", _CONTAINERS_CONF)
        ready, log = self._scratch / "ready", self._scratch / "init.log"
        init = ("sh", "-c", _INIT, "sh", str(self._files.absolute() / "etc/containers"), str(ready))
        if keep:
            # As a contained command, but it does not die with us.
            shell = ("nsenter", f"--net={self._network}", "--", "unshare", "--mount", "--pid", "--kill-child")
            pid = detach(Command((*shell, "--mount-proc", "--", *init)), log)
        else:
            pid = self._stack.enter_context(started(Command(init, contained=True, network=self._network), log))
        limit = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if time.monotonic() > limit or not Path(f"/proc/{pid}").exists():
                raise NodeDown("did not start", where=self._namespace, hint=f"read {log}")
            time.sleep(0.02)
        outer, inner = _process(pid), _process(_child(pid))
        atomic.write_text(self._scratch / "pids.json", json.dumps([outer, inner]))
        if (self._files / "etc/nftables.d/ropewalk.nft").exists():
            self.restrict()

    def _make_network(self) -> None:
        here, there = f"{self._namespace}-h", f"{self._namespace}-n"
        own = self.addresses
        for line in (
            f"ip netns add {self._namespace}",
            f"ip link add {here} type veth peer name {there} netns {self._namespace}",
            f"ip address add {own.host}/24 dev {here}",
            f"ip address add {own.other}/24 dev {here}",
            f"ip address add {own.host6}/64 dev {here} nodad",
            f"ip link set {here} up",
            f"ip -n {self._namespace} address add {own.node}/24 dev {there}",
            f"ip -n {self._namespace} address add {own.node6}/64 dev {there} nodad",
            f"ip -n {self._namespace} link set {there} up",
            f"ip -n {self._namespace} link set lo up",
            f"ip -n {self._namespace} route add default via {own.host}",
        ):
            run(Command(tuple(line.split())))

    def restrict(self) -> None:
        """Load the rendered packet rules; may be called again after rendering anew."""
        run(Command(("nft", "-f", str(self._files / "etc/nftables.d/ropewalk.nft")), network=self._network))
        (self._scratch / "restricted").touch()

    def stop(self) -> None:
        """Remove the node with its containers, storage, network and rules; nothing happens where it is not there."""
        try:
            self._remove_containers()
        finally:
            self._stack.close()
            self._end_kept()
            for line in (f"ip netns delete {self._namespace}", f"ip link delete {self._namespace}-h"):
                run(Command(tuple(line.split())), check=False)
            # `*` matches slashes too: the containers' own groups below the node's.
            below = ("-path", f"*/{self._namespace}", "-o", "-path", f"*/{self._namespace}/*")
            cgroups = ("find", "/sys/fs/cgroup", "-depth", "-type", "d", "(", *below, ")", "-delete")
            run(Command(cgroups), check=False)
            run(Command(("rm", "-rf", "--one-file-system", str(self._scratch))), check=False)

    def _remove_containers(self) -> None:
        """Let podman end the containers."""
        if self._init() is not None:
            self._podman("rm", "--all", "--force", "--time", "0")

    def _end_kept(self) -> None:
        outer = self._pids()[0]
        if outer is None:
            return
        run(Command(("kill", "-KILL", str(outer))), check=False)
        limit = time.monotonic() + _END_SECONDS
        while self._pids() != (None, None) and time.monotonic() < limit:
            time.sleep(0.02)

    # --- what it does ---

    def pull(self, reference: str) -> Completed:
        """Let the node's podman pull an image.

        Args:
            reference: The image as a user of the node would write it.

        Returns:
            How podman ended; `last_line` gives its reason.
        """
        self._ready()
        return self._podman("pull", "--quiet", reference)

    def run_service(self, reference: str, port: int) -> int:
        """Pull an image, run it on the node's network, ask it once, and remove the container.

        Args:
            reference: The image.
            port: Where the service answers.

        Returns:
            The HTTP status of ``http://127.0.0.1:PORT/``, asked from inside the node.

        Raises:
            NodeDown: podman refused the image or could not run it, or nothing answered; the reason is podman's.
        """
        with self.service(reference):
            return self.ask(port)

    @contextmanager
    def service(self, reference: str) -> Iterator[str]:
        """Pull and run an image on the node's network while the body runs.

        Yields:
            The container's id.
        """
        self._expect(self.pull(reference), reference)
        # An image may run as any user; the node's network is its own, so no port need be published.
        how = ("--detach", "--pull", "never", "--network", "host", "--cgroup-parent", f"/{self._namespace}")
        container = self._expect(self._podman("run", *how, reference), reference).stdout.decode().split()[-1]
        try:
            yield container
        finally:
            self._podman("rm", "--force", "--time", "0", container)

    def ask(self, port: int) -> int:
        """Return the HTTP status that a server on the node gives; wait for it to start.

        Raises:
            NodeDown: Nothing answered in time.
        """
        url = f"http://127.0.0.1:{port}/"
        asked = self._inside((sys.executable, "-I", "-c", _ASK, url, str(_ANSWER_SECONDS)))
        return int(self._expect(asked, url).stdout)

    def connect(self, address: str, port: int) -> Completed:
        """Open a TCP connection from inside the node; the last line of stderr says why it failed."""
        self._ready()
        return self._inside((sys.executable, "-I", "-c", _CONNECT, address, str(port)))

    # --- how ---

    def _ready(self) -> None:
        """Refuse to run anything where the packet rules are missing: such a node would look restricted and not be."""
        if not (self._scratch / "restricted").exists():
            raise NodeDown("has no packet rules yet", where=self._namespace, hint="render its files, call restrict()")

    def _expect(self, done: Completed, subject: str) -> Completed:
        if done.returncode != 0:
            raise NodeDown(last_line(done), where=f"{subject} on {self._namespace}", hint="see restrict-a-node.md")
        return done

    def _podman(self, *arguments: str) -> Completed:
        storage = ("--root", str(self._scratch / "storage"), "--runroot", "/run/storage", "--storage-driver", "overlay")
        return self._inside(("podman", *storage, *arguments))

    def _inside(self, argv: tuple[str, ...]) -> Completed:
        inner = self._init()
        if inner is None:
            raise NodeDown("is not running", where=self._namespace, hint="start it")
        # Root and working directory too: the node may have been started in a chroot.
        enter = ("nsenter", f"--target={inner}", "--mount", "--pid", "--net", "--root", "--wd", "--")
        # A home of its own, so that no user's own policy or configuration counts.
        environment = (("CONTAINERS_CONF", str(self._scratch / "containers.conf")), ("HOME", str(self._scratch)))
        return run(Command((*enter, *argv), environment=environment, timeout=_PULL_SECONDS), check=False)

    def _pids(self) -> tuple[int | None, int | None]:
        try:
            outer, inner = json.loads((self._scratch / "pids.json").read_bytes())
        except FileNotFoundError:
            return None, None
        return _alive(outer), _alive(inner)

    def _init(self) -> int | None:
        return self._pids()[1]


def last_line(done: Completed) -> str:
    """Return why a program failed: the last line of its stderr.

    podman prints a whole structure of a signature by a key that it does not know; only the fingerprint is kept.
    """
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    line = lines[-1].strip().removeprefix("Error: ") if lines else f"status {done.returncode}, no word"
    return _STRUCTURE.sub(r" by key \1", line)


def _process(pid: int) -> list[int]:
    """Return a process id and its start time, which tells it from a later process of the same id; 0 once it ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [pid, 0 if fields[0] == "Z" else int(fields[19])]


def _alive(process: list[int]) -> int | None:
    try:
        return process[0] if _process(process[0]) == process else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if not children:
        raise RopewalkError("has no child process", where=f"process {pid}", hint="see the node's log")
    return int(children[0])
