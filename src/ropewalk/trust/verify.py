"""Verification: does an image in a registry carry a signature and an attestation of one generation's keys?

The answers are values with a reason. Nothing checked means denied: without keys, nothing verifies.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pysequoia

from ropewalk.errors import InputError
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.reference import Reference, parse
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.record import BuildRecord
from ropewalk.trust.attest import DSSE, JUDGEMENTS, BadAttestation, open_envelope, record_from
from ropewalk.trust.judgement import Judgement, judged
from ropewalk.trust.keys import PublicKeys
from ropewalk.trust.sign import (
    COSIGN_TYPE,
    LOOKASIDE_TYPE,
    SIGNATURE_ANNOTATION,
    SIMPLE_SIGNING,
    attestation_tag,
    signature_tag,
    verify_ecdsa,
)

_LARGEST = 4 * 1024 * 1024
_MOST_LAYERS = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification says.

    Attributes:
        ok: The signature holds.
        generation: Whose keys signed; None where nothing holds.
        reason: Why, in one line.
        record: The build record of the verified attestation; None where none was asked for or it does not hold.
        proven: It was rebased, and a signed statement says that a full rebuild gave the same.
    """

    ok: bool
    generation: Generation | None
    reason: str
    record: BuildRecord | None = None
    proven: bool = False


def _no(reason: str) -> Verdict:
    return Verdict(ok=False, generation=None, reason=reason)


def same_repository(signed: Reference, wanted: str) -> bool:
    """Say whether a signed name is the repository that was asked for.

    Args:
        signed: The name in a payload.
        wanted: ``registry/namespace/name`` with the registry's name; without a registry, only the path is compared.
    """
    asked = parse(wanted)
    return signed.repository == asked.repository and asked.registry in ("", signed.registry)


def _check_payload(payload: bytes, kind: str, repository: str, digest: str) -> str:
    """Return what is wrong with a signed payload; empty if it is right."""
    try:
        critical = json.loads(payload)["critical"]
        said = str(critical["identity"]["docker-reference"])
        signed_digest, signed_kind = critical["image"]["docker-manifest-digest"], critical["type"]
        reference = parse(said)
    except (ValueError, KeyError, TypeError, RecursionError, InputError):
        return "the signed payload is no simple-signing claim"
    if signed_kind != kind:
        return f"the signed payload is of type {signed_kind!r}, not {kind!r}"
    if signed_digest != digest:
        return f"the signature is for digest {signed_digest}"
    if not same_repository(reference, repository):
        return f"the signature is for {said}"
    return ""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def verify_cosign(keys: PublicKeys, payload: bytes, signature: str, repository: str, digest: str) -> Verdict:
    """Verify a signature in cosign's form, with the repository, which cosign itself does not compare.

    Args:
        keys: Keys of one generation.
        payload: The signed payload.
        signature: Base64 of the DER signature.
        repository: ``registry/namespace/name``; without registry, only the path is compared.
        digest: The manifest's digest.
    """
    if not verify_ecdsa(keys.ecdsa_pem, _base64(signature), payload):
        return _no(f"the signature is not by the {keys.generation} key")
    wrong = _check_payload(payload, COSIGN_TYPE, repository, digest)
    return _no(wrong) if wrong else Verdict(True, keys.generation, f"signed by the {keys.generation} key")


def verify_openpgp(keys: PublicKeys, message: bytes, repository: str, digest: str) -> Verdict:
    """Verify a lookaside's signature file; arguments as `verify_cosign`.

    Args:
        keys: Keys of one generation.
        message: The OpenPGP message that holds the payload.
        repository: ``registry/namespace/name``; without registry, only the path is compared.
        digest: The manifest's digest.
    """
    certificate = pysequoia.Cert.from_bytes(keys.openpgp)
    try:
        opened = pysequoia.verify(message, store=lambda _ids: [certificate])
    except Exception:  # noqa: BLE001 - pysequoia raises bare Exception, also for malformed input
        return _no(f"the signature is not by the {keys.generation} key")
    if not opened.valid_sigs or opened.bytes is None:
        return _no(f"the signature is not by the {keys.generation} key")
    wrong = _check_payload(bytes(opened.bytes), LOOKASIDE_TYPE, repository, digest)
    return _no(wrong) if wrong else Verdict(True, keys.generation, f"signed by the {keys.generation} key")


def artifact_layers(client: RegistryClient, path: str, tag: str) -> tuple[dict[str, Any], ...]:
    """Return the layer descriptors of an image that carries signatures or attestations.

    Args:
        client: The registry.
        path: The repository without the registry.
        tag: ``sha256-HEX.sig`` or ``.att``.

    Returns:
        Descriptors that are well-formed, at most 100; none where there is no such tag or it is no manifest.
    """
    found = client.manifest(path, tag)
    if found is None:
        return ()
    try:
        layers = json.loads(found[1])["layers"]
        return tuple(layer for layer in layers[:_MOST_LAYERS] if _well_formed(layer))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def _well_formed(layer: Any) -> bool:
    if not isinstance(layer, dict) or not isinstance(layer.get("annotations", {}), dict):
        return False
    types = (("mediaType", str), ("digest", str), ("size", int))
    return all(isinstance(layer.get(name), kind) for name, kind in types) and 0 < layer["size"] <= _LARGEST


def annotation(layer: dict[str, Any], name: str) -> str:
    """Return an annotation of a layer's descriptor; empty where it has none."""
    return str(layer.get("annotations", {}).get(name, ""))


def _signed_by(
    client: RegistryClient, wanted: tuple[str, str], digest: str, publics: tuple[PublicKeys, ...]
) -> tuple[PublicKeys | None, str]:
    """Return whose keys signed an image, or None and why it does not hold."""
    repository, path = wanted
    reasons = ["no signature exists"]
    for layer in artifact_layers(client, path, signature_tag(digest)):
        if layer["mediaType"] != SIMPLE_SIGNING:
            continue
        payload = client.blob(path, layer["digest"])
        for keys in publics:
            verdict = verify_cosign(keys, payload, annotation(layer, SIGNATURE_ANNOTATION), repository, digest)
            if verdict.ok:
                return keys, verdict.reason
            reasons.append(verdict.reason)
    # What is wrong with a payload that one of our keys signed says more than that other keys did not sign it.
    telling = [reason for reason in reasons[1:] if not reason.startswith("the signature is not by")]
    return None, telling[0] if telling else _unknown(reasons)


def _unknown(reasons: list[str]) -> str:
    return reasons[0] if len(reasons) == 1 else "the signature is not by a key that is trusted here"


@dataclass(frozen=True, slots=True)
class _Attested:
    """What the statements of one generation's keys say of an image.

    Attributes:
        record: The build record; a reason where there is none.
        judgement: What a full rebuild said.
    """

    record: BuildRecord | str
    judgement: Judgement


def _attested(
    client: RegistryClient, wanted: tuple[str, str], digest: str, publics: tuple[PublicKeys, ...]
) -> _Attested:
    """Read all statements on an image that these keys signed."""
    repository, path = wanted
    found: BuildRecord | str = "no attestation exists"
    judgement = Judgement()
    for layer in artifact_layers(client, path, attestation_tag(digest)):
        # What others attest needs no look once the record is found; who could change the annotation could drop the layer.
        wants = not isinstance(found, BuildRecord) or annotation(layer, "predicateType") in JUDGEMENTS
        if layer["mediaType"] != DSSE or not wants:
            continue
        try:
            statement = open_envelope(client.blob(path, layer["digest"]), publics)
            judgement = judged(statement, repository, digest, judgement)
            if statement["predicateType"] in JUDGEMENTS or isinstance(found, BuildRecord):
                continue
            found = _fitting(record_from(statement), repository, digest, publics)
        except BadAttestation as error:
            found = found if isinstance(found, BuildRecord) else f"the attestation {error.message}"
    return _Attested(found, judgement)


def _fitting(record: BuildRecord, repository: str, digest: str, publics: tuple[PublicKeys, ...]) -> BuildRecord | str:
    """Return an attested record if it is of this image and its generation's keys signed it, else why not."""
    if record.digest != digest or record.generation not in {keys.generation for keys in publics}:
        return f"the attestation is for {record.generation} image {record.digest}"
    if not same_repository(parse(record.repository), repository):
        return f"the attestation is for {record.repository}"
    return record


def verify_image(client: RegistryClient, repository: str, digest: str, publics: Iterable[PublicKeys]) -> Verdict:
    """Verify an image's signature and attestation in a registry; both must be by one generation's keys.

    Args:
        client: The registry.
        repository: ``registry/namespace/name`` with the registry's name; without it, only the path is compared.
        digest: The manifest's digest.
        publics: The keys that are trusted; their generation is the image's.

    Returns:
        A verdict with the attested build record if both hold.

    Raises:
        NetworkError: The registry does not answer as it should.
        TrustError: The registry's content is not what its digest says.
    """
    wanted = (repository, parse(repository).repository)
    trusted = tuple(publics)
    if not trusted:
        return _no("no key is trusted here")
    keys, reason = _signed_by(client, wanted, digest, trusted)
    if keys is None:
        why = _attested(client, wanted, digest, trusted).judgement.withdrawn
        return _no(f"it was withdrawn: {why}" if why else reason)
    said = _attested(client, wanted, digest, (keys,))
    if said.judgement.withdrawn:
        return _no(f"it was withdrawn: {said.judgement.withdrawn}")
    if isinstance(said.record, str):
        return _no(said.record)
    reason = f"signed and attested by the {keys.generation} key"
    return Verdict(True, keys.generation, reason, said.record, said.judgement.proven)
