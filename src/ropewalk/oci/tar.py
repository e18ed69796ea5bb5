"""Tar headers, bytes in and bytes out: ustar with PAX records (POSIX.1-2001, "pax"); GNU's long names are only read.

Python's tarfile is not used: it reads PAX headers of any size into memory, lets global headers change entries (other
unpackers do not), and takes what stands before a broken header for the whole.
"""

import struct
from dataclasses import dataclass

from ropewalk.errors import TrustError

BLOCK = 512
FILE, HARDLINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK = b"x", b"g", b"L", b"K"

_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_MAGIC = b"ustar\x0000"
_SUM = slice(148, 156)
_SHORT, _ID_LIMIT, _SIZE_LIMIT = 100, 8**7, 8**11
_PAX_NAME = b"././@PaxHeader"
_XATTR = b"SCHILY.xattr."
_MEANT = frozenset((b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"))
_HINT = "do not use this image: a broken or hostile program made the layer"


class LayerError(TrustError):
    """A layer's tar is damaged, hostile, or beyond the limits."""

    def __init__(self, message: str, path: str | bytes = b"") -> None:
        """Keep what is wrong with which entry.

        Args:
            message: What is wrong.
            path: The entry's path as the tar names it; empty where it has none.
        """
        text = path.decode(errors="backslashreplace") if isinstance(path, bytes) else path
        shown = ascii(text if len(text) <= _SHORT else text[:_SHORT] + "...")
        super().__init__(message, where=f"layer, entry {shown}" if text else "layer", hint=_HINT)


@dataclass(frozen=True, slots=True)
class Header:
    """One header with its PAX records applied.

    Attributes:
        name: The path as written, undecoded.
        kind: The type flag.
        mode: Permission bits.
        uid: Owner.
        gid: Group.
        size: Bytes of content.
        mtime: Seconds since 1970.
        link: A link's target as written.
        device: Major and minor number.
        xattrs: Extended attributes, sorted by name.
    """

    name: bytes
    kind: bytes
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()


def padding(size: int) -> int:
    """Return how many bytes fill ``size`` up to a whole block."""
    return -size % BLOCK


def encode(header: Header) -> bytes:
    """Return a header's blocks: a PAX header first where ustar cannot hold a value.

    Args:
        header: Its owners are numbers only; names of users stay empty.
    """
    records = _needed(header)
    if not records:
        return _block(header)
    data = b"".join(_record(key, value) for key, value in sorted(records))
    before = _block(Header(_PAX_NAME, PAX, size=len(data)))
    return before + data + bytes(padding(len(data))) + _block(header)


def _needed(header: Header) -> list[tuple[bytes, bytes]]:
    records = [(_XATTR + name, value) for name, value in header.xattrs]
    for key, text in ((b"path", header.name), (b"linkpath", header.link)):
        if len(text) > _SHORT or not text.isascii():
            records.append((key, text))
            if not _is_utf8(text):
                records.append((b"hdrcharset", b"BINARY"))
    numbers = (
        (b"uid", header.uid, _ID_LIMIT),
        (b"gid", header.gid, _ID_LIMIT),
        (b"size", header.size, _SIZE_LIMIT),
        (b"mtime", header.mtime, _SIZE_LIMIT),
    )
    records.extend((key, b"%d" % value) for key, value, limit in numbers if not 0 <= value < limit)
    return list(dict(records).items())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(key: bytes, value: bytes) -> bytes:
    """Return ``LENGTH key=value`` and a newline; the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _fit(number: int, limit: int) -> int:
    return number if 0 <= number < limit else 0


def _block(header: Header) -> bytes:
    major, minor = header.device
    block = _FIELDS.pack(
        header.name[:_SHORT],
        b"%07o\0" % header.mode,
        b"%07o\0" % _fit(header.uid, _ID_LIMIT),
        b"%07o\0" % _fit(header.gid, _ID_LIMIT),
        b"%011o\0" % _fit(header.size, _SIZE_LIMIT),
        b"%011o\0" % _fit(header.mtime, _SIZE_LIMIT),
        b"        ",
        header.kind,
        header.link[:_SHORT],
        _MAGIC,
        b"",
        b"",
        b"%07o\0" % major,
        b"%07o\0" % minor,
        b"",
    )
    return block[: _SUM.start] + b"%06o\0 " % sum(block) + block[_SUM.stop :]


def decode(block: bytes, records: dict[bytes, bytes]) -> Header:
    """Read a header.

    Args:
        block: Its 512 bytes.
        records: PAX records that stand before it (and GNU's long names, as ``path`` and ``linkpath``).

    Returns:
        The header, its records applied.

    Raises:
        LayerError: The checksum or a number is wrong, or the file is sparse.
    """
    name, mode, uid, gid, size, mtime, checksum, kind, link, magic, _, _, major, minor, prefix = _FIELDS.unpack(block)
    name = _text(name)
    if sum(block) - sum(checksum) + 8 * ord(" ") != _number(checksum, name):
        raise LayerError("its header's checksum is wrong", name)
    if magic == _MAGIC and prefix[0]:
        name = _text(prefix) + b"/" + name
    name = records.get(b"path", name)
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise LayerError("it is a sparse file", name)
    if kind in (b"\0", b"7"):
        kind = FILE
    if kind == FILE and name.endswith(b"/"):
        kind = DIRECTORY
    return Header(
        name=name,
        kind=kind,
        mode=_number(mode, name) & 0o7777,
        uid=_decimal(records, b"uid", name) if b"uid" in records else _number(uid, name),
        gid=_decimal(records, b"gid", name) if b"gid" in records else _number(gid, name),
        size=_decimal(records, b"size", name) if b"size" in records else _number(size, name),
        mtime=_seconds(records[b"mtime"], name) if b"mtime" in records else _number(mtime, name, signed=True),
        link=records.get(b"linkpath", _text(link)),
        device=(_number(major, name), _number(minor, name)) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0),
        xattrs=_xattrs(records) if records else (),
    )


def _xattrs(records: dict[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    found = ((key.removeprefix(_XATTR), value) for key, value in records.items() if key.startswith(_XATTR))
    return tuple(sorted(found))


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, name: bytes, *, signed: bool = False) -> int:
    """Read octal digits, or GNU's base 256 where the top bit is set."""
    if field[0] & 0x80:
        # 0x80 marks the form and is no part of the number; with 0x40 the number is negative (two's complement).
        bits = 8 * len(field)
        value = int.from_bytes(field, "big") - (1 << (bits if field[0] & 0x40 else bits - 1))
    else:
        digits = _text(field).strip(b" ")
        if digits and (not digits.isdigit() or b"8" in digits or b"9" in digits):
            raise LayerError("a number of its header is none", name)
        value = int(digits, 8) if digits else 0
    if value < 0 and not signed:
        raise LayerError("a number of its header is negative", name)
    return value


def _decimal(records: dict[bytes, bytes], key: bytes, name: bytes) -> int:
    value = records[key]
    if not value.isdigit() or len(value) > 20:  # noqa: PLR2004  # more digits than 64 bits have
        raise LayerError(f"its PAX record {key.decode()} is no number", name)
    return int(value)


def _seconds(value: bytes, name: bytes) -> int:
    whole, _, fraction = value.partition(b".")
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20 or (fraction and not fraction.isdigit()):  # noqa: PLR2004  # as above
        raise LayerError("its PAX record mtime is no time", name)
    # Rounded down, as the kernel counts: -0.5 lies in the second -1.
    return int(whole) - (1 if whole.startswith(b"-") and fraction.strip(b"0") else 0)


def pax_records(data: bytes) -> dict[bytes, bytes]:
    """Read the records of a PAX header.

    Args:
        data: The header's content.

    Returns:
        Key to value.

    Raises:
        LayerError: A record's length is wrong, or a path holds a NUL.
    """
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        digits, _, _ = data[position : position + 12].partition(b" ")
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = data[position + len(digits) + 1 : end].partition(b"=")
        if end > len(data) or not equals or not value.endswith(b"\n"):
            raise LayerError("a PAX record is broken")
        records[key] = value[:-1]
        position = end
    if any(b"\0" in records.get(key, b"") for key in _MEANT):
        raise LayerError("a PAX record holds a NUL", records.get(b"path", b""))
    return records


def check_global(data: bytes) -> None:
    """Refuse a global PAX header that would change entries: programs disagree about whether it does.

    Args:
        data: The header's content.

    Raises:
        LayerError: It names a path, an owner, a size or a time, or is broken.
    """
    if _MEANT & pax_records(data).keys():
        raise LayerError("a global PAX header changes the entries after it")
