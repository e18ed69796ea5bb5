"""Which stage sees which suites."""

from collections.abc import Mapping

import pytest

from ropewalk.archive import View
from ropewalk.archive.suite import SuiteView
from ropewalk.build.aptfiles import debian_sources
from ropewalk.build.sources import Lent, lend_sources, mounting

BOOKWORM = debian_sources(("bookworm", "bookworm-updates"), ("main",))
BULLSEYE = debian_sources(("bullseye", "bullseye-updates"), ("main",))
SHORT_BOOKWORM = debian_sources(("bookworm",), ("main",))
SHORT_BULLSEYE = debian_sources(("bullseye",), ("main",))
TWO = "FROM r/old AS first\nRUN a\nFROM first AS second\nRUN b\nFROM r/new:1\nRUN c\nFROM scratch\nCOPY x y\n"


def view(*suites: str) -> View:
    uri = "http://deb.debian.org/debian"
    return View("v", "amd64", tuple(SuiteView(uri, suite, suite, "Debian", 0, ("main",), "", ()) for suite in suites))


@pytest.mark.parametrize(
    ("found", "suites", "expected"),
    [
        ({}, ("bookworm",), Lent(None)),
        ({"r/new:1": BOOKWORM}, ("bookworm", "bookworm-updates"), Lent(None)),
        ({"r/new:1": BOOKWORM, "r/old:latest": BOOKWORM}, ("bookworm",), Lent(SHORT_BOOKWORM)),
        (
            {"r/new:1": BOOKWORM, "r/old:latest": BULLSEYE},
            ("bookworm", "bullseye"),
            Lent(None, (SHORT_BULLSEYE, SHORT_BULLSEYE, SHORT_BOOKWORM, None)),
        ),
        (
            {"r/new:1": BOOKWORM, "r/old:latest": BULLSEYE},
            ("bookworm", "bullseye", "bookworm-updates"),
            Lent(None, (SHORT_BULLSEYE, SHORT_BULLSEYE, None, None)),
        ),
    ],
)
def test_each_stage_gets_what_fits_it(found: Mapping[str, str], suites: tuple[str, ...], expected: Lent) -> None:
    assert lend_sources(TWO, found, view(*suites)) == expected


def test_every_run_of_a_stage_mounts_its_text() -> None:
    flag = "--mount=type=bind,from=ropewalk-sources,source=0,target=/etc/apt/sources.list.d/debian.sources"
    text = 'FROM r/a\n  run x && \\\n    RUN\nRUN ["y"]\nRUN <<E\nRUN\nE\nFROM r/b\nRUN z\n'
    expected = f'FROM r/a\n  run {flag} x && \\\n    RUN\nRUN {flag} ["y"]\nRUN {flag} <<E\nRUN\nE\nFROM r/b\nRUN z\n'
    assert mounting(text, ("text", None)) == expected
    assert mounting(text, ()) == text
