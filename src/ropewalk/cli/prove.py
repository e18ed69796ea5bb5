"""``ropewalk prove``: does a full rebuild give the same image? What was rebased wrongly is withdrawn."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.build import enter
from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.publish import parents_first, publisher
from ropewalk.cli.session import OfflineOption, RegistryOption, Session
from ropewalk.errors import Exit, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ropewalk.build import Workshop
    from ropewalk.oci import RegistryClient
    from ropewalk.publish import Desk, Outcome
    from ropewalk.recipe import BuildRecord, Recipe, Withdrawn
    from ropewalk.refresh import Judgement


def prove(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE] [DIR]...",
            help="A name, name:version or digest; then directories with recipes (those of the last build by default). No IMAGE with --campaign.",
            show_default=False,
        ),
    ] = None,
    *,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="ID", help="Every image that this refresh rebased.")
    ] = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Rebuild in full on the same view, parents and lock, and compare path by path: type, mode, owner, content.

    Where a rebased image is equal, a signed proof joins its provenance in the registry. Where it differs, it is withdrawn:
    the rebuilt image is tested and published as the line's next -rN, and the old one's signatures are taken away. What was
    built in full is only compared. Exits with 1 where something differs or could not be proven.
    """
    session: Session = context.obj
    image, directories = _sort(words or [], campaign)
    recipes = session.recipes(directories)
    with ExitStack() as stack:
        client = stack.enter_context(session.client(offline=offline, registry=registry))
        shop = stack.enter_context(session.workshop())
        room = _Room(session, shop, recipes, client, registry)
        room.settle()
        records = _of_campaign(session, campaign) if campaign else [session.find(image)[1]]
        judged = [room.judge(record) for record in records]
    _print(judged, output, single=campaign is None)
    if any(not _is_well(one) for one in judged):
        raise typer.Exit(Exit.FAILED)


def _sort(words: list[str], campaign: str | None) -> tuple[str, list[Path]]:
    """Tell the image from the directories."""
    if campaign is None and not words:
        raise typer.BadParameter("name an image, or a campaign with --campaign")
    image, rest = ("", words) if campaign else (words[0], words[1:])
    return image, [Path(word) for word in rest]


def _of_campaign(session: Session, identifier: str) -> "list[BuildRecord]":
    """Return what a campaign rebased, parents first; what was withdrawn meanwhile is left out."""
    from ropewalk.refresh import CampaignBook, Way

    book = session.book()
    rows = CampaignBook(session.settings.campaigns).load(identifier).rows
    found = [book.load(row.digest) for row in rows if row.done and row.how is Way.REBASED]
    known = [(record, book.withdrawn(record.digest)) for record in found if record is not None]
    return parents_first([record for record, why in known if why is None or not why.told])


@dataclass(frozen=True, slots=True)
class _Room:
    """What images are judged with."""

    session: Session
    shop: "Workshop"
    recipes: "tuple[Recipe, ...]"
    client: "RegistryClient | None"
    registry: str | None

    def judge(self, record: "BuildRecord") -> "Judgement":
        """Rebuild one image, and tell the registry what that says."""
        from ropewalk.plan import next_build
        from ropewalk.refresh import Verdict, judge

        recipe = next((one for one in self.recipes if one.repository == record.repository), None)
        if recipe is None:
            raise InputError("its recipe is not here", where=record.reference, hint="name the directory that holds it")

        def following() -> int:
            # Of an image that was published, the registry knows which numbers others gave meanwhile.
            observed = self.session.observe(self.recipes, self.client)
            return next_build(record.repository, record.version, observed)

        judgement = judge(self.shop, record, recipe, self.session.view(record.view), following)
        if judgement.verdict is Verdict.EQUAL:
            self._confirm(record)
        if judgement.replacement is not None:
            enter(self.session, judgement.replacement)
        self.settle()
        return judgement

    def settle(self) -> None:
        """Publish what takes the place of withdrawn images, and withdraw these in the registry."""
        from ropewalk.refresh import unsettled

        left = unsettled(self.shop.book)
        published = [(record, why) for record, why in left if self.shop.book.published(record.digest) is not None]
        for record, why in left:
            if (record, why) not in published:
                self.shop.book.mark_withdrawn(record.digest, replace(why, told=True))
        if published and self.client is not None:
            with publisher(self.session, self.registry) as send:
                for record, why in published:
                    self._withdraw(record, why, send)

    def _withdraw(self, record: "BuildRecord", why: "Withdrawn", send: "Callable[[BuildRecord], Outcome]") -> None:
        """Publish what takes an image's place first: a node that pulls meanwhile finds one of them."""
        from ropewalk.publish import withdraw

        builds = self.shop.book.builds(record.repository, record.version)
        taken = next((one for one in builds if one.reference == why.by), None)
        if taken is None:
            return  # stopped between the two: the next proof of the image makes it again
        send(taken)
        withdraw(record, why, self._desk(record))
        self.shop.book.mark_withdrawn(record.digest, replace(why, told=True))

    def _confirm(self, record: "BuildRecord") -> None:
        from ropewalk.publish import confirm
        from ropewalk.recipe import How

        proof = self.shop.book.proof(record.digest)
        sent = self.shop.book.published(record.digest) is not None
        if self.client is not None and sent and proof is not None and record.how is How.REBASED:
            confirm(record, proof, self._desk(record))

    def _desk(self, record: "BuildRecord") -> "Desk":
        from ropewalk.publish import Desk
        from ropewalk.trust import load

        if self.client is None:
            raise InputError("no registry is known", where=record.reference, hint="give --registry URL")
        settings = self.session.settings
        keys = load(settings.keys, record.generation)
        return Desk(self.client, keys, settings.registry / "lookaside", self.session.listener)


def _is_well(judgement: "Judgement") -> bool:
    from ropewalk.refresh import Verdict

    return judgement.verdict is Verdict.EQUAL


def _print(judged: "list[Judgement]", output: Format, *, single: bool) -> None:
    if output is Format.JSON:
        rows = [_json(one) for one in judged]
        print_json(rows[0] if single else {"images": rows})
        return
    for judgement in judged:
        _tell(judgement)
    if not single:
        equal = sum(map(_is_well, judged))
        print_line(f"{equal} of {len(judged)} rebased images equal a full rebuild")


def _json(one: "Judgement") -> dict[str, object]:
    proof, taken = one.proof, one.replacement
    return {
        "reference": one.record.reference,
        "digest": one.record.digest,
        "verdict": one.verdict,
        "equal": one.verdict == "equal",
        "differences": list(proof.differences) if proof else [],
        "blame": one.blame or None,
        "replaced_by": {"reference": taken.reference, "digest": taken.digest} if taken else None,
        "unpinned": list(one.unpinned),
        "seconds": round(proof.seconds, 2) if proof else 0.0,
        "error": str(one.error) if one.error else None,
        "hint": one.error.hint if one.error else None,
    }


def _tell(one: "Judgement") -> None:
    reference, proof = one.record.reference, one.proof
    if one.error is not None:
        print_line(f"{reference}: not proven: {one.error.message}; {one.error.hint}", "red")
        return
    differences = proof.differences if proof else ()
    seconds = proof.seconds if proof else 0.0
    said = "equal to a full rebuild" if _is_well(one) else f"{len(differences)} paths differ"
    print_line(f"{reference}: {said}, {seconds:.1f} s")
    for difference in differences:
        print_line(f"  {difference}")
    if one.replacement is not None:
        print_line(f"  withdrawn ({one.blame}); {one.replacement.reference} takes its place", "yellow")
        print_line("  run `ropewalk refresh` for what stands on it", "yellow")
    for reason in one.unpinned:
        what = "cannot be proven" if one.verdict == "cannot be proven" else "not pinned, so another day may differ"
        print_line(f"  {what}: {reason}", "yellow")
