"""``ropewalk show``: one image: what it is, what it was made of and why, what is in it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.cli.look import Sight, look
from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line, print_table
from ropewalk.cli.session import RegistryOption, Session, when

if TYPE_CHECKING:
    from ropewalk.inventory import InstalledPackage
    from ropewalk.oci import Image
    from ropewalk.recipe import BuildRecord, Commit

_FIRST = ("reference", "digest", "platform", "size")
_RECORDED = (
    "generation",
    "how",
    "why",
    "made",
    "view",
    "epoch",
    "recipe",
    "commit",
    "tested",
    "published",
    "proven",
    "withdrawn",
)
_CONFIG = ("user", "working_dir", "entrypoint", "cmd", "exposed_ports", "volumes", "stop_signal")


def show(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version, reference or digest.", show_default=False)],
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show an image: inputs and why it was made, parents, layers with owners, own packages, configuration, labels.

    An image that is not in the store is read from the registry, layer by layer; what it was made of is shown where its
    statement verifies. `ropewalk packages` lists every package.
    """
    session: Session = context.obj
    sight = look(session, image, registry)
    facts = _facts(session, sight)
    if output is Format.JSON:
        print_json(facts)
        return
    _print(facts)


def _facts(session: Session, sight: Sight) -> dict[str, Any]:
    image, record = sight.image, sight.record
    packages = sight.packages(session)
    own = [package for package in packages if record is not None and package.owner == record.name]
    facts: dict[str, Any] = {
        "reference": sight.name,
        "digest": image.digest,
        "platform": str(image.platform),
        "size": image.size,
    }
    facts |= _recorded(session, record) if record is not None else {}
    facts |= {
        "packages": len(packages),
        "own_packages": len(own),
        "package_list": [_package(package) for package in packages],
        "layers": _layers(sight, packages),
        "config": {name: getattr(image.config, name) for name in _CONFIG},
        "env": dict(image.config.env),
        "labels": dict(image.config.labels),
        "annotations": dict(image.annotations),
        **_apt(session, image),
    }
    return facts


def _apt(session: Session, image: "Image") -> dict[str, list[str]]:
    """Read which archives an image names to apt and what dpkg leaves out of it; empty where its layers are not here."""
    from ropewalk.archive.upstream import parse_sources
    from ropewalk.build.aptfiles import ARCHIVES, SOURCES, STRIP

    store = session.store()
    found = store.read_files(image.layers, (SOURCES, ARCHIVES, STRIP)) if store.is_whole(image) else {}
    named = [one for path in (SOURCES, ARCHIVES) for one in parse_sources(found.get(path, b"").decode(), path)]
    rules = [line.partition("=") for line in found.get(STRIP, b"").decode().splitlines()]
    return {
        "sources": [" ".join((one.uri, one.suite, *one.components)) for one in named],
        "stripped": [glob for name, _, glob in rules if name == "path-exclude"],
    }


def _recorded(session: Session, record: "BuildRecord") -> dict[str, Any]:
    book = session.book()
    published, proof, lock = book.published(record.digest), book.proof(record.digest), record.lock
    withdrawn = book.withdrawn(record.digest)
    return {
        "name": record.name,
        "generation": record.generation,
        "how": record.how,
        "why": list(record.reasons),
        "made": when(record.made),
        "view": record.view,
        "epoch": record.epoch,
        "recipe": record.recipe_digest,
        "commit": _commit(record.commit) if record.commit else None,
        "tested": record.tested,
        "published": f"{when(published.at)}, {published.registry}" if published else None,
        "proven": (f"{'equal' if proof.equal else 'differs'}, {when(proof.at)}") if proof else None,
        "withdrawn": f"{when(withdrawn.at)}: {withdrawn.reason}; {withdrawn.by} takes its place" if withdrawn else None,
        "lock": {"view": lock.view, "debs": [asdict(deb) for deb in lock.debs]} if lock else None,
        "unpinned": list(lock.unpinned) if lock else [],
        "parents": [{"reference": p.reference, "digest": p.digest, "role": p.role} for p in record.parents],
        "rebased_from": record.rebased_from or None,
    }


def _commit(commit: "Commit") -> str:
    return f"{commit.id}, with changes that were not committed" if commit.dirty else commit.id


def _package(package: "InstalledPackage") -> dict[str, str]:
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "source": package.source,
        "owner": package.owner,
    }


def _layers(sight: Sight, packages: "Sequence[InstalledPackage]") -> list[dict[str, Any]]:
    return [
        {
            "diff_id": layer.diff_id,
            "digest": layer.blob.digest,
            "size": layer.blob.size,
            "owner": owned.owner,
            "kind": owned.kind,
            "packages": sum(package.diff_id == layer.diff_id for package in packages),
        }
        for layer, owned in zip(sight.image.layers, sight.layers, strict=True)
    ]


def _print(facts: dict[str, Any]) -> None:
    told = {**facts, "size": human_size(facts["size"]), "why": "; ".join(facts.get("why", ())) or "not known"}
    for name in (*_FIRST, *(name for name in _RECORDED if name in facts)):
        _line(name, "no" if told[name] in (None, False) else told[name])
    _line("packages", f"{facts['packages']}, {facts['own_packages']} of its own")
    if lock := facts.get("lock"):
        _line("lock", f"{len(lock['debs'])} .debs of view {lock['view']}")
    for reason in facts.get("unpinned", ()):
        _line("not pinned", f"{reason}; so no rebuild can prove the image")
    for parent in facts.get("parents", ()):
        _line("parent", f"{parent['reference']} ({parent['role']}) {parent['digest']}")
    _print_config(facts)
    _print_layers(facts)
    _print_own(facts)


def _line(name: str, value: object) -> None:
    print_line(f"{name:<14}{value}")


def _print_config(facts: dict[str, Any]) -> None:
    for name, value in facts["config"].items():
        if value:
            _line(name, value if isinstance(value, str) else " ".join(value))
    for title in ("sources", "stripped"):
        for value in facts[title]:
            _line(title.removesuffix("s"), value)
    for title in ("env", "labels", "annotations"):
        for name, value in facts[title].items():
            _line(title.removesuffix("s"), f"{name}={value}")


def _print_layers(facts: dict[str, Any]) -> None:
    print_line("")
    print_table(
        ("layer", "size", "owner", "kind", "packages"),
        ((x["diff_id"][7:19], human_size(x["size"]), x["owner"], x["kind"], x["packages"]) for x in facts["layers"]),
        right=("size", "packages"),
    )


def _print_own(facts: dict[str, Any]) -> None:
    own = [one for one in facts["package_list"] if one["owner"] == facts.get("name")]
    if own:
        print_line("")
        print_table(("own package", "version"), ((one["name"], one["version"]) for one in own))
