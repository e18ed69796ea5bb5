"""A suite's signed release file: checked with gpgv, then read (Debian wiki, DebianRepository/Format)."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from ropewalk import process
from ropewalk.debian import paragraphs, seconds
from ropewalk.errors import InputError, TrustError

DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""The public keys of Debian's archive, from the package debian-archive-keyring."""

_FILE = re.compile(r"\s*(?P<sha256>[0-9a-f]{64})\s+(?P<size>[0-9]+)\s+(?P<path>\S+)\s*")
_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+: [^\n]*\n)*\s*(?P<body>[A-Za-z0-9+/=\s]+?)\n(?:=\S{4}\s*\n)?-----END"
)
_PACKET = 0x80
"""Set in the first byte of each OpenPGP packet (RFC 9580, 4.2)."""
_TIMEOUT = 60.0
_HINT = "the archive is broken; tell its keepers"


class BadSignature(TrustError):
    """A release file is not signed by a key that we trust, or was changed after it was signed."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a release file says.

    Attributes:
        suite: ``Suite``: ``stable``, ``oldstable-updates``.
        codename: ``Codename``: ``bookworm``.
        label: ``Label``.
        date: ``Date``, in seconds since 1970.
        valid_until: ``Valid-Until``, likewise; None where it is not written.
        components: ``Components`` as index paths name them (security's ``updates/main`` is ``main``).
        architectures: ``Architectures``.
        all_apart: Packages for all architectures have indexes of their own, which apt reads too.
        by_hash: Indexes can be fetched by hash (``Acquire-By-Hash``).
        files: Size in bytes and sha256 of each file, by its path below the suite.
    """

    suite: str
    codename: str
    label: str
    date: int
    valid_until: int | None
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    all_apart: bool
    by_hash: bool
    files: Mapping[str, tuple[int, str]]

    @property
    def named(self) -> str:
        """How it names itself, in one line."""
        return " ".join(filter(None, (self.label, self.suite, self.codename)))


def _verdicts(status: str) -> set[str]:
    """Return the keywords of gpgv's status lines (GnuPG's doc/DETAILS)."""
    return {line.split()[1] for line in status.splitlines() if line.startswith("[GNUPG:] ")}


def keyring_bytes(path: Path) -> bytes:
    """Return a keyring as gpgv reads it: armoured blocks (RFC 9580, 6.2), as apt takes them too, are decoded.

    Args:
        path: The keyring.

    Raises:
        InputError: It is not there, or holds no key.
    """
    if not path.is_file():
        hint = "apt-get install debian-archive-keyring" if path == DEBIAN_KEYRING else "put its public keys there"
        raise InputError("the keyring is not there", where=str(path), hint=hint)
    data = path.read_bytes()
    if b"-----BEGIN PGP" in data:
        blocks = [match["body"] for match in _ARMOUR.finditer(data.decode("ascii", "replace").replace("\r", ""))]
        try:
            data = b"".join(base64.b64decode(body) for body in blocks)
        except binascii.Error:
            data = b""
    if not data or not data[0] & _PACKET:
        raise InputError("holds no public key", where=str(path), hint="export one: `gpg --export KEY`")
    return data


def verify(data: bytes, keyring: Path, where: str = "InRelease") -> bytes:
    """Check an inline signature.

    Args:
        data: The file: a text signed inline, by one key or several.
        keyring: Public keys, one of which must have signed; signatures of keys that are not in it do not count.
        where: What the file is, for errors.

    Returns:
        The signed text, and only that.

    Raises:
        BadSignature: No valid signature by a key of the keyring that is neither expired nor revoked, or one that is
            wrong.
        InputError: The keyring is not there, or holds no key.
        ProgramMissing: gpgv is not installed.
    """
    options = ("--weak-digest", "SHA1", "--status-fd", "2", "--output", "-")
    with NamedTemporaryFile(prefix="ropewalk-keys-", suffix=".gpg") as keys:
        keys.write(keyring_bytes(keyring))
        keys.flush()
        argv = ("gpgv", "--keyring", keys.name, *options, "-")
        done = process.run(process.Command(argv, stdin=data, timeout=_TIMEOUT), check=False)
    verdicts = _verdicts(done.stderr.decode(errors="replace"))
    if "BADSIG" in verdicts or "GOODSIG" not in verdicts:
        changed = "was changed after it was signed"
        message = changed if "BADSIG" in verdicts else "has no valid signature by a known key"
        raise BadSignature(message, where=where, hint=f"do not use this mirror; the keys are those of {keyring}")
    return done.stdout


def signed_text(inrelease: str) -> str:
    """Return what a release file says that was verified before: the lines between the marks of its signature.

    Args:
        inrelease: The file.
    """
    _, _, rest = inrelease.partition("-----BEGIN PGP SIGNED MESSAGE-----")
    return rest.partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE-----")[0]


def _date(text: str, field: str, where: str) -> int:
    try:
        return seconds(text)
    except ValueError:
        raise InputError(f"{field} '{text}' is no date", where=where, hint=_HINT) from None


def _files(text: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for line in text.splitlines():
        match = _FILE.fullmatch(line)
        if match is not None:
            yield match["path"], (int(match["size"]), match["sha256"])


def parse_release(text: str, where: str = "InRelease") -> Release:
    """Read a release file.

    Args:
        text: The text that `verify` gave.
        where: What the file is, for errors.

    Returns:
        Its values.

    Raises:
        InputError: It has no date or no SHA256 sums.
    """
    fields = next(paragraphs(text), {})
    files = dict(_files(fields.get("SHA256", "")))
    if not files:
        raise InputError("lists no file by SHA256", where=where, hint=_HINT)
    until = fields.get("Valid-Until")
    architectures = tuple(fields.get("Architectures", "").split())
    return Release(
        suite=fields.get("Suite", ""),
        codename=fields.get("Codename", ""),
        label=fields.get("Label", ""),
        date=_date(fields.get("Date", ""), "Date", where),
        valid_until=None if until is None else _date(until, "Valid-Until", where),
        components=tuple(name.removeprefix("updates/") for name in fields.get("Components", "").split()),
        architectures=architectures,
        # apt reads binary-all only where both say so; -security lists such files, and mirrors hold stale ones.
        all_apart="all" in architectures and fields.get("No-Support-for-Architecture-all", "") != "Packages",
        by_hash=fields.get("Acquire-By-Hash", "") == "yes",
        files=files,
    )
