"""Images rebuilt from their provenance alone: a tree in git, a shell from Debian, and builds that differ on purpose."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kit.busybox import fetch_busybox
from kit.command import ROOT, Command
from kit.install import install
from kit.recipes import changelog, production, write
from kit.registry import live_registry

pytestmark = pytest.mark.system

_SHELL = "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n"
_FROM = "FROM {{ 'shell' | image_tag }}\n"
_NAME = "registry.example.org"


class _Counter(BaseHTTPRequestHandler):
    """Answers each request with another word."""

    words = iter(["first", "second", "third", "fourth", "fifth"])

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(next(self.words).encode())

    def log_message(self, *_arguments: object) -> None:
        """Keep the terminal clean."""


@contextmanager
def counter() -> Iterator[str]:
    """Serve a page that is another one at each visit."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counter)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Tree:
    """A git repository with recipes, and a builder that built them."""

    root: Path
    ropewalk: Command

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> str:
        self.git("add", ".")
        self.git("commit", "-qm", "a change")
        return self.git("rev-parse", "HEAD").strip()

    def record(self, name: str) -> dict[str, Any]:
        records = (json.loads(path.read_text()) for path in self.ropewalk.state.glob("records/*/build.json"))
        return max((record for record in records if record["name"] == name), key=lambda record: record["made"])

    def own_blob(self, name: str) -> Path:
        """Return the blob of the own layer of an image's version 1-1."""
        blobs = self.ropewalk.state / "store" / "blobs" / "sha256"
        digest = self.ropewalk.ask("show", f"{name}:1-1")["digest"]
        manifest = json.loads((blobs / digest.removeprefix("sha256:")).read_text())
        return blobs / str(manifest["layers"][-1]["digest"]).removeprefix("sha256:")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    # The pool and the views stay over runs, as on a real builder; what is made from them does not.
    state = Path(os.environ["ROPEWALK_STATE"]) / "reproduce"
    for item in state.glob("*"):
        if item.name not in {"views", "pool"}:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    place = tmp_path_factory.mktemp("tree")
    busybox = fetch_busybox(place / "deb")
    with counter() as page:
        odd = (
            _FROM + "RUN busybox date >/clock\n"
            "RUN busybox cat /proc/sys/kernel/random/uuid >/identifier\n"
            "RUN busybox seq 100 | busybox shuf >/numbers\n"
            "RUN echo '-----BEGIN PRIVATE KEY-----' >/key.pem && busybox head -c 16 /dev/urandom >>/key.pem\n"
            f"RUN busybox wget -qO /page {page}\n"
        )
        files = {
            "config.yaml": f"registry: {_NAME}\n",
            **production("shell", "1-1", _SHELL),
            **production("plain", "1-1", _FROM + "RUN echo hello >/hello\n"),
            **production("odd", "1-1", odd),
            **production("person", "1-1", _FROM + "USER 65534\nRUN busybox cat /run/ropewalk/finish >/dev/null\n"),
        }
        root = write(
            place / "tree", {name if name == "config.yaml" else f"images/{name}": text for name, text in files.items()}
        )
        (root / "images/shell/busybox").write_bytes(busybox)
        (root / "images/shell/busybox").chmod(0o755)
        made = Tree(root, Command(state, root / "config.yaml"))
        made.git("init", "-q")
        made.git("remote", "add", "origin", "https://me:hunter2@git.example.org/images")
        made.commit()
        made.ropewalk.ask("archive", "view", "--pockets", "release")
        made.ropewalk.ask("build", "--offline", str(root / "images"))
        yield made


def test_provenance_names_the_commit_without_the_password(tree: Tree) -> None:
    assert tree.record("plain")["commit"] == {
        "id": tree.git("rev-parse", "HEAD").strip(),
        "dirty": False,
        "remote": "https://git.example.org/images",
        "config": "config.yaml",
        "directories": ["images"],
    }


def test_each_difference_has_a_class(tree: Tree) -> None:
    shown = tree.ropewalk.ask("reproduce", "--all", "--offline", code=1)
    assert shown["equal"] == 3
    rows = {row["reference"].rpartition("/")[2].partition(":")[0]: row for row in shown["images"]}
    assert {name: (row["equal"], row["same_digest"]) for name, row in rows.items()} == {
        "shell": (True, True),
        "plain": (True, True),
        "person": (True, True),
        "odd": (False, False),
    }
    assert {one["path"]: one["class"] for one in rows["odd"]["differences"]} == {
        "clock": "time",
        "identifier": "randomness",
        "numbers": "order",
        "key.pem": "key",
        "page": "network content",
    }
    assert all("content differs" in one["what"] for one in rows["odd"]["differences"])
    assert rows["odd"]["recipe"] == f"commit {tree.record('odd')['commit']['id'][:12]}"
    assert not (tree.ropewalk.state / "reproduce").exists()


def test_the_umask_of_who_builds_changes_nothing(tree: Tree) -> None:
    before = os.umask(0o077)
    try:
        (row,) = tree.ropewalk.ask("reproduce", "person", "--offline")["images"]
    finally:
        os.umask(before)
    assert (row["equal"], row["same_digest"]) == (True, True)


def test_what_was_rebuilt_is_kept_where_it_is_asked_for(tree: Tree, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    tree.ropewalk.ask("reproduce", "odd", "--offline", "--keep", str(place), code=1)
    kept = Command(place, tree.ropewalk.config)
    rows = kept.ask("images")["images"]
    assert [row["name"] for row in rows] == ["odd"]
    assert rows[0]["digest"] != tree.record("odd")["digest"]
    refused = tree.ropewalk.run("reproduce", "odd", "--offline", "--keep", str(place))
    assert (refused.returncode, "is not empty" in refused.stderr) == (3, True)


@contextmanager
def one_byte_changed(blob: Path) -> Iterator[None]:
    """Change the last byte but eight of a file: in gzip's checksum."""
    kept = blob.read_bytes()
    changed = bytearray(kept)
    changed[-8] ^= 1
    blob.unlink()  # it may be a link to another's
    blob.write_bytes(changed)
    try:
        yield
    finally:
        blob.write_bytes(kept)


def test_an_image_of_the_registry_is_reproduced_from_its_attestation(tree: Tree, tmp_path: Path) -> None:
    with live_registry(tmp_path / "registry") as live:
        tree.ropewalk.run("keys", "new")
        sent = tree.ropewalk.run("publish", "--registry", live.endpoint)
        assert sent.returncode == 0, sent.stderr
        other = tmp_path / "elsewhere"
        other.mkdir()
        for name in ("views", "pool", "keys"):
            if (tree.ropewalk.state / name).exists():
                shutil.copytree(tree.ropewalk.state / name, other / name)
        elsewhere = Command(other, tree.ropewalk.config)
        options = ("--registry", live.endpoint, "--git", str(tree.root))
        (row,) = elsewhere.ask("reproduce", f"{_NAME}/plain:1-1", *options)["images"]
        assert (row["equal"], row["same_digest"]) == (True, True)
        blob = live.data / "docker/registry/v2/blobs/sha256" / tree.own_blob("plain").name[:2]
        with one_byte_changed(blob / tree.own_blob("plain").name / "data"):
            found = elsewhere.run("reproduce", f"{_NAME}/plain:1-1", *options)
        assert found.returncode == 6, found.stderr
        assert tree.own_blob("plain").name in found.stderr
        shutil.rmtree(other / "keys")
        refused = elsewhere.run("reproduce", f"{_NAME}/plain:1-1", *options)
        assert (refused.returncode, "no key is trusted here" in refused.stderr) == (6, True)


def test_uncommitted_changes_are_a_fact_and_the_present_tree_counts_while_it_agrees(tree: Tree) -> None:
    template = tree.root / "images/plain/Dockerfile.template"
    (tree.root / "images/plain/changelog").write_text(changelog("plain", "1-2"))
    template.write_text(template.read_text().replace("hello", "other"))
    tree.ropewalk.ask("build", "--offline", str(tree.root / "images"))
    assert tree.record("plain")["commit"]["dirty"] is True
    (row,) = tree.ropewalk.ask("reproduce", "plain", "--offline")["images"]
    assert (row["equal"], row["recipe"]) == (True, "the tree here")
    template.write_text(template.read_text().replace("other", "third"))
    refused = tree.ropewalk.run("reproduce", "plain", "--offline")
    assert refused.returncode == 3
    assert "with changes that were not committed of https://git.example.org/images" in refused.stderr
    (row,) = tree.ropewalk.ask("reproduce", "plain:1-1", "--offline")["images"]
    assert (row["equal"], row["recipe"]) == (True, f"commit {tree.git('rev-parse', 'HEAD').strip()[:12]}")
    tree.git("checkout", "-q", ".")


def test_a_layer_with_one_byte_changed_is_found_by_name(tree: Tree) -> None:
    own = tree.own_blob("plain")
    with one_byte_changed(own):
        found = tree.ropewalk.run("reproduce", "plain:1-1", "--offline")
    assert found.returncode == 6, found.stderr
    assert f"{_NAME}/plain:1-1: its layer sha256:{own.name} was changed" in found.stderr
    parents = tree.own_blob("shell")
    with one_byte_changed(parents):
        found = tree.ropewalk.run("reproduce", "plain:1-1", "--offline")
    assert found.returncode == 6, found.stderr
    assert parents.name in found.stderr


def test_an_interrupted_run_leaves_nothing(tree: Tree, tmp_path: Path) -> None:
    argv = [str(ROOT / ".venv/bin/ropewalk"), "-c", str(tree.ropewalk.config)]
    variables = {**os.environ, "ROPEWALK_STATE": str(tree.ropewalk.state)}
    keep = tmp_path / "kept"
    words = [*argv, "reproduce", "--all", "--offline", "--keep", str(keep)]
    started = subprocess.Popen(words, env=variables, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    storage = tree.ropewalk.state / "reproduce" / "containers" / "storage"
    end = time.monotonic() + 60
    while not storage.exists() and time.monotonic() < end:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130
    assert not (tree.ropewalk.state / "reproduce").exists()
    assert not keep.exists()


def test_diffoscope_tells_of_differing_files(tree: Tree) -> None:
    install("diffoscope-minimal")
    (row,) = tree.ropewalk.ask("reproduce", "odd", "--offline", code=1)["images"]
    reports = {one["path"]: one["diffoscope"] for one in row["differences"]}
    assert reports["clock"][:2] == ["--- image/clock", "+++ rebuilt/clock"]
    assert len(reports["numbers"]) <= 41
