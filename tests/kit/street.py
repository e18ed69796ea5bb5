"""The way through the house as a user walks it: each step of `make demo`, run by the command line on real packages.

The demo prints what these steps return; the system tests assert on it.
"""

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.node import RestrictedNode, last_line
from kit.registry import running_registry

ROOT = Path(__file__).parent.parent.parent
NAME = "registry.example.org"
TREE = ROOT / "examples" / "tree"
SERVICES = ROOT / "examples" / "services"
DEMO = ("bases/bookworm", "images/gcc", "images/hello", "images/nginx", "images/python3")
"""What the demo builds of the example tree: directories below it."""
EVERYTHING = (".",)
"""The whole example tree; its views need bookworm and trixie."""
PORTS = (("python-web", 8080), ("static-site", 8080))


class StepFailed(Exception):
    """A command of the street ended with another status than 0.

    Attributes:
        returncode: Its exit code.
    """

    def __init__(self, arguments: tuple[str, ...], returncode: int) -> None:
        """Keep the exit code."""
        super().__init__(f"ropewalk {' '.join(arguments)} ended with {returncode}")
        self.returncode = returncode


def actions_of(entries: list[dict[str, Any]]) -> dict[str, int]:
    """Count a plan's entries by what would happen to each."""
    return dict(Counter(entry["action"] for entry in entries))


@dataclass(frozen=True, slots=True)
class Street:
    """A state directory and the example trees.

    Attributes:
        state: ``ROPEWALK_STATE``.
        tree: Directory with ``config.yaml`` and the recipes below it.
        services: Directory with service recipes.
        chosen: Directories of the tree whose recipes are worked on, relative to it.
    """

    state: Path
    tree: Path = TREE
    services: Path = SERVICES
    chosen: tuple[str, ...] = DEMO

    @property
    def directories(self) -> tuple[str, ...]:
        """Return the directories with recipes, as arguments."""
        return (*(str(self.tree / name) for name in self.chosen), str(self.services))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run the command and keep what it prints, whatever its exit code."""
        return subprocess.run(self._command(arguments), capture_output=True, check=False, env=self._environment())

    def show(self, *arguments: str) -> None:
        """Run the command with its text on our terminal.

        Raises:
            StepFailed: It did not succeed.
        """
        done = subprocess.run(self._command(arguments), check=False, env=self._environment())
        if done.returncode != 0:
            raise StepFailed(arguments, done.returncode)

    def ask(self, *arguments: str) -> Any:
        """Run the command; its progress goes to our terminal.

        Returns:
            What its JSON says.

        Raises:
            StepFailed: It did not succeed.
        """
        command = self._command((*arguments, "--format", "json"))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env=self._environment())
        if done.returncode != 0:
            raise StepFailed(arguments, done.returncode)
        return json.loads(done.stdout)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(ROOT / ".venv" / "bin" / "ropewalk"), "-c", str(self.tree / "config.yaml"), *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "ROPEWALK_STATE": str(self.state)}

    # --- the steps ---

    def build(self, view: str) -> dict[str, Any]:
        """Build and test all images that need it, without a registry."""
        start = time.monotonic()
        made = self.ask("build", "--view", view, "--offline", *self.directories)["images"]
        tested = sum(image["tested"] for image in made)
        return {"images": len(made), "tested": tested, "seconds": time.monotonic() - start, "rows": made}

    def publish(self) -> dict[str, Any]:
        """Publish what is new, then again: the second time nothing may be written."""
        first = self.ask("publish")["images"]
        again = self.ask("publish")["images"]
        return {
            "images": len(first),
            "writes": sum(x["writes"] for x in first),
            "again": sum(x["writes"] for x in again),
        }

    def inventory(self, view: str) -> dict[str, Any]:
        """Count the packages of all current images, and what the view has newer."""
        images = self.ask("images")["images"]
        count = sum(len(self.ask("packages", image["digest"])["packages"]) for image in images)
        upgrades = self.ask("upgrades", "--view", view)["upgrades"]
        return {
            "packages": count,
            "upgrades": len(upgrades),
            "images": len({row["reference"] for row in upgrades}),
            "security": sum(row["security"] for row in upgrades),
        }

    def plan(self) -> dict[str, Any]:
        """Plan the whole example tree against the registry, whatever of it is built; count what would happen."""
        start = time.monotonic()
        entries = self.ask("plan", str(self.tree), str(self.services))["entries"]
        return {"recipes": len(entries), "seconds": time.monotonic() - start, "actions": actions_of(entries)}

    def renew(self, view: str) -> dict[str, Any]:
        """Refresh on a view and publish."""
        start = time.monotonic()
        rows = self.ask("refresh", "--view", view, *self.directories)["images"]
        return {"view": view, "rows": rows, "seconds": time.monotonic() - start}

    def prove(self, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Rebuild each rebased image in full and compare; return each proof by the image's name."""
        rebased = [row for row in rows if row["how"] == "rebased"]
        return {row["name"]: self.ask("prove", row["to"], *self.directories) for row in rebased}

    def reproduce(self, *images: str) -> dict[str, Any]:
        """Rebuild images from their provenance alone, in an empty state directory, and compare."""
        start = time.monotonic()
        rows = self.ask("reproduce", *images)["images"]
        equal = sum(row["same_digest"] for row in rows)
        return {"images": sorted(row["reference"] for row in rows), "equal": equal, "seconds": time.monotonic() - start}

    def elsewhere(self, directory: Path) -> "Street":
        """Return a street with an empty store in another directory; views and .debs are the same files."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in ("views", "pool"):
            subprocess.run(["cp", "-al", str(self.state / name), str(directory / name)], check=True)
        return replace(self, state=directory)

    def digests(self) -> dict[str, str]:
        """Return the digest of each line's current image, by its name."""
        return {image["name"]: image["digest"] for image in self.ask("images")["images"]}

    def restrict(self, node: RestrictedNode, files: Path) -> None:
        """Render the files of the production realm and load the node's packet rules."""
        policy = ROOT / "examples" / "restrict.yaml"
        realm = ("restrict", "render", "node", "--realm", "production", "--policy", str(policy))
        self.show(*realm, "--out", str(files))
        node.restrict()

    def serve(self, node: RestrictedNode) -> dict[str, int]:
        """Run each service on the node; return the HTTP status that it answered."""
        # By version: a signature names the version tag, and a node does not follow `latest`.
        return {name: node.run_service(self.ask("show", name)["reference"], port) for name, port in PORTS}

    def refuse(self, node: RestrictedNode, registry: str) -> dict[str, str]:
        """Try what a restricted node must refuse.

        Args:
            node: The node.
            registry: Address of our registry, without scheme.

        Returns:
            The client's reason for each; empty where it took the image.
        """
        self._push_unsigned(f"{registry}/unsigned:1")
        with running_registry(self.state / "foreign", node.addresses.other) as url:
            foreign = url.removeprefix("http://")
            self._push_unsigned(f"{foreign}/foreign:1")
            tried = {
                "docker.io by name": "docker.io/library/alpine:latest",
                "a foreign registry that answers, by address": f"{foreign}/foreign:1",
                "our unsigned image": f"{NAME}/unsigned:1",
                "the base image": f"{NAME}/bookworm:latest",
            }
            pulled = {what: node.pull(reference) for what, reference in tried.items()}
        return {what: last_line(done) if done.returncode else "" for what, done in pulled.items()}

    def _push_unsigned(self, reference: str) -> None:
        """Put an image into a registry past Ropewalk, so without any signature."""
        image = self.ask("show", "static-site")["reference"]
        copy = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
        subprocess.run([*copy, f"oci:{self.state / 'store'}:{image}", f"docker://{reference}"], check=True)
