"""A tree as docker-pkg's users have it: a nightly build behind a proxy, sent with the config's credentials, then pruned."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.recipes import production, write
from kit.street import Street
from ropewalk.oci import RegistryClient
from ropewalk.oci.client import RegistryRefused
from ropewalk.process import Command, run, started
from ropewalk.registry.embedded import free_ports, parse_listen

pytestmark = pytest.mark.system

NAME = "registry.example.org"
USER, PASSWORD = "builder", "rope-yarn-secret"
HTPASSWD = f"{USER}:$2b$04$SHN3yadtkpsWHuRLcTeccOMP.Tm0wbNPH6Q3ds9aE.iThMFErH5Jm\n"
"""That password, hashed with bcrypt."""
PROXY = "http://127.0.0.1:9"
TEMPLATE = f"""\
FROM {{{{ registry }}}}/bookworm
RUN for value in "$http_proxy" "$HTTP_PROXY" "$https_proxy" "$HTTPS_PROXY"; do test "$value" = {PROXY}; done
USER 65534
"""
BASE = "name: bookworm\nversion: 12-1\nsuites: [bookworm]\n"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A docker-registry that asks for user and password."""
    port = free_ports(parse_listen("127.0.0.1"), given=False).registry
    write(tmp_path, {"htpasswd": HTPASSWD})
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "ropewalk", "path": str(tmp_path / "htpasswd")}},
    }
    write(tmp_path, {"registry.json": json.dumps(config)})
    command = Command(("docker-registry", "serve", str(tmp_path / "registry.json")))
    with started(command, tmp_path / "registry.log"):
        run(
            Command(("sh", "-c", f"for n in $(seq 100); do nc -z 127.0.0.1 {port} && exit; sleep 0.1; done")),
            check=False,
        )
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def street(tmp_path: Path, registry: str) -> Street:
    state = Path(os.environ["ROPEWALK_STATE"]) / "commands"
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write(tmp_path / "tree", {"bases/bookworm/base.yaml": BASE})
    write(tmp_path / "tree/images", production("app", "1.0-1", TEMPLATE))
    text = f"registry: {NAME}\nhttp_proxy: {PROXY}\nusername: {USER}\npassword: {PASSWORD}\nforce_numeric_user: true\n"
    text += "apt_only_proxy: ''\ncontainer_limits: memory=2g,cpushares=512\n"
    write(tmp_path / "tree", {"config.yaml": f"{text}ropewalk: {{endpoint: '{registry}'}}\n"})
    return Street(state, tmp_path / "tree", tmp_path / "tree/images", ("bases",))


def _sent(done: dict[str, Any]) -> list[str]:
    return [image["reference"] for image in done["publishing"]["images"]]


def test_a_nightly_is_built_behind_the_proxy_sent_with_credentials_and_pruned(street: Street, registry: str) -> None:
    street.ask("archive", "view", "--pockets", "release")
    street.show("keys", "new")
    done = street.ask("build", "--nightly", "--use-cache", "--no-pull", *street.directories)
    references = [image["reference"] for image in done["images"]]
    day = references[0][-8:]
    assert re.fullmatch(r"20[0-9]{6}", day)
    assert references == [f"{NAME}/bookworm:12-1-{day}", f"{NAME}/app:1.0-1-{day}"]
    assert _sent(done) == references
    with RegistryClient(registry, (USER, PASSWORD)) as client:
        assert {f"1.0-1-{day}", "latest"} <= set(client.tags("app"))
    with RegistryClient(registry) as stranger, pytest.raises(RegistryRefused):
        stranger.tags("app")

    again = street.run("build", "--nightly", *street.directories)
    assert b"nothing to do" in again.stdout
    assert b"the config has username and password" in again.stdout
    for log in (street.state / "logs").rglob("*.log"):
        assert PASSWORD not in log.read_text(errors="replace")
    assert PASSWORD.encode() not in again.stdout + again.stderr

    shown = street.ask("prune", *street.directories)
    assert [image["reference"] for image in shown["images"]] == list(reversed(references))
    assert street.ask("prune", "--nightly", day, "--apply", *street.directories)["images"] == []
    gone = street.ask("prune", "--apply", *street.directories)
    assert gone["bytes"] > 10_000_000
    assert street.ask("images", "--all")["images"] == []
    blobs = street.state / "store" / "blobs" / "sha256"
    assert sum(path.stat().st_size for path in blobs.iterdir()) < 1_000_000
