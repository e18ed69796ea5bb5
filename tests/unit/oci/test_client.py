"""The client against servers that misbehave; against a good registry see tests/system/test_oci_client.py."""

import base64
import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.webserver import Asked, Said, serving
from ropewalk.errors import InputError, NetworkError, TrustError
from ropewalk.oci.client import RegistryClient, RegistryDown, RegistryNotFound, RegistryRefused
from ropewalk.oci.model import MANIFEST
from ropewalk.oci.registryauth import Challenge, parse_challenge

DATA = b"some content"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
REGISTRY = {"Docker-Distribution-Api-Version": "registry/2.0"}
PING = Said(200, b"{}", REGISTRY)


def error(code: str, message: str, status: int = 404) -> Said:
    return Said(status, json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode(), REGISTRY)


def by_path(answers: dict[str, Said]) -> Callable[[Asked], Said]:
    return lambda asked: answers.get(f"{asked.method} {asked.path}", error("NAME_UNKNOWN", "unknown"))


def one_line(caught: pytest.ExceptionInfo[NetworkError]) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.hint
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_listens() -> None:
    with RegistryClient(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(RegistryDown) as caught:
        client.tags("a")
    assert "cannot be reached" in one_line(caught)
    assert "registry up" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["", "registry.example.org", "ftp://a.b", "http://", "http://user:pass@a.b"])
def test_an_address_must_be_one(endpoint: str) -> None:
    with pytest.raises(InputError, match="no registry's address"):
        RegistryClient(endpoint)


@pytest.mark.parametrize("repository", ["", "/a", "a//b", "../a"])
def test_a_repository_must_be_one(repository: str) -> None:
    with RegistryClient("http://127.0.0.1:1") as client, pytest.raises(InputError, match="no repository's name"):
        client.tags(repository)


@pytest.mark.parametrize(
    "said",
    [Said(404, b"<h1>Not Found</h1>"), Said(200, b"<h1>Welcome</h1>"), Said(500, b"")],
    ids=["404", "200", "500"],
)
def test_what_is_no_registry(said: Said) -> None:
    with serving(lambda _: said) as server, RegistryClient(server.url) as client:
        with pytest.raises(RegistryNotFound) as caught:
            client.ping()
        assert "is no registry" in one_line(caught)
        assert "endpoint" in caught.value.hint


def test_a_web_server_does_not_pass_for_an_empty_registry() -> None:
    with serving(lambda _: Said(404)) as server, RegistryClient(server.url) as client:
        for ask in (client.tags, lambda name: client.manifest(name, "1"), lambda name: client.has_blob(name, DIGEST)):
            with pytest.raises(RegistryNotFound, match="is no registry"):
                ask("a")


def test_an_empty_registry_is_asked_once_whether_it_is_one() -> None:
    with serving(by_path({"GET /v2/": PING})) as server, RegistryClient(server.url) as client:
        assert client.tags("a") == ()
        assert client.manifest("a", "1") is None
        assert client.digest_of("a", "1") is None
        assert not client.has_blob("a", DIGEST)
        with pytest.raises(RegistryNotFound, match="not in the registry"):
            client.blob("a", DIGEST)
        assert [asked.path for asked in server.asked].count("/v2/") == 1
        assert server.connections == 1


def test_tags_come_in_pages() -> None:
    def answer(asked: Asked) -> Said:
        if "last" in asked.query:
            return Said(200, b'{"name": "a", "tags": ["c"]}')
        following = {"Link": '</v2/a/tags/list?last=b&n=2>; rel="next"'}
        return Said(200, b'{"name": "a", "tags": ["b", "a"]}', following)

    with serving(answer) as server, RegistryClient(server.url) as client:
        assert client.tags("a") == ("a", "b", "c")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no json", b"[" * 100_000])
def test_tags_that_are_none(body: bytes) -> None:
    with (
        serving(lambda _: Said(200, body)) as server,
        RegistryClient(server.url) as client,
        pytest.raises(NetworkError),
    ):
        client.tags("a")


def test_a_repository_without_tags() -> None:
    with serving(lambda _: Said(200, b'{"name": "a", "tags": null}')) as server, RegistryClient(server.url) as client:
        assert client.tags("a") == ()


@pytest.mark.parametrize("tries", [1, 2])
def test_a_dropped_connection_is_taken_up_again(tries: int) -> None:
    drops = iter([0] * tries)

    def answer(asked: Asked) -> Said:
        return Said(next(drops, 200), b'{"tags": ["x"]}') if asked.path.endswith("list") else PING

    with serving(answer) as server, RegistryClient(server.url) as client:
        client.ping()
        assert client.tags("a") == ("x",)


def test_a_registry_that_always_hangs_up() -> None:
    with serving(lambda _: Said(0)) as server, RegistryClient(server.url) as client:
        with pytest.raises(RegistryDown) as caught:
            client.tags("a")
        assert "broke the connection off" in one_line(caught)
        assert len(server.asked) == 3


def test_a_busy_registry_is_asked_again() -> None:
    answers = iter([Said(503), Said(429)])
    waits: list[float] = []
    with (
        serving(lambda _: next(answers, Said(200, b'{"tags": ["x"]}'))) as server,
        RegistryClient(server.url, sleep=waits.append) as client,
    ):
        assert client.tags("a") == ("x",)
    assert waits == [0.2, 0.4]


def test_a_registry_that_stays_busy_is_an_error() -> None:
    with (
        serving(lambda _: Said(503)) as server,
        RegistryClient(server.url, sleep=lambda _: None) as client,
        pytest.raises(RegistryRefused, match="503"),
    ):
        client.tags("a")


def test_the_registrys_reason_stands_in_the_error() -> None:
    said = error("MANIFEST_INVALID", "manifest invalid\nsecond \x1b[31mline", 400)
    with serving(lambda _: said) as server, RegistryClient(server.url) as client:
        with pytest.raises(RegistryRefused) as caught:
            client.put_manifest("a", "1", b"{}", MANIFEST)
        assert "400 Bad Request (MANIFEST_INVALID: manifest invalid second" in one_line(caught)
        assert "\x1b" not in str(caught.value)


def test_a_blob_that_is_another() -> None:
    with (
        serving(lambda _: Said(200, b"other")) as server,
        RegistryClient(server.url) as client,
        pytest.raises(TrustError, match="the blob has digest"),
    ):
        client.blob("a", DIGEST)


def test_a_download_appears_only_when_it_is_right(tmp_path: Path) -> None:
    answers = iter([Said(200, b"other"), Said(200, DATA, cut=3), Said(200, DATA)])
    path = tmp_path / "blob"
    with serving(lambda _: next(answers)) as server, RegistryClient(server.url) as client:
        with pytest.raises(TrustError):
            client.download("a", DIGEST, path)
        with pytest.raises(RegistryDown, match="broke the connection off"):
            client.download("a", DIGEST, path)
        assert not list(tmp_path.iterdir())
        client.download("a", DIGEST, path)
        assert path.read_bytes() == DATA


def test_a_redirected_blob_is_followed() -> None:
    with serving(lambda _: Said(200, DATA)) as storage:
        moved = Said(307, headers={"Location": f"{storage.url}/elsewhere"})
        with serving(lambda _: moved) as server, RegistryClient(server.url) as client:
            assert client.blob("a", DIGEST) == DATA
        assert "authorization" not in storage.asked[0].headers


def test_a_manifest_that_is_another() -> None:
    with (
        serving(lambda _: Said(200, b"{}", {"Docker-Content-Digest": DIGEST})) as server,
        RegistryClient(server.url) as client,
    ):
        with pytest.raises(TrustError, match="the manifest has digest"):
            client.manifest("a", DIGEST)
        with pytest.raises(TrustError, match="the manifest has digest"):
            client.manifest("a", "latest")


def test_a_manifest_that_never_ends() -> None:
    with (
        serving(lambda _: Said(200, bytes(5 << 20))) as server,
        RegistryClient(server.url) as client,
        pytest.raises(NetworkError, match="more than 4194304 bytes"),
    ):
        client.manifest("a", "1")


def test_a_head_without_digest_is_asked_in_full() -> None:
    with serving(lambda _: Said(200, DATA)) as server, RegistryClient(server.url) as client:
        assert client.digest_of("a", "1") == DIGEST


def uploading(drop_after_write: set[int]) -> tuple[Callable[[Asked], Said], dict[str, bytes]]:
    """A registry that takes blobs, and drops the connection at some PUTs, after or before it kept the blob."""
    kept: dict[str, bytes] = {}
    count = iter(range(100))

    def answer(asked: Asked) -> Said:
        if asked.method == "POST":
            return Said(202, headers={"Location": "/v2/a/blobs/uploads/1?state=x%2By"})
        if asked.method == "HEAD":
            return Said(200 if asked.path.rpartition("/")[2] in kept else 404)
        if asked.method == "GET":
            return PING
        assert asked.query["state"] == ["x+y"]
        if next(count) in drop_after_write:
            return Said(0)
        kept[asked.query["digest"][0]] = asked.body
        return Said(201)

    return answer, kept


def test_a_dropped_upload_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    answer, kept = uploading({0})
    with serving(answer) as server, RegistryClient(server.url) as client:
        client.upload("a", DIGEST, path)
        assert (client.writes, client.bytes_sent) == (1, len(DATA))
    assert kept == {DIGEST: DATA}
    assert server.asked[1].headers["content-length"] == str(len(DATA))


def test_an_upload_that_always_drops(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    answer, _ = uploading({0, 1, 2})
    with serving(answer) as server, RegistryClient(server.url) as client:
        with pytest.raises(RegistryDown):
            client.upload("a", DIGEST, path)
        assert (client.writes, client.bytes_sent) == (0, 0)


def test_a_mount_that_is_not_done_is_given_back() -> None:
    answers = {
        "POST /v2/a/blobs/uploads/": Said(202, headers={"Location": "/v2/a/blobs/uploads/1"}),
        "DELETE /v2/a/blobs/uploads/1": Said(204),
    }
    with serving(by_path(answers)) as server, RegistryClient(server.url) as client:
        assert not client.mount("a", DIGEST, "b/c")
        assert server.asked[0].query == {"mount": [DIGEST], "from": ["b/c"]}
        assert server.asked[1].method == "DELETE"
        assert client.writes == 0


def test_basic_credentials_are_sent_when_asked_for() -> None:
    expected = "Basic " + base64.b64encode(b"me:secret").decode()

    def answer(asked: Asked) -> Said:
        if asked.headers.get("authorization") != expected:
            return Said(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Said(200, b'{"tags": ["x"]}')

    with serving(answer) as server:
        with RegistryClient(server.url, ("me", "secret")) as client:
            assert client.tags("a") == client.tags("a") == ("x",)
        assert ["authorization" in asked.headers for asked in server.asked] == [False, True, True]
        with RegistryClient(server.url, ("me", "wrong")) as client, pytest.raises(RegistryRefused) as caught:
            client.tags("a")
        assert "401" in one_line(caught)
        with RegistryClient(server.url) as client, pytest.raises(RegistryRefused, match="401"):
            client.ping()


def test_a_token_is_fetched_for_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA)

    def tokens(asked: Asked) -> Said:
        assert asked.headers["authorization"].startswith("Basic ")
        assert asked.query["service"] == ["registry"]
        return Said(200, json.dumps({"token": "+".join(asked.query["scope"])}).encode())

    with serving(tokens) as token_server:

        def answer(asked: Asked) -> Said:
            scope = "repository:a:pull" if asked.method in ("GET", "HEAD") else "repository:a:pull,push"
            if "mount" in asked.query:
                scope = "repository:b:pull repository:a:pull,push"
            if asked.headers.get("authorization") != "Bearer " + scope.replace(" ", "+"):
                challenge = f'Bearer realm="{token_server.url}/token",service="registry",scope="{scope}"'
                return Said(401, headers={"WWW-Authenticate": challenge})
            if asked.method == "POST":
                return Said(201) if "mount" in asked.query else Said(202, headers={"Location": "/v2/a/blobs/uploads/1"})
            return Said(201) if asked.method == "PUT" else Said(200, b'{"tags": ["x"]}')

        with serving(answer) as server, RegistryClient(server.url, ("me", "secret")) as client:
            assert client.tags("a") == client.tags("a") == ("x",)
            client.upload("a", DIGEST, path)
            assert client.mount("a", DIGEST, "b")
            assert all("basic" not in asked.headers.get("authorization", "").lower() for asked in server.asked)
        assert [asked.query["scope"] for asked in token_server.asked] == [
            ["repository:a:pull"],
            ["repository:a:pull,push"],
            ["repository:b:pull", "repository:a:pull,push"],
        ]


@pytest.mark.parametrize("said", [Said(401), Said(200, b"no json"), Said(200, b"[]"), Said(200, b"{}")])
def test_a_token_server_that_gives_none(said: Said) -> None:
    with serving(lambda _: said) as token_server:
        challenge = Said(401, headers={"WWW-Authenticate": f'Bearer realm="{token_server.url}/token"'})
        with (
            serving(lambda _: challenge) as server,
            RegistryClient(server.url) as client,
            pytest.raises(RegistryRefused, match="401"),
        ):
            client.tags("a")


def test_a_token_server_that_is_down() -> None:
    challenge = Said(401, headers={"WWW-Authenticate": f'Bearer realm="http://127.0.0.1:{free_port()}/token"'})
    with (
        serving(lambda _: challenge) as server,
        RegistryClient(server.url) as client,
        pytest.raises(RegistryDown) as caught,
    ):
        client.tags("a")
    assert "token server cannot be reached" in one_line(caught)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="a, b"', Challenge("basic", "a, b", "", ())),
        (
            'Bearer realm="https://t/x",service="s",scope="a:b:c d:e:f"',
            Challenge("bearer", "https://t/x", "s", ("a:b:c", "d:e:f")),
        ),
        ("bearer Realm=https://t, service = s", Challenge("bearer", "https://t", "s", ())),
        ("", Challenge("", "", "", ())),
        ("Negotiate", Challenge("negotiate", "", "", ())),
    ],
)
def test_challenges_are_read(header: str, expected: Challenge) -> None:
    assert parse_challenge(header) == expected


@pytest.mark.parametrize(
    ("endpoint", "realm", "safe"),
    [
        ("https://r", "https://t/x", True),
        ("https://r", "http://t/x", False),
        ("http://r", "http://t/x", True),
        ("http://r", "ftp://t/x", False),
    ],
)
def test_a_password_is_not_sent_in_the_clear(endpoint: str, realm: str, *, safe: bool) -> None:
    assert Challenge("bearer", realm, "", ()).safe_for_credentials(endpoint) is safe
