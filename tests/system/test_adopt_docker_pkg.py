"""A registry that docker-pkg itself filled, with dockerd, is taken over: zero rebuilds in the next plan."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit.command import Command
from kit.dockerd import dockerd
from kit.dockerpkg import environment
from kit.images import status
from kit.recipes import changelog, write
from kit.tlsregistry import TlsRegistry, tls_registry

pytestmark = pytest.mark.system

HOST = "127.77.9.1"
FILES = {"var/lib/dpkg/status": status("libc6=2.36-9", "bash=5.2"), "etc/os-release": b"ID=debian\n"}
TREE = {
    "app/Dockerfile.template": "FROM {{ registry }}/tiny:latest\nCOPY status /var/lib/dpkg/status\nWORKDIR /srv\n"
    'ENV WHO=app\nLABEL team="sre"\nUSER 33\n',
    "app/status": status("libc6=2.36-9", "bash=5.2", "curl=7.88").decode(),
    "app/changelog": changelog("app", "1.0-1"),
    "tool/Dockerfile.template": "FROM {{ 'app' | image_tag }}\nCOPY tool /srv/tool\nCMD [\"/srv/tool\"]\n",
    "tool/tool": "#!/bin/sh\n",
    "tool/changelog": changelog("tool", "2.1-3"),
    "other/Dockerfile.template": "FROM {{ 'app' | image_tag }} AS build\nFROM {{ registry }}/tiny\n"
    "COPY --from=build /etc/os-release /copied\n",
    "other/changelog": changelog("other", "0.1"),
    "tool/control": "Package: tool\nDepends: app\n",
    "other/control": "Package: other\nBuild-Depends: app\n",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """The registry after docker-pkg, and a builder that never saw it."""

    registry: TlsRegistry
    command: Command

    def ask(self, name: str, *arguments: str) -> Any:
        images = str(self.command.config.parent / "images")
        return self.command.ask(name, images, "--registry", self.registry.endpoint, *arguments)

    def plan(self) -> dict[str, str]:
        return {row["name"]: row["action"] for row in self.ask("plan")["entries"]}


def base() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


@pytest.fixture(scope="module")
def filled() -> Iterator[Filled]:
    # Not pytest's directory: a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="rw-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        tree = write(place / "tree", {f"images/{path}": text for path, text in TREE.items()})
        (place / "registry").mkdir()
        with tls_registry(place / "registry", HOST) as registry, dockerd(place / "d") as variables:
            (tree / "config.yaml").write_text(
                f"registry: {HOST}\nbase_images: ['{HOST}/tiny:latest']\nca_bundle: {registry.certificate}\n"
                "username: someone\npassword: something\n"
            )
            fill(tree, variables)
            trust = {"SSL_CERT_FILE": str(registry.certificate)}
            command = Command(place / "state", tree / "config.yaml", trust)
            assert command.run("keys", "new").returncode == 0
            yield Filled(registry, command)


def fill(tree: Path, variables: dict[str, str]) -> None:
    subprocess.run(["docker", "import", "-", f"{HOST}/tiny:20250101"], input=base(), check=True, env=variables)
    subprocess.run(["docker", "tag", f"{HOST}/tiny:20250101", f"{HOST}/tiny:latest"], check=True, env=variables)
    for tag in ("20250101", "latest"):
        subprocess.run(["docker", "push", "-q", f"{HOST}/tiny:{tag}"], check=True, env=variables)
    docker_pkg = environment() / "docker-pkg"
    done = subprocess.run(
        [docker_pkg, "-c", "config.yaml", "build", "images"],
        cwd=tree,
        env=variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_docker_pkg_published_is_adopted_and_nothing_is_rebuilt(filled: Filled) -> None:
    assert set(filled.plan().values()) == {"refused"}
    rows = filled.ask("adopt", "--apply")["images"]
    states = {row["reference"].removeprefix(f"{HOST}/"): row["state"] for row in rows}
    assert states == dict.fromkeys(("tiny:20250101", "app:1.0-1", "tool:2.1-3", "other:0.1"), "adopted")
    assert filled.plan() == {"app": "none", "tool": "none", "other": "none"}
    there = Filled(filled.registry, Command(filled.command.state.parent / "there", filled.command.config))
    there.command.variables.update(filled.command.variables)
    shutil.copytree(filled.command.state / "keys", there.command.state / "keys")
    assert there.plan() == {"app": "none", "tool": "none", "other": "none"}


def test_its_images_are_known_as_docker_made_them(filled: Filled) -> None:
    facts = filled.command.ask("show", "tool")
    assert (facts["config"]["cmd"], facts["config"]["user"], facts["env"]["WHO"]) == (["/srv/tool"], "33", "app")
    assert facts["labels"] == {"team": "sre"}
    owners = {row["name"]: row["owner"] for row in filled.command.ask("packages", "tool")["packages"]}
    assert owners == {"bash": "tiny", "libc6": "tiny", "curl": "app"}
    parents = filled.command.ask("show", "other")["parents"]
    assert [(parent["reference"], parent["role"]) for parent in parents] == [
        (f"{HOST}/tiny:latest", "final"),
        (f"{HOST}/app:1.0-1", "build"),
    ]


def test_a_change_from_then_on_is_built(filled: Filled) -> None:
    write(filled.command.config.parent, {"images/tool/changelog": changelog("tool", "2.1-4")})
    assert filled.plan() == {"app": "none", "tool": "build", "other": "none"}
