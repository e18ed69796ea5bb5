"""``ropewalk plan`` with nothing to do, beside docker-pkg's scan of the same tree against the same registry.

A docker-registry with a certificate of its own is filled with a small image for each recipe of the tree and for each
parent that stands elsewhere, published by Ropewalk: signed, attested, tagged. Then whole commands are timed, in turns:

* ``ropewalk -c CONFIG plan images`` in a state directory that has the public keys and what an earlier plan verified; it
  hashes the content of every recipe and reads what each image was made from. The first plan, which verifies every
  attestation, is timed as ``first_seconds``.
* ``docker-pkg -c CONFIG build images`` (4.0.4 from PyPI). All is published, so it scans, builds nothing and ends: its scan
  asks the registry for each recipe's manifest (of Docker's type, so these stand beside ours) and looks at nothing else. No dockerd is needed for that: a socket that
  answers ``GET /version`` stands for it.

Both again over a line that makes each way there and back 20 ms longer. Seconds are medians; the ratio is docker-pkg's
seconds by Ropewalk's over that line. The last line of ``--format json`` is ``{"seconds", "peer_seconds", "latency_ratio"}``.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from tempfile import mkdtemp

import yaml

from ropewalk.oci import (
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    Entry,
    EntryType,
    Image,
    ImageConfig,
    Platform,
    RegistryClient,
    RegistryDown,
    Store,
    TarItem,
)
from ropewalk.plan import edges, order
from ropewalk.process import Command, run, started
from ropewalk.publish import publish
from ropewalk.recipe import (
    BuildRecord,
    Generation,
    How,
    LayerKind,
    OwnedLayer,
    Parent,
    ParentPin,
    Recipe,
    RecordBook,
    load_config,
    load_tree,
)
from ropewalk.trust import load, new_keys

ROOT = Path(__file__).parent.parent
PEER = ROOT / ".state" / "peers" / "docker-pkg"
PEER_VERSION = "4.0.4"
PEER_NAMESPACE = "docker-pkg"
MILLISECONDS = 20
EPOCH = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Bench:
    """One run's directory: the tree's copy, the registry's certificate, state directories.

    Attributes:
        directory: All of it.
        tree: The tree's copy.
        config: The tree's config as it is written.
        images: The directory of recipes, relative to the tree.
    """

    directory: Path
    tree: Path
    config: dict[str, object]
    images: str

    @property
    def certificate(self) -> Path:
        """The registry's certificate, which is also what clients trust."""
        return self.directory / "registry.pem"

    def ours(self, port: int) -> Path:
        """Write the config for Ropewalk: the tree's own, and where the registry answers."""
        own = self.config.get("ropewalk")
        ropewalk = {**(own if isinstance(own, dict) else {}), "endpoint": f"https://localhost:{port}"}
        return self._write(f"ropewalk-{port}.yaml", {"ca_bundle": str(self.certificate), "ropewalk": ropewalk})

    def peers(self, port: int) -> Path:
        """Write the config for docker-pkg, which takes the registry's name for its address."""
        own: dict[str, object] = {
            "ca_bundle": str(self.certificate),
            "registry": f"localhost:{port}",
            "namespace": PEER_NAMESPACE,
        }
        own |= {"base_images": []}  # which it pulls by dockerd after the scan, even where nothing is to build
        return self._write(f"docker-pkg-{port}.yaml", own)

    def _write(self, name: str, more: dict[str, object]) -> Path:
        path = self.tree / name
        path.write_text(yaml.safe_dump({**self.config, **more}))
        return path


def copy_tree(tree: Path, config: str, images: str, directory: Path) -> Bench:
    """Copy what the commands read."""
    copy = directory / "tree"
    shutil.copytree(tree, copy, symlinks=True)
    return Bench(directory, copy, yaml.safe_load((tree / config).read_text()) or {}, images)


# --- the registry ---


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def registry(bench: Bench) -> Iterator[int]:
    """Run docker-registry with a certificate made for this run.

    Yields:
        Its port.
    """
    key, port = bench.directory / "registry.key", free_port()
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    out = ("-keyout", str(key), "-out", str(bench.certificate))
    run(Command(("openssl", "req", "-x509", *kind, *names, *out)))
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(bench.directory / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(bench.certificate), "key": str(key)}},
    }
    config = bench.directory / "registry.yml"
    config.write_text(yaml.safe_dump(settings))
    with started(Command(("docker-registry", "serve", str(config))), bench.directory / "registry.log"):
        with RegistryClient(f"https://localhost:{port}", ca_bundle=bench.certificate) as client:
            _await(client.ping)
        yield port


def _await(ping: Callable[[], None]) -> None:
    for _ in range(100):
        try:
            ping()
        except RegistryDown:
            time.sleep(0.1)
        else:
            return
    sys.exit("bench: docker-registry does not answer")


@contextmanager
def slow_line(port: int, milliseconds: int) -> Iterator[int]:
    """Give a second address to the registry, behind a line that is slower.

    Yields:
        Its port.
    """
    argv = [sys.executable, str(ROOT / "bench" / "delay.py"), f"127.0.0.1:{port}", str(milliseconds)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.terminate()


# --- filling it ---


def fill(bench: Bench, port: int) -> int:
    """Publish an image for each recipe and for each parent of ours that is no recipe; return how many."""
    state = bench.directory / "publisher"
    config = load_config(bench.ours(port), None)
    recipes = load_tree([bench.tree / bench.images], config).recipes
    keys = {
        generation: new_keys(state / "keys", generation) and load(state / "keys", generation)
        for generation in Generation
    }
    store, book = Store(state / "store"), RecordBook(state / "records")
    made: dict[str, BuildRecord] = {}
    with RegistryClient(f"https://localhost:{port}", ca_bundle=bench.certificate) as client:

        def send(recipe: Recipe, pins: Sequence[ParentPin]) -> None:
            content = recipe.reference.encode()
            layer = store.add_layer(
                [TarItem(Entry("line", EntryType.FILE, 0o644, size=len(content)), lambda: BytesIO(content))]
            )
            image = store.add_image(ImageConfig(), [layer], Platform("linux", "amd64"), EPOCH)
            record = _record(recipe, image.digest, layer.diff_id, tuple(pins))
            publish(
                image,
                record,
                store=store,
                client=client,
                keys=keys[recipe.generation],
                lookaside=state / "lookaside",
                book=book,
                latest=True,
                now=EPOCH,
            )
            made[recipe.repository] = record
            if record.generation is not Generation.BASE:
                _as_docker(client, image, recipe)

        here = {recipe.repository for recipe in recipes}
        outside = {
            parent.repository: parent
            for recipe in recipes
            for parent in recipe.parents
            if parent.repository not in here
        }
        for parent in outside.values():
            if parent.name is not None:
                send(_standing_for(parent, recipes[0]), ())
        for recipe in order(recipes, edges(recipes)):
            ours = [parent for parent in recipe.parents if parent.name is not None]
            send(recipe, [ParentPin(p.reference, made[p.repository].digest, p.role) for p in ours])
    return len(made)


def _as_docker(client: RegistryClient, image: Image, recipe: Recipe) -> None:
    """Put an image beside its own with a manifest of Docker's type: docker-pkg asks for no other, so sees no OCI image."""
    path, source = f"{PEER_NAMESPACE}/{recipe.name}", recipe.repository.removeprefix(f"{recipe.registry}/")
    blobs = [image.config_blob, *(layer.blob for layer in image.layers)]
    for blob in blobs:
        client.mount(path, blob.digest, source)
    types = ["application/vnd.docker.container.image.v1+json", *(DOCKER_LAYER_GZIP for _ in image.layers)]
    config, *layers = (
        {"mediaType": kind, "size": blob.size, "digest": blob.digest} for kind, blob in zip(types, blobs, strict=True)
    )
    manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers}
    client.put_manifest(path, recipe.version, json.dumps(manifest).encode(), DOCKER_MANIFEST)


def _standing_for(parent: Parent, recipe: Recipe) -> Recipe:
    """Return a recipe for a parent of ours that the tree does not hold: a base image."""
    version = "1" if parent.tag == "latest" else parent.tag
    path = parent.repository.removeprefix(f"{recipe.registry}/")
    return replace(recipe, generation=Generation.BASE, namespace="", name=path, version=version, parents=())


def _record(recipe: Recipe, digest: str, diff_id: str, pins: tuple[ParentPin, ...]) -> BuildRecord:
    return BuildRecord(
        digest=digest,
        platform="linux/amd64",
        repository=recipe.repository,
        name=recipe.name,
        version=recipe.version,
        build=1,
        generation=recipe.generation,
        recipe_digest=recipe.digest,
        parents=pins,
        view="20250101-0000000000",
        epoch=EPOCH,
        how=How.BUILT,
        layers=(OwnedLayer(diff_id, recipe.name, LayerKind.OWN),),
        dockerfile=recipe.dockerfile,
        made=EPOCH,
        tested=False,
    )


# --- the commands ---


class _Daemon(BaseHTTPRequestHandler):
    """What docker-pkg asks of dockerd where nothing is to build: which version it is."""

    def do_GET(self) -> None:
        body = b'{"Version": "20.10", "ApiVersion": "1.41"}'
        self.send_response(200 if self.path.endswith("/version") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        del format, args

    def address_string(self) -> str:
        return "docker-pkg"


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def daemon(path: Path) -> Iterator[str]:
    """Serve the socket that stands for dockerd.

    Yields:
        ``DOCKER_HOST``.
    """
    with _Server(str(path), _Daemon) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def compile_ours() -> None:
    """Compile our source as pip has compiled docker-pkg's: an editable installation is compiled when it runs, or never."""
    run(Command((sys.executable, "-m", "compileall", "-q", str(ROOT / "src"))))


def install_peer() -> Path:
    """Install docker-pkg where it is not yet; return its program."""
    program = PEER / "bin" / "docker-pkg"
    if not program.exists():
        PEER.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", str(PEER)], check=True)
        pip = [str(PEER / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"docker-pkg=={PEER_VERSION}", "setuptools"], check=True, stdout=sys.stderr)
    return program


@dataclass(frozen=True, slots=True)
class Commands:
    """Both whole commands."""

    bench: Bench
    state: Path
    peer: Path
    docker_host: str

    def ours(self, port: int, *options: str) -> tuple[float, str]:
        """Run ``ropewalk plan``; return seconds and what it prints."""
        argv = [str(ROOT / ".venv" / "bin" / "ropewalk"), "-c", str(self.bench.ours(port)), "-q", "plan"]
        return self._time([*argv, *options, self.bench.images], {"ROPEWALK_STATE": str(self.state)})

    def peers(self, port: int) -> tuple[float, str]:
        """Run docker-pkg's build, which has nothing to build."""
        argv = [str(self.peer), "-c", str(self.bench.peers(port)), "build", self.bench.images]
        return self._time(argv, {"DOCKER_HOST": self.docker_host})

    def _time(self, argv: list[str], environment: dict[str, str]) -> tuple[float, str]:
        start = time.monotonic()
        done = subprocess.run(
            argv, cwd=self.bench.tree, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
        )
        return time.monotonic() - start, done.stdout

    def check(self, port: int) -> None:
        """Make sure that both find nothing to do."""
        entries = json.loads(self.ours(port, "--format", "json")[1])["entries"]
        if odd := [entry for entry in entries if entry["action"] != "none"]:
            sys.exit(f"bench: {len(odd)} recipes have something to do, the first: {odd[0]}")
        if "* " in (said := self.peers(port)[1]):
            sys.exit(f"bench: docker-pkg has something to build: {said}")

    def compare(self, port: int, runs: int) -> tuple[float, float]:
        """Return the median seconds of both, run in turns."""
        pairs = [(self.ours(port)[0], self.peers(port)[0]) for _ in range(runs)]
        return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def measure(tree: Path, config: str, images: str, runs: int) -> dict[str, float]:
    """Fill a registry and time both."""
    scratch = ROOT / ".state" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(mkdtemp(prefix="plan-", dir=scratch))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        bench = copy_tree(tree, config, images, directory)
        peer = install_peer()
        compile_ours()
        port = stack.enter_context(registry(bench))
        count = fill(bench, port)
        state = directory / "state"
        shutil.copytree(directory / "publisher" / "keys", state / "keys")
        # A socket's path has at most 107 bytes.
        sockets = Path(stack.enter_context(_temporary()))
        commands = Commands(bench, state, peer, stack.enter_context(daemon(sockets / "docker.sock")))
        first = commands.ours(port)[0]
        commands.check(port)
        ours, peers = commands.compare(port, runs)
        slow = stack.enter_context(slow_line(port, MILLISECONDS))
        commands.check(slow)
        slow_ours, slow_peers = commands.compare(slow, runs)
    return {
        "images": count,
        "first_seconds": round(first, 3),
        "seconds": round(ours, 3),
        "peer_seconds": round(peers, 3),
        "latency_seconds": round(slow_ours, 3),
        "latency_peer_seconds": round(slow_peers, 3),
        "ratio": round(peers / ours, 2),
        "latency_ratio": round(slow_peers / slow_ours, 2),
    }


@contextmanager
def _temporary() -> Iterator[str]:
    path = mkdtemp(prefix="rw-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT / "examples" / "tree", help="a tree in docker-pkg's format")
    parser.add_argument("--config", default="config.yaml", help="its config file")
    parser.add_argument("--images", default="images", help="its directory of recipes")
    parser.add_argument("--runs", type=int, default=5, help="how often each command is timed")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args()
    found = measure(options.tree.absolute(), options.config, options.images, options.runs)
    for name, value in found.items():
        print(f"{name:21} {value}", file=sys.stderr if options.format == "json" else sys.stdout)
    if options.format == "json":
        print(json.dumps({name: found[name] for name in ("seconds", "peer_seconds", "latency_ratio")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
