"""Signing keys: one pair of each kind per generation, so that a node can trust production's and not a base image's.

``DIRECTORY/GENERATION/`` holds ``cosign.key`` and ``cosign.pub`` (ECDSA P-256, PEM) and ``openpgp.key``, ``openpgp.gpg``
and ``openpgp.asc``. It appears by rename, so it is whole or not there. Private keys are files of mode 0600 without a
passphrase: whoever reads the state directory as its owner may sign.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pysequoia import Cert, Tsk

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import Generation
from ropewalk.trust.keyid import ECDSA_PUBLIC, key_id

_ECDSA_PRIVATE = "cosign.key"
_OPENPGP_PRIVATE = "openpgp.key"
_OPENPGP_PUBLIC = "openpgp.gpg"
_OPENPGP_ARMOURED = "openpgp.asc"
_PRIVATE_MODE = 0o600
_DRAFT = ".new-"
_GPG_SECONDS = 60.0
_RESTORE = "restore the file from a backup"


class KeysMissing(InputError):
    """A generation has no signing keys here."""


class KeysExist(InputError):
    """A generation has signing keys already; they are never overwritten."""


class KeysUnreadable(InputError):
    """A key file does not hold what its name says."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What others need to verify a generation's signatures.

    Attributes:
        generation: Whose images these keys vouch for.
        ecdsa_pem: ECDSA P-256 public key, PEM (cosign, containers' ``sigstoreSigned``, DSSE).
        openpgp: OpenPGP certificate, binary (containers' ``signedBy``: ``GPGKeys``).
        fingerprint: The certificate's fingerprint: 40 hexadecimal digits, capitals.
    """

    generation: Generation
    ecdsa_pem: bytes
    openpgp: bytes
    fingerprint: str

    @property
    def key_id(self) -> str:
        """The id that an envelope names the ECDSA key by."""
        return key_id(self.ecdsa_pem)

    @property
    def openpgp_armoured(self) -> bytes:
        """The OpenPGP certificate in ASCII armour."""
        return str(Cert.from_bytes(self.openpgp)).encode()


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs a generation's images; its secrets are kept out of ``repr``.

    Attributes:
        public: The public halves.
        ecdsa: ECDSA P-256 private key.
        openpgp: OpenPGP secret key, binary.
    """

    public: PublicKeys
    ecdsa: ec.EllipticCurvePrivateKey = field(repr=False)
    openpgp: bytes = field(repr=False)

    @property
    def generation(self) -> Generation:
        """Whose images these keys sign."""
        return self.public.generation


def new_keys(directory: Path, generation: Generation) -> PublicKeys:
    """Make a generation's keys of both kinds.

    Args:
        directory: The key directory of the installation; made with mode 0700 where it is missing.
        generation: Whose images the keys shall sign.

    Returns:
        The public halves.

    Raises:
        KeysExist: The generation has keys; nothing is changed.
        ProgramMissing: gpg is not installed.
        CommandFailed: gpg could not make the key.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.locked(directory / ".lock"):
        final = directory / generation
        if final.exists():
            hint = f"they are in use; to replace them, move {final} away and publish all {generation} images again"
            raise KeysExist(f"there are {generation} keys already", where=str(final), hint=hint)
        for left in directory.glob(f"{_DRAFT}*"):
            shutil.rmtree(left)  # a run that was killed left it
        with _temporary(directory) as draft:
            _write_ecdsa(draft)
            _write_openpgp(draft, generation)
            draft.rename(final)
    return _read_public(directory, generation)


def load(directory: Path, generation: Generation) -> SigningKeys:
    """Read a generation's signing keys.

    Args:
        directory: The key directory of the installation.
        generation: Whose images are to be signed.

    Raises:
        KeysMissing: The generation has no keys.
        KeysUnreadable: A file does not hold a key of its kind.
    """
    public_keys = _read_public(directory, generation)
    path = directory / generation / _ECDSA_PRIVATE
    ecdsa = _parse_private(_read(directory, generation, _ECDSA_PRIVATE), path)
    if ecdsa.public_key() != ecdsa_public(public_keys.ecdsa_pem, path):
        raise KeysUnreadable("does not belong to the public key beside it", where=str(path), hint=_RESTORE)
    openpgp = _read(directory, generation, _OPENPGP_PRIVATE)
    _check_secret(openpgp, public_keys.fingerprint, directory / generation / _OPENPGP_PRIVATE)
    return SigningKeys(public_keys, ecdsa, openpgp)


def public(directory: Path) -> tuple[PublicKeys, ...]:
    """Read the public keys of all generations that have some, in the order base, production, service.

    Raises:
        KeysUnreadable: A file does not hold a key of its kind.
    """
    present = (generation for generation in Generation if (directory / generation).is_dir())
    return tuple(_read_public(directory, generation) for generation in present)


@contextmanager
def _temporary(directory: Path) -> Iterator[Path]:
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=directory))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_ecdsa(draft: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    atomic.write_bytes(draft / _ECDSA_PRIVATE, private, _PRIVATE_MODE)
    atomic.write_bytes(draft / ECDSA_PUBLIC, key.public_key().public_bytes(serialization.Encoding.PEM, spki))


def _gpg(home: Path, *arguments: str) -> bytes:
    argv = ("gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", *arguments)
    return run(Command(argv, timeout=_GPG_SECONDS)).stdout


def _write_openpgp(draft: Path, generation: Generation) -> None:
    """Let gpg make an Ed25519 key whose primary key signs: podman rejects a signature by a subkey (tried with 4.3.1)."""
    home = draft / "gpg"
    home.mkdir(mode=0o700)
    # gpg sees its home by a short name: its agent's socket lies there, and a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ropewalk-gpg-") as directory:
        short = Path(directory) / "home"
        short.symlink_to(home.absolute())
        try:
            # An empty passphrase from standard input, as no secret may stand among arguments.
            words = (f"Ropewalk {generation} images", "ed25519", "sign", "never")
            _gpg(short, "--passphrase-fd", "0", "--quick-gen-key", *words)
            secret = _gpg(short, "--passphrase-fd", "0", "--export-secret-keys")
            certificate = _gpg(short, "--export")
        finally:
            run(Command(("gpgconf", "--homedir", str(short), "--kill", "all"), timeout=_GPG_SECONDS), check=False)
    shutil.rmtree(home)
    atomic.write_bytes(draft / _OPENPGP_PRIVATE, secret, _PRIVATE_MODE)
    atomic.write_bytes(draft / _OPENPGP_PUBLIC, certificate)
    atomic.write_text(draft / _OPENPGP_ARMOURED, str(Cert.from_bytes(certificate)))


def _read(directory: Path, generation: Generation, name: str) -> bytes:
    path = directory / generation / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        hint = "make them once: ropewalk keys new"
        raise KeysMissing(f"no signing keys of generation {generation}", where=str(path), hint=hint) from None


def _read_public(directory: Path, generation: Generation) -> PublicKeys:
    pem = _read(directory, generation, ECDSA_PUBLIC)
    ecdsa_public(pem, directory / generation / ECDSA_PUBLIC)
    certificate = _read(directory, generation, _OPENPGP_PUBLIC)
    path = directory / generation / _OPENPGP_PUBLIC
    return PublicKeys(generation, pem, certificate, _fingerprint(certificate, path))


def _unreadable(path: Path, what: str) -> KeysUnreadable:
    return KeysUnreadable(f"is no {what}", where=str(path), hint=_RESTORE)


def _fingerprint(certificate: bytes, path: Path) -> str:
    try:
        return str(Cert.from_bytes(certificate).fingerprint).upper()
    except Exception as error:
        raise _unreadable(path, "OpenPGP certificate") from error


def _check_secret(secret: bytes, fingerprint: str, path: Path) -> None:
    try:
        found = str(Tsk.from_bytes(secret).extract_certificate().fingerprint).upper()
    except Exception as error:
        raise _unreadable(path, "OpenPGP secret key") from error
    if found != fingerprint:
        raise KeysUnreadable("does not belong to the public key beside it", where=str(path), hint=_RESTORE)


def _parse_private(pem: bytes, path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable(path, "PEM private key without passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unreadable(path, "ECDSA P-256 private key")
    return key


def ecdsa_public(pem: bytes, path: Path) -> ec.EllipticCurvePublicKey:
    """Parse a public key in PEM.

    Args:
        pem: The key.
        path: Where it came from, for the error.

    Raises:
        KeysUnreadable: It is no ECDSA P-256 public key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable(path, "PEM public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unreadable(path, "ECDSA P-256 public key")
    return key


def openpgp_secret(keys: SigningKeys) -> Tsk:
    """Return the OpenPGP secret key in the form that signs."""
    return Tsk.from_bytes(keys.openpgp)
