"""How many of the example images come out again: built once, then rebuilt from provenance in other circumstances.

The first build is root's, with `--jobs 2`. The second is `ropewalk reproduce` of the same images, in a state directory
below another path, with recipes from the git commit below another path, by an ordinary user, with one job on one processor,
and what bench/otherwise.py shifts: 40 days, the processor's abilities, host name, home, time zone, umask. An image counts as equal
where every layer has the same diff_id; equal digests, on one machine, are counted beside it. A canary image that writes the
time and the number of processors must differ, or the run counts for nothing.

What an earlier run built in the state directory (`bench-reproducible` below $ROPEWALK_STATE) is the first build; so a long
run can be done in pieces with `--select`. Delete the directory to begin anew. Last line of `--format json`:
{"images", "equal", "bases", "bases_equal"}.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import otherwise  # noqa: E402  # beside this script; the bench is no package

from ropewalk.oci import Store  # noqa: E402  # likewise
from ropewalk.settings import from_environment  # noqa: E402  # likewise

TREE = ROOT / "examples" / "tree"
SERVICES = ROOT / "examples" / "services"
CANARY = "registry.example.org/canary:1-1"
TOLERANCE = 0.5
"""Days by which the canary's clock may differ from what was asked for: builds take time."""


def program(*arguments: str) -> list[str]:
    """Return our command line."""
    return [str(ROOT / ".venv" / "bin" / "ropewalk"), "-c", str(TREE / "config.yaml"), *arguments]


def ask(argv: list[str], variables: dict[str, str]) -> Any:
    """Run a command that may say with 1 that something differs; return what its JSON says."""
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, env=variables)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{argv[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def canary(place: Path) -> Path:
    """Write a recipe whose image can never come out again."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "Dockerfile.template").write_text(
        "FROM {{ 'bookworm' | image_tag }}\nRUN date +%s >/when && nproc >/processors\n"
    )
    stamp = "Mon, 05 Jan 2026 12:00:00 +0000"
    (place / "changelog").write_text(
        f"canary (1-1) wikimedia; urgency=medium\n\n  * Made.\n\n -- A Person <a@example.org>  {stamp}\n"
    )
    return place


def first(state: Path, variables: dict[str, str], select: list[str]) -> list[str]:
    """Build what is not built; return the references of the chosen images."""
    suites = [word for base in sorted((TREE / "bases").iterdir()) for word in ("--suite", base.name)]
    places = [str(TREE), str(SERVICES), str(canary(state / "canary"))]
    view = ask(program("archive", "view", *suites, "--format", "json"), variables)["view"]
    chosen = [word for glob in (*select, CANARY) for word in ("--select", glob)]
    options = ["--offline", "--keep-going", "--jobs", "2", "--view", view, "--format", "json"]
    made = ask(program("build", *options, *chosen, *places), variables)
    for row in made["images"]:
        if row["error"]:
            print(f"{row['reference']}: not built: {row['error']}", flush=True)
    known = [row["reference"] for row in ask(program("images", "--format", "json"), variables)["images"]]
    return [name for name in known if any(fnmatchcase(name, glob) for glob in (*select, CANARY))]


def second(state: Path, references: list[str], place: Path, *, ordinary: bool) -> tuple[list[dict[str, Any]], Path]:
    """Rebuild in other circumstances; return a row an image, and the state directory with what was rebuilt."""
    around = otherwise.circumstances(state, place, ordinary=ordinary)
    kept = around.home / "kept"
    words = program("reproduce", "--offline", "--jobs", "1", "--keep", str(kept), "--format", "json")
    rows: list[dict[str, Any]] = ask(around.command([*words, *references]), dict(os.environ))["images"]
    return rows, kept


def check_canary(state: Path, kept: Path) -> str:
    """Say what the canary saw; end the run where that is nothing else than the first time."""
    seen = []
    for store in (Store(state / "store"), Store(kept / "store")):
        image = store.resolve(CANARY)
        if image is None:
            raise SystemExit("the canary was not built")
        found = store.read_files(image.layers, ("when", "processors"))
        seen.append((int(found["when"]), int(found["processors"])))
    (then, many), (now, few) = seen
    built = kept / "store" / "index.json"
    days = (now - built.stat().st_mtime) / 86400
    if abs(days - otherwise.DAYS) > TOLERANCE:
        raise SystemExit(
            f"the canary's clock was {days:.1f} days ahead, not {otherwise.DAYS}: the run counts for nothing"
        )
    return f"canary: built {(now - then) / 86400:.1f} days later by its clock, {many} -> {few} processors"


def show(rows: list[dict[str, Any]]) -> None:
    """Print what is not equal: path, cause, why."""
    for row in rows:
        if row["equal"] and row["same_digest"]:
            continue
        said = row["error"] or ("equal layers, another digest" if row["equal"] else "differs")
        print(f"{row['reference']}: {said}")
        for one in row["differences"]:
            print(f"  {one['path']}: {one['what']}: {one['class']}: {one['reason']}")
            for line in one["diffoscope"]:
                print(f"    | {line}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--select", action="append", metavar="GLOB", help="only these: registry/name:version")
    parser.add_argument("--as-root", action="store_true", help="the second time too, not as an ordinary user")
    chosen = parser.parse_args()
    kept = from_environment(os.environ).state
    state = kept / "bench-reproducible"
    state.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, "ROPEWALK_STATE": str(state)}
    place = Path(mkdtemp(prefix="bench-reproducible-", dir=kept))
    try:
        references = first(state, variables, chosen.select or ["*"])
        rows, rebuilt = second(state, references, place, ordinary=not chosen.as_root)
        print(check_canary(state, rebuilt))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    counted = [row for row in rows if row["reference"] != CANARY]
    show(counted)
    bases = [row for row in counted if row["generation"] == "base"]
    images = [row for row in counted if row["generation"] != "base"]
    digests = sum(row["same_digest"] for row in counted)
    print(f"the same digest: {digests} of {len(counted)}")
    figures = {
        "images": len(images),
        "equal": sum(row["equal"] for row in images),
        "bases": len(bases),
        "bases_equal": sum(row["equal"] for row in bases),
    }
    if chosen.format == "json":
        print(json.dumps(figures))
    else:
        print(
            f"{figures['equal']} of {len(images)} images and {figures['bases_equal']} of {len(bases)} bases are equal"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
