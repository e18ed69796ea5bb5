"""Certificates for one run: apt in a build reaches an https archive through our proxy, which serves the view in its name.

An image keeps its sources as they are, with https. apt asks the proxy for a tunnel to the archive's host; at its other end is
the proxy itself, with a certificate of an authority that lives as long as the proxy, and that apt is told to trust for the
build only. What apt gets is checked as ever: by the archive's signature. The real host's certificate is checked by the proxy,
where it fetches.
"""

import ssl
import threading
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_FROM, _UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Whatever day a build believes it is; the key lives as long as the proxy."""


class Authority:
    """Makes the certificates of the hosts that a proxy stands for; the first is made when it is asked for."""

    def __init__(self) -> None:
        """Make nothing yet: most runs need no certificate, and cryptography is slow to import."""
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.RLock()

    @cached_property
    def _own(self) -> "tuple[ec.EllipticCurvePrivateKey, x509.Certificate]":
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        return key, _certificate("Ropewalk's archive proxy", key.public_key(), key)

    @property
    def certificate(self) -> str:
        """The authority's certificate in PEM, for ``Acquire::https::CAInfo``."""
        from cryptography.hazmat.primitives.serialization import Encoding

        with self._lock:
            return self._own[1].public_bytes(Encoding.PEM).decode()

    def context(self, host: str) -> ssl.SSLContext:
        """Return how to be a host.

        Args:
            host: Its name or address, without a port.
        """
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._make(host)
            return self._contexts[host]

    def _make(self, host: str) -> ssl.SSLContext:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("an archive", key.public_key(), self._own[0], host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory(prefix="ropewalk-tls-") as place:  # the standard library reads keys from files only
            path = Path(place) / "key.pem"
            path.touch(0o600)
            own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(own + certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(path)
        return context


def _certificate(
    subject: str, public: "ec.EllipticCurvePublicKey", signer: "ec.EllipticCurvePrivateKey", host: str = ""
) -> "x509.Certificate":
    """Sign a certificate: of a host, or the authority's own (RFC 5280, 4.2.1, which Python 3.13 is strict about)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder(
        subject_name=name(subject),
        issuer_name=name("Ropewalk's archive proxy"),
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=_FROM,
        not_valid_after=_UNTIL,
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    if not host:
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_signing_only(), critical=True).add_extension(identifier, critical=False)
        return builder.sign(signer, SHA256())
    try:
        named: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        named = x509.DNSName(host)
    return builder.add_extension(x509.SubjectAlternativeName([named]), critical=False).sign(signer, SHA256())


def _signing_only() -> "x509.KeyUsage":
    """Return what an authority's key may be used for."""
    from cryptography import x509

    return x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
