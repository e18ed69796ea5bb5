"""Which packages a view has newer than an image's own layers, with archives beside Debian's."""

from dataclasses import replace
from pathlib import Path

from kit.archive import NEW_YEAR, Archive, Deb
from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk.archive import View, ViewBook
from ropewalk.events import silent
from ropewalk.oci.store import Store
from ropewalk.refresh.owners import newer_packages

TOOL, NGINX = Deb("tool", "1", "amd64"), Deb("nginx", "1", "amd64")


def test_a_package_of_another_archive_is_renewed_from_there_alone(tmp_path: Path) -> None:
    debian, other = Archive(tmp_path / "debian"), Archive(tmp_path / "other")
    debian.publish("bookworm", [NGINX])
    other.publish("bookworm", [TOOL], place="apt")
    book, store = ViewBook(tmp_path / "views", debian.keyring), Store(tmp_path / "store")
    with debian.serve() as served, other.serve() as beside:

        def view() -> View:
            archive = other.repository(beside.url, "apt", "bookworm")
            return book.make(["bookworm"], ["main"], "amd64", served.upstream, silent, archives=[archive])

        first = view()
        newer = [replace(TOOL, version="2"), replace(NGINX, version="3")]
        other.publish("bookworm", newer, place="apt", date=NEW_YEAR + 1)
        second = view()
    current = []
    for name, packages in (("has", ("tool=1", "nginx=1")), ("lacks", ("nginx=1",))):
        release = b"ID=debian\nVERSION_CODENAME=bookworm\n"
        layer = add_files(store, {"var/lib/dpkg/status": status(*packages), "etc/os-release": release})
        of = recipe(name, "parent")
        image = add_image(store, layer)
        made = replace(record(replace(of, parents=()), image=image, layers=owners((layer, name))), view=first.id)
        current.append((of, made))
    found = newer_packages(second, book, store, current)
    assert {line.partition("/")[2]: [str(one) for one in newer] for line, newer in found.items()} == {
        "has:1": ["nginx 1 -> 3", "tool 1 -> 2"]
    }
