"""Images rebuilt from their provenance alone: a tree in git, a shell from Debian, and builds that differ on purpose."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kit.busybox import fetch_busybox
from kit.command import Command
from kit.recipes import production, write

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
        """Return the blob of an image's own layer."""
        blobs = self.ropewalk.state / "store" / "blobs" / "sha256"
        manifest = json.loads((blobs / self.record(name)["digest"].removeprefix("sha256:")).read_text())
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
    assert shown["equal"] == 2
    rows = {row["reference"].rpartition("/")[2].partition(":")[0]: row for row in shown["images"]}
    assert {name: (row["equal"], row["same_digest"]) for name, row in rows.items()} == {
        "shell": (True, True),
        "plain": (True, True),
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
