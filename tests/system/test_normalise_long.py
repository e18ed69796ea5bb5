"""Heavy packages that make data at install, and Debian 11's Python and Java, installed twice, the second time 40 days on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from kit.twice import REAL, Bench, differing, opened, raw_differing
from ropewalk.build.known import Treatment, known

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True)
class Case:
    """An image.

    Attributes:
        release: Debian's.
        template: How it is made.
        differ: Files that differ before the normaliser, as a regular expression each.
        unequal: What still differs after it, as a regular expression.
        works: A script that succeeds in the image.
    """

    release: str
    template: str
    differ: tuple[str, ...]
    unequal: str
    works: str


CASES = {
    "databases": Case(
        "bookworm",
        "RUN {{ 'postgresql mariadb-server slapd rabbitmq-server' | apt_install }}\n",
        (
            r"var/lib/postgresql/15/main/global/pg_control",
            r"var/lib/mysql/aria_log_control",
            r"var/lib/ldap/data\.mdb",
            r"var/lib/rabbitmq/\.erlang\.cookie",
            r"etc/ldap/slapd\.d/cn=config\.ldif",
        ),
        r"etc/ldap/slapd\.d/.+",
        "set -e; rm -r /etc/postgresql/15/main; pg_createcluster 15 main; mariadb-install-db --user=mysql >/dev/null\n",
    ),
    "tex": Case(
        "bookworm",
        "RUN {{ 'texlive-latex-base texlive-luatex' | apt_install }}\n",
        (
            r"var/lib/texmf/ls-R",
            r"var/lib/texmf/web2c/tex/tex\.fmt",
            r"var/lib/texmf/web2c/luatex/luatex\.fmt",
            r"var/lib/texmf/web2c/updmap\.log",
        ),
        r"var/lib/texmf/web2c/(tex|luatex|luahbtex)/.+\.fmt",
        "set -e; cd /tmp; printf '%s' '\\documentclass{article}\\begin{document}x\\end{document}' >a.tex\n"
        "kpsewhich article.cls; pdflatex a; lualatex a; tex '\\relax\\end'\n",
    ),
    "old": Case(
        "bullseye",
        "RUN {{ 'python3-pip' | apt_install }}\n"
        f"RUN {REAL}mkdir -p /usr/share/man/man1 && {{{{ 'openjdk-11-jre-headless' | apt_install }}}}\n",
        (r"usr/lib/python3\.9/.+\.pyc", r"usr/lib/jvm/java-11-openjdk-amd64/lib/server/classes\.jsa"),
        r"",
        "set -e; java -version; python3 -v -c 'import json, typing, pip, tarfile' 2>&1 | grep -q 'matches .*typing'\n",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def bench(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(case.release, tmp_path_factory.mktemp("trees")) as found:
        yield found


def test_two_images_are_equal_but_for_what_the_build_says(bench: Bench, case: Case) -> None:
    both = bench.both("image", case.template)
    raw = raw_differing(both)
    for pattern in case.differ:
        assert any(re.fullmatch(pattern, path) for path in raw), pattern
    assert {path for path in raw if known(path) is None} == set()
    left = differing(both)
    assert [path for path in left if not re.fullmatch(case.unequal, path)] == []
    said = {path for row, paths in both[0].concerns if row.treatment is Treatment.KEPT for path in paths}
    assert left <= said
    bench.check(both[0].image, case.works)
