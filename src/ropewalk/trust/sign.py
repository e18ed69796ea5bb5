"""Two signatures over one claim: this digest was published under that name.

The claim is a simple-signing payload (containers/image, docs/containers-signature.5.md). cosign's form carries it as the
layer of an image under the tag ``sha256-HEX.sig``; Debian 12's podman reads the other form, an OpenPGP message in a
lookaside. Both name the registry by its *name*, so an address never changes a signature.
"""

import base64
from dataclasses import dataclass
from typing import Any

import pysequoia
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ropewalk.oci.imagejson import canonical, digest_of
from ropewalk.oci.model import CONFIG, MANIFEST
from ropewalk.trust.keys import SigningKeys, openpgp_secret

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
COSIGN_TYPE = "cosign container image signature"
LOOKASIDE_TYPE = "atomic container signature"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A layer of the small images that carry signatures and attestations.

    Attributes:
        data: The layer's bytes.
        media_type: What they are.
        annotations: The layer's annotations, sorted by name.
    """

    data: bytes
    media_type: str
    annotations: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """``sha256:...`` of the bytes."""
        return digest_of(self.data)

    def descriptor(self) -> dict[str, Any]:
        """Return the layer's descriptor with annotations, as it stands in a manifest."""
        return {
            "mediaType": self.media_type,
            "size": len(self.data),
            "digest": self.digest,
            "annotations": dict(self.annotations),
        }


@dataclass(frozen=True, slots=True)
class ArtifactImage:
    """The manifest and config of an image that carries signatures or attestations.

    Attributes:
        manifest: The manifest's bytes, an OCI image manifest.
        config: The config's bytes.
    """

    manifest: bytes
    config: bytes


def _payload(reference: str, digest: str, kind: str) -> bytes:
    identity = {"docker-reference": reference}
    critical = {"identity": identity, "image": {"docker-manifest-digest": digest}, "type": kind}
    # containers/image wants an object in "optional": podman 4.3 refuses null, as cosign writes it.
    return canonical({"critical": critical, "optional": {}})


def cosign_payload(reference: str, digest: str) -> bytes:
    """Return what cosign's form signs.

    Args:
        reference: ``registry/namespace/name:tag`` with the registry's name.
        digest: The manifest's digest.
    """
    return _payload(reference, digest, COSIGN_TYPE)


def lookaside_payload(reference: str, digest: str) -> bytes:
    """Return what the OpenPGP form signs; arguments as `cosign_payload`."""
    return _payload(reference, digest, LOOKASIDE_TYPE)


def sign_ecdsa(keys: SigningKeys, data: bytes) -> bytes:
    """Sign with ECDSA P-256 and SHA-256, deterministically (RFC 6979): signing again changes no digest.

    Returns:
        The signature in DER.
    """
    return keys.ecdsa.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def verify_ecdsa(pem: bytes, signature: bytes, data: bytes) -> bool:
    """Say whether a DER signature over ``data`` (ECDSA P-256, SHA-256) is by the key in ``pem``."""
    key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def sign_cosign(keys: SigningKeys, payload: bytes) -> str:
    """Sign a payload for cosign.

    Returns:
        The DER signature in base64, as the layer's annotation holds it.
    """
    return base64.b64encode(sign_ecdsa(keys, payload)).decode()


def sign_openpgp(keys: SigningKeys, payload: bytes) -> bytes:
    """Sign a payload as an OpenPGP message that holds it (``gpg --sign``).

    Returns:
        The binary message, the content of ``signature-1`` in a lookaside.
    """
    return bytes(pysequoia.sign(openpgp_secret(keys).signer(), payload, armor=False))


def cosign_layer(payload: bytes, signature: str) -> Artifact:
    """Return the layer of a ``.sig`` image.

    Args:
        payload: What was signed.
        signature: What `sign_cosign` gave.
    """
    return Artifact(payload, SIMPLE_SIGNING, ((SIGNATURE_ANNOTATION, signature),))


def cosign_manifest(layers: tuple[dict[str, Any], ...]) -> ArtifactImage:
    """Return the image that carries signatures or attestations, laid out as cosign does.

    Args:
        layers: Descriptors of the layers: of those that were there before, then ours.
    """
    diff_ids = [layer["digest"] for layer in layers]
    config = canonical(
        {
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in layers],
            "os": "",
            "rootfs": {"diff_ids": diff_ids, "type": "layers"},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)},
        "layers": list(layers),
    }
    return ArtifactImage(canonical(manifest), config)


def signature_tag(digest: str) -> str:
    """Return the tag of an image's signatures: ``sha256-HEX.sig``."""
    return digest.replace(":", "-") + ".sig"


def attestation_tag(digest: str) -> str:
    """Return the tag of an image's attestations: ``sha256-HEX.att``."""
    return digest.replace(":", "-") + ".att"


def lookaside_directory(repository: str, digest: str) -> str:
    """Return where a lookaside keeps an image's signatures, relative to its root: ``REPOSITORY@sha256=HEX``.

    Args:
        repository: ``namespace/name`` without the registry.
        digest: The manifest's digest.
    """
    return f"{repository}@{digest.replace(':', '=')}"
