"""Locks on real packages: after the archive moved on, without any network, the first digests come out again."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kit.command import ROOT, Command
from kit.recipes import BASE, REGISTRY, production, service, write
from ropewalk.archive import Pockets, View, ViewBook, from_apt, suite_names
from ropewalk.events import silent
from ropewalk.recipe import LOCK_FILE, LockedDeb, lock_text, read_lock

pytestmark = pytest.mark.system

SUITES = "bookworm, bookworm-updates, bookworm-security"
INSTALL = "apt-get update && apt-get install -y --no-install-recommends"
FROM = "FROM {{ 'bookworm' | image_tag }}\n"
PYTHON = f"""\
{FROM}RUN {INSTALL} make python3 python3-venv && make --version && apt-get purge -y make && rm -rf /var/lib/apt/lists/*
"""
BLUBBER = f"""\
version: v4
base: {REGISTRY}/python3:latest
variants:
  production:
    builders:
      - python: {{version: python3, requirements: [requirements.txt]}}
    entrypoint: [python3, -m, bottle, --version]
"""
BOTTLE = "bottle==0.13.4 --hash=sha256:045684fbd2764eac9cdeb824861d1551d113e8b683d8d26e296898d3dd99a12e\n"
NO_PROXY = "http://127.0.0.1:9"
"""Nothing listens there: whatever asks the archive fails."""


@dataclass(frozen=True, slots=True)
class Yard:
    """A tree whose images were built and locked, and the archive's next view."""

    command: Command
    tree: Path
    images: dict[str, dict[str, Any]]
    old: View
    new: View

    def relock(self, name: str, *, without: str = "", sha256: str = "") -> str:
        """Change the lock of an image: leave a package out, or give it another hash; return how it is called."""
        file = read_lock(self.tree / name)
        assert file is not None
        chosen = next(deb for deb in file.lock.debs if deb.name == (without or "libssl3"))
        debs = [replace(chosen, sha256=sha256)] if sha256 else list[LockedDeb]()
        debs += [deb for deb in file.lock.debs if deb != chosen]
        changed = replace(file, lock=replace(file.lock, debs=tuple(debs)))
        (self.tree / name / LOCK_FILE).write_text(lock_text(changed))
        return str(chosen)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    state = Path(os.environ["ROPEWALK_STATE"]) / "lock"
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    tree = tmp_path_factory.mktemp("tree")
    files = {"config.yaml": f"registry: {REGISTRY}\n", "bookworm/base.yaml": BASE.replace("[bookworm]", f"[{SUITES}]")}
    files |= production("python3", "1-1", PYTHON) | service("web", BLUBBER)
    write(tree, {**files, "web/requirements.txt": BOTTLE})
    views = ViewBook(state / "views")
    old, new = (
        views.make(suite_names("bookworm", pockets), ["main"], "amd64", from_apt(), silent)
        for pockets in (Pockets.RELEASE, Pockets.ALL)
    )
    command = Command(state, tree / "config.yaml")
    made = command.ask("build", "--offline", "--view", old.id, str(tree))["images"]
    rows = command.ask("lock")["locks"]
    assert {row["result"] for row in rows} == {"written"}
    return Yard(command, tree, {row["name"]: row for row in made}, old, new)


@pytest.fixture(scope="module")
def fresh(yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A builder that has views and pool but no image, and no way to the archive."""
    place = tmp_path_factory.mktemp("fresh")
    for name in ("views", "pool"):
        (place / name).symlink_to(yard.command.state / name)
    write(place, {"config.yaml": f"registry: {REGISTRY}\napt_only_proxy: {NO_PROXY}\n"})
    return Command(place, place / "config.yaml")


def cut_off(command: Command, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a network of its own, where there is nothing but loopback."""
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    ours = [ROOT / ".venv/bin/ropewalk", "-q", "-c", command.config, *arguments]
    environment = {**os.environ, "ROPEWALK_STATE": str(command.state)}
    return subprocess.run([*alone, *ours], env=environment, check=False, capture_output=True, text=True)


def test_a_lock_holds_what_the_build_was_given(yard: Yard) -> None:
    file = read_lock(yard.tree / "python3")
    assert file is not None
    assert {"make", "libssl3"} <= {deb.name for deb in file.lock.debs}
    assert (file.lock.view, file.lock.unpinned) == (yard.old.id, ())
    assert [parent.digest for parent in file.parents] == [yard.images["bookworm"]["digest"]]
    shown = yard.command.ask("show", "python3")
    assert "make" not in {package["name"] for package in shown["package_list"]}
    assert [tuple(deb.values()) for deb in shown["lock"]["debs"]] == [
        (deb.name, deb.version, deb.architecture, deb.sha256) for deb in file.lock.debs
    ]
    assert all(row["result"] == "current" for row in yard.command.ask("lock", "--check")["locks"])
    assert yard.command.ask("build", "--offline", "--locked", str(yard.tree))["images"] == []


def test_the_first_digests_come_out_again_without_any_network(yard: Yard, fresh: Command) -> None:
    views, file = ViewBook(fresh.state / "views"), read_lock(yard.tree / "python3")
    assert file is not None
    assert views.newest() == yard.new
    newer = {one.version for one in views.packages(yard.new, ["bookworm-security"]) if one.package == "libssl3"}
    assert newer
    assert not newer & {deb.version for deb in file.lock.debs if deb.name == "libssl3"}
    words = ("build", "--locked", "--offline", "--select", "*/python3:*", str(yard.tree), "--format", "json")
    done = cut_off(fresh, *words)
    assert done.returncode == 0, done.stderr
    made = {row["name"]: row["digest"] for row in json.loads(done.stdout)["images"]}
    assert made == {name: yard.images[name]["digest"] for name in ("bookworm", "python3")}


def test_a_service_needs_pypi_and_says_so(yard: Yard, fresh: Command) -> None:
    done = fresh.run("build", "--locked", "--offline", str(yard.tree), "--format", "json")
    assert done.returncode == 0, done.stderr
    made = {row["name"]: row["digest"] for row in json.loads(done.stdout)["images"]}
    assert made["web"] == yard.images["web"]["digest"]
    assert "is not in the pool (what requirements.txt names:" in " ".join(done.stderr.split())


def test_a_changed_lock_is_refused_or_found_by_name(yard: Yard) -> None:
    path = yard.tree / "python3" / LOCK_FILE
    text = path.read_text()
    words = ("build", "--locked", "--offline", "--select", "*/python3:*", str(yard.tree))

    def said(code: int) -> str:
        done = yard.command.run(*words)
        assert done.returncode == code, done.stderr
        return " ".join(done.stderr.split())

    try:
        name = yard.relock("python3", sha256="0" * 64)
        assert f"names {name} with sha256 {'0' * 64}, view {yard.old.id} has " in said(7)
        path.write_text(text)
        name = yard.relock("python3", without="make")
        assert f"the lock does not name {name} with sha256 " in said(1)
        path.write_text(text)
        (yard.tree / "python3/more").write_text("another recipe")
        assert "the recipe changed since it was locked" in said(7)
    finally:
        path.write_text(text)
        (yard.tree / "python3/more").unlink(missing_ok=True)
    assert yard.command.ask("lock", "python3", "--check")["locks"][0]["result"] == "current"
