from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Generation
from ropewalk.restrict import ClientVersion, Egress, Exemption, Realm, load_policy
from ropewalk.restrict.source import parse_endpoint

DIGEST = "sha256:" + "a" * 64
FULL = f"""\
realms:
  sandbox:
    generations: [service]
  production:
    generations: [service, production]
    keys: keys/nodes
    aliases: [docker-registry.example.org]
    egress:
      - {{address: 2001:DB8::53, port: 53, protocol: udp, reason: names}}
      - {{address: 192.0.2.80, port: 443, reason: a proxy}}
    exemptions:
      - {{image: 'docker.io/library/x@{DIGEST}', reason: r, contact: c@example.org, expires: 2026-03-31}}
"""


def load(tmp_path: Path, text: str) -> tuple[Realm, ...]:
    path = tmp_path / "restrict.yaml"
    path.write_text(text)
    return load_policy(path).realms


def test_every_key_is_read(tmp_path: Path) -> None:
    sandbox, production = load(tmp_path, FULL)
    assert sandbox == Realm("sandbox", (Generation.SERVICE,), None, (), (), ())
    assert production == Realm(
        name="production",
        generations=(Generation.PRODUCTION, Generation.SERVICE),
        keys=tmp_path / "keys/nodes",
        aliases=("docker-registry.example.org",),
        egress=(Egress("2001:db8::53", 53, "udp", "names"), Egress("192.0.2.80", 443, "tcp", "a proxy")),
        exemptions=(Exemption(f"docker.io/library/x@{DIGEST}", "r", "c@example.org", date(2026, 3, 31)),),
    )


def test_an_exemption_counts_until_its_last_day(tmp_path: Path) -> None:
    [_, production] = load(tmp_path, FULL)
    assert [one.repository for one in production.exempt(date(2026, 3, 31))] == ["docker.io/library/x"]
    assert production.exempt(date(2026, 4, 1)) == ()


def test_the_example_is_right() -> None:
    policy = load_policy(Path(__file__).parents[3] / "examples" / "restrict.yaml")
    assert [realm.name for realm in policy.realms] == ["production", "monitoring"]


EGRESS = "realms:\n  p:\n    generations: [service]\n    egress:\n    - "
EXEMPT = "realms:\n  p:\n    generations: [service]\n    exemptions:\n    - "


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("realm: {}\n", 1, "unknown key `realm`", "`realms`"),
        ("realms:\n  p: {}\n", 2, "`generations` is missing", "generations"),
        ("realms:\n  P/1: {}\n", 2, "`P/1` is no name of a realm", "small letters"),
        ("realms:\n  p:\n    generation: [service]\n", 3, "unknown key `realms.p.generation`", "`generations`"),
        ("realms:\n  p:\n    generations: []\n", 3, "names no generation", "[production, service]"),
        ("realms:\n  p:\n    generations: [base]\n", 3, "base images are never deployed", "production image"),
        ("realms:\n  p:\n    generations: [services]\n", 3, "`services` is no generation", "`service`"),
        (
            "realms:\n  p:\n    generations: [service]\n    aliases: [a b]\n",
            4,
            "'a b' is no name of a registry",
            "like",
        ),
        (EGRESS + "{address: dns.example.org, port: 53, reason: r}\n", 5, "is no IPv4 or IPv6 address", "by itself"),
        (EGRESS + "{address: 192.0.2.0/24, port: 53, reason: r}\n", 5, "is no IPv4 or IPv6 address", "by itself"),
        (EGRESS + "{address: 'fe80::1%e0 }', port: 53, reason: r}\n", 5, "is no IPv4 or IPv6 address", "by itself"),
        (EGRESS + "{address: 192.0.2.1, port: 65536, reason: r}\n", 5, "65536 is no port", "1 to 65535"),
        (EGRESS + "{address: 192.0.2.1, port: 0, reason: r}\n", 5, "0 is no port", "1 to 65535"),
        (EGRESS + "{address: 192.0.2.1, port: 53, protocol: icmp, reason: r}\n", 5, "is no protocol", "tcp or udp"),
        (EGRESS + "{address: 192.0.2.1, port: 53}\n", 5, "`reason` is missing", "reason"),
        (EGRESS + "{address: 192.0.2.1, prot: 53}\n", 5, "unknown key", "did you mean `port`?"),
        (EXEMPT + "{image: docker.io/x:1, reason: r, contact: c, expires: 2026-01-01}\n", 5, "by digest", "sha256"),
        (EXEMPT + f"{{image: 'x@{DIGEST}', reason: r, contact: c, expires: 2026-01-01}}\n", 5, "by digest", "sha256"),
        (EXEMPT + f"{{image: 'a.io/x@{DIGEST}', reason: r, contact: c}}\n", 5, "`expires` is missing", "expires"),
        (EXEMPT + f"{{image: 'a.io/x@{DIGEST}', reason: r, expires: 2026-01-01}}\n", 5, "`contact` is mis", "contact"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'restrict.yaml'}:{line}"
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_realm_that_is_not_there_has_a_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "restrict.yaml"
    path.write_text(FULL)
    policy = load_policy(path)
    assert policy.realm("production").name == "production"
    with pytest.raises(InputError) as caught:
        policy.realm("produktion")
    assert "did you mean `production`?" in caught.value.hint


def test_clients_are_known_by_name() -> None:
    assert ClientVersion.parse("podman-4.3") is ClientVersion.PODMAN_4_3
    assert ClientVersion.parse("podman-5.4").reads_sigstore
    with pytest.raises(InputError) as caught:
        ClientVersion.parse("podman-3.0")
    assert caught.value.hint == "known: podman-4.3, podman-5.4"


@given(st.text())
def test_any_text_is_an_address_or_an_input_error(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}:5000/x"):
        try:
            endpoint = parse_endpoint(url)
        except InputError:
            continue
        assert not set(endpoint.location) & set("\"'%\n {}")


@given(st.text(alphabet="realms: {}[]-\ngenerationspvc@.,'\"%/0123456789", max_size=80))
def test_any_text_is_a_policy_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(f"realms:\n  p:\n    generations: [service]\n    {text}")
    with suppress(InputError):
        assert load_policy(path).realms
