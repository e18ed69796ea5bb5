"""Who vouches for an image: keys per generation, signatures, provenance, and their verification."""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.trust.attest import (
        BadAttestation,
        adopted,
        attestation_layer,
        envelope,
        open_envelope,
        provenance,
        record_from,
        statement_of,
    )
    from ropewalk.trust.judgement import proof_statement, withdrawal_statement
    from ropewalk.trust.keys import (
        KeysExist,
        KeysMissing,
        KeysUnreadable,
        PublicKeys,
        SigningKeys,
        load,
        new_keys,
        public,
    )
    from ropewalk.trust.publics import Publics
    from ropewalk.trust.sign import (
        Artifact,
        ArtifactImage,
        attestation_tag,
        cosign_layer,
        cosign_manifest,
        cosign_payload,
        lookaside_directory,
        lookaside_payload,
        sign_cosign,
        sign_openpgp,
        signature_tag,
    )
    from ropewalk.trust.verify import (
        Verdict,
        artifact_layers,
        verify_cosign,
        verify_image,
        verify_openpgp,
    )
else:
    __getattr__ = exported(
        __name__,
        {
            "attest": (
                "BadAttestation",
                "adopted",
                "attestation_layer",
                "envelope",
                "open_envelope",
                "provenance",
                "record_from",
                "statement_of",
            ),
            "judgement": ("proof_statement", "withdrawal_statement"),
            "keys": (
                "KeysExist",
                "KeysMissing",
                "KeysUnreadable",
                "PublicKeys",
                "SigningKeys",
                "load",
                "new_keys",
                "public",
            ),
            "publics": ("Publics",),
            "sign": (
                "Artifact",
                "ArtifactImage",
                "attestation_tag",
                "cosign_layer",
                "cosign_manifest",
                "cosign_payload",
                "lookaside_directory",
                "lookaside_payload",
                "sign_cosign",
                "sign_openpgp",
                "signature_tag",
            ),
            "verify": ("Verdict", "artifact_layers", "verify_cosign", "verify_image", "verify_openpgp"),
        },
    )

__all__ = [
    "Artifact",
    "ArtifactImage",
    "BadAttestation",
    "KeysExist",
    "KeysMissing",
    "KeysUnreadable",
    "PublicKeys",
    "Publics",
    "SigningKeys",
    "Verdict",
    "adopted",
    "artifact_layers",
    "attestation_layer",
    "attestation_tag",
    "cosign_layer",
    "cosign_manifest",
    "cosign_payload",
    "envelope",
    "load",
    "lookaside_directory",
    "lookaside_payload",
    "new_keys",
    "open_envelope",
    "proof_statement",
    "provenance",
    "public",
    "record_from",
    "sign_cosign",
    "sign_openpgp",
    "signature_tag",
    "statement_of",
    "verify_cosign",
    "verify_image",
    "verify_openpgp",
    "withdrawal_statement",
]
