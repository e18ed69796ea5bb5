"""``ropewalk images``: the images of the store."""

from typing import Annotated, Any

import typer

from ropewalk.cli.output import Format, FormatOption, human_size, print_json, print_table
from ropewalk.cli.session import Session


def describe(session: Session) -> list[dict[str, Any]]:
    """Return every image of the store with its layers and their owners, by line and build."""
    store = session.store()
    rows = []
    for record in session.book():
        image = store.load(record.digest)
        if image is None:
            continue
        owners = {layer.diff_id: layer.owner for layer in record.layers}
        layers = [
            {
                "diff_id": layer.diff_id,
                "digest": layer.blob.digest,
                "size": layer.blob.size,
                "owner": owners[layer.diff_id],
            }
            for layer in image.layers
        ]
        rows.append(
            {
                "name": record.name,
                "version": record.tag,
                "reference": record.reference,
                "digest": record.digest,
                "platform": record.platform,
                "generation": record.generation,
                "size": image.size,
                "layers": layers,
            }
        )
    return rows


def images(
    context: typer.Context,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Older builds too, not only each repository's current image.")
    ] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the images that this state directory built."""
    session: Session = context.obj
    rows = describe(session)
    current = {record.digest for record in session.current().values()}
    if not every:
        rows = [row for row in rows if row["digest"] in current]
    if output is Format.JSON:
        print_json({"images": rows})
        return
    book = session.book()
    print_table(
        ("image", "generation", "layers", "size", "digest", "published"),
        (
            (
                row["reference"],
                row["generation"],
                len(row["layers"]),
                human_size(row["size"]),
                row["digest"][7:19],
                "yes" if book.published(row["digest"]) else "no",
            )
            for row in rows
        ),
        right=("layers", "size"),
    )
