"""Each line of the demo's block, on real packages, a real registry and real clients."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from kit.node import RestrictedNode
from kit.street import NAME, Street

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def street() -> Iterator[Street]:
    # The pool and the views stay over runs, as on a real builder; what is made from them does not.
    state = Path(os.environ["ROPEWALK_STATE"]) / "street"
    for name in ("store", "records", "containers", "keys", "registry", "scratch", "ropewalk.sqlite", "demo.json"):
        path = state / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    street = Street(state)
    yield street
    street.run("registry", "down")


@pytest.fixture(scope="session")
def views(street: Street) -> tuple[str, str]:
    old = street.ask("archive", "view", "--suite", "bookworm", "--pockets", "release")["view"]
    new = street.ask("archive", "view", "--suite", "bookworm")["view"]
    return old, new


@pytest.fixture(scope="session")
def built(street: Street, views: tuple[str, str]) -> dict[str, Any]:
    return street.build(views[0])


@pytest.fixture(scope="session")
def node(street: Street) -> Iterator[RestrictedNode]:
    with RestrictedNode(
        f"st{sha256(str(street.state).encode()).hexdigest()[:4]}", street.state / "node", street.state
    ) as node:
        yield node


@pytest.fixture(scope="session")
def address(street: Street, node: RestrictedNode) -> str:
    street.show("keys", "new")
    return str(street.ask("registry", "up", "--listen", node.addresses.host)["registry"]).removeprefix("http://")


@pytest.fixture(scope="session")
def published(street: Street, built: dict[str, Any], address: str) -> dict[str, Any]:
    assert built["images"]
    assert address
    return street.publish()


@pytest.fixture(scope="session")
def renewed(street: Street, views: tuple[str, str], published: dict[str, Any]) -> dict[str, Any]:
    assert published["writes"]
    return street.renew(views[1])


@pytest.fixture(scope="session")
def restricted(street: Street, node: RestrictedNode, renewed: dict[str, Any]) -> RestrictedNode:
    assert renewed["rows"]
    street.restrict(node, street.state / "node")
    return node


def test_seven_images_are_built_and_tested(built: dict[str, Any]) -> None:
    assert built["images"] == 7
    assert built["tested"] >= 6, "all but the base image have a test"


def test_an_unchanged_archive_gives_the_same_view(street: Street, views: tuple[str, str]) -> None:
    assert street.ask("archive", "view", "--suite", "bookworm", "--pockets", "release")["view"] == views[0]
    assert {view["id"] for view in street.ask("archive", "list")["views"]} >= set(views)


def test_a_second_build_has_nothing_to_do(street: Street, built: dict[str, Any], views: tuple[str, str]) -> None:
    assert built["images"]
    done = street.run("build", "--view", views[0], "--offline", *street.directories)
    assert done.returncode == 0
    assert b"nothing to do: 7 recipes are current" in done.stdout


def test_the_plan_has_an_entry_a_recipe_in_build_order(street: Street, built: dict[str, Any]) -> None:
    assert built["images"]
    entries = street.ask("plan", "--offline", *street.directories)["entries"]
    names = [entry["name"] for entry in entries]
    assert sorted(names) == ["bookworm", "gcc", "hello", "nginx", "python-web", "python3", "static-site"]
    for before, after in (("bookworm", "gcc"), ("gcc", "hello"), ("python3", "python-web"), ("nginx", "static-site")):
        assert names.index(before) < names.index(after)
    hello = next(entry for entry in entries if entry["name"] == "hello")
    assert hello["generation"] == "production"
    assert hello["parents"] == [f"{NAME}/bookworm:latest"]
    assert [parent.rpartition(":")[0] for parent in hello["build_parents"]] == [f"{NAME}/gcc"]


def test_render_needs_no_build(street: Street) -> None:
    rendered = street.ask("render", str(street.tree), "nginx")
    (dockerfile,) = rendered.values()
    assert dockerfile.startswith(f"FROM {NAME}/bookworm:latest\n")


def test_publishing_again_writes_nothing(published: dict[str, Any]) -> None:
    assert published["images"] == 7
    assert published["writes"] > 7
    assert published["again"] == 0


def test_what_is_published_verifies(street: Street, published: dict[str, Any]) -> None:
    assert published["writes"]
    verdict = street.ask("verify", "nginx")
    assert verdict["ok"]
    assert verdict["generation"] == "production"


def test_packages_equal_dpkgs_own_list(street: Street, built: dict[str, Any], tmp_path: Path) -> None:
    assert built["images"]
    reference = next(i["reference"] for i in street.ask("images", "--all")["images"] if i["name"] == "python3")
    bundle = tmp_path / "rootfs"
    layout = f"oci:{street.state / 'store'}:{reference}"
    subprocess.run(["skopeo", "copy", "--quiet", "--insecure-policy", layout, f"dir:{bundle}"], check=True)
    root = tmp_path / "root"
    root.mkdir()
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    for layer in manifest["layers"]:
        blob = bundle / layer["digest"].removeprefix("sha256:")
        subprocess.run(["tar", "-xzf", blob, "-C", root, "--exclude=dev/*"], check=True)
    shown = "${binary:Package} ${Version} ${Architecture}\n"
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", shown]
    wanted = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    packages = street.ask("packages", reference)["packages"]
    found = {f"{p['name']} {p['version']} {p['architecture']}" for p in packages}
    assert found == {line.partition(" ")[0].partition(":")[0] + " " + line.partition(" ")[2] for line in wanted}
    owners = {p["name"]: p["owner"] for p in packages}
    assert owners["python3"] == "python3"
    assert owners["libc6"] == "bookworm"


def test_upgrades_equal_apts_own_answer(street: Street, built: dict[str, Any], views: tuple[str, str]) -> None:
    assert built["images"]
    rows = street.ask("upgrades", "--view", views[1])["upgrades"]
    assert {row["reference"].rpartition("/")[2].partition(":")[0] for row in rows} == {
        "bookworm", "gcc", "hello", "nginx", "python-web", "python3", "static-site",
    }  # fmt: skip
    row = rows[0]
    affected = street.ask("affected", "--all", f"{row['package']} < {row['candidate']}")["affected"]
    assert row["reference"] in {found["reference"] for found in affected}


def test_every_image_is_renewed_for_a_reason(renewed: dict[str, Any], street: Street, views: tuple[str, str]) -> None:
    rows = {row["name"]: row for row in renewed["rows"]}
    assert len(rows) == 7
    assert {row["how"] for row in rows.values()} == {"rebuilt", "rebased"}
    assert rows["bookworm"]["how"] == "rebuilt"
    assert all(row["reason"] and row["to"].endswith("-r2") for row in rows.values())
    assert street.ask("upgrades", "--view", views[1])["upgrades"] == []


def test_every_rebase_equals_a_rebuild(renewed: dict[str, Any], street: Street) -> None:
    rebased = [row for row in renewed["rows"] if row["how"] == "rebased"]
    assert rebased
    proofs = street.prove(rebased)
    assert {name: proof["differences"] for name, proof in proofs.items()} == {row["name"]: [] for row in rebased}


def test_a_second_refresh_has_nothing_to_do(renewed: dict[str, Any], street: Street, views: tuple[str, str]) -> None:
    assert renewed["rows"]
    rows = street.renew(views[1])["rows"]
    assert {row["how"] for row in rows} == {"unchanged"}
    assert street.publish()["writes"] == 0


def test_the_plan_of_the_whole_tree_knows_what_is_current(renewed: dict[str, Any], street: Street) -> None:
    assert renewed["rows"]
    planned = street.plan()
    assert planned["actions"] == {"none": 7, "build": planned["recipes"] - 7}


def test_services_run_on_the_restricted_node(restricted: RestrictedNode, street: Street) -> None:
    assert street.serve(restricted) == {"python-web": 200, "static-site": 200}


def test_the_restricted_node_refuses_everything_else(restricted: RestrictedNode, street: Street, address: str) -> None:
    refused = street.refuse(restricted, address)
    assert "docker.io is blocked" in refused["docker.io by name"]
    assert "connection refused" in refused["a foreign registry that answers, by address"]
    assert "signature" in refused["our unsigned image"]
    assert "signature" in refused["the base image"]


def test_a_kill_in_a_build_leaves_nothing_behind(street: Street, built: dict[str, Any], views: tuple[str, str]) -> None:
    assert built["images"]
    mounts = Path("/proc/mounts").read_text()
    arguments = ("build", "--view", views[0], "--offline", "--force", "*/gcc:*", *street.directories)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(street._command(arguments), env=street._environment(), **silent)
    marker = str(street.state / "containers")
    wait_for(lambda: any("bud" in line for line in running(marker)))
    time.sleep(1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    wait_for(lambda: not running(marker))
    assert Path("/proc/mounts").read_text() == mounts
    images = street.ask("images", "--all")["images"]
    assert street.ask("build", "--view", views[0], "--offline", *street.directories)["images"] == []
    assert street.ask("images", "--all")["images"] == images, "nothing half done is visible"
    made = street.ask(*arguments)["images"]
    assert [image["name"] for image in made] == ["gcc"]
    assert not any((street.state / "scratch").glob("*"))
    assert Path("/proc/mounts").read_text() == mounts


def running(marker: str) -> list[str]:
    """Return the command lines of running programs that name a path."""
    found = subprocess.run(["pgrep", "-af", marker], check=False, capture_output=True, text=True).stdout.splitlines()
    return [line for line in found if "pgrep" not in line]


def wait_for(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited for 60 s")
