"""``ropewalk show``: one image: what it is, what it was made of, what is in it."""

from typing import Annotated, Any

import typer

from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_line, print_table
from ropewalk.cli.session import Session, when


def show(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version or digest.", show_default=False)],
    output: FormatOption = Format.TEXT,
) -> None:
    """Show an image: inputs, parents, layers with owners, packages, whether it is published and proven."""
    session: Session = context.obj
    facts = _facts(session, image)
    if output is Format.JSON:
        print_json(facts)
        return
    for name in ("reference", "digest", "platform", "generation", "how", "made", "view", "epoch", "recipe", "tested"):
        print_line(f"{name:<11}{facts[name]}")
    print_line(f"{'published':<11}{facts['published'] or 'no'}")
    print_line(f"{'proven':<11}{facts['proven'] or 'no'}")
    print_line(f"{'packages':<11}{facts['packages']}, {facts['own_packages']} of its own")
    for parent in facts["parents"]:
        print_line(f"{'parent':<11}{parent['reference']} ({parent['role']}) {parent['digest']}")
    print_line("")
    print_table(
        ("layer", "size", "owner", "kind"),
        ((x["diff_id"][7:19], human_size(x["size"]), x["owner"], x["kind"]) for x in facts["layers"]),
        right=("size",),
    )


def _facts(session: Session, wanted: str) -> dict[str, Any]:
    from ropewalk.inventory import packages

    image, record = session.find(wanted)
    book = session.book()
    published, proof = book.published(record.digest), book.proof(record.digest)
    rows = packages(session.engine(), record.digest)
    sizes = {layer.diff_id: layer.blob.size for layer in image.layers}
    return {
        "reference": record.reference,
        "digest": record.digest,
        "platform": record.platform,
        "generation": record.generation,
        "how": record.how,
        "made": when(record.made),
        "view": record.view,
        "epoch": record.epoch,
        "recipe": record.recipe_digest,
        "tested": record.tested,
        "published": f"{when(published.at)}, {published.registry}" if published else None,
        "proven": (f"{'equal' if proof.equal else 'differs'}, {when(proof.at)}") if proof else None,
        "packages": len(rows),
        "own_packages": sum(row.owner == record.name for row in rows),
        "parents": [{"reference": p.reference, "digest": p.digest, "role": p.role} for p in record.parents],
        "layers": [
            {"diff_id": x.diff_id, "size": sizes[x.diff_id], "owner": x.owner, "kind": x.kind} for x in record.layers
        ],
    }
