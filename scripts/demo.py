"""The main job, end to end, on real packages: build, publish, sign, list, renew, prove, and enforce on a node.

Every figure of the closing block is measured in this run. A second run finds nothing to do and shows the recorded ones
with their date. ``--keep`` leaves the registry and the restricted node up.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from kit.registry import running_registry  # noqa: E402  # likewise

from kit.node import RestrictedNode, last_line  # noqa: E402  # the kit is no package of ours
from ropewalk.errors import RopewalkError  # noqa: E402  # likewise

STATE = Path(os.environ.get("ROPEWALK_STATE", ROOT / ".state" / "ropewalk"))
CONFIG = ROOT / "examples" / "tree" / "config.yaml"
DIRECTORIES = (str(ROOT / "examples" / "tree"), str(ROOT / "examples" / "services"))
NAME = "registry.example.org"
NODE = "demo"
SERVICES = (("python-web", 8080), ("static-site", 8080))


def ropewalk(*arguments: str, show: bool = False) -> Any:
    """Run the command as a user would; return what its JSON says, or nothing where it is only shown.

    Its progress goes to the terminal. A failure ends the demo with the command's own exit code.
    """
    command = [str(ROOT / ".venv" / "bin" / "ropewalk"), "-c", str(CONFIG), *arguments]
    if not show:
        command += ["--format", "json"]
    done = subprocess.run(command, stdout=None if show else subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return None if show else json.loads(done.stdout)


def heading(text: str) -> None:
    """Say what comes now."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}== {text}{plain}", flush=True)


def build(view: str) -> dict[str, Any] | None:
    """Build and test all images from the release alone; return the figures, nothing where all are current."""
    start = time.monotonic()
    made = ropewalk("build", "--view", view, "--offline", *DIRECTORIES)["images"]
    if not made:
        return None
    return {"images": len(made), "tested": sum(image["tested"] for image in made), "seconds": time.monotonic() - start}


def publish() -> dict[str, Any]:
    """Publish what is new, then again: the second time must write nothing."""
    first = ropewalk("publish")["images"]
    again = ropewalk("publish")["images"]
    return {"images": len(first), "writes": sum(x["writes"] for x in first), "again": sum(x["writes"] for x in again)}


def inventory(view: str) -> dict[str, Any]:
    """Count the packages, and what the new view has newer."""
    images = ropewalk("images")["images"]
    count = sum(len(ropewalk("packages", image["digest"])["packages"]) for image in images)
    upgrades = ropewalk("upgrades", "--view", view)["upgrades"]
    return {
        "packages": count,
        "upgrades": len(upgrades),
        "images": len({row["reference"] for row in upgrades}),
        "security": sum(row["security"] for row in upgrades),
    }


def renew(view: str) -> dict[str, Any]:
    """Refresh on the new view, publish, and prove every image by a full rebuild."""
    start = time.monotonic()
    rows = ropewalk("refresh", "--view", view, *DIRECTORIES)["images"]
    seconds = time.monotonic() - start
    renewed = [row for row in rows if row["how"] != "unchanged"]
    rebased = [row for row in renewed if row["how"] == "rebased"]
    heading("prove: a full rebuild of every renewed image, compared path by path")
    proofs = {row["name"]: ropewalk("prove", row["to"], *DIRECTORIES) for row in renewed}
    return {
        "view": view,
        "images": len(rows),
        "renewed": len(renewed),
        "rebuilt": len(renewed) - len(rebased),
        "rebased": len(rebased),
        "bytes": [row["bytes_pushed"] for row in rebased],
        "seconds": seconds,
        "full": sum(proof["seconds"] for proof in proofs.values()),
        "equal": sum(proofs[row["name"]]["equal"] for row in rebased),
    }


def enforce(node: RestrictedNode, files: Path, address: dict[str, str]) -> dict[str, Any]:
    """Run our services on the node, and try what it must refuse."""
    ropewalk(
        "restrict",
        "render",
        "node",
        "--realm",
        "production",
        "--policy",
        str(ROOT / "examples" / "restrict.yaml"),
        "--out",
        str(files),
        show=True,
    )
    node.restrict()
    runs = {service: node.run_service(f"{NAME}/{service}:latest", port) for service, port in SERVICES}
    registry = address["registry"].removeprefix("http://")
    push_unsigned(f"{registry}/unsigned:1")
    with running_registry(STATE / "foreign", node.addresses.other) as foreign:
        push_unsigned(f"{foreign.removeprefix('http://')}/foreign:1")
        tried = {
            "docker.io by name": "docker.io/library/alpine:latest",
            "a foreign registry that answers, by address": f"{foreign.removeprefix('http://')}/foreign:1",
            "our unsigned image": f"{NAME}/unsigned:1",
            "the base image": f"{NAME}/bookworm:latest",
        }
        refused = {}
        for what, reference in tried.items():
            done = node.pull(reference)
            if done.returncode == 0:
                sys.exit(f"demo: the restricted node took {what} ({reference}); it must not")
            refused[what] = last_line(done)
    return {"runs": runs, "refused": refused}


def push_unsigned(reference: str) -> None:
    """Put an image into a registry without any signature, past Ropewalk."""
    image = ropewalk("show", "static-site")["reference"]
    command = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
    subprocess.run([*command, f"oci:{STATE / 'store'}:{image}", f"docker://{reference}"], check=True)


def shorten(text: str) -> str:
    """Return a client's reason without its prefixes, on one line."""
    for mark in ("Source image rejected: ", "connect: ", "pinging container registry "):
        text = text.rpartition(mark)[2] if mark in text else text
    return text.removeprefix("Error: ").strip()[:140]


def block(figures: dict[str, Any], address: str) -> str:
    """Return the closing block; a part that had nothing to do shows its recorded figures and their date."""
    built, published, listed, renewed = (figures[key] for key in ("build", "publish", "inventory", "renew"))

    def dated(part: dict[str, Any], text: str) -> str:
        old = part["run"] != figures["run"]
        return f"nothing to do; {part['at']}: {text}" if old else text

    sizes = [f"{size / 1000:.0f}" for size in renewed["bytes"]]
    each = f"{min(sizes, key=int)} to {max(sizes, key=int)} KB pushed each" if sizes else "none"
    newer = (
        f"{listed['upgrades']} newer, in {listed['images']} images ({listed['security']} from security)"
        if listed["upgrades"]
        else "the two views hold the same packages today: nothing is newer"
    )
    proven = (
        "all of those proven equal" if renewed["equal"] == renewed["rebased"] else f"{renewed['equal']} proven equal"
    )
    runs = ", ".join(f"{name} answered {status}" for name, status in figures["enforce"]["runs"].items())
    refused = "; ".join(f"{what}: {shorten(reason)}" for what, reason in figures["enforce"]["refused"].items())
    lines = (
        (
            "built",
            dated(
                built,
                f"{built['images']} images: 1 base, 4 production, 2 service; {built['tests']} in {built['seconds']:.1f} s",
            ),
        ),
        (
            "published",
            dated(
                published, f"{published['images']}, signed, as {NAME} ({address}); again: {published['again']} writes"
            ),
        ),
        ("inventory", dated(listed, f"{listed['packages']} packages; view release -> release+security: {newer}")),
        (
            "renewed",
            dated(
                renewed,
                f"{renewed['renewed']} of {renewed['images']} in {renewed['seconds']:.1f} s (full rebuild {renewed['full']:.1f} s): {renewed['rebuilt']} rebuilt, {renewed['rebased']} rebased ({each}), {proven}",
            ),
        ),
        ("runs", f"on the restricted node: {runs}"),
        ("refused", refused),
        ("next", "ropewalk show python-web; ropewalk refresh --help; README section 'A first tree of your own'"),
    )
    return "\n".join(f"{name:<11}{text}" for name, text in lines)


def main() -> int:
    """Run the demo; return 0, or end with the exit code of the command that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave registry and node up")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left up")
    chosen = parser.parse_args()
    keep = chosen.keep
    if chosen.stop:
        RestrictedNode(NODE, STATE / "node", STATE).stop()
        ropewalk("registry", "down", show=True)
        return 0
    start, run = time.monotonic(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    record = STATE / "demo.json"
    figures: dict[str, Any] = json.loads(record.read_bytes()) if record.exists() else {}
    figures["run"] = run

    def note(part: str, value: dict[str, Any]) -> None:
        figures[part] = {**value, "run": run, "at": run}

    heading("doctor: what this host can do")
    ropewalk("doctor", show=True)
    heading("archive views: the release alone, then with updates and security")
    old = ropewalk("archive", "view", "--pockets", "release")["view"]
    new = ropewalk("archive", "view", "--pockets", "all")["view"]
    print(f"{old} -> {new}")
    heading("build and test: one base, four production, two service images")
    made = build(old)
    if made:
        note("build", {**made, "tests": "all tests passed"})
    files = STATE / "node"
    node = RestrictedNode(NODE, files, STATE)
    node.start(keep=keep)
    try:
        heading("registry, keys, publish")
        ropewalk("keys", "new", show=True)
        address = ropewalk("registry", "up", "--listen", node.addresses.host)
        sent = publish()
        if sent["writes"] or "publish" not in figures:
            note("publish", sent)
        if made or "inventory" not in figures:
            heading("inventory")
            note("inventory", inventory(new))
        if "renew" not in figures or figures["renew"]["view"] != new:
            heading("refresh: every image that the new view makes old")
            note("renew", renew(new))
        heading("a node that runs our images only")
        note("enforce", enforce(node, files, address))
    finally:
        if not keep:
            node.stop()
            ropewalk("registry", "down", show=True)
    record.write_text(json.dumps(figures, indent=1))
    heading(f"done in {time.monotonic() - start:.0f} s")
    print(block(figures, address["registry"].removeprefix("http://")))
    if keep:
        print(
            f"\nup         registry {address['registry']}; node: nsenter --net=/run/netns/rw-{NODE}\nstop       make demo-stop"
        )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RopewalkError as error:
        sys.exit(f"demo: {error}\n  {error.hint}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted; run it again, it goes on where it was")
