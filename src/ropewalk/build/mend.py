"""Contents that differ from build to build, made equal; `known.py` says at which paths."""

import hashlib
import re
import struct
from collections.abc import Callable

from ropewalk.build.marshalled import ordered

_INITIATOR = re.compile(rb"^InitiatorName=iqn\.1993-08\.org\.debian:01:[0-9a-f]+$", re.MULTILINE)
_PIP_PLACE = re.compile(rb"(/tmp/pip-[a-z-]+-)[a-z0-9_]{8}(?:(/[\w.+-]+_)[0-9a-f]{32})?", re.ASCII)
_BUILD_ID = re.compile(rb"(?<=\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", re.DOTALL)
_PYC_FLAGS = slice(4, 8)
_PYC_MTIME = slice(8, 12)
_JKS_MAGIC = b"\xfe\xed\xfe\xed"
_JKS_TRUSTED = 2
_JKS_PASSWORD = "changeit"  # noqa: S105  the public default that Debian's ca-certificates-java uses
_SHA1_BYTES = 20

Mend = Callable[[bytes, int], bytes]
"""Takes a file's content and the epoch in seconds; gives the content to keep."""


def emptied(_data: bytes, _epoch: int) -> bytes:
    """Return nothing: ``/etc/machine-id`` must be there, and empty, so that each system makes its own."""
    return b""


def initiator(data: bytes, _epoch: int) -> bytes:
    """Let open-iscsi make an initiator's name at its start, as its own check does where the file says ``GenerateName``.

    Args:
        data: The file; a name that a recipe chose stays.
    """
    return b"GenerateName=yes\n" if _INITIATOR.search(data) else data


def pyc(data: bytes, epoch: int) -> bytes:
    """Clamp the source's time in a .pyc as the source's own time is clamped, so that Python still believes it.

    A checked-hash .pyc (PEP 552) has none. The code itself is put in order where that Python did not.

    Args:
        data: The file.
        epoch: Seconds since 1970.

    Returns:
        The file with its time field at most ``epoch``.
    """
    data = ordered(data)
    if len(data) < _PYC_MTIME.stop or data[_PYC_FLAGS] != bytes(4):
        return data
    (mtime,) = struct.unpack("<I", data[_PYC_MTIME])
    if mtime <= epoch:
        return data
    return data[: _PYC_MTIME.start] + struct.pack("<I", epoch) + data[_PYC_MTIME.stop :]


def ls_r(data: bytes, _epoch: int) -> bytes:
    """Sort kpathsea's ``ls-R``: the names in each directory, and the directories after the first lines.

    Args:
        data: The file.
    """
    head, *blocks = data.strip(b"\n").split(b"\n\n")
    ordered = []
    for block in blocks:
        name, *names = block.split(b"\n")
        ordered.append(b"\n".join([name, *sorted(names)]))
    return b"\n\n".join([head, *sorted(ordered)]) + b"\n"


def keystore(data: bytes, epoch: int) -> bytes:
    """Date each certificate of a Java keystore of trusted certificates with the epoch and sign it anew.

    Anything else than a JKS with trusted certificates under the default password stays as it is.

    Args:
        data: The file.
        epoch: Seconds since 1970; the format counts milliseconds.

    Returns:
        The keystore with every date equal.
    """
    body, seal = data[:-_SHA1_BYTES], data[-_SHA1_BYTES:]
    if not data.startswith(_JKS_MAGIC) or _jks_seal(body) != seal:
        return data
    mended = bytearray(body)
    try:
        for offset in _jks_dates(body):
            struct.pack_into(">Q", mended, offset, epoch * 1000)
    except (struct.error, ValueError):
        return data
    return bytes(mended) + _jks_seal(bytes(mended))


def _jks_seal(body: bytes) -> bytes:
    secret = _JKS_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite"
    return hashlib.sha1(secret + body, usedforsecurity=False).digest()


def _jks_dates(body: bytes) -> list[int]:
    """Return where the dates stand; ValueError for an entry that is no trusted certificate."""
    _magic, _version, count = struct.unpack_from(">III", body)
    offset, dates = 12, []
    for _ in range(count):
        (tag,) = struct.unpack_from(">I", body, offset)
        if tag != _JKS_TRUSTED:
            raise ValueError(tag)
        offset = _after_text(body, offset + 4)
        dates.append(offset)
        offset = _after_text(body, offset + 8)
        (length,) = struct.unpack_from(">I", body, offset)
        offset += 4 + length
    return dates


def _after_text(body: bytes, offset: int) -> int:
    (length,) = struct.unpack_from(">H", body, offset)
    return offset + 2 + int(length)


def extension(data: bytes, _epoch: int) -> bytes:
    """Give the directory in which pip built a C extension, which its debugging information holds, one name.

    pip cannot be told where to build, and flags for the compiler would reach every other build too (``CFLAGS`` replaces
    what a Makefile or configure script chooses). So the random parts of the name become zeros, and the build id, a hash
    of all that, is made anew (ELF note of type 3, 20 bytes).

    Args:
        data: The file; it stays where it names no such directory.
    """
    named = _PIP_PLACE.sub(_zeroed, data)
    if named == data:
        return data
    digest = hashlib.sha1(_BUILD_ID.sub(bytes(20), named, count=1), usedforsecurity=False).digest()
    return _BUILD_ID.sub(lambda _: digest, named, count=1)


def _zeroed(found: re.Match[bytes]) -> bytes:
    place, project = found[1] + b"0" * 8, found[2]
    return place if project is None else place + project + b"0" * 32
