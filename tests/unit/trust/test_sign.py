import base64
import json
from dataclasses import replace
from typing import Any

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.signing import DIGEST, NAME
from ropewalk.trust import (
    SigningKeys,
    attestation_tag,
    cosign_layer,
    cosign_manifest,
    cosign_payload,
    lookaside_directory,
    lookaside_payload,
    sign_cosign,
    sign_openpgp,
    signature_tag,
    verify_cosign,
    verify_openpgp,
)

REFERENCE = f"{NAME}/nginx:1.22.1-3"
OTHER = "sha256:" + "9" * 64


def test_payload_is_simple_signing() -> None:
    assert cosign_payload(REFERENCE, DIGEST).decode() == (
        '{"critical":{"identity":{"docker-reference":"registry.example.org/nginx:1.22.1-3"},'
        f'"image":{{"docker-manifest-digest":"{DIGEST}"}},'
        '"type":"cosign container image signature"},"optional":{}}'
    )
    assert json.loads(lookaside_payload(REFERENCE, DIGEST))["critical"]["type"] == "atomic container signature"


def test_names_of_what_carries_signatures() -> None:
    assert signature_tag(DIGEST) == f"sha256-{'1' * 64}.sig"
    assert attestation_tag(DIGEST) == f"sha256-{'1' * 64}.att"
    assert lookaside_directory("team/nginx", DIGEST) == f"team/nginx@sha256={'1' * 64}"


def test_a_signature_of_the_same_claim_is_the_same(production: SigningKeys) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    assert sign_cosign(production, payload) == sign_cosign(production, payload)


def test_signature_image_is_laid_out_as_cosign_does(production: SigningKeys) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    layer = cosign_layer(payload, sign_cosign(production, payload))
    image = cosign_manifest((layer.descriptor(),))
    manifest = json.loads(image.manifest)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["config"]["size"] == len(image.config)
    assert manifest["layers"] == [
        {
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "size": len(payload),
            "digest": layer.digest,
            "annotations": {"dev.cosignproject.cosign/signature": sign_cosign(production, payload)},
        }
    ]
    assert json.loads(image.config)["rootfs"] == {"type": "layers", "diff_ids": [layer.digest]}


def test_cosign_form_verifies(production: SigningKeys) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    verdict = verify_cosign(production.public, payload, sign_cosign(production, payload), f"{NAME}/nginx", DIGEST)
    assert (verdict.ok, verdict.generation, verdict.reason) == (True, "production", "signed by the production key")


def test_path_without_registry_is_enough_to_ask(production: SigningKeys) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    assert verify_cosign(production.public, payload, sign_cosign(production, payload), "nginx", DIGEST).ok


@pytest.mark.parametrize(
    ("reference", "digest", "repository", "reason"),
    [
        (REFERENCE, OTHER, f"{NAME}/nginx", f"the signature is for digest {OTHER}"),
        (f"{NAME}/bash:1", DIGEST, f"{NAME}/nginx", f"the signature is for {NAME}/bash:1"),
        ("evil.example.net/nginx:1", DIGEST, f"{NAME}/nginx", "the signature is for evil.example.net/nginx:1"),
        (f"{NAME}/a/nginx:1", DIGEST, "nginx", f"the signature is for {NAME}/a/nginx:1"),
        ("UPPER", DIGEST, f"{NAME}/nginx", "the signed payload is no simple-signing claim"),
    ],
)
def test_claims_about_something_else_are_refused(
    production: SigningKeys, reference: str, digest: str, repository: str, reason: str
) -> None:
    payload = cosign_payload(reference, digest)
    verdict = verify_cosign(production.public, payload, sign_cosign(production, payload), repository, DIGEST)
    assert (verdict.ok, verdict.generation, verdict.reason) == (False, None, reason)
    message = sign_openpgp(production, lookaside_payload(reference, digest))
    assert verify_openpgp(production.public, message, repository, DIGEST).reason == reason


def test_one_form_does_not_stand_for_the_other(production: SigningKeys) -> None:
    payload = lookaside_payload(REFERENCE, DIGEST)
    verdict = verify_cosign(production.public, payload, sign_cosign(production, payload), f"{NAME}/nginx", DIGEST)
    assert verdict.reason.startswith("the signed payload is of type 'atomic container signature'")
    message = sign_openpgp(production, cosign_payload(REFERENCE, DIGEST))
    assert not verify_openpgp(production.public, message, f"{NAME}/nginx", DIGEST).ok


def test_another_generations_key_does_not_vouch(base: SigningKeys, production: SigningKeys) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    verdict = verify_cosign(production.public, payload, sign_cosign(base, payload), f"{NAME}/nginx", DIGEST)
    assert verdict.reason == "the signature is not by the production key"
    message = sign_openpgp(base, lookaside_payload(REFERENCE, DIGEST))
    assert not verify_openpgp(production.public, message, f"{NAME}/nginx", DIGEST).ok


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{}", b'{"critical": 1}', b"[" * 100_000, b"\xff"])
def test_signed_rubbish_is_no_claim(production: SigningKeys, payload: bytes) -> None:
    verdict = verify_cosign(production.public, payload, sign_cosign(production, payload), "nginx", DIGEST)
    assert verdict.reason == "the signed payload is no simple-signing claim"


def test_openpgp_form_verifies_and_holds_the_payload(production: SigningKeys) -> None:
    payload = lookaside_payload(REFERENCE, DIGEST)
    message = sign_openpgp(production, payload)
    assert verify_openpgp(production.public, message, f"{NAME}/nginx", DIGEST).ok
    assert payload in message


def test_openpgp_signature_is_by_the_primary_key(production: SigningKeys) -> None:
    message = sign_openpgp(production, b"x")
    certificate = pysequoia.Cert.from_bytes(production.public.openpgp)
    opened: Any = pysequoia.verify(message, store=lambda _ids: [certificate])
    assert [sig.signing_key.upper() for sig in opened.valid_sigs] == [production.public.fingerprint]


def test_every_single_bit_of_an_openpgp_message_counts(production: SigningKeys) -> None:
    payload = lookaside_payload(REFERENCE, DIGEST)
    message = sign_openpgp(production, payload)
    start = message.index(payload)
    for position in range(start, start + len(payload), 16):
        forged = message[:position] + bytes((message[position] ^ 1,)) + message[position + 1 :]
        assert not verify_openpgp(production.public, forged, f"{NAME}/nginx", DIGEST).ok


@given(data=st.binary(max_size=300))
def test_rubbish_is_never_a_signature(production: SigningKeys, data: bytes) -> None:
    payload = cosign_payload(REFERENCE, DIGEST)
    assert not verify_openpgp(production.public, data, "nginx", DIGEST).ok
    assert not verify_cosign(production.public, payload, data.decode("latin-1"), "nginx", DIGEST).ok
    assert not verify_cosign(production.public, payload, base64.b64encode(data).decode(), "nginx", DIGEST).ok


def test_a_certificate_of_another_kind_is_no_excuse(production: SigningKeys, base: SigningKeys) -> None:
    mixed = replace(production.public, openpgp=base.public.openpgp)
    message = sign_openpgp(production, lookaside_payload(REFERENCE, DIGEST))
    assert not verify_openpgp(mixed, message, "nginx", DIGEST).ok
