"""A watch that runs beside an archive: a security update is in the registry without anybody's doing, another one waits."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit.archive import Archive, Deb, Served
from kit.command import ROOT, Command
from kit.recipes import REGISTRY, production, write
from kit.registry import running_registry
from ropewalk.oci import RegistryClient

pytestmark = pytest.mark.system

BASE = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
archives:
  - {uri: URL/apt, suites: [bookworm, bookworm-security], components: [main], signed-by: team.gpg}
packages: [team-tool, team-data]
"""
CONFIG = f"""\
registry: {REGISTRY}
ropewalk:
  endpoint: ENDPOINT
  refresh: {{security: automatic, updates: approval, every: 2s}}
"""
APP = f"FROM {REGISTRY}/bookworm:latest\nCOPY changelog /srv/app\nUSER 65534\n"
PATIENCE = 400.0


@dataclass
class Yard:
    """A builder with a tree, a registry, and the archive beside Debian's that its base image names."""

    command: Command
    archive: Archive
    served: Served
    endpoint: str
    log: Path
    released: dict[str, int] = field(default_factory=dict)

    def release(self, suite: str, *versions: str) -> None:
        """Publish packages, ``NAME=VERSION``, in a suite, with the date of now."""
        debs = []
        for name, _, version in (text.partition("=") for text in versions):
            debs.append(Deb(name, version, files=((f"usr/share/{name}", f"{version}\n"),)))
        self.released[suite] = int(time.time())
        self.archive.publish(suite, debs, date=self.released[suite], place="apt")

    def tags(self, name: str) -> list[str]:
        with RegistryClient(self.endpoint) as client:
            return sorted(tag for tag in client.tags(name) if not tag.startswith("sha256-"))

    @contextmanager
    def watching(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run ``ropewalk watch`` in the foreground of its own; end it as systemd does."""
        argv = [ROOT / ".venv/bin/ropewalk", "-c", self.command.config, "watch", "--format", "json"]
        environment = {**os.environ, "ROPEWALK_STATE": str(self.command.state)}
        with self.log.open("wb") as log, subprocess.Popen(argv, env=environment, stdout=log, stderr=log) as running:
            try:
                yield running
            finally:
                running.send_signal(signal.SIGTERM)
                running.wait(PATIENCE)

    def told(self) -> str:
        return self.log.read_text()

    def looks(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.told().splitlines() if line.startswith("{")]

    def until(self, what: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < end, self.told()
            time.sleep(0.2)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    # Views and pool stay over runs, as on a real builder.
    state = Path(os.environ["ROPEWALK_STATE"]) / "watch"
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    archive = Archive(tmp_path / "archive")
    with archive.serve() as served, running_registry(tmp_path / "registry") as endpoint:
        write(tmp_path / "tree", {"config.yaml": CONFIG.replace("ENDPOINT", endpoint)})
        write(tmp_path / "tree/base", {"base.yaml": BASE.replace("URL", served.url)})
        write(tmp_path / "tree", production("app", "1.0-1", APP))
        (tmp_path / "tree/base/team.gpg").write_bytes(archive.key.public)
        command = Command(state, tmp_path / "tree/config.yaml")
        made = Yard(command, archive, served, endpoint, tmp_path / "watch.log")
        made.release("bookworm", "team-data=1.0")
        made.release("bookworm-security", "team-tool=1.0")
        command.ask("archive", "view")
        command.ask("keys", "new")
        command.ask("build", str(tmp_path / "tree"))
        command.ask("publish")
        yield made


def test_a_security_update_is_published_by_itself_and_another_when_it_is_approved(yard: Yard) -> None:
    with yard.watching() as running:
        yard.until(lambda: len(yard.looks()) >= 2)
        assert yard.tags("app") == ["1.0-1", "latest"]
        assert yard.command.run("watch", "--once").returncode == 4, "one watch at a time"

        yard.served.failing["/apt/dists/bookworm-security/InRelease"] = 4  # one look fails, then the archive is back
        yard.release("bookworm-security", "team-tool=1.1")
        yard.until(lambda: "watch: refresh" in yard.told())
        assert "this look failed" in yard.told()
        assert [waits["waiting"] for waits in yard.looks()] == [[]] * len(yard.looks())
    assert (running.returncode, yard.tags("app")) == (130, ["1.0-1", "latest"]), "it was ended at work"

    with yard.watching() as running:
        yard.until(lambda: "1.0-1-r2" in yard.tags("app"))
        yard.until(lambda: yard.command.ask("report", "time-to-patch")["images"] == 2)

        yard.release("bookworm", "team-data=2.0")
        yard.until(lambda: yard.command.ask("watch", "status")["waiting"])
        looked = len(yard.looks())
        yard.until(lambda: len(yard.looks()) >= looked + 2)
        assert yard.tags("app") == ["1.0-1", "1.0-1-r2", "latest"], "it waits"
    assert running.returncode == 130

    (waiting,) = yard.command.ask("watch", "status")["waiting"]
    assert waiting["kind"] == "update"
    assert [one["reference"] for one in waiting["images"]] == [f"{REGISTRY}/bookworm:12-1", f"{REGISTRY}/app:1.0-1"]
    life = yard.command.ask("explain", "app")
    steps = [(one["step"], one["reference"].rpartition(":")[2]) for one in life["life"]]
    assert [step for step, tag in steps if tag == "1.0-1"] == ["built", "published", "due"]
    assert [step for step, tag in steps if tag == "1.0-1-r2"] == ["rebased", "published", "patched", "due"]
    assert life["coming"]["waits_for_approval"] == [waiting["id"]]
    assert [one["package"] for one in life["coming"]["updates"]] == ["team-data"]

    assert yard.command.run("watch", "approve", "update-00000000").returncode == 3
    yard.command.ask("watch", "approve", waiting["id"])
    assert yard.tags("app") == ["1.0-1", "1.0-1-r2", "1.0-1-r3", "latest"]
    assert yard.command.ask("watch", "--once") == {
        "view": yard.looks()[-1]["view"],
        "images": [],
        "waiting": [],
    }
    check_report(yard)


def check_report(yard: Yard) -> None:
    """Time to patch is measured from the release file's date; plain updates count where they are asked for."""
    picture = yard.log.with_name("patches.svg")
    found = yard.command.ask("report", "time-to-patch", "--svg", str(picture))
    assert [one["reference"] for one in found["patches"]] == [
        f"{REGISTRY}/bookworm:12-1-r2",
        f"{REGISTRY}/app:1.0-1-r2",
    ]
    assert {one["released"] for one in found["patches"]} == {yard.released["bookworm-security"]}
    assert [one["updates"][0]["package"] for one in found["patches"]] == ["team-tool"] * 2
    assert all(0 < one["seconds_to_published"] < PATIENCE for one in found["patches"])
    assert found["seconds_to_published"]["count"] == 2
    assert found["seconds_to_deployed"] is None
    assert "published: 2 of 2" in picture.read_text()
    assert yard.command.ask("report", "time-to-patch", "--all")["images"] == 4
