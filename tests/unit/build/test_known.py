"""The table of what two builds differ in: rows that say all, in words that a warning can use."""

import re

import pytest

from ropewalk.build.known import TABLE, Cause, Known, Treatment, known


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.paths)
def test_a_row_says_what_it_does_and_what_a_recipe_can_do(row: Known) -> None:
    assert row.paths
    assert re.compile(row.paths)
    assert row.why.reason
    assert row.why.reason == row.why.reason.strip(".\n")
    assert (row.mend is not None) == (row.treatment is Treatment.REWRITTEN)
    if row.concern is not None:
        assert row.why.fix
    if row.why.cause is Cause.KEY:
        assert row.concern is not None


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("var/log/dpkg.log", Cause.TIME),
        ("etc/ssh/ssh_host_rsa_key", Cause.KEY),
        ("var/lib/rabbitmq/.erlang.cookie", Cause.KEY),
        ("usr/lib/python3.9/__pycache__/six.cpython-39.pyc", Cause.ORDER),
        ("var/lib/postgresql/15/main/PG_VERSION", Cause.RANDOM),
        ("var/lib/mysql/ibdata1", Cause.RANDOM),
        ("usr/lib/jvm/java-11-openjdk-amd64/lib/server/classes.jsa", Cause.RANDOM),
        ("usr/lib/jvm/java-17-openjdk-amd64/lib/server/classes.jsa", None),
        ("usr/bin/python3", None),
        ("etc/passwd", None),
    ],
)
def test_a_path_has_one_cause(path: str, cause: Cause | None) -> None:
    row = known(path)
    assert (row.why.cause if row is not None else None) is cause
