import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.signing import NAME, build_record
from ropewalk.recipe.lock import Lock, LockedDeb
from ropewalk.recipe.recipe import Generation, ParentRole
from ropewalk.recipe.record import Commit, How, ParentPin, from_json, to_json
from ropewalk.trust import (
    BadAttestation,
    SigningKeys,
    attestation_layer,
    envelope,
    open_envelope,
    provenance,
    record_from,
    statement_of,
)
from ropewalk.trust import adopted as adopted_statement


def test_provenance_says_what_the_image_was_made_from() -> None:
    statement = provenance(build_record())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": f"{NAME}/nginx", "digest": {"sha256": "1" * 64}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "line": f"{NAME}/nginx:1.22.1-3",
        "generation": "production",
        "recipeDigest": "sha256:" + "2" * 64,
        "sourceDateEpoch": 1700000000,
    }
    assert definition["resolvedDependencies"] == [
        {"uri": f"oci:{NAME}/bookworm:1", "digest": {"sha256": "3" * 64}, "annotations": {"role": "final"}},
        {"uri": "urn:ropewalk:view:20250520-0123456789", "name": "20250520-0123456789"},
    ]
    assert statement["predicate"]["runDetails"]["metadata"] == {"finishedOn": "2023-11-14T22:15:00Z"}


def test_provenance_names_each_deb(production: SigningKeys) -> None:
    deb = LockedDeb("libstdc++6", "1:12.2.0-14~1+deb12u1", "amd64", "a" * 64)
    lock = Lock("20250520-0123456789", (deb,), test=(LockedDeb("make", "4.3-4.1", "amd64", "b" * 64),))
    record = replace(build_record(), lock=lock)
    statement = provenance(record)
    assert statement["predicate"]["buildDefinition"]["resolvedDependencies"][2:] == [
        {
            "uri": "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14~1%2Bdeb12u1?arch=amd64",
            "digest": {"sha256": "a" * 64},
        }
    ]
    assert record_from(open_envelope(envelope(production, statement), (production.public,))) == record
    statement["predicate"]["buildDefinition"]["resolvedDependencies"].pop()
    with pytest.raises(BadAttestation, match="contradicts its own build record"):
        record_from(statement)


def test_provenance_names_the_commit_of_the_recipe(production: SigningKeys) -> None:
    commit = Commit("a" * 40, True, "https://git.example.org/images", "config.yaml", ("bases", "images"))
    record = replace(build_record(), commit=commit)
    assert provenance(record)["predicate"]["buildDefinition"]["resolvedDependencies"][-1] == {
        "uri": "git+https://git.example.org/images",
        "name": "recipe",
        "digest": {"gitCommit": "a" * 40},
        "annotations": {"config": "config.yaml", "directories": ["bases", "images"], "uncommittedChanges": True},
    }
    assert record_from(open_envelope(envelope(production, provenance(record)), (production.public,))) == record


def test_a_commit_that_the_record_does_not_have_is_refused() -> None:
    statement = provenance(replace(build_record(), commit=Commit("a" * 40, False, "", "config.yaml", (".",))))
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][-1]["digest"]["gitCommit"] = "b" * 40
    with pytest.raises(BadAttestation, match="contradicts its own build record"):
        record_from(statement)


def test_a_record_from_before_locks_comes_back() -> None:
    statement = provenance(build_record())
    assert "lock" not in statement["predicate"]["buildDefinition"]["internalParameters"]["record"]
    assert record_from(statement) == build_record()


def test_the_whole_record_comes_back(production: SigningKeys) -> None:
    record = replace(
        build_record(),
        how=How.REBASED,
        build=3,
        rebased_from="sha256:" + "7" * 64,
        parents=(*build_record().parents, ParentPin(f"{NAME}/gcc:12", "sha256:" + "8" * 64, ParentRole.BUILD)),
    )
    signed = envelope(production, provenance(record))
    assert record_from(open_envelope(signed, (production.public,))) == record


def test_an_adopted_image_has_a_statement_that_is_no_provenance(production: SigningKeys) -> None:
    record = replace(build_record(), how=How.ADOPTED, view="", tested=False)
    statement = statement_of(record)
    assert (statement["predicateType"], statement["subject"]) == (
        "urn:ropewalk:adopted:v1",
        [{"name": f"{NAME}/nginx", "digest": {"sha256": "1" * 64}}],
    )
    told = {key: value for key, value in statement["predicate"].items() if key != "record"}
    assert told == {
        "line": f"{NAME}/nginx:1.22.1-3",
        "tag": "1.22.1-3",
        "generation": "production",
        "recipeDigest": "sha256:" + "2" * 64,
        "adoptedOn": "2023-11-14T22:15:00Z",
        "archiveView": "",
        "parents": [
            {"uri": f"oci:{NAME}/bookworm:1", "digest": {"sha256": "3" * 64}, "annotations": {"role": "final"}}
        ],
    }
    assert record_from(open_envelope(envelope(production, statement), (production.public,))) == record
    layer = attestation_layer(b"{}", statement["predicateType"])
    assert ("predicateType", "urn:ropewalk:adopted:v1") in layer.annotations


def test_an_adopted_image_cannot_pass_as_built() -> None:
    adopted = replace(build_record(), how=How.ADOPTED)
    with pytest.raises(BadAttestation, match="contradicts"):
        record_from(provenance(adopted))
    with pytest.raises(BadAttestation, match="contradicts"):
        record_from(adopted_statement(build_record()))


def test_a_record_of_before_has_no_reasons() -> None:
    statement = json.loads(json.dumps(provenance(build_record())))
    del statement["predicate"]["buildDefinition"]["internalParameters"]["record"]["reasons"]
    assert record_from(statement).reasons == ()


def test_what_a_record_knows_of_older_versions_is_not_attested() -> None:
    record = build_record()
    known = replace(record, older=("1.22.1-2",))
    assert provenance(known) == provenance(record)
    assert from_json(to_json(known)) == known
    assert "older" not in to_json(record)


def test_a_later_records_new_field_does_not_hurt_what_we_know() -> None:
    statement = json.loads(json.dumps(provenance(build_record())))
    with pytest.raises(BadAttestation, match="holds no build record"):
        record_from({**statement, "predicate": {}})
    assert record_from(statement) == build_record()


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:" + "9" * 64},
        {"generation": "base"},
        {"repository": "registry.example.org/other"},
        {"recipe_digest": "sha256:" + "9" * 64},
        {"epoch": 1},
        {"view": "20250101-0000000000"},
        {"parents": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_the_statement_contradicts_is_refused(change: dict[str, Any]) -> None:
    statement = json.loads(json.dumps(provenance(build_record())))
    statement["predicate"]["buildDefinition"]["internalParameters"]["record"].update(change)
    with pytest.raises(BadAttestation, match="contradicts its own build record"):
        record_from(statement)


def test_an_envelope_is_dsse_and_reproducible(production: SigningKeys) -> None:
    statement = provenance(build_record())
    signed = envelope(production, statement)
    assert signed == envelope(production, statement)
    content = json.loads(signed)
    assert sorted(content) == ["payload", "payloadType", "signatures"]
    assert content["payloadType"] == "application/vnd.in-toto+json"
    assert json.loads(base64.b64decode(content["payload"])) == json.loads(json.dumps(statement))
    layer = attestation_layer(signed).descriptor()
    assert layer["mediaType"] == "application/vnd.dsse.envelope.v1+json"
    assert layer["annotations"] == {
        "dev.cosignproject.cosign/signature": "",
        "predicateType": "https://slsa.dev/provenance/v1",
    }


def test_only_a_trusted_key_opens_it(base: SigningKeys, production: SigningKeys) -> None:
    signed = envelope(base, provenance(build_record()))
    for publics in ((), (production.public,)):
        with pytest.raises(BadAttestation, match="is not signed by a key that is trusted here"):
            open_envelope(signed, publics)
    assert record_from(open_envelope(signed, (production.public, base.public))) == build_record()


def test_a_key_id_is_a_hint_only(production: SigningKeys) -> None:
    content = json.loads(envelope(production, provenance(build_record())))
    content["signatures"][0]["keyid"] = "somebody else"
    assert open_envelope(json.dumps(content).encode(), (production.public,))


def test_an_exchanged_payload_is_refused(production: SigningKeys) -> None:
    content = json.loads(envelope(production, provenance(build_record())))
    other = provenance(replace(build_record(), generation=Generation.SERVICE))
    content["payload"] = base64.b64encode(json.dumps(other).encode()).decode()
    with pytest.raises(BadAttestation, match="is not signed"):
        open_envelope(json.dumps(content).encode(), (production.public,))


@pytest.mark.parametrize(
    "statement",
    [
        {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v1"},
        {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://cyclonedx.org/bom"},
        {},
        [],
    ],
)
def test_another_signed_statement_is_no_provenance(production: SigningKeys, statement: Any) -> None:
    with pytest.raises(BadAttestation, match="is neither SLSA v1 provenance nor"):
        open_envelope(envelope(production, statement), (production.public,))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"payload": "", "payloadType": "x", "signatures": 7}',
        b'{"payload": "", "payloadType": "x", "signatures": [{"sig": "?"}]}',
        b'{"payload": "?", "payloadType": "x", "signatures": []}',
    ],
)
def test_rubbish_is_no_envelope(production: SigningKeys, data: bytes) -> None:
    with pytest.raises(BadAttestation, match="is no DSSE envelope"):
        open_envelope(data, (production.public,))


@given(data=st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_rubbish(production: SigningKeys, data: bytes) -> None:
    with pytest.raises(BadAttestation):
        open_envelope(data, (production.public,))
