"""``ropewalk explain``: the life of an image, and what comes next."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ropewalk.cli.look import look
from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import OfflineOption, RegistryOption, Session, ViewOption, when
from ropewalk.errors import InputError

if TYPE_CHECKING:
    from ropewalk.archive import View
    from ropewalk.recipe import BuildRecord
    from ropewalk.refresh import Moment, Papers, RefreshRow, Update

_STYLES = {"published": "green", "deployed": "green", "patched": "green", "due": "yellow"}
_STYLES |= {"differs": "red", "withdrawn": "red"}


def explain(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A name, name:version, reference or digest.", show_default=False)],
    view: ViewOption = None,
    *,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Tell the life of an image: built, rebased, proven, published, deployed; what is due in it now, and why it waits.

    All builds of its repository are told, the oldest first. It comes from records, proofs, verified statements of the
    registry and the history that `ropewalk watch` and `ropewalk deploy` keep. What is due is what the view has newer, and
    what `ropewalk refresh` would do about it.
    """
    from ropewalk.refresh import History, life

    session: Session = context.obj
    record = _record(session, image, registry)
    papers = _papers(session, record)
    current = max((one.record for one in papers), key=lambda one: (one.made, one.build))
    told = _Told(record, current, life(papers, History(session.settings)))
    coming = _coming(session, current, view, offline=offline, registry=registry)
    if output is Format.JSON:
        print_json({**_facts(told), "coming": _coming_json(coming)})
    else:
        _print(told)
        _print_coming(coming)


@dataclass(frozen=True, slots=True)
class _Told:
    """An image, its repository's current one, and what happened to both."""

    record: "BuildRecord"
    current: "BuildRecord"
    moments: "tuple[Moment, ...]"


@dataclass(frozen=True, slots=True)
class _Coming:
    """What comes next.

    Attributes:
        view: The view that was looked at; empty where there is none.
        updates: The packages that it has newer than the current image.
        row: What a refresh would do; None where the tree is not here.
        why: Why nothing can be said of it; empty otherwise.
        waits: Ids of what waits for approval with it.
    """

    view: str = ""
    updates: "tuple[Update, ...]" = ()
    row: "RefreshRow | None" = None
    why: str = ""
    waits: tuple[str, ...] = ()


def _record(session: Session, image: str, registry: str | None) -> "BuildRecord":
    record = look(session, image, registry).record
    if record is None:
        hint = "`ropewalk verify` says what its signatures are worth, `ropewalk adopt` takes it over"
        raise InputError("nothing that is believed says how it was made", where=image, hint=hint)
    return record


def _papers(session: Session, record: "BuildRecord") -> "list[Papers]":
    """Read what is known of all builds of a repository, those that only a registry has among them."""
    from ropewalk.refresh import Papers

    book = session.book()
    found = {}
    for one in (*book, record):
        if one.repository == record.repository:
            digest = one.digest
            notes = (book.published(digest), book.proof(digest), book.withdrawn(digest), book.seconds(digest))
            found[digest] = Papers(one, *notes)
    for attested in book.attested():
        if attested.record.repository == record.repository:
            papers = found.get(attested.record.digest) or Papers(attested.record)
            found[attested.record.digest] = Papers(
                papers.record, papers.published, papers.proof, papers.withdrawn, papers.seconds, attested.registry
            )
    return list(found.values())


def _coming(
    session: Session, record: "BuildRecord", view: str | None, *, offline: bool, registry: str | None
) -> _Coming:
    from ropewalk.refresh import standing_of
    from ropewalk.refresh.survey import updates_of

    chosen = session.view(view) if view else session.views().newest()
    if chosen is None:
        return _Coming(why="there is no archive view: run `ropewalk archive view`")
    found = updates_of({record.digest: record.view}, chosen, views=session.views(), engine=session.engine())
    waiting = standing_of(session.settings).waiting
    waits = tuple(one.id for one in waiting if any(line.digest == record.digest for line in one.pending))
    try:
        row = _row(session, record, chosen, offline=offline, registry=registry)
        why = "" if row else "no recipe here makes it"
    except InputError as error:
        row, why = None, f"its tree cannot be read: {error}"
    return _Coming(chosen.id, found.get(record.digest, ()), row, why, waits)


def _row(
    session: Session, record: "BuildRecord", view: "View", *, offline: bool, registry: str | None
) -> "RefreshRow | None":
    from ropewalk.refresh import plan_refresh

    with session.client(offline=offline, registry=registry) as client:
        recipes = session.recipes(None)
        observed = session.observe(recipes, client)
        rows = plan_refresh(recipes, view, observed=observed, store=session.store(), views=session.views())
    return next((row for row in rows if row.old == record.reference), None)


def _facts(told: _Told) -> dict[str, Any]:
    return {
        "reference": told.record.reference,
        "digest": told.record.digest,
        "generation": told.record.generation,
        "current": told.current.reference,
        "life": [{**asdict(one), "when": when(one.at)} for one in told.moments],
    }


def _coming_json(coming: _Coming) -> dict[str, Any]:
    row = coming.row
    return {
        "view": coming.view or None,
        "updates": [asdict(one) for one in coming.updates],
        "how": row.how if row else None,
        "reason": (row.error or row.reason) if row else coming.why,
        "waits_for_approval": list(coming.waits),
    }


def _print(told: _Told) -> None:
    record = told.record
    print_line(f"{record.reference}  {record.generation}", "bold")
    print_line(record.digest)
    if told.current.digest != record.digest:
        print_line(f"its repository's current image is {told.current.reference}", "yellow")
    print_line("")
    tags = [one.reference.rpartition(":")[2] or one.digest[7:19] for one in told.moments]
    width = max(map(len, tags), default=0)
    for moment, tag in zip(told.moments, tags, strict=True):
        mark = "*" if moment.digest == record.digest else " "
        text = f"{mark} {when(moment.at)}  {moment.step:<10} {tag:<{width}}  {moment.detail}"
        print_line(text.rstrip(), _STYLES.get(moment.step, ""))


def _print_coming(coming: _Coming) -> None:
    print_line("")
    if not coming.view:
        print_line(coming.why)
        return
    print_line(f"view {coming.view}: {len(coming.updates)} packages are newer", "bold")
    for one in sorted(coming.updates, key=lambda one: (not one.security, one.package)):
        kind = "security update" if one.security else "update"
        line = f"  {one}: {kind} of {when(one.released)} ({one.suite})"
        print_line(line, "yellow" if one.security else "")
    if coming.row is None:
        print_line(f"what a refresh would do is not known: {coming.why}")
    else:
        print_line(f"a refresh would leave it {coming.row.how}: {coming.row.error or coming.row.reason}")
    for identifier in coming.waits:
        print_line(f"it waits: `ropewalk watch approve {identifier}`, or `ropewalk refresh`", "yellow")
