"""What a full rebuild said of a rebased image, as signed in-toto statements: confirmed, or withdrawn.

``urn:ropewalk:proof:v1`` and ``urn:ropewalk:withdrawal:v1`` stand beside the provenance of the image that they are about.
"""

from dataclasses import dataclass
from typing import Any

from ropewalk.errors import InputError
from ropewalk.oci.reference import parse
from ropewalk.recipe.record import BuildRecord, Proof, Withdrawn
from ropewalk.trust.attest import PROOF, STATEMENT, WITHDRAWAL, rfc3339, sha256_of


def proof_statement(record: BuildRecord, proof: Proof) -> dict[str, Any]:
    """Return the statement that a full rebuild gave the same image.

    Args:
        record: The image's build record.
        proof: What the rebuild said; equal.
    """
    predicate = {
        "line": record.line,
        "tag": record.tag,
        "view": record.view,
        "rebuiltOn": rfc3339(proof.at),
        "seconds": round(proof.seconds, 2),
    }
    return _statement(record, PROOF, predicate)


def withdrawal_statement(record: BuildRecord, withdrawn: Withdrawn) -> dict[str, Any]:
    """Return the statement that an image is no longer vouched for.

    Args:
        record: The image's build record.
        withdrawn: Why, and what takes its place.
    """
    predicate = {
        "line": record.line,
        "tag": record.tag,
        "reason": withdrawn.reason,
        "replacedBy": withdrawn.by,
        "withdrawnOn": rfc3339(withdrawn.at),
    }
    return _statement(record, WITHDRAWAL, predicate)


def _statement(record: BuildRecord, kind: str, predicate: dict[str, Any]) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [{"name": record.repository, "digest": sha256_of(record.digest)}],
        "predicateType": kind,
        "predicate": predicate,
    }


@dataclass(frozen=True, slots=True)
class Judgement:
    """What verified statements say of an image.

    Attributes:
        proven: A full rebuild gave the same.
        withdrawn: Why it is no longer vouched for; empty where it is.
    """

    proven: bool = False
    withdrawn: str = ""


def judged(statement: dict[str, Any], repository: str, digest: str, so_far: Judgement) -> Judgement:
    """Add what one verified statement says of an image; one about another image, or of another kind, says nothing.

    Args:
        statement: What `open_envelope` gave.
        repository: ``registry/namespace/name``; without a registry only the path is compared.
        digest: The image's manifest digest.
        so_far: What others said.
    """
    kind = statement.get("predicateType")
    try:
        (subject,) = statement["subject"]
        signed, asked = parse(str(subject["name"])), parse(repository)
        fits = subject["digest"] == sha256_of(digest) and signed.repository == asked.repository
        if kind not in (PROOF, WITHDRAWAL) or not fits or asked.registry not in ("", signed.registry):
            return so_far
        if kind == PROOF:
            return Judgement(proven=True, withdrawn=so_far.withdrawn)
        said = statement["predicate"]
        return Judgement(so_far.proven, f"{said['reason']}; {said['replacedBy']} takes its place")
    except (KeyError, TypeError, ValueError, InputError):
        return so_far
