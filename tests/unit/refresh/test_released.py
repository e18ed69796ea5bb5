"""Since when a version is offered."""

from dataclasses import replace
from pathlib import Path

from kit.archive import NEW_YEAR, Archive, Deb
from ropewalk.archive import View, ViewBook
from ropewalk.events import silent
from ropewalk.refresh.released import Released, released

TOOL, OTHER = Deb("tool", "1", "amd64"), Deb("other", "1", "amd64")


def test_the_first_release_file_with_the_version_counts(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    book = ViewBook(tmp_path / "views", archive.keyring)
    fixed = replace(TOOL, version="2")
    archive.publish("bookworm", [TOOL, OTHER], date=NEW_YEAR)
    with archive.serve() as served:

        def view(*suites: str) -> View:
            return book.make(suites, ["main"], "amd64", served.upstream, silent)

        view("bookworm")
        archive.publish("bookworm-security", [fixed], date=NEW_YEAR + 10)
        view("bookworm", "bookworm-security")
        archive.publish("bookworm-security", [fixed, replace(OTHER, version="3")], date=NEW_YEAR + 20)
        view("bookworm", "bookworm-security")
        archive.publish("bookworm", [fixed, OTHER], date=NEW_YEAR + 30)
        last = view("bookworm", "bookworm-security")
        archive.publish("bookworm", [replace(TOOL, version="9")], date=NEW_YEAR + 40)
        view("bookworm")
    wanted = [("tool", "2"), ("other", "3"), ("other", "1"), ("tool", "9")]
    assert released(book, last, wanted) == {
        ("tool", "2"): Released(NEW_YEAR + 10, "bookworm-security"),
        ("other", "3"): Released(NEW_YEAR + 20, "bookworm-security"),
        ("other", "1"): Released(NEW_YEAR, "bookworm"),
    }
    assert released(book, last, ()) == {}
