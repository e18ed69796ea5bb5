"""Between a layer's tar and its blob: one pass that hashes, compresses and writes, or reads and hashes."""

import hashlib
import io
from typing import Any, BinaryIO

from isal import isal_zlib

from ropewalk.oci.model import LAYER_GZIP, Descriptor, Layer
from ropewalk.oci.stream import CHUNK

# isal's output depends on the level and on how its input is cut: both are fixed. Level 2 is as fast as 1 and smaller.
_LEVEL = 2
_GZIP_WINDOW = 31


class LayerWriter(io.RawIOBase):
    """Takes a tar and writes the gzip blob; the gzip header has neither name nor time."""

    def __init__(self, out: BinaryIO) -> None:
        """Write the blob to ``out``."""
        self._out = out
        self._pending = bytearray()
        self._compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
        self._tar = hashlib.sha256()
        self._blob = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any, /) -> int:
        """Take a piece of the tar."""
        self._pending += data
        if len(self._pending) >= CHUNK:
            whole = len(self._pending) // CHUNK * CHUNK
            with memoryview(self._pending) as view:
                for start in range(0, whole, CHUNK):
                    self._take(view[start : start + CHUNK])
            del self._pending[:whole]
        return len(data)

    def _take(self, block: memoryview) -> None:
        with block:
            self._tar.update(block)
            self._put(self._compressor.compress(block))

    def _put(self, data: bytes) -> None:
        self._blob.update(data)
        self._out.write(data)
        self._size += len(data)

    def finish(self) -> Layer:
        """Write what is left and return the layer."""
        self._take(memoryview(self._pending))
        self._put(self._compressor.flush())
        descriptor = Descriptor(LAYER_GZIP, f"sha256:{self._blob.hexdigest()}", self._size)
        return Layer(f"sha256:{self._tar.hexdigest()}", descriptor)


class HashingReader(io.RawIOBase):
    """A stream that is hashed as it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read from ``stream``."""
        self._stream = stream
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the stream's next bytes."""
        data = self._stream.read(size)
        self._digest.update(data)
        return data

    def finish(self) -> str:
        """Read what is left and return ``sha256:`` and the digest of all."""
        while self.read(CHUNK):
            pass
        return f"sha256:{self._digest.hexdigest()}"
