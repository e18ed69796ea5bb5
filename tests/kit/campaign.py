"""A small tree with children that a rebase takes, and some that it must not take; written for one refresh."""

from pathlib import Path

REGISTRY = "registry.example.org"
_CONFIG = f"""\
registry: {REGISTRY}
base_images: [{REGISTRY}/bookworm:latest]
known_uid_mappings: {{root: 0, www-data: 33, nobody: 65534}}
"""
_BASE = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main]
packages: []
env: {LANG: C.UTF-8}
labels: {}
"""
_CHANGELOG = """\
{name} (1) wikimedia; urgency=medium

  * First.

 -- A B <a@example.org>  Mon, 02 Jun 2025 10:00:00 +0000
"""


def write_tree(into: Path, images: dict[str, str]) -> tuple[Path, Path]:
    """Write a base image's recipe and production images.

    Args:
        into: Where.
        images: Name -> Dockerfile template.

    Returns:
        The config file and the directory with the recipes.
    """
    files = {"config.yaml": _CONFIG, "tree/bases/bookworm/base.yaml": _BASE}
    for name, template in images.items():
        files[f"tree/images/{name}/Dockerfile.template"] = template
        files[f"tree/images/{name}/changelog"] = _CHANGELOG.format(name=name)
    for path, text in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text, encoding="utf-8")
    return into / "config.yaml", into / "tree"
