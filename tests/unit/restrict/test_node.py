import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Generation
from ropewalk.restrict import NFTABLES, ClientVersion, Egress, Exemption, Realm, render_node, write_node
from ropewalk.trust.keys import PublicKeys

BASE, PRODUCTION, SERVICE = Generation
KEYS = tuple(PublicKeys(one, f"pem {one}".encode(), f"pgp {one};".encode(), "F" * 40) for one in Generation)
EXEMPT = "docker.io/library/x@sha256:" + "a" * 64
REALM = Realm(
    name="production",
    generations=(PRODUCTION, SERVICE),
    keys=None,
    aliases=("alias.example.org", "registry.example.org"),
    egress=(Egress("2001:db8::53", 53, "udp", "names\n}"), Egress("192.0.2.1", 5000, "tcp", "again")),
    exemptions=(Exemption(EXEMPT, "r", "c", date(2026, 1, 31)),),
)


def render(client: str = "podman-4.3", realm: Realm = REALM, **changed: Any) -> dict[str, str]:
    arguments = {
        "name": "registry.example.org",
        "endpoint": "http://192.0.2.1:5000",
        "lookaside": "http://192.0.2.1:5001",
        "keys": KEYS,
        "today": date(2026, 1, 31),
        **changed,
    }
    return {file.path: file.content.decode() for file in render_node(realm, ClientVersion.parse(client), **arguments)}


def test_debian_12_asks_for_openpgp_signatures() -> None:
    files = render("podman-4.3")
    policy = json.loads(files["etc/containers/policy.json"])
    assert policy["default"] == [{"type": "reject"}]
    assert policy["transports"] == {
        "docker": {
            "registry.example.org": [
                {
                    "type": "signedBy",
                    "keyType": "GPGKeys",
                    "keyPath": "/etc/containers/keys/ropewalk.gpg",
                    "signedIdentity": {"type": "matchRepoDigestOrExact"},
                }
            ],
            "alias.example.org": [
                {
                    "type": "signedBy",
                    "keyType": "GPGKeys",
                    "keyPath": "/etc/containers/keys/ropewalk.gpg",
                    "signedIdentity": {
                        "type": "remapIdentity",
                        "prefix": "alias.example.org",
                        "signedPrefix": "registry.example.org",
                    },
                }
            ],
            EXEMPT: [{"type": "insecureAcceptAnything"}],
        }
    }
    assert files["etc/containers/keys/ropewalk.gpg"] == "pgp production;pgp service;"
    signatures = yaml.safe_load(files["etc/containers/registries.d/ropewalk.yaml"])["docker"]
    scopes = ("registry.example.org", "alias.example.org", "192.0.2.1:5000")
    assert signatures == {scope: {"lookaside": "http://192.0.2.1:5001"} for scope in scopes}


def test_debian_13_asks_for_sigstore_signatures() -> None:
    files = render("podman-5.4", lookaside="")
    policy = json.loads(files["etc/containers/policy.json"])
    [asked] = policy["transports"]["docker"]["registry.example.org"]
    paths = [f"/etc/containers/keys/ropewalk-{one}.pem" for one in ("production", "service")]
    assert asked == {
        "type": "sigstoreSigned",
        "keyPaths": paths,
        "signedIdentity": {"type": "matchRepoDigestOrExact"},
    }
    assert [files[path.removeprefix("/")] for path in paths] == ["pem production", "pem service"]
    signatures = yaml.safe_load(files["etc/containers/registries.d/ropewalk.yaml"])["docker"]
    assert signatures["192.0.2.1:5000"] == {"use-sigstore-attachments": True}
    assert "5001" not in files[NFTABLES]


@pytest.mark.parametrize("client", ClientVersion)
def test_no_file_trusts_the_base_key(client: str) -> None:
    for path, text in render(client).items():
        assert "base" not in path
        assert "pem base" not in text
        assert "pgp base" not in text


def tables(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    config = tomllib.loads(files["etc/containers/registries.conf"])
    assert config["unqualified-search-registries"] == []
    assert config["short-name-mode"] == "enforcing"
    return {table["prefix"]: table for table in config["registry"]}


def test_names_lead_to_the_registry_and_others_are_blocked() -> None:
    found = tables(render())
    for name in ("registry.example.org", "alias.example.org"):
        assert found[name] == {"prefix": name, "location": "192.0.2.1:5000", "insecure": True}
    assert all(found[host]["blocked"] for host in ("docker.io", "quay.io", "*.io", "*.com"))
    assert "blocked" not in found["docker.io/library/x"]
    assert tomllib.loads(render()["etc/containers/registries.conf.d/shortnames.conf"]) == {}


def test_an_https_registry_of_a_name_that_a_pattern_covers() -> None:
    realm = Realm("p", (SERVICE,), None, ("quay.io", "a.io"), (Egress("192.0.2.9", 443, "tcp", "registry"),), ())
    files = render(realm=realm, endpoint="https://registry.example.org")
    found = tables(files)
    assert found["quay.io"] == {"prefix": "quay.io", "location": "registry.example.org"}
    assert "*.io" not in found  # as long as a.io, and the longest prefix wins
    assert "*.dev" in found
    assert "192.0.2.9 . tcp . 443" in files[NFTABLES]


def test_packet_rules() -> None:
    rules = render()[NFTABLES]
    assert rules.startswith("# Realm production.")
    assert rules.partition("table")[1:] == ("table", rules.partition("table")[2])
    assert "192.0.2.1 . tcp . 5000, # the registry\n\t\t\t192.0.2.1 . tcp . 5001, # the registry's signatures" in rules
    assert rules.count("192.0.2.1 . tcp . 5000") == 1
    assert "2001:db8::53 . udp . 53, # names }\n" in rules
    assert rules.count("policy drop") == 2


def test_every_file_but_json_and_keys_says_what_it_leaves_open() -> None:
    for path, text in render().items():
        if not path.endswith(".json") and "/keys/" not in path:
            assert "# Leaves open: " in text, path


def test_an_expired_exemption_is_left_out() -> None:
    assert "docker.io/library/x" not in "".join(render(today=date(2026, 2, 1)).values())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keys": KEYS[:2]}, "no public key of service is here"),
        ({"keys": ()}, "no public key of production is here"),
        ({"lookaside": ""}, "reads signatures from a lookaside only"),
        ({"name": "registry"}, "is no name of a registry"),
        ({"endpoint": "registry.example.org"}, "is no address of a server"),
        ({"endpoint": "http://[2001:db8::1]:5000"}, "clients take no IPv6 address here"),
        ({"endpoint": "http://192.0.2.1:5000/v2"}, "has a path"),
        ({"endpoint": "https://registry.example.org"}, "packet rules know addresses only"),
        ({"name": "docker.io"}, "is an image of our own registry"),
        ({"realm": Realm("p", (), None, (), (), ())}, "production and service only"),
        ({"realm": Realm("p", (BASE, SERVICE), None, (), (), ())}, "production and service only"),
    ],
)
def test_what_cannot_restrict_is_an_error(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        render(**changed)
    assert message in caught.value.message


def test_writing_again_changes_nothing_and_old_keys_go(tmp_path: Path) -> None:
    def write(client: ClientVersion) -> tuple[str, ...]:
        files = render_node(
            REALM,
            client,
            name="registry.example.org",
            endpoint="http://192.0.2.1:5000",
            lookaside="http://192.0.2.1:5001",
            keys=KEYS,
            today=date(2026, 1, 1),
        )
        return write_node(files, tmp_path)

    assert len(write(ClientVersion.PODMAN_4_3)) == 6
    assert write(ClientVersion.PODMAN_4_3) == ()
    (tmp_path / NFTABLES).chmod(0o600)
    assert write(ClientVersion.PODMAN_4_3) == (NFTABLES,)
    assert "etc/containers/keys/ropewalk.gpg" in write(ClientVersion.PODMAN_5_4)
    names = sorted(path.name for path in (tmp_path / "etc/containers/keys").iterdir())
    assert names == ["ropewalk-production.pem", "ropewalk-service.pem"]
