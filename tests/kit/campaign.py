"""A small tree on a real base image: children that a rebase takes, and some that it must not take."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from ropewalk.recipe import Recipe, load_config, load_tree

REGISTRY = "registry.example.org"
CONFIG = f"""\
registry: {REGISTRY}
base_images: [{REGISTRY}/{{base}}:latest]
known_uid_mappings: {{{{root: 0, www-data: 33, nobody: 65534}}}}
"""
_BASE = """\
name: bookworm
version: {version}
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main]
packages: [{packages}]
env: {{LANG: C.UTF-8}}
labels: {{}}
"""
CHANGELOG = """\
{name} (1) wikimedia; urgency=medium

  * First.

 -- A B <a@example.org>  Mon, 02 Jun 2025 10:00:00 +0000
"""


def write_tree(into: Path, version: str, packages: str, images: Mapping[str, str]) -> dict[str, Recipe]:
    """Write a base image's recipe and production images, and read them.

    Args:
        into: Where; what is there is written anew.
        version: The base's version.
        packages: What the base has beside the essential packages, by commas.
        images: Name -> Dockerfile, ``FROM`` included; ``@`` stands for the registry and a slash.

    Returns:
        The recipes by name.
    """
    files = {
        "config.yaml": CONFIG.format(base="bookworm"),
        "tree/bases/bookworm/base.yaml": _BASE.format(version=version, packages=packages),
    }
    for name, dockerfile in images.items():
        files[f"tree/images/{name}/Dockerfile.template"] = dockerfile.replace("@", f"{REGISTRY}/")
        files[f"tree/images/{name}/changelog"] = CHANGELOG.format(name=name)
    for path, text in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text, encoding="utf-8")
    loaded = load_tree([into / "tree"], load_config(into / "config.yaml", None), date(2025, 7, 1))
    return {recipe.name: recipe for recipe in loaded.recipes}
