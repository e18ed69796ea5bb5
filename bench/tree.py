"""The example tree's production images: `ropewalk build --jobs 2` beside docker-pkg 4.0.4 on dockerd, in one run.

Both sides get the same recipes, the same base images, and apt through the same archive proxy with every .deb at hand, and
begin with no production image. Tests of images are kept out on both sides: docker-pkg's need containers that publish ports,
and the bench's daemon has no bridge. Then each side pushes to a registry of its own, ours signs and attests as well. The
ratio is the wall time of our build and publish by that of docker-pkg's one command, which builds and pushes;
``build_ratio`` is that of the builds alone. The daemon is given the base images before its time begins, buildah takes them
in within ours. Bytes stored are what the builds added to the store and to the daemon's data; bytes pushed are the sizes of
the two registries.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from kit.dockerd import dockerd  # noqa: E402  # the kit is no package of ours
from kit.dockerpkg import environment  # noqa: E402  # likewise
from kit.registry import LiveRegistry, live_registry  # noqa: E402  # likewise
from ropewalk.archive import ArchiveProxy, Pool, ViewBook, from_apt  # noqa: E402
from ropewalk.events import silent  # noqa: E402
from ropewalk.settings import from_environment  # noqa: E402

TREE = ROOT / "examples" / "tree"
PEERS_REGISTRY = "127.98.0.1"
"""docker-pkg takes no registry with a port in its name, and dockerd asks 127.0.0.0/8 without TLS, on port 80."""
NO_TESTS = {"verify_command": "/bin/sh", "verify_args": ["-c", "{path}/none-in-this-bench {image}"]}
"""docker-pkg's own way to say that an image has no test: the file that the arguments name is not there."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side needed.

    Attributes:
        seconds: The build's wall time.
        push_seconds: The push's.
        stored: Bytes that the build added.
        pushed: Bytes in the registry.
        images: Images that were built.
    """

    seconds: float
    push_seconds: float
    stored: int
    pushed: int
    images: int


def run(state: Path, config: Path, *arguments: str) -> bytes:
    """Run our command as a user does; return what it prints."""
    argv = [str(ROOT / ".venv" / "bin" / "ropewalk"), "-c", str(config), *arguments]
    variables = {**os.environ, "ROPEWALK_STATE": str(state)}
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, env=variables).stdout


def ropewalk(state: Path, config: Path, *arguments: str) -> Any:
    """Run our command; return what its JSON says."""
    return json.loads(run(state, config, *arguments, "--format", "json"))


def disk_usage(*directories: Path) -> int:
    """Return the bytes that files take on the disk, each counted once."""
    found = [str(directory) for directory in directories if directory.exists()]
    if not found:
        return 0
    done = subprocess.run(["du", "-s", "-c", "-B1", *found], check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1].split()[0])


def write_config(path: Path, **changes: object) -> Path:
    """Write the example tree's config with some keys changed."""
    config = yaml.safe_load((TREE / "config.yaml").read_text())
    path.write_text(yaml.safe_dump({**config, **NO_TESTS, **changes}))
    return path


def new_state(kept: Path, place: Path) -> Path:
    """Make a state directory that has views and .debs, and nothing else."""
    place.mkdir()
    for name in ("views", "pool"):
        subprocess.run(["cp", "-al", str(kept / name), str(place / name)], check=True)
    return place


def warm(state: Path, config: Path, select: str) -> str:
    """Fetch every .deb that the tree needs by building it once; later runs find it done. Return the view."""
    names = [base.name for base in sorted((TREE / "bases").iterdir())]
    views = [view for view in ViewBook(state / "views") if {suite.suite for suite in view.suites}.issuperset(names)]
    suites = [word for name in names for word in ("--suite", name)]
    view: str = views[-1].id if views else ropewalk(state, config, "archive", "view", *suites)["view"]
    bases = [word for base in sorted((TREE / "bases").iterdir()) for word in ("--select", f"*/{base.name}:*")]
    directories = (str(TREE / "bases"), str(TREE / "images"))
    ropewalk(state, config, "build", "--offline", "--view", view, "--select", select, *bases, *directories)
    return view


def ours(state: Path, config: Path, view: str, target: LiveRegistry, *, select: str, jobs: int) -> Side:
    """Build on base images that are there, then publish."""
    built = ("build", "--offline", "--view", view)
    ropewalk(state, config, *built, str(TREE / "bases"))
    directories = (str(TREE / "bases"), str(TREE / "images"))
    before = disk_usage(state / "store", state / "records")
    start = time.monotonic()
    images = ropewalk(state, config, *built, "--jobs", str(jobs), "--select", select, *directories)["images"]
    seconds = time.monotonic() - start
    stored = disk_usage(state / "store", state / "records") - before
    run(state, config, "keys", "new")
    start = time.monotonic()
    ropewalk(state, config, "publish", "--registry", target.endpoint)
    pushed = time.monotonic() - start
    return Side(seconds, pushed, stored, disk_usage(target.data), len(images))


def load_bases(state: Path, variables: dict[str, str]) -> list[str]:
    """Give the daemon our base images under the names of its registry; return those names."""
    names = []
    for base in sorted((TREE / "bases").iterdir()):
        recipe = yaml.safe_load((base / "base.yaml").read_text())
        source = f"registry.example.org/{recipe['name']}:{recipe['version']}"
        names.append(f"{PEERS_REGISTRY}/{recipe['name']}:latest")
        copy = ["skopeo", "copy", "--quiet", "--insecure-policy", f"--dest-daemon-host={variables['DOCKER_HOST']}"]
        target = f"docker-daemon:{names[-1]}"
        subprocess.run([*copy, f"oci:{state / 'store'}:{source}", target], check=True)
    return names


def theirs(state: Path, view: str, select: str, place: Path, target: LiveRegistry) -> Side:
    """Build and push by docker-pkg; its own headings say where one ends and the other begins."""
    proxy = ArchiveProxy(ViewBook(state / "views"), Pool(state / "pool"), from_apt(), silent)
    with dockerd(place / "docker") as peers_own, proxy:
        config = write_config(
            place / "docker-pkg.yaml",
            registry=PEERS_REGISTRY,
            base_images=load_bases(state, peers_own),
            username="bench",
            password="bench",  # noqa: S106  # the bench's registry asks for none
            apt_only_proxy=proxy.url(view),
            apt_options="-o Acquire::Check-Valid-Until=false",
        )
        data = place / "docker" / "data-root"
        before = disk_usage(data)
        argv = [str(environment() / "python"), "-u", str(ROOT / "bench" / "run_docker_pkg.py"), "-c", str(config)]
        variables = {**peers_own, "XDG_CONFIG_HOME": str(place)}
        start = time.monotonic()
        child = subprocess.Popen(
            [*argv, "build", "--no-pull", "--select", select, str(TREE / "images")],
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
            cwd=place,
        )
        said: list[tuple[float, str]] = []
        stored = 0
        for line in child.stdout or ():
            said.append((time.monotonic() - start, line))
            if line.startswith("== Step 2"):
                stored = disk_usage(data) - before
        end = time.monotonic() - start
        child.wait()
        failed = [line.strip() for _, line in said if "ERROR" in line]
        if failed or child.returncode:
            raise SystemExit(f"docker-pkg failed: {failed[:3]}; read {place / 'docker-pkg-build.log'}")
        built = next(when for when, line in said if line.startswith("== Step 2"))
        images = sum(line.startswith("* Built image") for _, line in said)
    return Side(built, end - built, stored, disk_usage(target.data), images)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--jobs", type=int, default=2, help="ours; docker-pkg builds one after the other")
    parser.add_argument("--select", default="*", metavar="GLOB", help="only these and what they need, on both sides")
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory with all logs")
    chosen = parser.parse_args()
    kept = from_environment(os.environ).state
    kept.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        place = Path(mkdtemp(prefix="bench-tree-", dir=kept))
        if not chosen.keep:
            stack.callback(shutil.rmtree, place, ignore_errors=True)
        config = write_config(place / "config.yaml")
        view = warm(kept / "bench-tree", config, chosen.select)
        state = new_state(kept / "bench-tree", place / "state")
        mine = stack.enter_context(live_registry(place / "ours"))
        peers = stack.enter_context(live_registry(place / "theirs", f"{PEERS_REGISTRY}:80"))
        we = ours(state, config, view, mine, select=chosen.select, jobs=chosen.jobs)
        they = theirs(state, view, chosen.select, place, peers)
    figures = {
        "ratio": round((we.seconds + we.push_seconds) / (they.seconds + they.push_seconds), 2),
        "build_ratio": round(we.seconds / they.seconds, 2),
        "images": we.images,
        "peer_images": they.images,
        "seconds": round(we.seconds, 1),
        "peer_seconds": round(they.seconds, 1),
        "push_seconds": round(we.push_seconds, 1),
        "peer_push_seconds": round(they.push_seconds, 1),
        "bytes_stored": we.stored,
        "peer_bytes_stored": they.stored,
        "bytes_pushed": we.pushed,
        "peer_bytes_pushed": they.pushed,
        "jobs": chosen.jobs,
        "tests": "out on both sides",
    }
    if chosen.format == "json":
        print(json.dumps(figures))
        return 0
    print(f"{we.images} images built: {we.seconds:.0f} s, docker-pkg {they.seconds:.0f} s: {figures['build_ratio']}")
    print(f"pushed: {we.push_seconds:.0f} s, docker-pkg {they.push_seconds:.0f} s; ratio of both: {figures['ratio']}")
    for name, us, them in (("stored", we.stored, they.stored), ("pushed", we.pushed, they.pushed)):
        print(f"bytes {name}: {us / 1e6:.0f} MB, docker-pkg {them / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
