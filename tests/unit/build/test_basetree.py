"""What a base recipe changes in the unpacked root."""

import io
from collections.abc import Iterable
from dataclasses import replace

import pytest

from kit.images import file_item
from ropewalk.build.basetree import furnished, stripped
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType
from ropewalk.recipe.recipe import BaseFile, BaseSpec, BaseUser, Strip

SPEC = BaseSpec((), (), (), (), ())
DAY = 20_000
EPOCH = DAY * 86_400 + 5
ROOT = (
    TarItem(Entry("etc", EntryType.DIRECTORY, 0o755)),
    file_item("etc/group", b"root:x:0:\nusers:x:100:\n"),
    file_item("etc/gshadow", b"root:*::\nusers:*::\n", 0o640),
    file_item("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
    file_item("etc/shadow", b"root:*:1:0:99999:7:::\n", 0o640),
    TarItem(Entry("lib", EntryType.SYMLINK, 0o777, link="usr/lib")),
)


def show(items: Iterable[TarItem]) -> dict[str, str]:
    """Return each path with what is there, as ``file 0644 0:0 content``."""
    return {
        item.entry.path: " ".join(
            (
                item.entry.type,
                f"{item.entry.mode:04o}",
                f"{item.entry.uid}:{item.entry.gid}",
                item.entry.link or text(item),
            )
        ).strip()
        for item in items
    }


def text(item: TarItem) -> str:
    return (item.content or io.BytesIO)().read().decode()


def after(spec: BaseSpec) -> dict[str, str]:
    return show(furnished(ROOT, spec, EPOCH, "the recipe"))


def test_an_account_stands_in_all_four_files() -> None:
    found = after(replace(SPEC, users=(BaseUser("app", 900, 900, "/srv/app", "/bin/sh"),)))
    assert found["etc/passwd"].endswith("\napp:x:900:900::/srv/app:/bin/sh\n".strip())
    assert found["etc/group"].endswith("app:x:900:")
    assert found["etc/shadow"].endswith(f"app:!:{DAY}:0:99999:7:::")
    assert found["etc/shadow"].startswith("file 0640 0:0 root:*:1:")
    assert found["etc/gshadow"].endswith("app:!::")
    assert (found["srv"], found["srv/app"]) == ("dir 0755 0:0", "dir 0755 900:900")


def test_an_account_may_belong_to_a_group_of_the_image_and_live_nowhere() -> None:
    found = after(replace(SPEC, users=(BaseUser("app", 900, 100, "/nonexistent", "/usr/sbin/nologin"),)))
    before = show(ROOT)
    assert {path for path in found if found[path] != before.get(path)} == {"etc/passwd", "etc/shadow"}


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (BaseUser("root", 900, 900, "/a", "/b"), "has an account `root` or the number 900 already"),
        (BaseUser("app", 0, 900, "/a", "/b"), "has an account `app` or the number 0 already"),
        (BaseUser("users", 900, 900, "/a", "/b"), "has a group `users` of another number already"),
    ],
)
def test_what_is_taken_is_refused(user: BaseUser, message: str) -> None:
    with pytest.raises(InputError, match=message):
        after(replace(SPEC, users=(user,)))


def test_a_home_that_is_a_file_is_refused() -> None:
    user = BaseUser("app", 900, 900, "/etc/passwd", "/bin/sh")
    with pytest.raises(InputError, match="/etc/passwd is a file in the image"):
        after(replace(SPEC, users=(user,)))


def test_files_get_their_owner_by_name_and_the_directories_above() -> None:
    spec = replace(
        SPEC,
        users=(BaseUser("app", 900, 900, "/nonexistent", "/bin/sh"),),
        files=(
            BaseFile("srv/a/conf", b"x", 0o600, "app", "users"),
            BaseFile("etc/passwd-note", b"y", 0o644, "5", "6"),
        ),
    )
    found = after(spec)
    assert found["srv/a/conf"] == "file 0600 900:100 x"
    assert (found["srv"], found["srv/a"]) == ("dir 0755 0:0", "dir 0755 0:0")
    assert found["etc/passwd-note"] == "file 0644 5:6 y"
    times = {item.entry.mtime for item in furnished(ROOT, spec, EPOCH, "x") if item.entry.path.startswith("srv")}
    assert times == {EPOCH}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (BaseFile("lib/a", b"", 0o644, "root", "root"), "/lib/a stands below /lib, which is a link to usr/lib"),
        (
            BaseFile("etc/passwd/a", b"", 0o644, "root", "root"),
            "/etc/passwd/a stands below /etc/passwd, which is a file",
        ),
        (BaseFile("etc", b"", 0o644, "root", "root"), "/etc is a directory in the image"),
        (BaseFile("a", b"", 0o644, "web", "root"), "/a shall belong to `web`, which the image does not have"),
        (BaseFile("a", b"", 0o644, "root", "web"), "/a shall belong to `web`, which the image does not have"),
    ],
)
def test_files_that_cannot_stand_there_are_refused(file: BaseFile, message: str) -> None:
    with pytest.raises(InputError) as caught:
        after(replace(SPEC, files=(file,)))
    assert str(caught.value) == f"the recipe: {message}"


def test_a_replaced_file_keeps_its_other_name() -> None:
    root = (file_item("a", b"old"), TarItem(Entry("b", EntryType.HARDLINK, link="a")))
    spec = replace(SPEC, files=(BaseFile("a", b"new", 0o644, "0", "0"),))
    found = show(furnished(root, spec, EPOCH, "x"))
    assert found == {"a": "file 0644 0:0 new", "b": "file 0644 0:0 old"}


def test_the_first_name_that_stays_is_the_file() -> None:
    strip = Strip(("/usr/share/doc/*",), ("/usr/share/doc/*/copyright",))
    root = (
        TarItem(Entry("usr/share/doc/x", EntryType.DIRECTORY, 0o755)),
        file_item("usr/share/doc/x/a", b"1"),
        TarItem(Entry("usr/share/doc/x/copyright", EntryType.HARDLINK, 0o644, link="usr/share/doc/x/a")),
        TarItem(Entry("usr/share/x", EntryType.HARDLINK, 0o644, link="usr/share/doc/x/a")),
    )
    assert show(stripped(root, strip)) == {
        "usr/share/doc/x": "dir 0755 0:0",
        "usr/share/doc/x/copyright": "file 0644 0:0 1",
        "usr/share/x": "hardlink 0644 0:0 usr/share/doc/x/copyright",
    }
    assert tuple(stripped(root, Strip())) == root
