"""``ropewalk diff``: what differs between two images."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.cli.look import Sight, look
from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line
from ropewalk.cli.session import RegistryOption, Session

if TYPE_CHECKING:
    from ropewalk.inventory.compare import Content

_SHOWN = 40
_SIGNS = {"added": "+", "removed": "-", "upgraded": "^", "downgraded": "v", "changed": "~"}


def diff(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="A name, name:version, reference or digest.", show_default=False)],
    new: Annotated[str, typer.Argument(help="The image to compare it with.", show_default=False)],
    *,
    every: Annotated[bool, typer.Option("--all", help=f"Show all files, not the first {_SHOWN}.")] = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Compare two images: packages, files with the line whose layer holds them, configuration.

    Times do not count. An image that is not in the store is read from the registry, layer by layer. Signs: + added,
    - removed, ^ upgraded, v downgraded, ~ changed.
    """
    session: Session = context.obj
    sights = look(session, old, registry), look(session, new, registry)
    facts = _facts(session, *sights)
    if output is Format.JSON:
        print_json(facts)
        return
    _print(facts, shown=len(facts["files"]) if every else _SHOWN)


def _facts(session: Session, old: Sight, new: Sight) -> dict[str, Any]:
    from ropewalk.inventory.compare import compare_config, compare_files, compare_packages

    before, after = _content(session, old), _content(session, new)
    return {
        "old": _named(old),
        "new": _named(new),
        "packages": [asdict(change) for change in compare_packages(before.packages, after.packages)],
        "files": [asdict(change) for change in compare_files(before, after)],
        "config": [asdict(change) for change in compare_config(before.config, after.config)],
    }


def _named(sight: Sight) -> dict[str, Any]:
    return {"reference": sight.name, "digest": sight.image.digest, "size": sight.image.size}


def _content(session: Session, sight: Sight) -> "Content":
    from ropewalk.inventory.compare import Content
    from ropewalk.oci.tree import sources

    store = session.store()
    tree = sources(store.entries(layer.diff_id) for layer in sight.image.layers)
    owners = tuple(layer.owner for layer in sight.layers)
    return Content(tree, owners, sight.packages(session), sight.image.config)


def _print(facts: dict[str, Any], *, shown: int) -> None:
    for side in ("old", "new"):
        one = facts[side]
        print_line(f"{side}  {one['reference']}  {one['digest'][7:19]}  {human_size(one['size'])}")
    lines = {
        "packages": [_package(one) for one in facts["packages"]],
        "files": [_file(one) for one in facts["files"]],
        "config": [_value(one) for one in facts["config"]],
    }
    for title, told in lines.items():
        print_line(f"\n{title}: {len(told)} differ", "bold")
        count = shown if title == "files" else len(told)
        for line in told[:count]:
            print_line(line)
        if len(told) > count:
            print_line(f"... and {len(told) - count} more: --all shows them")


def _package(one: dict[str, Any]) -> str:
    versions = " -> ".join(version for version in (one["old"], one["new"]) if version)
    return f"{_SIGNS[one['change']]} {one['name']}:{one['architecture']} {versions}{_owner(one['owner'])}"


def _file(one: dict[str, Any]) -> str:
    what = f": {one['what']}" if one["change"] == "changed" else ""
    return f"{_SIGNS[one['change']]} {one['path']}{what}{_owner(one['new'] or one['old'])}"


def _value(one: dict[str, Any]) -> str:
    return f"{one['field']}: {one['old'] or 'not set'} -> {one['new'] or 'not set'}"


def _owner(name: str) -> str:
    return f"  ({name})" if name else ""
