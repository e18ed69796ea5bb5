"""Statements on images: in-toto (v1), signed in a DSSE envelope.

What a full rebuild said of an image stands in statements of its own (`judgement`). An image that was made here carries SLSA provenance (v1); one that was adopted carries the predicate
``urn:ropewalk:adopted:v1``, which claims nothing of how it was made (docs/reference/adopted.md).

The build type ``urn:ropewalk:build:v1``: ``externalParameters`` say what was asked for (line, generation, recipe digest,
SOURCE_DATE_EPOCH), ``resolvedDependencies`` what it was made from (parents by digest, the archive view, the .debs that its
own build was given, the recipe's git commit),
``internalParameters.record`` is the whole build record, from which another state directory knows the image again.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from securesystemslib.dsse import Envelope

from ropewalk.errors import TrustError
from ropewalk.oci.imagejson import canonical
from ropewalk.recipe import record as records
from ropewalk.recipe.lock import LockedDeb
from ropewalk.recipe.record import BuildRecord, Commit, How
from ropewalk.trust.keys import PublicKeys, SigningKeys
from ropewalk.trust.sign import Artifact, sign_ecdsa, verify_ecdsa

DSSE = "application/vnd.dsse.envelope.v1+json"
INTOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:ropewalk:build:v1"
BUILDER = "urn:ropewalk:builder:v1"
ADOPTED = "urn:ropewalk:adopted:v1"
PROOF = "urn:ropewalk:proof:v1"
WITHDRAWAL = "urn:ropewalk:withdrawal:v1"
JUDGEMENTS = (PROOF, WITHDRAWAL)

_HINT = "publish the image again from the state directory that built it"


class BadAttestation(TrustError):
    """An attestation is malformed, unsigned, or says something else than the image."""


def sha256_of(digest: str) -> dict[str, str]:
    """Return a digest as in-toto's DigestSet.

    Args:
        digest: ``sha256:HEX``.
    """
    return {"sha256": digest.removeprefix("sha256:")}


def _dependencies(record: BuildRecord) -> list[dict[str, Any]]:
    parents = [
        {"uri": f"oci:{pin.reference}", "digest": sha256_of(pin.digest), "annotations": {"role": pin.role.value}}
        for pin in record.parents
    ]
    view = {"uri": f"urn:ropewalk:view:{record.view}", "name": record.view}
    recipe = [] if record.commit is None else [_recipe(record.commit)]
    return [*parents, view, *map(_deb, record.lock.debs if record.lock else ()), *recipe]


def _deb(deb: LockedDeb) -> dict[str, Any]:
    """Name a .deb by its package URL (purl-spec, type deb: the namespace is the distribution that uses it)."""
    uri = f"pkg:deb/debian/{quote(deb.name, safe='')}@{quote(deb.version, safe=':')}?arch={deb.architecture}"
    return {"uri": uri, "digest": {"sha256": deb.sha256}}


def _recipe(commit: Commit) -> dict[str, Any]:
    """Return the recipe's place in git (SLSA v1: a ResourceDescriptor with ``gitCommit``)."""
    said = {"config": commit.config, "directories": list(commit.directories), "uncommittedChanges": commit.dirty}
    uri = {"uri": f"git+{commit.remote}"} if commit.remote else {}
    return {**uri, "name": "recipe", "digest": {"gitCommit": commit.id}, "annotations": said}


def rfc3339(seconds: int) -> str:
    """Return a time as RFC 3339 writes it, in UTC.

    Args:
        seconds: Since 1970.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def provenance(record: BuildRecord) -> dict[str, Any]:
    """Return the in-toto statement of an image (in-toto Statement v1; SLSA provenance v1).

    Args:
        record: Its build record.
    """
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "line": record.line,
            "generation": record.generation.value,
            "recipeDigest": record.recipe_digest,
            "sourceDateEpoch": record.epoch,
        },
        "internalParameters": {"record": records.to_json(replace(record, older=()))},
        "resolvedDependencies": _dependencies(record),
    }
    details = {"builder": {"id": BUILDER}, "metadata": {"finishedOn": rfc3339(record.made)}}
    return {
        "_type": STATEMENT,
        "subject": [{"name": record.repository, "digest": sha256_of(record.digest)}],
        "predicateType": PROVENANCE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def adopted(record: BuildRecord) -> dict[str, Any]:
    """Return the in-toto statement of an image that was made elsewhere and taken over as it is.

    Args:
        record: Its record, of which `How` is adopted.
    """
    parents = [
        {"uri": f"oci:{pin.reference}", "digest": sha256_of(pin.digest), "annotations": {"role": pin.role.value}}
        for pin in record.parents
    ]
    predicate = {
        "line": record.line,
        "tag": record.tag,
        "generation": record.generation.value,
        "recipeDigest": record.recipe_digest,
        "adoptedOn": rfc3339(record.made),
        "archiveView": record.view,
        "parents": parents,
        "record": records.to_json(replace(record, older=())),
    }
    return {
        "_type": STATEMENT,
        "subject": [{"name": record.repository, "digest": sha256_of(record.digest)}],
        "predicateType": ADOPTED,
        "predicate": predicate,
    }


def statement_of(record: BuildRecord) -> dict[str, Any]:
    """Return the statement that fits a record: `adopted` for what was made elsewhere, else `provenance`."""
    return adopted(record) if record.how is How.ADOPTED else provenance(record)


def _holder(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the object of a statement that holds its record."""
    predicate: dict[str, Any] = statement["predicate"]
    if statement["predicateType"] == ADOPTED:
        return predicate
    internal: dict[str, Any] = predicate["buildDefinition"]["internalParameters"]
    return internal


def record_from(statement: dict[str, Any]) -> BuildRecord:
    """Return the build record in a statement that `statement_of` made.

    Raises:
        BadAttestation: There is none, or the statement says something else than its record.
    """
    try:
        data = _holder(statement)["record"]
        record = records.from_json(data)
        expected = statement_of(record)
        # The record as it stands there: an earlier version's record may have fields less.
        _holder(expected)["record"] = data
        same = canonical(expected) == canonical(statement)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise BadAttestation("holds no build record of ropewalk", where="attestation", hint=_HINT) from error
    if not same:
        raise BadAttestation("contradicts its own build record", where="attestation", hint=_HINT)
    return record


def envelope(keys: SigningKeys, statement: dict[str, Any]) -> bytes:
    """Sign a statement.

    Args:
        keys: Keys of the image's generation.
        statement: What `statement_of` gave.

    Returns:
        A DSSE envelope as JSON; the same input gives the same bytes.
    """
    unsigned = Envelope(canonical(statement), INTOTO, {})
    signature = base64.b64encode(sign_ecdsa(keys, unsigned.pae())).decode()
    signatures = [{"keyid": keys.public.key_id, "sig": signature}]
    return canonical({**unsigned.to_dict(), "signatures": signatures})


def _parse(data: bytes) -> tuple[Envelope, tuple[bytes, ...]]:
    try:
        content = json.loads(data)
        signatures = tuple(base64.b64decode(item["sig"], validate=True) for item in content["signatures"])
        payload = base64.b64decode(content["payload"], validate=True)
        return Envelope(payload, str(content["payloadType"]), {}), signatures
    except (KeyError, TypeError, ValueError, binascii.Error, RecursionError) as error:
        raise BadAttestation("is no DSSE envelope", where="attestation", hint=_HINT) from error


def open_envelope(data: bytes, publics: Iterable[PublicKeys]) -> dict[str, Any]:
    """Verify an envelope and return its statement. Key ids are hints only, as DSSE says: each key is tried.

    Args:
        data: The envelope.
        publics: Keys of which one must have signed; none means that nothing is believed.

    Raises:
        BadAttestation: It is malformed, not signed by one of the keys, or holds no statement of ours.
    """
    signed, signatures = _parse(data)
    pems = [keys.ecdsa_pem for keys in publics]
    if not any(verify_ecdsa(pem, signature, signed.pae()) for pem in pems for signature in signatures):
        raise BadAttestation("is not signed by a key that is trusted here", where="attestation", hint=_HINT)
    try:
        statement = json.loads(signed.payload)
    except (ValueError, RecursionError) as error:
        raise BadAttestation("its payload is no JSON", where="attestation", hint=_HINT) from error
    found = statement if isinstance(statement, dict) else {}
    known = found.get("predicateType") in (PROVENANCE, ADOPTED, *JUDGEMENTS)
    if not known or (signed.payload_type, found.get("_type")) != (INTOTO, STATEMENT):
        message = "is neither SLSA v1 provenance nor a statement of ours"
        raise BadAttestation(message, where="attestation", hint=_HINT)
    return dict(found)


def attestation_layer(data: bytes, predicate: str = PROVENANCE) -> Artifact:
    """Return the layer of an ``.att`` image that carries an envelope, as cosign lays it out.

    Args:
        data: The envelope.
        predicate: The predicate type of its statement.
    """
    # cosign tells attestations by an empty signature annotation; the signature is in the envelope.
    annotations = (("dev.cosignproject.cosign/signature", ""), ("predicateType", predicate))
    return Artifact(data, DSSE, annotations)
