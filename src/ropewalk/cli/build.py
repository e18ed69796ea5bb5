"""``ropewalk build``: make what the plan says."""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.dockerpkg import (
    CacheOption,
    NightlyOption,
    NoPullOption,
    PublishOption,
    Sent,
    SnapshotOption,
    check_sending,
    print_sent,
    refuse_pull,
    send_all,
    sending,
    sent_json,
    version_suffix,
)
from ropewalk.cli.lock import LockedOption, build_inputs, locks_of
from ropewalk.cli.output import Format, FormatOption, count, err, print_json, print_line, print_table, printable
from ropewalk.cli.plan import ForceOption, SelectOption, make_plan
from ropewalk.cli.session import DirectoriesArgument, NetworkOption, OfflineOption, RegistryOption, Session, ViewOption
from ropewalk.errors import Exit
from ropewalk.events import Event, EventKind, step

if TYPE_CHECKING:
    from ropewalk.build import Outcome
    from ropewalk.oci import RegistryClient, Store
    from ropewalk.plan import Plan
    from ropewalk.recipe import BuildRecord


JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Images at once; by default one a processor, and one for each 2 GiB of memory."
    ),
]


RenewOption = Annotated[
    bool, typer.Option("--refresh", help="Rebuild what the plan calls `refresh` too, as the line's next -rN.")
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="After a failure go on with what does not need the failed image.")
]


def default_jobs() -> int:
    """Return how many images are built at once where nobody says."""
    from ropewalk.build import jobs, memory

    return jobs(len(os.sched_getaffinity(0)), memory())


def build(
    context: typer.Context,
    directories: DirectoriesArgument = None,
    *,
    select: SelectOption = None,
    force: ForceOption = None,
    renew: RenewOption = False,
    keep_going: KeepGoingOption = False,
    jobs: JobsOption = None,
    nightly: NightlyOption = False,
    snapshot: SnapshotOption = False,
    _use_cache: CacheOption = False,
    no_pull: NoPullOption = False,
    publish: PublishOption = None,
    view: ViewOption = None,
    locked: LockedOption = False,
    network: NetworkOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Build and test every recipe that needs it, in dependency order, and take the inventory of what was built.

    Images go into the local store. With username and password in the config, or with --publish, what was built and what
    waits to be published is signed and sent; otherwise `ropewalk publish` sends it. After a failure nothing new is
    started, what runs is finished; with --keep-going only what needs the failed image is left out. Each image has a log
    of its own, which the message of a failure names. With --locked, images that were not made from their locks are built
    again too. Exits with 1 where a build or a test failed, with 7 where the plan refuses a recipe, or a lock cannot be
    built from.
    """
    from ropewalk.build import run_plan
    from ropewalk.plan import Action

    session: Session = context.obj
    send = sending(session, publish, offline=offline)
    suffix = version_suffix(session.now(), nightly=nightly, snapshot=snapshot)
    wanted = (Action.BUILD, Action.REFRESH) if renew else (Action.BUILD,)
    with session.client(offline=offline, registry=registry) as client:
        recipes = session.recipes(directories, suffix=suffix, client=client)
        used, out = build_inputs(session, recipes, view, locked=locked, renew=renew)
        chosen, forced = tuple(select or ()), (*(force or ()), *out)
        made = make_plan(session, recipes, client, view=used.id if used else None, select=chosen, force=forced)
        check_sending(session, registry, send, made.of(*wanted, Action.PUBLISH))
        refuse_pull(made.of(*wanted) if no_pull else ())
        if client is not None:
            fetch(session, client, {record for entry in made.of(*wanted) for record in entry.fetch})
    outcomes: tuple[Outcome, ...] = ()
    if made.of(*wanted):
        given = used or locks_of(session, [entry.recipe for entry in made.of(*wanted)])
        with session.workshop(network) as shop:
            done, at_once = entering(session, shop.store), jobs or default_jobs()
            outcomes = run_plan(shop, made, wanted, given, jobs=at_once, keep_going=keep_going, finished=done)
    if is_remembered(made, outcomes):
        session.remember(directories)
    sent = send_all(session, registry, send, _ready(made, outcomes))
    if output is Format.JSON:
        rows = [outcome_row(one) for one in outcomes]
        print_json({"view": used.id if used else None, "images": rows, "publishing": sent_json(sent)})
    _end(session, made, outcomes, sent, shown=output is Format.TEXT)


def is_remembered(made: "Plan", outcomes: "tuple[Outcome, ...]") -> bool:
    """Say whether a build's tree becomes the last one: it made an image, or nothing of it failed or was refused.

    Later commands that name no directory work on that tree, and its locks are what the pool keeps .debs for.

    Args:
        made: The plan that was built.
        outcomes: Of the recipes that were tried.
    """
    from ropewalk.plan import Action

    well = not made.of(Action.REFUSED) and not any(outcome.error for outcome in outcomes)
    return well or any(outcome.record for outcome in outcomes)


def _ready(made: "Plan", outcomes: "tuple[Outcome, ...]") -> "Iterator[BuildRecord]":
    """Go through what can be published: what waited for it, and what was built now."""
    from ropewalk.plan import Action

    records = [entry.current for entry in made.of(Action.PUBLISH)] + [outcome.record for outcome in outcomes]
    return (record for record in records if record is not None)


def _end(session: Session, made: "Plan", outcomes: "tuple[Outcome, ...]", sent: Sent, *, shown: bool) -> None:
    """Say what was made, where that is to be shown, and what failed; let the exit code tell, the worst first."""
    from ropewalk.plan import Action

    refused = made.of(Action.REFUSED)
    if shown:
        print_outcomes(outcomes, len(made.entries) - len(refused))
        print_sent(sent)
    tell_failures(outcomes)
    for entry in refused:
        told = f"{', '.join(entry.reasons)}; {entry.hint}"
        session.listener(Event(EventKind.WARNING, entry.recipe.reference, "refused", told))
    if sent.error is not None:
        raise sent.error
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(Exit.FAILED)
    if refused:
        raise typer.Exit(Exit.REFUSED)


def fetch(session: Session, client: "RegistryClient", records: "set[BuildRecord]") -> None:
    """Fetch parents that only the registry has, and keep their records, which verified attestations gave.

    Args:
        session: The run.
        client: The registry.
        records: The images.
    """
    from ropewalk.publish import fetch_image

    for record in sorted(records, key=lambda record: record.reference):
        with step(session.listener, record.reference, "fetch"):
            path = record.repository.partition("/")[2]
            fetch_image(client, path, record.digest, session.store())
            session.store().tag(record.reference, record.digest)
            session.book().save(record)
            enter(session, record)


def enter(session: Session, record: "BuildRecord") -> None:
    """Take an image into the inventory.

    Args:
        session: The run.
        record: Its build record; the image is in the store.
    """
    entering(session, session.store())(record)


def entering(session: Session, store: "Store") -> "Callable[[BuildRecord], object]":
    """Return what takes images into the inventory, one after the other; layers that they share are read once.

    Args:
        session: The run.
        store: Where the images are.
    """
    from ropewalk.inventory import PackageReader, ingest_image

    engine, reader = session.engine(), PackageReader(store)
    return lambda record: ingest_image(engine, store, record, reader)


def outcome_row(outcome: "Outcome") -> dict[str, object]:
    """Return what became of a recipe as JSON-ready values."""
    record = outcome.record
    return {
        "name": outcome.recipe.path,
        "reference": record.reference if record else outcome.recipe.reference,
        "digest": record.digest if record else None,
        "tested": record.tested if record else False,
        "seconds": round(outcome.seconds, 2),
        "error": str(outcome.error) if outcome.error else None,
        "hint": outcome.error.hint if outcome.error else None,
        "log": str(outcome.log) if outcome.log else None,
    }


def print_outcomes(outcomes: "tuple[Outcome, ...]", recipes: int) -> None:
    """Print what became of each recipe.

    Args:
        outcomes: Of those that were tried.
        recipes: How many recipes there are.
    """
    if not outcomes:
        print_line(f"nothing to do: {count(recipes, 'recipe')} {'is' if recipes == 1 else 'are'} current")
        return
    rows = (
        (
            outcome.record.reference if outcome.record else outcome.recipe.reference,
            "built" if outcome.record else "failed",
            f"{outcome.seconds:.1f}",
            outcome.record.digest[7:19] if outcome.record else outcome.error.message if outcome.error else "",
        )
        for outcome in outcomes
    )
    print_table(("image", "result", "seconds", "digest or error"), rows, right=("seconds",))


def tell_failures(outcomes: "tuple[Outcome, ...]") -> None:
    """Say on standard error what failed, how its log ends, and where the log is.

    Args:
        outcomes: Of the recipes that were tried.
    """
    for outcome in outcomes:
        if outcome.error is None:
            continue
        reference, error = outcome.recipe.reference, outcome.error
        said = error.message if error.where == reference else str(error)
        err().print(f"{reference}: {said}", style="red", markup=False)
        for line in outcome.tail:
            err().print(f"  | {printable(line)}", markup=False)
        err().print(f"{reference}: {error.hint}", style="yellow", markup=False)
        if outcome.tail and str(outcome.log) not in error.hint:
            err().print(f"{reference}: its log is {outcome.log}", style="yellow", markup=False)
