"""``ropewalk reproduce``: does an image come out again from its provenance alone?"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.cli.build import JobsOption, default_jobs
from ropewalk.cli.output import Format, FormatOption, count, print_json, print_line
from ropewalk.cli.session import OfflineOption, RegistryOption, Session
from ropewalk.errors import Exit, InputError, RopewalkError, TrustError

if TYPE_CHECKING:
    from ropewalk.oci import Image, RegistryClient, Store
    from ropewalk.recipe import BuildRecord, Recipe
    from ropewalk.refresh import Checkouts, Claim, Difference, Reproduction

_NAME = "reproduce"
"""Of the fresh state directory, below the present one."""


class NotAttested(TrustError):
    """An image of the registry has no provenance that can be believed."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An image to rebuild, and the store that has it."""

    image: "Image"
    record: "BuildRecord"
    store: "Store"


def reproduce(
    context: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="A name, name:version, reference or digest.", show_default=False),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="The current image of every line in the store.")] = False,
    git: Annotated[
        list[Path] | None,
        typer.Option(
            "--git",
            metavar="DIR",
            help="Clone in which recipes' commits are; that of config and last build by default.",
        ),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave what was rebuilt here, as a state directory.")
    ] = None,
    jobs: JobsOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Rebuild images from their provenance alone, in a fresh state directory, and say where and why they differ.

    The recipe is read from the git commit that the provenance names (its digest must agree), the archive view and the
    parents are those that it names; nothing else of this state directory is used. An image that is not in the store is
    looked for in the registry, where its attestation must verify. Equal means: the same layers, uncompressed; of a rebased
    image: what containers see. Where diffoscope is installed, it tells of differing files.

    Exits with 1 where an image differs or cannot be rebuilt.
    """
    from ropewalk.build import move_out, open_fresh, refuse_full
    from ropewalk.oci import Store
    from ropewalk.refresh import Checkouts, Sources
    from ropewalk.refresh import reproduce as rebuild

    if every == bool(images):
        raise typer.BadParameter("name images, or give --all")
    if keep is not None:
        refuse_full(keep)
    _refuse_no_clone(git or ())
    session: Session = context.obj
    with (
        session.client(offline=offline, registry=registry) as client,
        open_fresh(session.settings, session.upstream(), session.listener, _NAME, isolated=session.isolated()) as shop,
    ):
        fetched = Store(shop.settings.state / "fetched")
        checkouts = Checkouts(tuple(git or session.repositories()), _here(session), shop.scratch("recipes"))
        found = _current(session) if every else tuple(_find(session, one, client, fetched) for one in images or ())
        claims, failed = _claims(session, found, checkouts)
        sources = Sources((session.store(), fetched), client)
        answers = (*failed, *rebuild(shop, claims, sources, jobs=jobs or default_jobs()))
        if keep is not None:
            move_out(shop.settings, keep)
    _tell(answers, output)


def _tell(answers: "Sequence[Reproduction]", output: Format) -> None:
    """Print the answers; the exit code is that of the only image's error, else says whether all are equal."""
    equal = sum(answer.equal for answer in answers)
    if len(answers) == 1 and answers[0].error is not None:
        raise answers[0].error
    if output is Format.JSON:
        print_json({"images": [_row(answer) for answer in answers], "equal": equal})
    else:
        for answer in answers:
            _print(answer)
        print_line(f"{equal} of {len(answers)} equal")
    if equal < len(answers):
        raise typer.Exit(Exit.FAILED)


def _refuse_no_clone(places: Sequence[Path]) -> None:
    from ropewalk.recipe.revision import is_repository

    for place in places:
        if not is_repository(place):
            hint = "name a clone that has the recipes' commits"
            raise InputError("is no git repository", where=str(place), hint=hint)


def _here(session: Session) -> "tuple[Recipe, ...]":
    """Read the present tree, in case an image's provenance names no commit; one that cannot be read has nothing to say."""
    with suppress(InputError):
        return session.recipes(None)
    return ()


def _current(session: Session) -> tuple[_Found, ...]:
    store = session.store()
    records = sorted(session.current().values(), key=lambda record: record.reference)
    images = ((store.load(record.digest), record) for record in records)
    return tuple(_Found(image, record, store) for image, record in images if image is not None)


def _find(session: Session, wanted: str, client: "RegistryClient | None", fetched: "Store") -> _Found:
    try:
        image, record = session.find(wanted)
    except InputError:
        if client is None or not ("/" in wanted or ":" in wanted):
            raise
        return _from_registry(session, wanted, client, fetched)
    return _Found(image, record, session.store())


def _from_registry(session: Session, wanted: str, client: "RegistryClient", fetched: "Store") -> _Found:
    from ropewalk.oci import parse
    from ropewalk.publish import NoSuchImage, fetch_image
    from ropewalk.trust import public, verify_image

    asked = parse(wanted)
    digest = asked.digest or client.digest_of(asked.repository, asked.tag or "latest")
    if digest is None:
        hint = "`ropewalk images` lists what is here; name it as the registry does"
        raise NoSuchImage("is neither in the store nor in the registry", where=wanted, hint=hint)
    verdict = verify_image(client, asked.name, digest, public(session.settings.keys))
    if verdict.record is None:
        hint = "without provenance that verifies nobody knows what it was made from"
        raise NotAttested(f"cannot be believed: {verdict.reason}", where=wanted, hint=hint)
    return _Found(fetch_image(client, asked.repository, digest, fetched), verdict.record, fetched)


def _claims(
    session: Session, found: "Sequence[_Found]", checkouts: "Checkouts"
) -> "tuple[tuple[Claim, ...], tuple[Reproduction, ...]]":
    """Find recipe and view of each image; where that fails, that is the answer."""
    from ropewalk.refresh import Reproduction

    claims, failed = [], []
    for one in found:
        try:
            claims.append(_claim(session, one, checkouts))
        except RopewalkError as error:
            failed.append(Reproduction(one.record, error=error))
    return tuple(claims), tuple(failed)


def _claim(session: Session, found: _Found, checkouts: "Checkouts") -> "Claim":
    from ropewalk.recipe import How
    from ropewalk.refresh import Claim

    record = found.record
    if record.how is How.ADOPTED:
        message = "was adopted: nothing says what it was made from"
        raise InputError(message, where=record.reference, hint="build it anew with `ropewalk build --force`")
    recipe, source = checkouts.recipe(record)
    return Claim(found.image, record, found.store, recipe, source, session.view(record.view))


def _row(answer: "Reproduction") -> dict[str, Any]:
    return {
        "reference": answer.record.reference,
        "generation": answer.record.generation,
        "digest": answer.record.digest,
        "rebuilt": answer.rebuilt or None,
        "equal": answer.equal,
        "same_layers": answer.same_layers,
        "same_digest": answer.same_digest,
        "how": answer.record.how,
        "recipe": answer.source or None,
        "view": answer.record.view,
        "differences": [_difference(one) for one in answer.differences],
        "seconds": round(answer.seconds, 2),
        "error": str(answer.error) if answer.error else None,
        "hint": answer.error.hint if answer.error else None,
    }


def _difference(one: "Difference") -> dict[str, Any]:
    return {
        "path": one.path,
        "what": one.what,
        "class": one.cause,
        "reason": one.reason,
        "fix": one.fix or None,
        "diffoscope": list(one.report),
    }


def _print(answer: "Reproduction") -> None:
    reference = answer.record.reference
    if answer.error is not None:
        print_line(f"{reference}: no answer: {answer.error}", "red")
        print_line(f"  {answer.error.hint}")
        return
    print_line(f"{reference}: {_verdict(answer)}, {answer.seconds:.1f} s, recipe of {answer.source}")
    for one in answer.differences:
        print_line(f"  {one.path}: {one.what}")
        print_line(f"    {one.cause}: {one.reason}" + (f"; {one.fix}" if one.fix else ""))
        for line in one.report:
            print_line(f"    | {line}")


def _verdict(answer: "Reproduction") -> str:
    if answer.same_digest:
        return "equal, the same digest"
    if answer.equal:
        return "equal layers, compressed otherwise" if answer.same_layers else "equal to a full rebuild path by path"
    return count(len(answer.differences), "difference")
