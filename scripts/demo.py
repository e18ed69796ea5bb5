"""The main job, end to end, on real packages: build, publish, sign, list, renew, prove, and enforce on a node.

Every figure of the closing block is measured in this run. A second run finds nothing to do and shows the recorded ones
with their date. ``--keep`` leaves the registry and the restricted node up, ``--stop`` ends them. ``--full`` builds and tests
the whole example tree instead, in a state directory of its own.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).absolute().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from kit.node import RestrictedNode  # noqa: E402  # the kit is no package of ours
from kit.street import EVERYTHING, NAME, StepFailed, Street  # noqa: E402  # likewise
from ropewalk import atomic  # noqa: E402  # likewise
from ropewalk.cli.output import human_size  # noqa: E402  # likewise
from ropewalk.errors import RopewalkError  # noqa: E402  # likewise

RECORD = "demo.json"
REPRODUCED = ("bookworm", "nginx", "hello")
"""What the demo rebuilds from provenance: a base image, one with packages, one that a compiler made."""
NODE = f"demo{sha256(str(ROOT).encode()).hexdigest()[:4]}"
"""The node's name: two checkouts on one machine must not share its network."""


def heading(text: str) -> None:
    """Say what comes now."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}== {text}{plain}", flush=True)


def shorten(text: str) -> str:
    """Return a client's reason without the words before it, on one line."""
    for mark in ("Source image rejected: ", "dial tcp ", "initializing source "):
        text = text.rpartition(mark)[2] if mark in text else text
    return text.removeprefix("Error: ").partition(" in /")[0].strip()[:120]


def renewed_text(renewed: dict[str, Any]) -> str:
    """Return the line of the renewal."""
    rows = [row for row in renewed["rows"] if row["how"] != "unchanged"]
    rebased = [row for row in rows if row["how"] == "rebased"]
    equal = sum(renewed["proofs"][row["name"]]["equal"] for row in rebased)
    sizes = sorted(row["bytes_pushed"] // 1000 for row in rebased)
    span = " to ".join(str(size) for size in dict.fromkeys((*sizes[:1], *sizes[-1:])))
    each = f" ({span} KB pushed each)" if sizes else ""
    proven = "all of those proven equal" if equal == len(rebased) else f"{equal} of those proven equal"
    return (
        f"{len(rows)} of {len(renewed['rows'])} in {renewed['seconds']:.1f} s (full rebuild {renewed['full']:.1f} s): "
        f"{len(rows) - len(rebased)} rebuilt ({renewed['same']} with the same digest elsewhere), "
        f"{len(rebased)} rebased{each}, {proven}"
    )


def inventory_text(listed: dict[str, Any]) -> str:
    """Return the line of the inventory."""
    newer = f"{listed['upgrades']} newer, in {listed['images']} images, {listed['security']} of them security updates"
    if not listed["upgrades"]:
        newer = "both views hold the same packages today, nothing is newer"
    return f"{listed['packages']} packages; view release -> release+security: {newer}"


def reproduced_text(reproduced: dict[str, Any]) -> str:
    """Return the line of what was rebuilt from its provenance."""
    names = ", ".join(reference.removeprefix(f"{NAME}/") for reference in reproduced["images"])
    found = (
        f"{reproduced['equal']} of {len(reproduced['images'])} with the same digest in {reproduced['seconds']:.1f} s"
    )
    return f"{names} from their signed provenance, in an empty state: {found}"


def plan_text(planned: dict[str, Any]) -> str:
    """Return the line of the plan."""
    words = {"none": "current", "build": "never built", "publish": "to publish", "refresh": "to refresh"}
    found = ", ".join(f"{count} {words.get(action, action)}" for action, count in sorted(planned["actions"].items()))
    return f"the whole example tree, {planned['recipes']} recipes, in {planned['seconds']:.1f} s with the registry asked: {found}"


def block(figures: dict[str, Any], address: str) -> str:
    """Return the closing block; a part that had nothing to do shows its recorded figures and their date."""
    built, published = figures["build"], figures["publish"]
    tests = "all tests passed" if built["tested"] == built["images"] else f"{built['tested']} with a test, all passed"
    made = f"{built['images']} images: 1 base, 4 production, 2 service; {tests}"
    texts = {
        "build": f"{made:<66} in {built['seconds']:.1f} s",
        "publish": f"{published['images']}, signed, as {NAME} ({address}); again: {published['again']} writes",
        "inventory": inventory_text(figures["inventory"]),
        "renew": renewed_text(figures["renew"]),
        "reproduce": reproduced_text(figures["reproduce"]),
    }
    for part, text in texts.items():
        if figures[part]["at"] != figures["run"]:
            texts[part] = f"nothing to do; on {figures[part]['at']}: {text}"
    runs = ", ".join(f"{name} answered {status}" for name, status in figures["runs"].items())
    refused = "; ".join(f"{what}: {shorten(reason)}" for what, reason in figures["refused"].items())
    lines = (
        ("built", texts["build"]),
        ("published", texts["publish"]),
        ("planned", plan_text(figures["plan"])),
        ("inventory", texts["inventory"]),
        ("renewed", texts["renew"]),
        ("reproduced", texts["reproduce"]),
        ("runs", f"on the restricted node: {runs}"),
        ("refused", refused),
        ("next", "ropewalk show python-web; ropewalk refresh --help; README section 'A first tree of your own'"),
    )
    return "\n".join(f"{name:<11}{text}" for name, text in lines)


def digest_of(street: Street, reference: str) -> str:
    """Return the digest of an image of the store."""
    return str(street.ask("show", reference)["digest"])


def walk(street: Street, node: RestrictedNode, figures: dict[str, Any], *, keep: bool) -> str:
    """Go through every step and keep its figures; return the registry's address."""

    def note(part: str, value: dict[str, Any]) -> None:
        figures[part] = {**value, "at": figures["run"]}
        # At once, so that a demo that was stopped goes on with its figures.
        atomic.write_text(street.state / RECORD, json.dumps(figures, indent=1))

    heading("archive views: the release alone, then with updates and security")
    old = street.ask("archive", "view", "--suite", "bookworm", "--pockets", "release")["view"]
    new = street.ask("archive", "view", "--suite", "bookworm")["view"]
    print(f"{old} -> {new}")
    heading("build and test: one base, four production, two service images")
    built = street.build(old)
    if built["images"] or "build" not in figures:
        note("build", built)
    heading("registry, keys, publish")
    node.start(keep=keep)
    street.show("keys", "new")
    address = str(street.ask("registry", "up", "--listen", node.addresses.host)["registry"]).removeprefix("http://")
    sent = street.publish()
    if sent["writes"] or "publish" not in figures:
        note("publish", sent)
    if built["images"] or "inventory" not in figures:
        heading("inventory")
        note("inventory", street.inventory(new))
    if built["images"] or figures.get("renew", {}).get("view") != new:
        heading("refresh: every image that the new view makes old")
        renewed = street.renew(new)
        heading("prove: each rebased image against a full rebuild, path by path")
        proofs = street.prove(renewed["rows"])
        heading("for comparison: everything rebuilt and tested on the new view, in an empty store elsewhere")
        other = street.elsewhere(street.state / "rebuild")
        full = other.build(new)
        same = other.digests()
        equal = sum(
            same[row["name"]] == digest_of(street, row["to"]) for row in renewed["rows"] if row["how"] == "rebuilt"
        )
        shutil.rmtree(other.state)
        heading("reproduce: from provenance alone")
        note("reproduce", street.reproduce(*REPRODUCED))
        note("renew", {**renewed, "proofs": proofs, "full": full["seconds"], "same": equal})
    heading("plan: the whole example tree, of which seven images are built")
    figures["plan"] = street.plan()
    heading("a node that runs our images only")
    street.restrict(node, street.state / "node")
    figures["runs"] = street.serve(node)
    figures["refused"] = street.refuse(node, address)
    return address


def full_table(rows: list[dict[str, Any]]) -> str:
    """Return a line for each image: the seconds of build and test, what its own layers add, and its whole size."""
    lines = [f"{'image':<44}{'seconds':>8}{'own':>12}{'whole':>12}"]
    for row in rows:
        name = row["reference"].removeprefix(f"{NAME}/")
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.1f}"
        lines.append(f"{name:<44}{seconds:>8}{human_size(row['own']):>12}{human_size(row['size']):>12}")
    return "\n".join(lines)


def full_block(figures: dict[str, Any]) -> str:
    """Return the closing lines of the whole tree."""
    rows = figures["rows"]
    kinds = Counter(row["generation"] for row in rows)
    images = ", ".join(f"{kinds[kind]} {kind}" for kind in ("base", "production", "service"))
    tests = "all tests passed" if figures["tested"] == figures["built"] else f"{figures['tested']} with a test"
    lines = (
        ("built", f"{figures['built']} images in {figures['seconds']:.1f} s, {tests} ({figures['at']})"),
        ("tree", f"{len(rows)} images: {images}"),
        ("sizes", f"{human_size(sum(row['own'] for row in rows))} of layers, each stored once"),
        ("next", "ropewalk plan --help; ropewalk affected --help"),
    )
    return "\n".join(f"{name:<11}{text}" for name, text in lines)


def full_rows(images: list[dict[str, Any]], seconds: dict[str, float]) -> list[dict[str, Any]]:
    """Return the figures of each image: its reference, generation, sizes in bytes, seconds where they are known."""
    return [
        {key: image[key] for key in ("reference", "generation", "size")}
        | {"seconds": seconds.get(image["reference"])}
        | {"own": sum(layer["size"] for layer in image["layers"] if layer["owner"] == image["name"])}
        for image in images
    ]


def walk_full(street: Street) -> int:
    """Build and test the whole example tree; a second run finds nothing to do and shows the recorded figures."""
    street.state.mkdir(parents=True, exist_ok=True)
    record = street.state / "full.json"
    kept: dict[str, Any] = json.loads(record.read_bytes()) if record.exists() else {"rows": []}
    heading("archive view: Debian 12 and 13")
    view = street.ask("archive", "view")["view"]
    print(view)
    heading("build and test: the whole example tree")
    built = street.build(view)
    if built["images"] or not record.exists():
        known = {row["reference"]: row["seconds"] for row in (*kept["rows"], *built["rows"])}
        kept = {
            "built": built["images"],
            "tested": built["tested"],
            "seconds": built["seconds"],
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            "rows": full_rows(street.ask("images")["images"], known),
        }
        record.write_text(json.dumps(kept, indent=1))
    else:
        print("nothing to do; the figures are those of the last build")
    heading("done")
    print(full_table(kept["rows"]), full_block(kept), sep="\n\n")
    return 0


def main() -> int:
    """Run the demo; return 0 where every step did what it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave registry and node up")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left up")
    parser.add_argument("--full", action="store_true", help="build and test the whole example tree")
    chosen = parser.parse_args()
    street = Street(Path(os.environ.get("ROPEWALK_STATE", ROOT / ".state" / "ropewalk")))
    if chosen.full:
        return walk_full(Street(street.state / "full", chosen=EVERYTHING))
    node = RestrictedNode(NODE, street.state / "node", street.state)
    if chosen.stop:
        node.stop()
        street.show("registry", "down")
        return 0
    start = time.monotonic()
    record = street.state / RECORD
    figures: dict[str, Any] = json.loads(record.read_bytes()) if record.exists() else {}
    figures["run"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    heading("doctor: what this host can do")
    street.show("doctor")
    try:
        address = walk(street, node, figures, keep=chosen.keep)
    finally:
        if not chosen.keep:
            node.stop()
            street.run("registry", "down")
    heading(f"done in {time.monotonic() - start:.0f} s")
    print(block(figures, address))
    if chosen.keep:
        print(f"up         registry {address}; node: nsenter --net=/run/netns/rw-{NODE} (stop both: make demo-stop)")
    taken = [what for what, reason in figures["refused"].items() if not reason]
    failed = [name for name, status in figures["runs"].items() if status != 200]  # noqa: PLR2004  # HTTP's OK
    if taken or failed:
        print(f"demo: the node ran what it must not ({taken}), or a service did not answer ({failed})", file=sys.stderr)
    return 1 if taken or failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StepFailed as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.returncode)
    except RopewalkError as error:
        print(f"demo: {error}\n  {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("demo: interrupted; run it again, it goes on where it was", file=sys.stderr)
        sys.exit(130)
