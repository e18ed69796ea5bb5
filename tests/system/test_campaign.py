"""A campaign for one advisory as a user runs it: planned, killed, gone on with, proven; a wrong rebase is withdrawn."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kit.campaign import write_tree
from kit.command import ROOT, Command
from kit.images import add_files
from kit.tracker import release, tracker
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.store import Store
from ropewalk.recipe import How, Proven, RecordBook
from ropewalk.recipe.record import LayerKind, OwnedLayer
from ropewalk.trust import lookaside_directory, public, signature_tag, verify_image

pytestmark = pytest.mark.system

CVE = "CVE-2026-1"
NAMES = ("bookworm", "library", "site", "tool")
IMAGES = {
    "library": "FROM @bookworm:latest\nRUN mkdir /srv/library\n",
    "site": "FROM @library:latest\nCOPY changelog /srv/www/index.html\nUSER 33\n",
    "tool": "FROM @bookworm:latest\nCOPY changelog /srv/tool\n",
}


@dataclass(frozen=True)
class Works:
    """A builder with a published tree, and an advisory about a package of its base that the newer view mends."""

    command: Command
    tree: Path
    new: str
    advisories: Path
    package: str
    registry: str

    @property
    def state(self) -> Path:
        return self.command.state

    @property
    def book(self) -> RecordBook:
        return RecordBook(self.state / "records")

    def refresh(self, *more: str, advisory: bool = True) -> Any:
        ask = ("--advisory", CVE) if advisory else ()
        words = ("refresh", str(self.tree), *ask, "--advisories", str(self.advisories), "--view", self.new)
        return self.command.ask(*words, *more)

    def newest(self, name: str) -> Any:
        return next(one for one in self.command.ask("images")["images"] if one["name"] == name)


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    # The pool and the views stay over runs, as on a real builder; what is made from them does not.
    state = Path(os.environ["ROPEWALK_STATE"]) / "campaign"
    for name in ("store", "records", "containers", "scratch", "keys", "registry", "campaigns", "ropewalk.sqlite"):
        path = state / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    place = tmp_path_factory.mktemp("works")
    write_tree(place, "12-1", "", IMAGES)
    command = Command(state, place / "config.yaml")
    views = [
        command.ask("archive", "view", "--suite", "bookworm", "--pockets", pockets)["view"]
        for pockets in ("release", "all")
    ]
    built = command.ask("build", str(place / "tree"), "--view", views[0], "--offline")["images"]
    assert [one["error"] for one in built] == [None] * len(NAMES)
    assert command.run("keys", "new").returncode == 0
    try:
        registry = command.ask("registry", "up")["registry"]
        command.ask("publish")
        upgrades = command.ask("upgrades", "--view", views[1], "--security")["upgrades"]
        chosen = next(one for one in upgrades if one["owner"] == "bookworm" and "+b" not in one["candidate"])
        said = {chosen["source"]: {CVE: {"bookworm": release(fixed=chosen["candidate"], urgency="high")}}}
        (place / "tracker.json").write_bytes(tracker(said))
        yield Works(command, place / "tree", views[1], place / "tracker.json", chosen["package"], registry)
    finally:
        command.run("registry", "down")


@pytest.fixture(scope="module")
def planned(works: Works) -> Any:
    return works.refresh("--plan")


@pytest.fixture(scope="module")
def renewed(works: Works, planned: Any) -> Any:
    """Refresh; the first run is killed when the base image is published."""
    assert planned["images"]
    words = ("refresh", works.tree, "--advisory", CVE, "--advisories", works.advisories, "--view", works.new)
    program = [ROOT / ".venv/bin/ropewalk", "-q", "-c", works.command.config, *words, "--jobs", "1"]
    environment = {**os.environ, "ROPEWALK_STATE": str(works.state)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(program, env=environment, **silent)
    rows = works.state / "campaigns" / f"{planned['campaign']}.jsonl"
    for _ in range(1800):
        if rows.exists() or child.poll() is not None:
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert json.loads(rows.read_text().splitlines()[0])["name"] == "bookworm"
    return works.refresh()


def test_the_plan_says_what_is_affected_and_whose_it_is(works: Works, planned: Any) -> None:
    rows = {row["name"]: row for row in planned["images"]}
    assert next(row["name"] for row in planned["images"]) == "bookworm"
    assert {name: row["how"] for name, row in rows.items()} == {
        "bookworm": "rebuilt",
        "library": "rebased",
        "site": "rebased",
        "tool": "rebased",
    }
    for row in rows.values():
        assert row["severity"] == "high"
        assert (row["packages"][0]["package"], row["packages"][0]["owner"]) == (works.package, "bookworm")
    assert rows["bookworm"]["seconds_expected"] > 1
    assert rows["bookworm"]["bytes_expected"] > 1_000_000
    assert (rows["site"]["seconds_expected"], rows["site"]["bytes_expected"]) == (None, None), "no rebase was seen yet"
    assert planned["not_mended"] == []


def test_a_killed_campaign_goes_on_and_publishes_each_image_once(works: Works, renewed: Any) -> None:
    rows = {row["name"]: row for row in renewed["images"]}
    assert renewed["state"] == "done"
    assert rows["bookworm"]["to"].endswith("bookworm:12-1-r2")
    with RegistryClient(works.registry) as client:
        for name in NAMES:
            versions = {tag for tag in client.tags(name) if not tag.startswith("sha256-")}
            assert versions == {
                "latest",
                works.newest(name)["reference"].rpartition(":")[2],
                rows[name]["to"].rpartition(":")[2].removesuffix("-r2"),
            }
            assert client.digest_of(name, "latest") == works.newest(name)["digest"]
    assert {row["how"] for row in works.refresh()["images"]} == {"unchanged"}
    assert works.newest("site")["reference"].endswith("site:1-r2")


def test_what_was_seen_is_expected_next_time(works: Works, renewed: Any) -> None:
    campaign = json.loads((works.state / "campaigns" / f"{renewed['campaign']}.json").read_text())
    assert (campaign["asked"], campaign["view"], campaign["ended"] > 0) == (CVE, works.new, True)
    assert len(campaign["lines"]) == len(NAMES)


def test_a_proof_is_signed_and_published(works: Works, renewed: Any) -> None:
    digests = [works.newest(name)["digest"] for name in ("library", "site", "tool")]
    assert {works.book.proven(digest) for digest in digests} == {Proven.NOT_YET}
    proofs = works.command.ask("prove", "--campaign", renewed["campaign"])["images"]
    assert [(one["verdict"], one["differences"]) for one in proofs] == [("equal", [])] * 3
    assert next(one["reference"].rpartition("/")[2] for one in proofs).startswith(("library", "tool"))
    assert {works.book.proven(digest) for digest in digests} == {Proven.EQUAL}
    assert works.command.ask("verify", "site")["proven"]
    assert not works.command.ask("verify", "bookworm")["proven"], "it was built in full"


def wrong_rebase(works: Works) -> str:
    """Publish an image that says it was rebased, with a file that no rebuild would give; return its name."""
    store, book = Store(works.state / "store"), works.book
    record = book.load(works.newest("site")["digest"])
    assert record is not None
    image = store.load(record.digest)
    assert image is not None
    stale = add_files(store, {"srv/www/computed": b"from the old parent"})
    layers = (*record.layers, OwnedLayer(stale.diff_id, "site", LayerKind.OWN))
    made = store.add_image(image.config, (*image.layers, stale), image.platform, image.created)
    assert record.how is How.REBASED
    wrong = replace(record, digest=made.digest, build=record.build + 1, layers=layers, made=record.made + 1)
    book.save(wrong)
    store.tag(wrong.reference, wrong.digest)
    works.command.ask("publish", wrong.reference)
    return wrong.reference


@pytest.mark.usefixtures("renewed")
def test_a_wrong_rebase_is_withdrawn_and_the_rebuilt_image_takes_its_place(works: Works) -> None:
    reference = wrong_rebase(works)
    wrong = works.newest("site")
    judged = works.command.ask("prove", reference, code=1)
    assert judged["verdict"] == "withdrawn"
    assert judged["blame"].startswith("rule 9: srv/www/computed: ")
    taken = judged["replaced_by"]
    assert taken["reference"].endswith("site:1-r4")
    image = Store(works.state / "store").load(taken["digest"])
    assert image is not None
    assert dict(image.annotations)["org.opencontainers.image.version"] == "1-r4"
    assert works.newest("site")["digest"] == taken["digest"]
    assert works.book.proven(wrong["digest"]) is Proven.WITHDRAWN
    assert works.book.proven(taken["digest"]) is Proven.BUILT
    lookaside = works.state / "registry" / "lookaside" / lookaside_directory("site", wrong["digest"])
    assert not list(lookaside.glob("signature-*"))
    with RegistryClient(works.registry) as client:
        assert client.digest_of("site", "latest") == taken["digest"]
        assert client.digest_of("site", "1-r3") == wrong["digest"], "a published version never moves"
        found = client.manifest("site", signature_tag(wrong["digest"]))
        assert found is not None
        assert json.loads(found[1])["layers"] == []
        verdict = verify_image(client, "registry.example.org/site", wrong["digest"], public(works.state / "keys"))
    assert not verdict.ok
    assert verdict.reason.startswith("it was withdrawn: rule 9: srv/www/computed: ")
    assert works.command.run("verify", "site").returncode == 0
    again = works.command.run("publish", reference)
    assert again.returncode == 7
    assert "was withdrawn" in again.stderr + again.stdout
    assert "takes its place" in works.command.ask("show", reference)["withdrawn"]


def git(tree: Path, *arguments: str) -> str:
    who = ("-c", "user.name=C", "-c", "user.email=c@example.org")
    done = subprocess.run(["git", "-C", tree, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.usefixtures("renewed")
def test_by_setting_images_get_new_versions_in_one_commit(works: Works, tmp_path: Path) -> None:
    """The base gets a further package, so that what stands on it is old; the campaign is for everything."""
    tree = tmp_path / "git"
    shutil.copytree(works.tree.parent, tree)
    config = tree / "config.yaml"
    config.write_text(f"{config.read_text()}ropewalk: {{refresh: {{version: changelog}}}}\n")
    base = tree / "tree" / "bases" / "bookworm" / "base.yaml"
    base.write_text(base.read_text().replace("12-1", "12-2").replace("packages: []", "packages: [libonig5]"))
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    command = replace(works.command, config=config)
    built = command.ask("build", str(tree / "tree"), "--view", works.new, "--select", "*/bookworm:*")["images"]
    assert [one["name"] for one in built] == ["bookworm"]
    words = ("refresh", str(tree / "tree"), "--view", works.new)
    stray = tree / "stray"
    stray.write_text("x")
    refused = command.run(*words)
    assert (refused.returncode, "the tree must be clean" in refused.stderr + refused.stdout) == (3, True)
    stray.unlink()
    report = command.ask(*words)
    rows = {row["name"]: row for row in report["images"]}
    assert [row["error"] for row in rows.values() if row["error"]] == []
    assert {name: rows[name]["to"].rpartition(":")[2] for name in ("library", "site", "tool")} == {
        "library": "1-s1",
        "site": "1-s1",
        "tool": "1-s1",
    }
    assert git(tree, "rev-list", "--count", "HEAD") == "2"
    assert report["commit"] == git(tree, "rev-parse", "HEAD")
    said = git(tree, "log", "-1", "--format=%B")
    assert all(f"- {name} 1-s1" in said for name in ("library", "site", "tool"))
    assert git(tree, "status", "--porcelain") == ""
    again = command.ask(*words)
    assert {row["how"] for row in again["images"]} == {"unchanged"}
    assert git(tree, "rev-list", "--count", "HEAD") == "2"
    with RegistryClient(works.registry) as client:
        assert "1-s1" in client.tags("site")
