"""A base image by Ropewalk beside mmdebstrap alone and debuerreotype, in one run, from the same view and the same pool.

Ropewalk's seconds hold the bootstrap, the normaliser, the compressed layer with its index, and the image; mmdebstrap's a
plain tar of the same packages, debuerreotype's its slim variant as a plain tar. Both sizes are those of a layer as an image
has it, by one compressor (Ropewalk's, which is quick and not the smallest): that of debuerreotype's tar, and that of an image
of the same packages that leaves out what slim does. All is made twice; ``equal`` says that Ropewalk's digests, of both images,
were the same. ``--format json`` prints one line. Needs root; debuerreotype is installed where it is missing.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from ropewalk.archive import DEBIAN_KEYRING, Pockets, View, from_apt, suite_names
from ropewalk.build import make_image, open_workshop
from ropewalk.build.workshop import Workshop
from ropewalk.events import silent
from ropewalk.oci import Image
from ropewalk.oci.layerblob import LayerWriter
from ropewalk.process import Command, run
from ropewalk.recipe import Recipe, load_config, load_tree
from ropewalk.recipe.recipe import Strip
from ropewalk.settings import Settings, from_environment

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
TREE = ROOT / "examples" / "tree"
SLIM = Path("/usr/share/debuerreotype/scripts")
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"


@dataclass(frozen=True, slots=True)
class Bench:
    """What all makers share.

    Attributes:
        shop: The workshop with the proxy.
        view: The archive view.
        recipe: Our recipe.
        place: A scratch directory.
    """

    shop: Workshop
    view: View
    recipe: Recipe
    place: Path

    @property
    def packages(self) -> tuple[str, ...]:
        """What stands in the image beside the essential packages."""
        return self.recipe.base.packages if self.recipe.base else ()

    def ours(self, strip: Strip) -> Image:
        """Make our image."""
        base = replace(self.recipe.base, strip=strip) if self.recipe.base else None
        return make_image(self.shop, replace(self.recipe, base=base), (), self.view).image

    def mmdebstrap(self) -> Path:
        """Make a tar by mmdebstrap alone."""
        target = self.place / "mmdebstrap.tar"
        argv = (
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
            "--include=?exact-name(usr-is-merged)",
            *(f"--include={package}" for package in self.packages),
            SUITE,
            str(target),
            f"deb {MIRROR} {SUITE} main",
        )
        self.run(*argv)
        return target

    def debuerreotype(self) -> Path:
        """Make a tar of debuerreotype's slim variant, as its own script for Debian's images does."""
        root, target = self.place / "slim", self.place / "slim.tar"
        shutil.rmtree(root, ignore_errors=True)
        chosen = ("--non-debian", f"--debootstrap-script={SUITE}", f"--keyring={DEBIAN_KEYRING}")
        include = f"--include={','.join(self.packages)}"
        self.run("debuerreotype-init", *chosen, include, str(root), SUITE, MIRROR)
        for step in ("debuerreotype-minimizing-config", "debuerreotype-slimify", "debuerreotype-fixup"):
            self.run(step, str(root))
        self.run("debuerreotype-tar", str(root), str(target))
        return target

    def run(self, *argv: str) -> None:
        """Run a program that reaches the archive by the view's proxy only."""
        environment = (("http_proxy", self.shop.proxy.url(self.view.id, "bench")), ("TMPDIR", str(self.place)))
        run(Command(argv, environment=environment, contained=True), log=self.place / "log")


def timed(make: Callable[[], T]) -> tuple[float, T]:
    """Return how many seconds something took, and what came of it."""
    start = time.monotonic()
    made = make()
    return time.monotonic() - start, made


def layer_size(tar: Path) -> int:
    """Return the bytes of a tar as the layer of an image."""
    with Path(os.devnull).open("wb") as sink, tar.open("rb") as source:
        writer = LayerWriter(sink)
        shutil.copyfileobj(source, writer, 1 << 20)
        return writer.finish().blob.size


def slim() -> Strip:
    """Read what debuerreotype's slim variant leaves out."""
    exclude, include = (
        tuple(line for line in (SLIM / name).read_text().splitlines() if line.startswith("/"))
        for name in (".slimify-excludes", ".slimify-includes")
    )
    return Strip(tuple(dict.fromkeys(exclude)), tuple(dict.fromkeys(include)))


def install() -> None:
    """Install debuerreotype and what it needs where something of it is missing."""
    if not all(map(shutil.which, ("debuerreotype-init", "debootstrap", "wget"))):
        for words in (("update", "-q"), ("install", "-y", "-q", "debuerreotype", "debootstrap", "wget")):
            run(Command(("apt-get", *words), environment=(("DEBIAN_FRONTEND", "noninteractive"),)))


def measure(bench: Bench, runs: int) -> dict[str, float | bool]:
    """Make everything, and return the figures."""
    bench.mmdebstrap()  # every .deb is in the pool from here on
    bench.debuerreotype()
    ours = [timed(lambda: bench.ours(Strip())) for _ in range(runs)]
    peers = [timed(bench.mmdebstrap)[0] for _ in range(runs)]
    slims = [timed(bench.debuerreotype) for _ in range(runs)]
    small = [bench.ours(slim()) for _ in range(2)]
    return {
        "seconds": round(statistics.median(seconds for seconds, _ in ours), 2),
        "mmdebstrap_seconds": round(statistics.median(peers), 2),
        "debuerreotype_seconds": round(statistics.median(seconds for seconds, _ in slims), 2),
        "size": small[0].layers[0].blob.size,
        "debuerreotype_size": layer_size(slims[0][1]),
        "equal": len({image.digest for _, image in ours}) == len({image.digest for image in small}) == 1,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--runs", type=int, default=2, help="runs to measure; the medians count")
    chosen = parser.parse_args()
    kept = from_environment(os.environ)
    kept.state.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix="bench-", dir=kept.state))
    install()
    try:
        (recipe,) = load_tree([TREE / "bases" / SUITE], load_config(TREE / "config.yaml", None)).recipes
        with open_workshop(Settings(scratch), from_apt(), silent) as shop:
            view = shop.views.make(suite_names(SUITE, Pockets.RELEASE), ("main",), "amd64", from_apt(), silent)
            figures = measure(Bench(shop, view, recipe, scratch), chosen.runs)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if chosen.format == "json":
        print(json.dumps(figures))
    else:
        ratio = figures["seconds"] / figures["mmdebstrap_seconds"]
        print(
            f"base image {figures['seconds']} s, mmdebstrap alone {figures['mmdebstrap_seconds']} s: ratio {ratio:.2f}"
        )
        print(f"debuerreotype's slim {figures['debuerreotype_seconds']} s")
        print(f"stripped as slim {figures['size']} bytes, debuerreotype's slim {figures['debuerreotype_size']} bytes")
        print(f"two runs equal: {figures['equal']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
