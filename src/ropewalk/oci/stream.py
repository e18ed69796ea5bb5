"""The stream below a layer: headers with their extensions applied, contents read exactly, all of it bounded."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ropewalk.oci import tar
from ropewalk.oci.tar import LayerError

CHUNK = 1 << 20
_GIB = 1 << 30
_PAX_LIMIT = 1 << 20
_KIND = slice(156, 157)
_EXTENSIONS = (tar.PAX, tar.PAX_GLOBAL, tar.GNU_NAME, tar.GNU_LINK)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a layer may hold at most.

    Attributes:
        entries: Headers.
        bytes: Bytes of the uncompressed tar.
        path: Bytes of a path, or of a link's target.
    """

    entries: int = 1_000_000
    bytes: int = 20 * _GIB
    path: int = 4096


LIMITS = Limits()


class Source:
    """A stream that is read exactly, and counted."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        """Read ``stream`` within ``limits``."""
        self._stream = stream
        self._limit = limits.bytes
        self._taken = 0

    def some(self, size: int) -> bytes:
        """Return at least one byte and at most ``size``.

        Raises:
            LayerError: The tar ends, or holds more than its limit.
        """
        data = self._stream.read(size)
        if not data:
            raise LayerError("the tar ends too early")
        self._taken += len(data)
        if self._taken > self._limit:
            raise LayerError(f"it holds more than {self._limit} bytes")
        return data

    def exactly(self, size: int) -> bytes:
        """Return ``size`` bytes."""
        data = self.some(size) if size else b""
        while len(data) < size:
            data += self.some(size - len(data))
        return data

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes."""
        while size:
            size -= len(self.some(min(size, CHUNK)))


class Member(io.BufferedIOBase):
    """The content of one file; it must be read before the next entry is asked for."""

    def __init__(self, source: Source, size: int) -> None:
        """Take the next ``size`` bytes of ``source``."""
        self._source = source
        self._left = size
        self._over = False

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return exactly ``size`` bytes, fewer only at the end; all where it is negative or None.

        Raises:
            LayerError: The tar ends too early or is beyond the limits.
        """
        if self._over:
            raise ValueError("read too late: the tar has been read on")
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        data = self._source.exactly(wanted) if wanted <= CHUNK else self._pieces(wanted)
        self._left -= len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes; see `read`."""
        return self.read(CHUNK if size < 0 else size)

    def _pieces(self, wanted: int) -> bytes:
        # A header may claim any size: memory grows with what really comes.
        pieces = []
        while wanted:
            pieces.append(self._source.some(min(wanted, CHUNK)))
            wanted -= len(pieces[-1])
        return b"".join(pieces)

    def finish(self) -> None:
        """Pass over what was not read."""
        self._source.skip(self._left)
        self._over = True


def headers(source: Source, limits: Limits) -> Iterator[tar.Header]:
    """Read headers up to the tar's end mark, with their extensions applied.

    Args:
        source: The tar; the caller takes each file's content and padding from it before the next header.
        limits: How many headers there may be.

    Yields:
        One header an entry.

    Raises:
        LayerError: A header is broken, or there are too many.
    """
    records: dict[bytes, bytes] = {}
    long_names: dict[bytes, bytes] = {}
    count = 0
    while any(block := source.exactly(tar.BLOCK)):
        count += 1
        if count > limits.entries:
            raise LayerError(f"it holds more than {limits.entries} entries")
        kind = block[_KIND]
        if kind not in _EXTENSIONS:
            yield tar.decode(block, {**records, **long_names})
            records, long_names = {}, {}
            continue
        data = _extension(source, block)
        if kind == tar.PAX:
            records = tar.pax_records(data)
        elif kind == tar.PAX_GLOBAL:
            tar.check_global(data)
        else:
            key = b"path" if kind == tar.GNU_NAME else b"linkpath"
            long_names[key] = data.partition(b"\0")[0]
    if any(source.exactly(tar.BLOCK)):
        raise LayerError("an entry stands after the tar's end mark")


def _extension(source: Source, block: bytes) -> bytes:
    size = tar.decode(block, {}).size
    if size > _PAX_LIMIT:
        raise LayerError(f"an extended header holds more than {_PAX_LIMIT} bytes")
    data = source.exactly(size)
    source.skip(tar.padding(size))
    return data
