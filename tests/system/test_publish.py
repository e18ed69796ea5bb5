"""Publishing to a real docker-registry; Debian's podman, skopeo and cosign judge the signatures."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kit.cosign import cosign_program
from kit.registry import LiveRegistry, cut_after, live_registry
from kit.signing import NAME, record_of, signing_keys, tiny_image
from ropewalk.errors import Exit, NetworkError
from ropewalk.oci.client import RegistryClient, RegistryDown, RegistryNotFound
from ropewalk.oci.model import MANIFEST, Image
from ropewalk.oci.store import Store
from ropewalk.publish import NoSuchImage, Outcome, TagMoved, fetch_image, publish
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.record import BuildRecord, RecordBook
from ropewalk.trust import (
    SigningKeys,
    attestation_tag,
    cosign_layer,
    cosign_manifest,
    cosign_payload,
    lookaside_directory,
    sign_cosign,
    signature_tag,
    verify_image,
)

pytestmark = pytest.mark.system

NOW = 1_700_000_200


@dataclass(frozen=True, slots=True)
class Works:
    """A registry, a store and keys."""

    live: LiveRegistry
    store: Store
    book: RecordBook
    base: SigningKeys
    production: SigningKeys

    def publish(self, image: Image, record: BuildRecord, *, endpoint: str = "", latest: bool = True) -> Outcome:
        keys = self.base if record.generation is Generation.BASE else self.production
        with RegistryClient(endpoint or self.live.endpoint) as client:
            return publish(
                image,
                record,
                store=self.store,
                client=client,
                keys=keys,
                lookaside=self.live.lookaside_directory,
                book=self.book,
                latest=latest,
                now=NOW,
            )

    def pair(self, name: str) -> tuple[tuple[Image, BuildRecord], tuple[Image, BuildRecord]]:
        """Return a base image and a production image on it, both new."""
        below = tiny_image(self.store, os.urandom(200_000))
        parent = record_of(below, f"{name}-base")
        image = tiny_image(self.store, name.encode(), parent=below)
        return (below, parent), (image, record_of(image, name, parent=parent))

    def digest(self, repository: str, tag: str) -> str | None:
        with RegistryClient(self.live.endpoint) as client:
            return client.digest_of(repository, tag)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    directory = tmp_path_factory.mktemp("works")
    base, production = signing_keys(directory / "keys", Generation.BASE, Generation.PRODUCTION)
    with live_registry(directory / "state") as live:
        book = RecordBook(directory / "records")
        yield Works(live, Store(directory / "store"), book, base, production)


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: podman wants a short path for its run directory.
    with tempfile.TemporaryDirectory(prefix="node-") as directory:
        yield Path(directory)


def home_of_a_node(directory: Path, works: Works, *, keys: SigningKeys) -> None:
    """Write what a node's containers read: our name for the registry, the lookaside, one generation's key."""
    containers = directory / ".config" / "containers"
    (containers / "registries.d").mkdir(parents=True)
    (containers / "key.gpg").write_bytes(keys.public.openpgp)
    identity = {"type": "matchRepository"}
    signed = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(containers / "key.gpg")}
    policy = {
        "default": [{"type": "reject"}],
        "transports": {"docker": {NAME: [{**signed, "signedIdentity": identity}]}},
    }
    (containers / "policy.json").write_text(json.dumps(policy))
    lookaside = {"docker": {works.live.host: {"lookaside": works.live.lookaside}}}
    (containers / "registries.d" / "ropewalk.yaml").write_text(json.dumps(lookaside))
    (containers / "registries.conf").write_text(
        f'[[registry]]\nprefix = "{NAME}"\nlocation = "{works.live.host}"\ninsecure = true\n'
    )


def run(*argv: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)


def pull(reference: str, home: Path) -> subprocess.CompletedProcess[str]:
    storage = ("--root", str(home / "root"), "--runroot", str(home / "runroot"), "--storage-driver", "vfs")
    return run("podman", *storage, "pull", "--quiet", reference, home=home)


def test_podman_and_skopeo_of_debian_12_verify_the_openpgp_signature(works: Works, home: Path) -> None:
    (below, parent), (image, record) = works.pair("podman")
    works.publish(below, parent)
    works.publish(image, record)
    home_of_a_node(home, works, keys=works.production)
    for reference in (record.reference, f"{record.repository}:latest", f"{record.repository}@{image.digest}"):
        pulled = pull(reference, home)
        assert pulled.returncode == 0, pulled.stderr
    containers = home / ".config" / "containers"
    policy = ("--policy", str(containers / "policy.json"), "--registries.d", str(containers / "registries.d"))
    names = ("--registries-conf", str(containers / "registries.conf"))
    copied = run("skopeo", *policy, *names, "copy", f"docker://{record.reference}", f"dir:{home}/copy", home=home)
    assert copied.returncode == 0, copied.stderr
    refused = pull(parent.reference, home)
    assert refused.returncode != 0
    assert "Source image rejected: " in refused.stderr


def test_podman_refuses_what_ropewalk_did_not_sign(works: Works, home: Path) -> None:
    (_, _), (image, record) = works.pair("unsigned")
    works.publish(image, record)
    signature = works.live.lookaside_directory / lookaside_directory("unsigned", image.digest) / "signature-1"
    signature.unlink()
    home_of_a_node(home, works, keys=works.production)
    refused = pull(record.reference, home)
    assert "A signature was required, but no signature exists" in refused.stderr
    assert works.publish(image, record).writes == 1
    assert signature.is_file()


def test_cosign_verifies_signature_and_attestation(works: Works, tmp_path: Path) -> None:
    _, (image, record) = works.pair("cosign")
    works.publish(image, record)
    reference = f"{works.live.host}/cosign@{image.digest}"
    (tmp_path / "key.pub").write_bytes(works.production.public.ecdsa_pem)
    words = ("--key", str(tmp_path / "key.pub"), "--insecure-ignore-tlog=true", "--allow-http-registry=true", reference)
    program = str(cosign_program())
    verified = run(program, "verify", *words, home=tmp_path)
    assert verified.returncode == 0, verified.stderr
    [claim] = json.loads(verified.stdout)
    assert claim["critical"]["identity"]["docker-reference"] == record.reference
    attested = run(program, "verify-attestation", "--type", "slsaprovenance1", *words, home=tmp_path)
    assert attested.returncode == 0, attested.stderr
    (tmp_path / "key.pub").write_bytes(works.base.public.ecdsa_pem)
    assert run(program, "verify", *words, home=tmp_path).returncode != 0
    assert run(program, "verify-attestation", "--type", "slsaprovenance1", *words, home=tmp_path).returncode != 0


def test_published_is_verified_and_noted(works: Works) -> None:
    _, (image, record) = works.pair("noted")
    outcome = works.publish(image, record)
    assert (outcome.reference, outcome.digest, outcome.skipped) == (record.reference, image.digest, False)
    assert works.digest("noted", record.tag) == works.digest("noted", "latest") == image.digest
    published = works.book.published(image.digest)
    assert published is not None
    assert (published.registry, published.at) == (works.live.endpoint, NOW)
    with RegistryClient(works.live.endpoint) as client:
        publics = (works.base.public, works.production.public)
        verdict = verify_image(client, record.repository, image.digest, publics)
    assert verdict.ok, verdict.reason
    assert verdict.record == record
    assert verdict.generation is Generation.PRODUCTION
    assert verdict.reason == "signed and attested by the production key"


def test_a_second_publish_sends_nothing_and_asks_little(works: Works) -> None:
    (below, parent), (image, record) = works.pair("again")
    works.publish(below, parent)
    with cut_after(works.live.endpoint, 1000) as line:
        works.publish(image, record, endpoint=line.endpoint)
        first = line.seen
        outcome = works.publish(image, record, endpoint=line.endpoint)
        again = line.seen - first
    assert (outcome.writes, outcome.bytes, outcome.skipped) == (0, 0, True)
    assert first <= 22
    assert again <= 5


def test_the_parents_layers_are_mounted(works: Works) -> None:
    (below, parent), (image, record) = works.pair("mounted")
    assert works.publish(below, parent).bytes > 200_000
    assert works.publish(image, record).bytes < 20_000


def test_a_parent_that_is_not_published_is_no_obstacle(works: Works) -> None:
    (below, _), (image, record) = works.pair("orphan")
    works.publish(image, record)
    assert works.digest("orphan", record.tag) == image.digest
    assert works.digest("orphan-base", "latest") is None
    with RegistryClient(works.live.endpoint) as client:
        assert client.has_blob("orphan", below.layers[0].blob.digest)


def test_a_rebuild_of_a_line_does_not_send_its_old_layers(works: Works) -> None:
    _, (image, record) = works.pair("rebased")
    works.publish(image, record)
    below = tiny_image(works.store, os.urandom(200_000))
    parent = replace(record_of(below, "rebased-base"), build=2)
    works.publish(below, parent)
    moved = works.store.add_image(
        image.config, (below.layers[0], image.layers[1]), image.platform, image.created, ("x", "y")
    )
    again = replace(record_of(moved, "rebased", parent=parent), build=2)
    outcome = works.publish(moved, again)
    assert outcome.reference == f"{NAME}/rebased:1.22.1-3-r2"
    assert outcome.bytes < 20_000
    assert works.digest("rebased", "latest") == moved.digest


def test_a_version_tag_never_moves(works: Works) -> None:
    _, (image, record) = works.pair("tag")
    works.publish(image, record)
    other = tiny_image(works.store, b"another")
    with pytest.raises(TagMoved, match=f"is published as {image.digest}, not {other.digest}") as caught:
        works.publish(other, replace(record, digest=other.digest))
    assert caught.value.exit_code is Exit.REFUSED
    assert "add a changelog entry with a new version" in caught.value.hint
    assert works.digest("tag", record.tag) == image.digest
    with RegistryClient(works.live.endpoint) as client:
        assert client.manifest("tag", other.digest) is None


def test_latest_never_goes_back(works: Works) -> None:
    images = {}
    for version, build, newest in (("1.9", 1, "1.9"), ("1.10", 1, "1.10"), ("1.9", 2, "1.10"), ("1.10", 2, "1.10-r2")):
        image = tiny_image(works.store, f"{version} {build}".encode())
        record = replace(record_of(image, "latest"), version=version, build=build)
        images[record.tag] = image.digest
        works.publish(image, record)
        assert works.digest("latest", "latest") == images[newest]


def _in_turn(works: Works, name: str, *steps: tuple[str, int, tuple[str, ...], int, str]) -> None:
    """Publish builds of one repository one after the other: version, build, older versions, date, what latest is then."""
    images = {}
    for version, build, older, date, newest in steps:
        below = tiny_image(works.store, b"below")
        image = tiny_image(works.store, f"{name} {version} {build}".encode(), parent=below, epoch=date)
        record = replace(record_of(image, name, parent=record_of(below, f"{name}-base")), version=version, build=build)
        images[record.tag] = image.digest
        works.publish(image, replace(record, older=older))
        assert works.digest(name, "latest") == images[newest], record.tag


def test_latest_follows_the_changelog_and_no_old_checkout_moves_it_back(works: Works) -> None:
    weekly, later = "4.0.2-3-20260816", "4.0.2-4"
    _in_turn(
        works,
        "renewed",
        ("4.0.2-3", 1, (), 100, "4.0.2-3"),
        (weekly, 1, ("4.0.2-3",), 300, weekly),
        # written before the renewal, merged after it
        (later, 1, (weekly, "4.0.2-3"), 200, later),
        (weekly, 2, ("4.0.2-3",), 300, later),
        ("3.0-1", 1, (later, weekly, "4.0.2-3"), 400, "3.0-1"),
        (later, 2, (weekly, "4.0.2-3"), 200, "3.0-1"),
    )


def test_an_old_checkout_elsewhere_is_told_by_its_date(works: Works, tmp_path: Path) -> None:
    _in_turn(works, "reset", ("2.0-1", 1, (), 100, "2.0-1"), ("1.0-1", 1, ("2.0-1",), 200, "1.0-1"))
    newest = works.digest("reset", "latest")
    there = replace(works, store=Store(tmp_path / "store"), book=RecordBook(tmp_path / "records"))
    below = tiny_image(there.store, b"below")
    for build, date, wins in ((2, 100, False), (3, 200, True)):
        image = tiny_image(there.store, b"%d" % build, parent=below, epoch=date)
        record = replace(record_of(image, "reset", parent=record_of(below, "b")), version="2.0-1", build=build)
        there.publish(image, record)
        assert works.digest("reset", "latest") == (image.digest if wins else newest)


def test_latest_is_left_alone_where_it_is_not_wanted(works: Works) -> None:
    image = tiny_image(works.store, b"no latest")
    works.publish(image, record_of(image, "nolatest"), latest=False)
    assert works.digest("nolatest", "latest") is None


def test_cut_at_any_request_no_tag_is_visible_unsigned_and_the_next_publish_heals(works: Works) -> None:
    (below, parent), _ = works.pair("cut")
    works.publish(below, parent)
    with RegistryClient(works.live.endpoint) as client:
        for allowed in range(100):
            name = f"cut-{allowed}"
            image = tiny_image(works.store, name.encode(), parent=below)
            record = record_of(image, name, parent=parent)
            with cut_after(works.live.endpoint, allowed) as line:
                try:
                    works.publish(image, record, endpoint=line.endpoint)
                except NetworkError:
                    complete = False
                else:
                    complete = True
            visible = client.digest_of(name, record.tag)
            if visible is not None:
                assert verify_image(client, record.repository, visible, (works.production.public,)).ok
                assert (works.live.lookaside_directory / lookaside_directory(name, visible)).is_dir()
            assert (works.book.published(image.digest) is not None) == complete
            works.publish(image, record)
            assert client.digest_of(name, "latest") == image.digest
            assert verify_image(client, record.repository, image.digest, (works.production.public,)).ok
            assert works.publish(image, record).skipped
            if complete:
                break
        else:
            pytest.fail("a publish takes 100 requests")


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from kit.signing import record_of
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.store import Store
from ropewalk.publish import publish
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.record import RecordBook
from ropewalk.trust import load
store, keys, records, lookaside, endpoint, digest = sys.argv[1:]
store = Store(Path(store))
image = store.load(digest)
with RegistryClient(endpoint) as client:
    publish(image, record_of(image, "killed"), store=store, client=client, keys=load(Path(keys), Generation.BASE),
            lookaside=Path(lookaside), book=RecordBook(Path(records)), latest=True, now=1)
"""


class Stuck(SimpleHTTPRequestHandler):
    """Says that it is a registry without images, then is silent for ever on the first upload."""

    reached = threading.Event()
    go_on = threading.Event()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.reached.set()
        self.go_on.wait(30)

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


def test_kill_9_in_a_publish_leaves_nothing_visible_and_no_lock(works: Works, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    [base] = signing_keys(keys, Generation.BASE)
    image = tiny_image(works.store, b"killed")
    words = (works.store.directory, keys, tmp_path / "records", works.live.lookaside_directory)
    with ThreadingHTTPServer(("127.0.0.1", 0), Stuck) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *map(str, words), endpoint, image.digest],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        reached = Stuck.reached.wait(30)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert reached
        Stuck.go_on.set()
        server.shutdown()
    thread.join()
    assert list(tmp_path.glob("records/*")) == []
    assert replace(works, base=base).publish(image, record_of(image, "killed")).skipped is False
    assert works.digest("killed", "latest") == image.digest


def test_other_peoples_signatures_are_kept(works: Works) -> None:
    image = tiny_image(works.store, b"theirs")
    record = record_of(image, "theirs")
    payload = cosign_payload(f"{NAME}/theirs:stable", image.digest)
    theirs = cosign_layer(payload, sign_cosign(works.production, payload))
    carrier = cosign_manifest((theirs.descriptor(),))
    with RegistryClient(works.live.endpoint) as client:
        for data in (theirs.data, carrier.config):
            client.upload_bytes("theirs", data)
        client.put_manifest("theirs", signature_tag(image.digest), carrier.manifest, MANIFEST)
        works.publish(image, record)
        for keys in (works.base, works.production):
            signed = verify_image(client, record.repository, image.digest, (keys.public,))
            # The attestation is ours alone.
            assert signed.ok is (keys is works.base)
            assert signed.reason in (
                "signed and attested by the base key",
                "the attestation is not signed by a key that is trusted here",
            )
        assert works.publish(image, record).skipped


def test_a_registry_that_is_down_and_a_server_that_is_none_say_so_differently(works: Works, tmp_path: Path) -> None:
    image = tiny_image(works.store, b"nowhere")
    record = record_of(image, "nowhere")
    handler = partial(Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(RegistryNotFound) as none:
            works.publish(image, record, endpoint=address)
        server.shutdown()
    thread.join()
    with pytest.raises(RegistryDown) as down:
        works.publish(image, record, endpoint=address)
    lines = {str(error.value) for error in (none, down)}
    assert len(lines) == 2
    assert all("\n" not in line and address in line for line in lines)
    assert works.book.published(image.digest) is None


class Silent(SimpleHTTPRequestHandler):
    """A plain web server."""

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


def reasons(works: Works, image: Image, repository: str, *keys: SigningKeys) -> str:
    with RegistryClient(works.live.endpoint) as client:
        verdict = verify_image(client, repository, image.digest, tuple(key.public for key in keys))
    assert not verdict.ok
    assert verdict.record is None
    return verdict.reason


def test_what_does_not_verify_says_why(works: Works) -> None:
    _, (image, record) = works.pair("why")
    works.publish(image, record)
    assert reasons(works, image, record.repository) == "no key is trusted here"
    assert reasons(works, image, record.repository, works.base) == "the signature is not by a key that is trusted here"
    elsewhere = reasons(works, image, "other.example.org/why", works.production)
    assert elsewhere == f"the signature is for {record.reference}"
    stranger = tiny_image(works.store, b"stranger")
    assert reasons(works, stranger, record.repository, works.production) == "no signature exists"


def test_signature_or_attestation_of_another_image_does_not_stand_for_this_one(works: Works) -> None:
    _, (image, record) = works.pair("swap")
    works.publish(image, record)
    stranger = tiny_image(works.store, b"swapped in")
    with RegistryClient(works.live.endpoint) as client:
        for tag in (signature_tag, attestation_tag):
            found = client.manifest("swap", tag(image.digest))
            assert found is not None
            client.put_manifest("swap", tag(stranger.digest), found[1], MANIFEST)
    reason = reasons(works, stranger, record.repository, works.production)
    assert reason == f"the signature is for digest {image.digest}"
    payload = cosign_payload(record.reference, stranger.digest)
    layer = cosign_layer(payload, sign_cosign(works.production, payload))
    carrier = cosign_manifest((layer.descriptor(),))
    with RegistryClient(works.live.endpoint) as client:
        for data in (payload, carrier.config):
            client.upload_bytes("swap", data)
        client.put_manifest("swap", signature_tag(stranger.digest), carrier.manifest, MANIFEST)
    reason = reasons(works, stranger, record.repository, works.production)
    assert reason == f"the attestation is for production image {image.digest}"


def test_fetch_brings_an_image_into_another_store(works: Works, tmp_path: Path) -> None:
    (below, parent), (image, record) = works.pair("fetch")
    works.publish(below, parent)
    works.publish(image, record)
    store = Store(tmp_path / "store")
    with RegistryClient(works.live.endpoint) as client:
        assert fetch_image(client, "fetch-base", "latest", store) == below
        assert fetch_image(client, "fetch", image.digest, store) == image
        assert fetch_image(client, "fetch", record.tag, store) == image
        with pytest.raises(NoSuchImage, match="fetch:none: the registry has no such image"):
            fetch_image(client, "fetch", "none", store)
    assert store.load(image.digest) == image
    assert store.tree(image) == works.store.tree(image)
    assert store.read_files(image.layers, ["etc/content"]) == {"etc/content": b"fetch"}
