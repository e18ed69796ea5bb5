"""How an ECDSA key is named, and where its public half lies: what must be known before a key is read."""

from hashlib import sha256

ECDSA_PUBLIC = "cosign.pub"
"""The file of the public key, below the directory of its generation."""


def key_id(pem: bytes) -> str:
    """Return the id that an envelope names an ECDSA key by: the sha256 of its PEM, in hexadecimal."""
    return sha256(pem).hexdigest()
