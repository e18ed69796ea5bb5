"""``ropewalk prune``: remove local images of versions that the tree no longer has."""

from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, human_size, print_json, print_line, print_table
from ropewalk.cli.session import DirectoriesArgument, Session

if TYPE_CHECKING:
    from ropewalk.build import Freed
    from ropewalk.plan import Pruning


def prune(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", metavar="GLOB", help="Old images of these recipes only; matches registry/name:version."
        ),
    ] = None,
    nightly: Annotated[
        str | None,
        typer.Option("--nightly", metavar="ID", help="Keep the nightly or snapshot builds that end in -ID instead."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; otherwise they are only shown.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show, and with --apply remove, local images of the recipes' names other than the current version, children first.

    All builds of a recipe's current version stay, and so does every image that one which stays was built on or with. The
    registry is not touched: what is published stays there.
    """
    from ropewalk.build import prune as remove
    from ropewalk.build import weigh
    from ropewalk.plan import check_globs, to_prune

    session: Session = context.obj
    recipes = session.recipes(directories, suffix=f"-{nightly}" if nightly else "")
    check_globs(recipes, select or (), "--select")
    store, book = session.store(), session.book()
    records = tuple(book)
    here = frozenset(record.digest for record in records if store.has(record.digest))
    chosen = to_prune(recipes, records, here, tuple(select or ()))
    published = {record.digest for record in chosen.remove if book.published(record.digest) is not None}
    if apply:
        found = remove(session.settings, store, book, session.engine(), chosen.remove)
    else:
        found = weigh(store, book, chosen.remove)
    if output is Format.JSON:
        print_json(_json(chosen, found, published, applied=apply))
    else:
        _print(chosen, found, published, applied=apply)


def _json(chosen: "Pruning", found: "tuple[Freed, ...]", published: set[str], *, applied: bool) -> dict[str, object]:
    rows = [
        {
            "reference": one.record.reference,
            "digest": one.record.digest,
            "bytes": one.size,
            "published": one.record.digest in published,
        }
        for one in found
    ]
    kept = [{"reference": old.reference, "needed_by": child.reference} for old, child in chosen.needed]
    return {"applied": applied, "images": rows, "kept": kept, "bytes": sum(one.size for one in found)}


def _print(chosen: "Pruning", found: "tuple[Freed, ...]", published: set[str], *, applied: bool) -> None:
    rows = (
        (
            one.record.reference,
            one.record.digest[7:19],
            human_size(one.size),
            "yes" if one.record.digest in published else "no",
        )
        for one in found
    )
    if found:
        print_table(("image", "digest", "frees", "published"), rows, right=("frees",))
    for old, child in chosen.needed:
        print_line(f"kept  {old.reference}: {child.reference} needs it")
    size = human_size(sum(one.size for one in found))
    done = "removed" if applied else "would be removed; --apply does it"
    print_line(f"{count(len(found), 'image')}, {size} {done}" if found else "nothing to remove")
