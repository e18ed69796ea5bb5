"""Certificates, made when a test needs one."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def certificate(*, ca: bool | None = True) -> tuple[bytes, bytes]:
    """Make a certificate and its key, in PEM.

    Args:
        ca: Whether it may sign others; None leaves that out, as old roots do.
    """
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(day).not_valid_after(day + timedelta(days=9))
    if ca is not None:
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.sign(key, None).public_bytes(Encoding.PEM), secret


def authority() -> bytes:
    """Make the certificate of an authority, in PEM."""
    return certificate()[0]
