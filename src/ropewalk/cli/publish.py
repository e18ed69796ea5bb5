"""``ropewalk publish``: push, sign, attest, tag."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, human_size, print_json, print_line, print_table
from ropewalk.cli.session import RegistryOption, Session
from ropewalk.errors import InputError, NetworkError, RopewalkError

if TYPE_CHECKING:
    from ropewalk.publish import Outcome
    from ropewalk.recipe import BuildRecord


@contextmanager
def publisher(session: Session, registry: str | None) -> "Iterator[Callable[[BuildRecord], Outcome]]":
    """Open the registry and the keys, and give what publishes one image.

    Args:
        session: The run.
        registry: ``--registry``.

    Yields:
        A function that publishes the image of a build record.

    Raises:
        InputError: No registry is known, or an image is not in the store.
    """
    from ropewalk.publish import publish as publish_image
    from ropewalk.trust import load

    store, book = session.store(), session.book()
    distributions = session.distributions()
    with session.client(offline=False, registry=registry) as client:
        if client is None:
            hint = "run `ropewalk registry up`, set ropewalk.endpoint in config.yaml, or give --registry URL"
            raise InputError("no registry is known", where="publish", hint=hint)

        def send(record: "BuildRecord") -> "Outcome":
            image = store.load(record.digest)
            if image is None:
                raise InputError("is not in the store", where=record.reference, hint="build it again")
            return publish_image(
                image,
                record,
                store=store,
                client=client,
                keys=load(session.settings.keys, record.generation),
                lookaside=session.settings.registry / "lookaside",
                book=book,
                latest=True,
                now=session.now(),
                distributions=distributions,
                listener=session.listener,
            )

        yield send


def publish(
    context: typer.Context,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Images; the current one of each repository of the config's registry by default.",
            show_default=False,
        ),
    ] = None,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Push images by digest, sign and attest them, then give them their version tag and `latest`.

    A published version tag never moves. Run again, nothing is sent.
    """
    session: Session = context.obj
    if wanted:
        records = [session.find(name)[1] for name in wanted]
    else:
        name = session.config().registry
        records = [one for one in session.current().values() if one.repository.partition("/")[0] == name]
    done: list[Outcome] = []
    failed: list[tuple[BuildRecord, RopewalkError]] = []
    with publisher(session, registry) as send:
        for record in parents_first(records):
            try:
                done.append(send(record))
            except NetworkError:
                raise
            except RopewalkError as error:
                failed.append((record, error))
    _print(done, failed, output)
    if failed:
        raise typer.Exit(failed[0][1].exit_code)


def _print(done: "list[Outcome]", failed: "list[tuple[BuildRecord, RopewalkError]]", output: Format) -> None:
    if output is Format.JSON:
        fields = ("reference", "digest", "writes", "bytes")
        rows = [{**{field: getattr(one, field) for field in fields}, "error": None} for one in done]
        bad = [
            {"reference": record.reference, "digest": record.digest, "writes": 0, "bytes": 0, "error": str(error)}
            for record, error in failed
        ]
        print_json({"images": [*rows, *bad]})
        return
    print_table(
        ("image", "digest", "writes", "sent"),
        ((one.reference, one.digest[7:19], one.writes, human_size(one.bytes)) for one in done),
        right=("writes", "sent"),
    )
    print_line(f"{len(done)} published, {count(sum(one.writes for one in done), 'write')}")
    for _, error in failed:
        print_line(f"not published: {error}; {error.hint}", "yellow")


def parents_first(records: "list[BuildRecord]") -> "list[BuildRecord]":
    """Order images so that a parent comes before its children: their blobs can then be mounted.

    Args:
        records: Build records, in any order.

    Returns:
        The same records; images with fewer layers first, since a child has its parent's and its own.
    """
    return sorted(records, key=lambda record: len(record.layers))
