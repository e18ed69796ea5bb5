"""Every file of pool and views is what it was recorded as: hashes, signatures, and what one file says of another."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ropewalk.archive.fetch import is_file
from ropewalk.archive.index import HEADER, table
from ropewalk.archive.making import WrongIndex
from ropewalk.archive.pool import Pool
from ropewalk.archive.release import Release, parse_release, verify
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import IndexFile, SuiteView, View, view_of
from ropewalk.errors import RopewalkError
from ropewalk.events import Listener, step


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is not what it should be.

    Attributes:
        name: What it is, for people.
        path: Where it is.
        problem: What is wrong.
        remedy: What to do.
        removable: It may be removed: what needs it gets it anew.
    """

    name: str
    path: Path
    problem: str
    remedy: str
    removable: bool = False


def audit_pool(pool: Pool, shelf: ViewShelf, listener: Listener) -> tuple[Finding, ...]:
    """Hash each file of a pool.

    Args:
        pool: The pool.
        shelf: Views, which know the files' names.
        listener: Hears of it.

    Returns:
        The damaged ones.
    """
    with step(listener, "pool", "hash each file"):
        wrong = [path for path in pool.files() if not is_file(path, path.name)]
    names = _names(shelf, {path.name for path in wrong}) if wrong else {}
    remedy = "remove it: `ropewalk pool verify --apply`; it is fetched again when it is next used"
    return tuple(
        Finding(names.get(path.name, path.name), path, "is not what its name says (sha256)", remedy, removable=True)
        for path in wrong
    )


def _names(shelf: ViewShelf, wanted: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for view_id in shelf.ids():
        # What cannot be read here, the audit of views names.
        with suppress(RopewalkError):
            for index in (index for suite in shelf.load(view_id).suites for index in suite.indexes):
                rows = (row.split("\t") for row in shelf.rows(index))
                found |= {row[1]: row[0].rpartition("/")[2] for row in rows if row[1] in wanted}
    return found


def audit_views(shelf: ViewShelf, keyring: Path, listener: Listener) -> tuple[Finding, ...]:
    """Check each view: its id, signatures, indexes, and the tables made of them.

    Args:
        shelf: The views.
        keyring: The keys of Debian's archive; other archives' are recorded with the view.
        listener: Hears of it.

    Returns:
        What is wrong, each file once.
    """
    found: dict[Path, Finding] = {}
    for view_id in shelf.ids():
        with step(listener, view_id, "verify"):
            for finding in _audit(shelf, view_id, keyring):
                found.setdefault(finding.path, finding)
    return tuple(found.values())


def _audit(shelf: ViewShelf, view_id: str, keyring: Path) -> Iterator[Finding]:
    try:
        view = shelf.load(view_id)
    except RopewalkError as error:
        yield Finding(f"view {view_id}", shelf.view_file(view_id), error.message, error.hint)
        return
    if view_of(view.architecture, view.suites).id != view_id:
        yield _lost(f"view {view_id}", shelf.view_file(view_id), "is not the view of its id")
    for suite in view.suites:
        yield from _audit_suite(shelf, view, suite, keyring)


def _audit_suite(shelf: ViewShelf, view: View, suite: SuiteView, keyring: Path) -> Iterator[Finding]:
    name = f"InRelease of {suite.name} in view {view.id}"
    path = shelf.file_path(suite.inrelease)
    try:
        keys = shelf.file_path(suite.keyring) if suite.keyring else keyring
        if suite.keyring:
            shelf.file(suite.keyring)
        release = parse_release(verify(shelf.file(suite.inrelease), keys, name).decode(errors="replace"), name)
    except RopewalkError as error:
        yield _lost(name, path, error.message)
        return
    for index in (*suite.indexes, *suite.sources):
        yield from _audit_index(shelf, release, index, f"{index.path} of {suite.name}")


def _audit_index(shelf: ViewShelf, release: Release, index: IndexFile, name: str) -> Iterator[Finding]:
    path = shelf.file_path(index.sha256)
    try:
        if release.files.get(index.path) != (index.size, index.sha256):
            raise WrongIndex("is not what the signed InRelease names", where=name, hint="")
        data = shelf.file(index.sha256)
    except RopewalkError as error:
        yield _lost(name, path, error.message)
        return
    rows = path.with_suffix(".packages")
    if (
        rows.is_file()
        and (text := rows.read_text(encoding="utf-8")).startswith(HEADER)
        and text != table(data, index.path)
    ):
        remedy = "remove it: `ropewalk pool verify --apply`; it is made again of the index"
        yield Finding(f"table of {name}", rows, "is not what the index says", remedy, removable=True)


def _lost(name: str, path: Path, problem: str) -> Finding:
    remedy = "do not build from this view; make a new one, or take the file from a copy of this state directory"
    return Finding(name, path, problem, remedy)
