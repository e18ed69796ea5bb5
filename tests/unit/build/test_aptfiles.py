"""What a base image says to apt."""

import pytest

from ropewalk.build.aptfiles import SOURCES, base_files, debian_sources, within
from ropewalk.recipe.recipe import BaseSpec

ALL = ("bookworm", "bookworm-updates", "bookworm-security")
KEYRING = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
DEBIAN = (
    f"Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n{KEYRING}"
)
SECURITY = (
    f"Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\nComponents: main\n{KEYRING}"
)


def test_sources_name_each_archive_once() -> None:
    assert debian_sources(ALL, ("main",)) == f"{DEBIAN}\n{SECURITY}"


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (ALL, f"{DEBIAN}\n{SECURITY}"),
        (("bookworm", "bookworm-updates"), DEBIAN),
        (("bookworm",), DEBIAN.replace(" bookworm-updates", "")),
        (("bookworm-security",), SECURITY),
    ],
)
def test_suites_that_a_view_lacks_are_left_out(held: tuple[str, ...], expected: str) -> None:
    assert within(f"{DEBIAN}\n{SECURITY}", held) == expected


def test_every_base_image_gets_the_same_small_files() -> None:
    files = {file.path: file for file in base_files(BaseSpec(("sid",), ("main", "contrib"), (), (), ()))}
    assert b"Suites: sid\nComponents: main contrib\n" in files[SOURCES].content
    assert files["etc/machine-id"].content == b""
    assert files["usr/sbin/policy-rc.d"].mode == 0o755
    assert all(file.content.endswith(b"\n") for file in files.values() if file.content)
