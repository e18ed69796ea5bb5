"""A registry that others filled is taken over as it is: inventoried, signed, bound to recipes; nothing is built."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.command import Command
from kit.images import AMD64, add_files, status
from kit.recipes import production, write
from kit.registry import LiveRegistry, live_registry
from ropewalk.oci import ImageConfig, Layer, RegistryClient, Store

pytestmark = pytest.mark.system

NAME = "registry.example.org"
CONFIG = f"registry: {NAME}\nbase_images: ['{NAME}/tiny:latest']\n"
BASE = "name: stone\nversion: 12-1\nsuites: [bookworm]\n"
OS = b"ID=debian\nVERSION_CODENAME=bookworm\n"
TREE = {
    "config.yaml": CONFIG,
    "bases/stone/base.yaml": BASE,
    **production("images/app", "1.0-1", "FROM {{ registry }}/tiny:latest\nCOPY hello /hello\n", hello="hello\n"),
    **production("images/tool", "2.0-1", "FROM {{ 'app' | image_tag }}\nCOPY tool /tool\n", tool="tool\n"),
    **production("images/wall", "3.0-1", "FROM {{ 'stone' | image_tag }}\nCOPY wall /wall\n", wall="wall\n"),
}
for name in ("app", "tool", "wall"):
    TREE[f"images/{name}/changelog"] = TREE[f"images/{name}/changelog"].replace("images/", "")


class Others:
    """Makes images as docker does and pushes them past Ropewalk: docker's manifests, no signature."""

    def __init__(self, place: Path, live: LiveRegistry) -> None:
        self.store = Store(place)
        self.live = live

    def layer(self, files: dict[str, bytes]) -> Layer:
        return add_files(self.store, files)

    def push(self, name: str, *tags: str, layers: tuple[Layer, ...]) -> None:
        image = self.store.add_image(ImageConfig(cmd=("/hello",)), layers, AMD64, 1_700_000_000)
        self.store.tag(f"{NAME}/{name}", image.digest)
        for tag in tags:
            copy = ("skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "--format", "v2s2")
            source, target = f"oci:{self.store.directory}:{NAME}/{name}", f"docker://{self.live.host}/{name}:{tag}"
            subprocess.run([*copy, source, target], check=True)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRegistry]:
    with live_registry(tmp_path_factory.mktemp("registry")) as running:
        place = tmp_path_factory.mktemp("others")
        others = Others(place / "store", running)
        tiny = others.layer({"var/lib/dpkg/status": status("libc6=2.36-9", "bash=5.2"), "usr/lib/os-release": OS})
        app = others.layer({"var/lib/dpkg/status": status("libc6=2.36-9", "bash=5.2", "curl=7.88"), "hello": b"hello"})
        stone = others.layer({"var/lib/dpkg/status": status("libc6=2.36-9"), "etc/os-release": OS})
        others.push("tiny", "20240101", "20250101", "latest", layers=(tiny,))
        others.push("app", "1.0-1", "latest", layers=(tiny, app))
        others.push("tool", "2.0-1", "latest", layers=(tiny, app, others.layer({"tool": b"tool"})))
        others.push("stone", "12-1", layers=(stone,))
        others.push("wall", "3.0-1", layers=(stone, others.layer({"wall": b"wall"})))
        yield running


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Command:
    place = tmp_path_factory.mktemp("here")
    write(place / "tree", TREE)
    command = Command(place / "state", place / "tree/config.yaml")
    assert command.run("keys", "new").returncode == 0
    return command


def directories(command: Command) -> tuple[str, ...]:
    tree = command.config.parent
    return str(tree / "bases"), str(tree / "images")


def digests(live: LiveRegistry) -> dict[str, Any]:
    names = ("tiny", "app", "tool", "stone", "wall")
    with RegistryClient(live.endpoint) as client:
        tags = {name: [tag for tag in client.tags(name) if not tag.startswith("sha256-")] for name in names}
        return {f"{name}:{tag}": client.digest_of(name, tag) for name in names for tag in tags[name]}


def adopt(command: Command, live: LiveRegistry, *arguments: str, code: int = 0) -> dict[str, str]:
    told = command.ask("adopt", *directories(command), "--registry", live.endpoint, *arguments, code=code)
    return {row["reference"].removeprefix(f"{NAME}/"): row["state"] for row in told["images"]}


def plan(command: Command, live: LiveRegistry) -> dict[str, tuple[str, tuple[str, ...]]]:
    told = command.ask("plan", *directories(command), "--registry", live.endpoint)["entries"]
    return {row["name"]: (row["action"], tuple(row["reasons"])) for row in told}


ALL = ("tiny:20250101", "stone:12-1", "wall:3.0-1", "app:1.0-1", "tool:2.0-1")


def test_a_dry_run_changes_nothing(here: Command, live: LiveRegistry) -> None:
    before = digests(live)
    assert adopt(here, live) == dict.fromkeys(ALL, "adopt")
    assert (digests(live), list(here.state.glob("records/*"))) == (before, [])
    assert {action for action, _ in plan(here, live).values()} == {"refused"}


def test_adopted_images_are_current_and_their_digests_stay(here: Command, live: LiveRegistry) -> None:
    before = digests(live)
    assert adopt(here, live, "--apply") == dict.fromkeys(ALL, "adopted")
    assert digests(live) == before
    assert plan(here, live) == dict.fromkeys(("stone", "wall", "app", "tool"), ("none", ()))


def test_again_nothing_is_written(here: Command, live: LiveRegistry) -> None:
    written = {path: path.stat().st_mtime_ns for path in live.data.rglob("*") if path.is_file()}
    assert adopt(here, live, "--apply") == dict.fromkeys(ALL, "adopted")
    assert {path: path.stat().st_mtime_ns for path in live.data.rglob("*") if path.is_file()} == written


def test_packages_are_known_with_their_owners_without_keeping_layers(here: Command) -> None:
    expected = {"bash": "tiny", "libc6": "tiny", "curl": "app"}
    for _ in range(2):
        told = here.ask("packages", "tool")["packages"]
        assert {row["name"]: row["owner"] for row in told} == expected
        assert here.run("inventory", "rebuild").returncode == 0
    store = Store(here.state / "store")
    facts = here.ask("show", "tool")
    assert facts["how"] == "adopted"
    assert not any(store.layer(layer["diff_id"]) for layer in facts["layers"])


def test_show_tells_what_is_known(here: Command) -> None:
    facts = here.ask("show", "app")
    assert (facts["why"], facts["own_packages"], facts["config"]["cmd"]) == (
        ["adopted as the registry had it"],
        1,
        ["/hello"],
    )
    assert [(layer["owner"], layer["packages"]) for layer in facts["layers"]] == [("tiny", 2), ("app", 1)]
    assert [parent["reference"] for parent in facts["parents"]] == [f"{NAME}/tiny:latest"]
    text = here.run("show", "app").stdout
    assert "cmd           /hello" in text
    assert "curl" in text


def test_images_that_only_the_registry_has_are_shown_and_compared(
    here: Command, live: LiveRegistry, tmp_path: Path
) -> None:
    there = Command(tmp_path / "state", here.config)
    where = ("--registry", live.endpoint)
    stranger = there.ask("show", f"{NAME}/app:1.0-1", *where)
    assert (stranger["packages"], "how" in stranger) == (3, False)
    shutil.copytree(here.state / "keys", there.state / "keys")
    facts = there.ask("diff", f"{NAME}/tiny:20250101", f"{NAME}/app:1.0-1", *where)
    assert [(one["name"], one["change"], one["owner"]) for one in facts["packages"]] == [("curl", "added", "app")]
    assert [(one["path"], one["change"], one["old"], one["new"]) for one in facts["files"]] == [
        ("hello", "added", "", "app"),
        ("var/lib/dpkg/status", "changed", "tiny", "app"),
    ]
    assert facts["config"] == []
    text = there.run("diff", f"{NAME}/tiny:20250101", f"{NAME}/app:1.0-1", *where).stdout
    assert "+ curl:amd64 7.88  (app)" in text


def test_a_signature_of_each_kind_is_there(here: Command, live: LiveRegistry) -> None:
    for name in ("tiny", "app", "stone"):
        done = here.run("verify", here.ask("show", name)["reference"], "--registry", live.endpoint)
        assert done.returncode == 0, done.stderr
        digest = here.ask("show", name)["digest"].replace(":", "=")
        assert (here.state / "registry/lookaside" / f"{name}@{digest}" / "signature-1").is_file()


def test_another_machine_knows_them_by_the_statement(here: Command, live: LiveRegistry, tmp_path: Path) -> None:
    there = Command(tmp_path / "state", here.config)
    shutil.copytree(here.state / "keys", there.state / "keys")
    assert plan(there, live) == dict.fromkeys(("stone", "wall", "app", "tool"), ("none", ()))
    assert adopt(there, live, "--apply") == dict.fromkeys(ALL, "adopted")
    stranger = Command(tmp_path / "stranger", here.config)
    assert {action for action, _ in plan(stranger, live).values()} == {"refused"}


def test_a_tag_that_moved_since_is_refused(here: Command, live: LiveRegistry, tmp_path: Path) -> None:
    others = Others(tmp_path / "others", live)
    before = live.endpoint
    layers = (others.layer({"wall": b"another wall"}),)
    with RegistryClient(before) as client:
        found = client.manifest("wall", "3.0-1")
        assert found is not None
        others.push("wall", "3.0-1", layers=layers)
        assert adopt(here, live, "--apply", code=7)["wall:3.0-1"] == "refused"
        client.put_manifest("wall", "3.0-1", found[1], found[0].media_type)
    assert adopt(here, live)["wall:3.0-1"] == "adopted"


def test_only_what_changes_from_then_on_is_built(here: Command, live: LiveRegistry, tmp_path: Path) -> None:
    tree = shutil.copytree(here.config.parent, tmp_path / "tree")
    changed = Command(here.state, tree / "config.yaml")
    write(tree, {"images/app/hello": "hello again\n"})
    assert plan(changed, live)["app"] == ("refused", (f"changed under a published version: {NAME}/app:1.0-1",))
    newer = production("images/app", "1.1-1", "FROM {{ registry }}/tiny:latest\nCOPY hello /hello\n")
    write(tree, {"images/app/changelog": newer["images/app/changelog"].replace("images/", "")})
    told = plan(changed, live)
    assert (told["stone"], told["wall"], told["app"]) == (("none", ()), ("none", ()), ("build", ("never built",)))


def test_refresh_fetches_what_only_the_registry_has(here: Command, live: LiveRegistry, tmp_path: Path) -> None:
    write(tmp_path / "tree", {path: text for path, text in TREE.items() if "stone" not in path and "wall" not in path})
    young = Command(here.state, tmp_path / "tree/config.yaml")
    assert young.run("archive", "view", "--suite", "bookworm", "--pockets", "release").returncode == 0
    stranger = Command(tmp_path / "state", young.config)
    for name in ("keys", "views"):
        shutil.copytree(here.state / name, stranger.state / name)
    images, where = str(young.config.parent / "images"), ("--registry", live.endpoint)

    # Taken over here: packages are known, layers are not here.
    assert {row["how"] for row in young.ask("refresh", images, "--plan", "--offline")["images"]} == {"rebuilt"}
    errors = {row["name"]: row["error"] for row in young.ask("refresh", images, "--offline", code=1)["images"]}
    assert errors["app"] == (
        f"{NAME}/app:1.0-1: needs {NAME}/tiny:20250101, whose layers only the registry has; "
        "run it without --offline, or give --registry URL"
    )
    assert errors["tool"] == f"needs {NAME}/app:1.0-1, which failed"

    # Nothing is here but keys.
    planned = {row["name"]: row for row in stranger.ask("refresh", images, "--plan", *where)["images"]}
    assert {row["how"] for row in planned.values()} == {"unchanged"}
    assert "only the registry has it" in planned["app"]["reason"]
    for command, options in ((stranger, ("--no-publish",)), (young, ())):
        rows = {row["name"]: row for row in command.ask("refresh", images, *options, *where)["images"]}
        assert {row["error"] for row in rows.values()} == {None}
        assert {row["how"] for row in rows.values()} == {"rebuilt"}
        assert rows["tool"]["to"] == f"{NAME}/tool:2.0-1-r2"
    assert digests(live)["tool:2.0-1-r2"] == digests(live)["tool:latest"]
