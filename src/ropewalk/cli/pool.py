"""``ropewalk pool``: the .debs that were ever used, and what may leave them."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from ropewalk.cli.output import Format, FormatOption, count, human_size, print_json, print_line, print_table
from ropewalk.cli.session import DAY, Session
from ropewalk.errors import Exit

if TYPE_CHECKING:
    from ropewalk.archive import PoolPlan, SourceFile

app = typer.Typer(no_args_is_help=True, help="The pool: each .deb that went into an image, once, by its sha256.")
ApplyOption = Annotated[bool, typer.Option("--apply", help="Do it; otherwise it is only shown.")]


@app.command()
def gc(context: typer.Context, *, apply: ApplyOption = False, output: FormatOption = Format.TEXT) -> None:
    """Show, and with --apply remove, files of the pool that no image needs and that are old, or too many.

    What images of the store, verified images of the registry, and lock files need stays, whatever its age; so do source
    packages, if the config says `keep: {sources: true}`. Others go after `pool_days` without use (90), and the least
    recently used first where the pool is larger than `pool_size`. Nothing may build meanwhile.
    """
    from ropewalk.archive import plan_pool, sweep_pool

    session: Session = context.obj
    keep = session.keeping()
    pool = session.pool()
    with pool.alone():
        needed = session.needs(sources=keep.sources).files
        plan = plan_pool(pool, needed, session.now() - keep.pool_days * DAY, keep.pool_size)
        if apply:
            sweep_pool(plan)
    if output is Format.JSON:
        print_json(_json(plan, applied=apply))
    else:
        _print(plan, applied=apply)


def _json(plan: "PoolPlan", *, applied: bool) -> dict[str, object]:
    rows = [{"file": str(file.path), "bytes": file.size, "used": file.used, "why": why} for file, why in plan.remove]
    kept = {"files": len(plan.kept), "bytes": sum(file.size for file in plan.kept), "needed": plan.needed}
    return {"applied": applied, "remove": rows, "kept": kept, "over": plan.over}


def _print(plan: "PoolPlan", *, applied: bool) -> None:
    counts, sizes = Counter(why for _, why in plan.remove), Counter[str]()
    for file, why in plan.remove:
        sizes[why] += file.size
    if counts:
        rows = ((why, counts[why], human_size(sizes[why])) for why in counts)
        print_table(("why", "files", "size"), rows, right=("files", "size"))
    done = "removed" if applied else "would be removed; --apply does it"
    print_line(
        f"{count(len(plan.remove), 'file')}, {human_size(sizes.total())} {done}" if counts else "nothing to remove"
    )
    kept = human_size(sum(file.size for file in plan.kept))
    print_line(f"{count(len(plan.kept), 'file')}, {kept} stay; {plan.needed} of them needed by images")
    if plan.over:
        print_line(f"the pool is {human_size(plan.over)} larger than `pool_size`: images need it; `ropewalk prune`")


@app.command()
def verify(context: typer.Context, *, apply: ApplyOption = False, output: FormatOption = Format.TEXT) -> None:
    """Check every file of the pool and of the views: hashes, signatures, and that indexes are the signed ones.

    A damaged .deb is removed with --apply; it is fetched again when it is next used. Exit code 6 if something is wrong
    and stays.
    """
    from ropewalk.archive import DEBIAN_KEYRING, audit_pool, audit_views

    session: Session = context.obj
    pool, views = session.pool(), session.views()
    found = (*audit_pool(pool, views, session.listener), *audit_views(views, DEBIAN_KEYRING, session.listener))
    if apply:
        for one in found:
            if one.removable:
                one.path.unlink(missing_ok=True)
    left = [one for one in found if not (apply and one.removable)]
    if output is Format.JSON:
        keys = ("name", "problem", "remedy")
        rows = [{key: getattr(one, key) for key in keys} | {"file": str(one.path)} for one in found]
        print_json({"applied": apply, "ok": not found, "files": len(list(pool.files())), "wrong": rows})
    else:
        for one in found:
            print_line(f"{one.name}: {one.problem}: {one.path}", "red")
            print_line(f"  {'removed' if one not in left else one.remedy}")
        print_line(
            f"{count(len(list(pool.files())), 'file')} and {count(len(views.ids()), 'view')} checked, {len(found)} wrong"
        )
    if left:
        raise typer.Exit(Exit.TRUST)


@app.command()
def sources(context: typer.Context, *, apply: ApplyOption = False, output: FormatOption = Format.TEXT) -> None:
    """Show, and with --apply fetch, the source packages of what images hold: who passes an image on may owe them.

    They are found by the Sources indexes that views hold once the config says `keep: {sources: true}`, and stay in the
    pool as long as an image needs them. Exit code 1 if a source package is in no index.
    """
    from ropewalk.archive import fetch_sources

    session: Session = context.obj
    pool = session.pool()
    needed = session.needs(sources=True).sources
    unknown = [str(source) for source, files in needed.items() if not files]
    missing = {file.sha256: file for files in needed.values() for file in files if not pool.path(file.sha256).exists()}
    if apply:
        fetch_sources(pool, session.upstream(), missing.values(), session.listener)
    if output is Format.JSON:
        shown = {str(source): [_where(session, file) for file in files] for source, files in needed.items()}
        print_json({"applied": apply, "sources": shown, "missing": sorted(missing), "unknown": unknown})
    else:
        size = human_size(sum(file.size for file in missing.values()))
        done = "fetched" if apply else "would be fetched; --apply does it"
        print_line(f"{count(len(needed), 'source package')}; {count(len(missing), 'file')}, {size} {done}")
        for name in unknown:
            print_line(f"in no index: {name}")
        if unknown:
            print_line("write `keep: {sources: true}` below `ropewalk:`, then run `ropewalk archive view`")
    if unknown:
        raise typer.Exit(Exit.FAILED)


def _where(session: Session, file: "SourceFile") -> dict[str, object]:
    path = session.pool().path(file.sha256)
    return {"name": file.name, "sha256": file.sha256, "size": file.size, "path": str(path)}
