"""Trees of recipes, written from a few lines."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from ropewalk.recipe import Recipe, TreeConfig, load_config, load_tree

TODAY = date(2026, 1, 15)
REGISTRY = "registry.example.org"
BASE = "name: bookworm\nversion: 12-1\nsuites: [bookworm]\n"


def changelog(name: str, version: str, when: str = "Mon, 05 Jan 2026 12:00:00 +0000") -> str:
    """Return a changelog with one entry."""
    return f"{name} ({version}) wikimedia; urgency=medium\n\n  * Made.\n\n -- A Person <a@example.org>  {when}\n"


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory; those called test.sh are executable."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if path.name == "test.sh" else 0o644)
    return root


def config(root: Path, text: str = "") -> TreeConfig:
    """Write and read a config of our registry with some more lines."""
    path = root / "config.yaml"
    path.write_text(f"registry: {REGISTRY}\n{text}")
    return load_config(path, None)


def load(root: Path, files: Mapping[str, str], text: str = "") -> tuple[Recipe, ...]:
    """Write a tree and load it; ``text`` goes into its config."""
    write(root / "tree", files)
    return load_tree([root / "tree"], config(root, text), TODAY).recipes


def production(name: str, version: str, template: str, **more: str) -> dict[str, str]:
    """Return the files of a production recipe; more files by name, ``_`` for ``.``."""
    files = {"Dockerfile.template": template, "changelog": changelog(name, version)}
    files |= {key.replace("_", "."): value for key, value in more.items()}
    return {f"{name}/{key}": value for key, value in files.items()}


def service(name: str, blubber: str, version: str = "1.0-1") -> dict[str, str]:
    """Return the files of a service."""
    return {f"{name}/blubber.yaml": blubber, f"{name}/changelog": changelog(name, version)}
