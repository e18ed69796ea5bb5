"""``ropewalk verify``: is an image in the registry signed and attested by us?"""

from dataclasses import replace
from typing import Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import RegistryOption, Session
from ropewalk.errors import Exit, InputError


def verify(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version or digest of the store.", show_default=False)],
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Check signature, provenance and version tag that the registry holds for an image, with our public keys.

    Exits with 7 where it is not one of ours.
    """
    from ropewalk.trust import public, verify_image

    session: Session = context.obj
    _, record = session.find(image)
    with session.client(offline=False, registry=registry) as client:
        if client is None:
            raise InputError(
                "no registry is known", where="verify", hint="run `ropewalk registry up` or give --registry URL"
            )
        verdict = verify_image(client, record.repository, record.digest, public(session.settings.keys))
        tagged = client.digest_of(record.repository.partition("/")[2], record.tag)
    if verdict.ok and tagged != record.digest:
        reason = "its tag is not in the registry" if tagged is None else f"the registry's tag stands on {tagged}"
        verdict = replace(verdict, ok=False, reason=reason)
    if output is Format.JSON:
        print_json(
            {
                "reference": record.reference,
                "digest": record.digest,
                "ok": verdict.ok,
                "generation": verdict.generation,
                "reason": verdict.reason,
                "proven": verdict.proven,
            }
        )
    else:
        print_line(
            f"{record.reference}: {'ok' if verdict.ok else 'refused'}: {verdict.reason}{'; a full rebuild gave the same' if verdict.proven else ''}"
        )
    if not verdict.ok:
        raise typer.Exit(Exit.REFUSED)
