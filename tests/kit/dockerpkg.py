"""docker-pkg 4.0.4 itself, from PyPI, in an environment of its own, run as a child process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "4.0.4"
ROOT = Path(__file__).parent.parent.parent
_ASK = ROOT / "tests" / "corpus" / "ask_docker_pkg.py"


@dataclass(frozen=True, slots=True)
class PeerImage:
    """What docker-pkg makes of a recipe.

    Attributes:
        name: The line's name.
        reference: ``registry/namespace/name:version``.
        depends: Names in its ``control``, as docker-pkg reads them.
        dockerfile: Rendered.
        context: Paths of the files that it would send to the daemon, with their sha256.
    """

    name: str
    reference: str
    depends: tuple[str, ...]
    dockerfile: str
    context: dict[str, str]


@dataclass(frozen=True, slots=True)
class PeerTree:
    """What docker-pkg makes of a tree: its images, and their full names in the order of a build from nothing."""

    images: tuple[PeerImage, ...]
    order: tuple[str, ...]


def environment() -> Path:
    """Make docker-pkg's environment below ``.state`` if it is not there.

    Returns:
        Its ``bin`` directory, with ``python`` and ``docker-pkg``.
    """
    place = ROOT / ".state" / "peers" / f"docker-pkg-{VERSION}"
    stamp = place / "installed"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", f"docker-pkg=={VERSION}"]
        subprocess.run([*pip, "setuptools<81"], check=True)
        stamp.touch()
    return place / "bin"


def ask(config: Path, directory: Path) -> PeerTree:
    """Ask docker-pkg's own code what it makes of a tree; it asks neither daemon nor registry.

    Args:
        config: The config file.
        directory: The directory of recipes.
    """
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "XDG_CONFIG_HOME"}}
    argv = [environment() / "python", _ASK, config, directory]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=variables)
    said: dict[str, Any] = json.loads(done.stdout)
    images = tuple(PeerImage(**{**image, "depends": tuple(image["depends"])}) for image in said["images"])
    return PeerTree(images, tuple(said["order"]))
