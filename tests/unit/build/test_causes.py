import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.build.causes import cause_of, cause_of_content, fetching
from ropewalk.build.known import Cause, explain

NOW = 1_790_000_000


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        (b"Wed Nov 25 02:00:00 UTC 2026\n", b"Mon Jan  4 11:31:07 UTC 2027\n", Cause.TIME),
        (b'{"built": "2026-11-25T02:00:00.1Z"}', b'{"built": "2027-01-04T11:31:07.25Z"}', Cause.TIME),
        (b"stamp=1790000000 rest", b"stamp=1793456000 rest", Cause.TIME),
        (b"\x1f\x8b" + (NOW).to_bytes(4, "little"), b"\x1f\x8b" + (NOW + 86400 * 40).to_bytes(4, "little"), Cause.TIME),
        (b"PK" + NOW.to_bytes(4, "big") + b"x", b"PK" + (NOW + 9).to_bytes(4, "big") + b"x", Cause.TIME),
        (b"a\nb\nc\n", b"c\na\nb\n", Cause.ORDER),
        (b"\x00\x01\x02\x03", b"\x03\x02\x01\x00", Cause.ORDER),
        (b"id 0f8fad5b-d9cb-469f-a165-70867728950e", b"id 7c9e6679-7425-40de-944b-e07fc1f90ae7", Cause.RANDOM),
        (b"built in /tmp/tmp.aX81", b"built in /tmp/tmp.0qq_", Cause.RANDOM),
        (b"-----BEGIN PRIVATE KEY-----\nMIIE", b"-----BEGIN PRIVATE KEY-----\nMIIF", Cause.KEY),
        (b"one", b"another", None),
        (b"\x00\x00\x00\x01", b"\x00\x00\x00\x02", None),
    ],
)
def test_what_contents_show(old: bytes, new: bytes, cause: Cause | None) -> None:
    for pair in ((old, new), (new, old)):
        found = cause_of_content(*pair, NOW)
        assert (found and found.cause) == cause


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("etc/ssh/ssh_host_rsa_key.pub", Cause.KEY),
        ("etc/ssl/private/mail.pem", Cause.KEY),
        ("var/lib/mysql/ibdata1", Cause.RANDOM),
        ("var/lib/dbus/machine-id", Cause.RANDOM),
        ("var/log/app/build.log", Cause.TIME),
        ("srv/venv/lib/python3.11/site-packages/x/RECORD", Cause.NETWORK),
        ("srv/app/node_modules/x/package.json", Cause.NETWORK),
        ("usr/share/texmf/ls-R", Cause.ORDER),
        ("opt/tex/ls-R", Cause.ORDER),
        ("srv/venv/lib/python3.11/site-packages/x.so", Cause.NETWORK),
        ("etc/shadow", Cause.TIME),
        ("usr/lib/python3.9/x.pyc", Cause.ORDER),
        ("usr/bin/true", None),
    ],
)
def test_what_the_table_knows_of_paths(path: str, cause: Cause | None) -> None:
    found = explain(path)
    assert (found and found.cause) == cause


@pytest.mark.parametrize(
    ("dockerfile", "found"),
    [
        ("RUN apt-get update && apt-get install -y curl\n", ""),
        ("RUN curl -fsS https://example.org/x >/x\n", "curl"),
        ("RUN /opt/venv/bin/pip install --no-deps flask\n", "pip install"),
        ("RUN git  clone https://example.org/x\n", "git clone"),
        ("RUN npm ci --omit=dev\n", "npm ci"),
    ],
)
def test_what_fetches_past_the_archive(dockerfile: str, found: str) -> None:
    assert fetching(dockerfile) == found


def test_contents_say_more_than_the_network_and_keys_more_than_both() -> None:
    fetches = "RUN wget https://example.org/x\n"
    assert cause_of("x", (b"12:00", b"13:01"), fetches, NOW).cause is Cause.TIME
    assert cause_of("x", (b"one", b"two"), fetches, NOW).cause is Cause.NETWORK
    assert cause_of("x", (b"one", b"two"), "RUN true\n", NOW).cause is Cause.UNKNOWN
    assert cause_of("etc/ssl/private/x.key", (b"12:00", b"13:01"), fetches, NOW).cause is Cause.KEY
    assert cause_of("x", None, "", NOW).cause is Cause.UNKNOWN


@given(st.binary(), st.binary())
def test_any_contents_have_an_answer(old: bytes, new: bytes) -> None:
    assert cause_of("a/path", (old, new), "", NOW).reason
