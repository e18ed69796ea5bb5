"""docker-pkg's options of ``build``: nightly versions, what they pull and cache, and whether what was built is sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import human_size, print_line
from ropewalk.cli.publish import parents_first, publisher
from ropewalk.cli.session import Session
from ropewalk.errors import InputError, RopewalkError

if TYPE_CHECKING:
    from ropewalk.plan import PlanEntry
    from ropewalk.publish import Outcome
    from ropewalk.recipe import BuildRecord

NightlyOption = Annotated[bool, typer.Option("--nightly", help="Append -YYYYMMDD (UTC) to every version.")]
SnapshotOption = Annotated[bool, typer.Option("--snapshot", help="Append -YYYYMMDD-HHMMSS (UTC) to every version.")]
CacheOption = Annotated[
    bool,
    typer.Option(
        "--use-cache",
        help="Accepted as docker-pkg's: there is no cache of instructions; what is current is not built at all.",
    ),
]
NoPullOption = Annotated[
    bool, typer.Option("--no-pull", help="Fetch no parent from the registry; one that is not here is an error.")
]
PublishOption = Annotated[
    bool | None,
    typer.Option(
        "--publish/--no-publish",
        help="Send what was built and what waits to be published; by default if the config has username and password.",
        show_default=False,
    ),
]


def version_suffix(now: int, *, nightly: bool, snapshot: bool) -> str:
    """Return what ends every version.

    Args:
        now: Seconds since 1970.
        nightly: The day.
        snapshot: Day and time.

    Raises:
        typer.BadParameter: Both are asked for.
    """
    if nightly and snapshot:
        raise typer.BadParameter("--nightly and --snapshot exclude each other")
    if not nightly and not snapshot:
        return ""
    return datetime.fromtimestamp(now, UTC).strftime("-%Y%m%d-%H%M%S" if snapshot else "-%Y%m%d")


def refuse_pull(entries: "Iterable[PlanEntry]") -> None:
    """Refuse work that needs an image which only the registry has.

    Raises:
        InputError: Some does; names the first.
    """
    for entry in entries:
        for record in entry.fetch:
            hint = "leave --no-pull out, or build that image here"
            raise InputError(f"needs {record.reference}, which is not here", where=entry.recipe.reference, hint=hint)


@dataclass(frozen=True, slots=True)
class Sending:
    """Whether a build publishes.

    Attributes:
        wanted: It does.
        why: Why, in a few words.
        asked: The config's credentials or an option ask for it: then people are told what came of it.
    """

    wanted: bool
    why: str
    asked: bool = True


def sending(session: Session, publish: bool | None, *, offline: bool) -> Sending:  # noqa: FBT001  # None: as the config says
    """Decide as docker-pkg does: who gives credentials wants images published.

    Args:
        session: The run.
        publish: ``--publish`` or ``--no-publish``; None where neither was given.
        offline: ``--offline``.

    Raises:
        typer.BadParameter: Publishing was asked for without a registry.
    """
    login = session.credentials() is not None
    if publish is False:
        return Sending(wanted=False, why="--no-publish", asked=login)
    if offline:
        if publish:
            raise typer.BadParameter("--publish needs the registry, which --offline does without")
        return Sending(wanted=False, why="--offline", asked=login)
    if publish:
        return Sending(wanted=True, why="--publish")
    if login:
        return Sending(wanted=True, why="the config has username and password; --no-publish keeps images here")
    why = "the config has no username and password; --publish or `ropewalk publish` sends"
    return Sending(wanted=False, why=why, asked=False)


def check_sending(session: Session, registry: str | None, plan: Sending, entries: "Iterable[PlanEntry]") -> None:
    """Find out before anything is built what would stop the publishing after it: no registry, no keys.

    Args:
        session: The run.
        registry: ``--registry``.
        plan: Whether anything is sent at all.
        entries: What will be sent.

    Raises:
        InputError: A generation has no keys, or no registry is known.
    """
    from ropewalk.trust import load

    if not plan.wanted:
        return
    for generation in sorted({entry.recipe.generation for entry in entries}):
        load(session.settings.keys, generation)
    with publisher(session, registry):
        pass


@dataclass(frozen=True, slots=True)
class Sent:
    """What a build published.

    Attributes:
        plan: Whether it was to publish.
        outcomes: What was sent.
        error: What stopped it; None where nothing did.
    """

    plan: Sending
    outcomes: "tuple[Outcome, ...]" = ()
    error: RopewalkError | None = None


def send_all(session: Session, registry: str | None, plan: Sending, records: "Iterable[BuildRecord]") -> Sent:
    """Publish images, parents first, until one fails.

    Args:
        session: The run.
        registry: ``--registry``.
        plan: Whether anything is sent at all.
        records: The images.
    """
    chosen = list({record.digest: record for record in records}.values())
    done: list[Outcome] = []
    if not plan.wanted:
        return Sent(plan)
    try:
        with publisher(session, registry) as send:
            done.extend(send(record) for record in parents_first(chosen))
    except RopewalkError as error:
        return Sent(plan, tuple(done), error)
    return Sent(plan, tuple(done))


def print_sent(sent: Sent) -> None:
    """Say what was published, or why nothing was; nothing where nobody asked for it."""
    if not sent.plan.wanted:
        if sent.plan.asked:
            print_line(f"not published: {sent.plan.why}")
        return
    for outcome in sent.outcomes:
        print_line(f"published  {outcome.reference}  {outcome.digest[7:19]}  {human_size(outcome.bytes)} sent")
    print_line(f"{len(sent.outcomes)} published: {sent.plan.why}")


def sent_json(sent: Sent) -> dict[str, object]:
    """Return the same for scripts."""
    fields = ("reference", "digest", "writes", "bytes")
    rows = [{field: getattr(outcome, field) for field in fields} for outcome in sent.outcomes]
    error = str(sent.error) if sent.error else None
    return {"wanted": sent.plan.wanted, "why": sent.plan.why, "images": rows, "error": error}
