"""What a base image leaves out, by dpkg's rules."""

from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Strip
from ropewalk.recipe.strip import ALWAYS, LISTS, dpkg_lines, filter_of, read_strip
from ropewalk.recipe.yamlfile import parse


def strip(text: str) -> Strip:
    return read_strip(parse(text.encode(), Path("base.yaml")))


ALL = strip(f"{{lists: [{', '.join(LISTS)}], paths: [/usr/share/games/*], keep: [/usr/share/locale/de/*]}}")


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("usr/share/doc", False),
        ("usr/share/doc/bash/NEWS.gz", True),
        ("usr/share/doc/bash/copyright", False),
        ("usr/share/doc/texlive/a/copyright", False),
        ("usr/share/doc/bash/copyright.txt", True),
        ("usr/share/common-licenses/GPL-3", False),
        ("usr/share/man/man1/bash.1.gz", True),
        ("usr/share/man/de/man1/bash.1.gz", True),
        ("usr/share/info/dir", True),
        ("usr/share/locale/fr/LC_MESSAGES/a.mo", True),
        ("usr/share/locale/de/LC_MESSAGES/a.mo", False),
        ("usr/share/locale/locale.alias", False),
        ("usr/share/lintian/overrides/a", True),
        ("usr/share/lintian/lib/a.pm", False),
        ("usr/share/games/a", True),
        ("usr/share/doctor", False),
        ("etc/passwd", False),
    ],
)
def test_files(path: str, gone: bool) -> None:  # noqa: FBT001  a row of the table
    assert filter_of(ALL).drops(path, passage=False) is gone


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("usr/share/doc/bash", False),
        ("usr/share/doc/bash/examples", False),
        ("usr/share/locale/de", False),
        ("usr/share/locale/de_AT", False),
        ("usr/share/locale/fr", True),
        ("usr/share/man/man1", False),
        ("usr/share/man/de", True),
        ("usr/share/man/de/man1", True),
    ],
)
def test_directories_and_links_stay_where_something_below_may(path: str, gone: bool) -> None:  # noqa: FBT001  likewise
    assert filter_of(ALL).drops(path, passage=True) is gone


def test_dpkg_gets_the_licences_last_so_that_nothing_excludes_them() -> None:
    found = strip("{paths: [/usr/share/doc/*, /usr/share/doc/*/copyright]}")
    lines = dpkg_lines(found).splitlines()[1:]
    assert lines == [
        "path-exclude=/usr/share/doc/*",
        "path-exclude=/usr/share/doc/*/copyright",
        *(f"path-include={glob}" for glob in ALWAYS),
    ]
    assert not filter_of(found).drops("usr/share/doc/a/copyright", passage=False)


@pytest.mark.parametrize("glob", ["/*", "/usr/*", "/usr/share/*", "/etc/ssl/*", "usr/share/a/*", "/usr/share/../a/b/*"])
def test_globs_that_take_too_much_are_refused(glob: str) -> None:
    with pytest.raises(InputError, match="is no glob that may be left out") as caught:
        strip(f"paths: ['{glob}']")
    assert caught.value.hint == "begin with /usr and two plain names: /usr/share/games/*"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("lists: [doc]", "no list is called `doc`", "did you mean `docs`?"),
        ("list: [docs]", "unknown key `list`", "did you mean `lists`?"),
        ("keep: [/usr/share/doc/a/*]", "`strip` leaves nothing out", "name lists"),
        ("lists: docs", "`lists` must be a list", "write a list"),
    ],
)
def test_faults(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        strip(text)
    assert caught.value.hint.startswith(hint)
