"""A base image by Ropewalk beside mmdebstrap alone, in one run, from the same view and the same pool.

Ropewalk's seconds hold the bootstrap, the normaliser, the layer with its index, and the image; mmdebstrap's a plain tar.
``--format json`` prints one line; the ratio is Ropewalk's seconds by mmdebstrap's.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from ropewalk.archive import Pockets, from_apt, suite_names
from ropewalk.build import make_image, open_workshop
from ropewalk.build.workshop import Workshop
from ropewalk.events import silent
from ropewalk.process import Command, run
from ropewalk.recipe import Recipe, load_config, load_tree
from ropewalk.settings import Settings, from_environment

ROOT = Path(__file__).parent.parent
TREE = ROOT / "examples" / "tree"


def by_ropewalk(shop: Workshop, recipe: Recipe, view: str) -> tuple[float, str, int]:
    """Return the seconds, the digest and the size in bytes of our base image."""
    start = time.monotonic()
    image = make_image(shop, recipe, (), shop.views.load(view)).image
    return time.monotonic() - start, image.digest, image.size


def by_mmdebstrap(shop: Workshop, recipe: Recipe, view: str, target: Path) -> float:
    """Return the seconds that mmdebstrap needs for a tar of the same packages."""
    packages = recipe.base.packages if recipe.base else ()
    argv = (
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        "--include=?exact-name(usr-is-merged)",
        *(f"--include={package}" for package in packages),
        "bookworm",
        str(target),
        "deb http://deb.debian.org/debian bookworm main",
    )
    start = time.monotonic()
    run(Command(argv, environment=(("http_proxy", shop.proxy.url(view)),), contained=True))
    return time.monotonic() - start


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--runs", type=int, default=2, help="pairs to measure; the medians count")
    chosen = parser.parse_args()
    kept = from_environment(os.environ)
    kept.state.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix="bench-", dir=kept.state))
    try:
        (recipe,) = load_tree([TREE / "bases" / "bookworm"], load_config(TREE / "config.yaml", None)).recipes
        with open_workshop(Settings(scratch), from_apt(), silent) as shop:
            names = suite_names("bookworm", Pockets.RELEASE)
            view = shop.views.make(names, ("main",), "amd64", from_apt(), silent).id
            by_mmdebstrap(shop, recipe, view, scratch / "warm.tar")  # every .deb is in the pool from here on
            ours = [by_ropewalk(shop, recipe, view) for _ in range(chosen.runs)]
            peers = [by_mmdebstrap(shop, recipe, view, scratch / f"{n}.tar") for n in range(chosen.runs)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds, peer = statistics.median(one[0] for one in ours), statistics.median(peers)
    figures = {
        "seconds": round(seconds, 2),
        "mmdebstrap_seconds": round(peer, 2),
        "ratio": round(seconds / peer, 2),
        "size": ours[0][2],
        "equal": len({one[1] for one in ours}) == 1,
    }
    if chosen.format == "json":
        print(json.dumps(figures))
    else:
        print(
            f"base image {seconds:.1f} s, mmdebstrap alone {peer:.1f} s: ratio {figures['ratio']}; equal: {figures['equal']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
