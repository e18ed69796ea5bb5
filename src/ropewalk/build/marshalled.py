"""Byte code of Python 3.8 to 3.10, made equal: its sets are written in the order of their members' hashes.

Hashes are random in each process, and Debian's hooks compile with ``-E``, so that PYTHONHASHSEED would not be heard. They
also decide which names the interpreter's caches hold at that moment, and with that which objects are marked as shared.
Since 3.11 sets are written in order (https://github.com/python/cpython/issues/81777). Here members are put in the order of
their bytes and only what is shared is marked. The format is that of CPython's ``Python/marshal.c``.
"""

import struct
from dataclasses import dataclass, field

_HEADER = 16
_MAGICS = range(3400, 3440)
_FLAG_REF = 0x80
_REFERENCE = ord("r")
_CODE = ord("c")
_END = ord("0")
_DICT = ord("{")
_SETS = frozenset(b"<>")
_FIXED = {ord(kind): size for kind, size in {**dict.fromkeys("0NFTS.", 0), "i": 4, "g": 8, "y": 16}.items()}
_LONG_BYTES = frozenset(b"stuaA")
_SHORT_BYTES = frozenset(b"zZ")
_INTEGER = ord("l")
_MANY = frozenset(b"([<>")
_FEW = ord(")")
_CODE_NUMBERS = 6 * 4
_CODE_OBJECTS = 8
_LINE_NUMBER = 4
_DEEPEST = 100


class _StrangeError(Exception):
    """These bytes are no byte code that we know."""


@dataclass(slots=True)
class _Object:
    """A marshalled object.

    Attributes:
        kind: Its type's letter.
        data: What follows the letter.
        parts: The objects in it.
        whole: All of it is read; until then nothing can refer to it.
        shared: Something refers to it.
    """

    kind: int
    data: bytes = b""
    parts: list["_Object"] = field(default_factory=list)
    whole: bool = False
    shared: bool = False


@dataclass(slots=True)
class _Reader:
    """Reads objects one after the other."""

    data: bytes
    at: int
    known: list[_Object] = field(default_factory=list)

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if size < 0 or self.at + size > len(self.data):
            raise _StrangeError
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> tuple[bytes, int]:
        """Return the next four bytes, and the number that they are."""
        raw = self.take(4)
        return raw, struct.unpack("<i", raw)[0]

    def read(self, depth: int = 0) -> _Object:
        """Return the next object."""
        if depth > _DEEPEST:
            raise _StrangeError
        letter = self.take(1)[0]
        kind = letter & ~_FLAG_REF
        if kind == _REFERENCE:
            return self.referred()
        found = _Object(kind)
        if letter & _FLAG_REF:
            self.known.append(found)
        self.fill(found, depth + 1)
        found.whole = True
        return found

    def referred(self) -> _Object:
        """Return the object that a reference names."""
        _, index = self.number()
        if not 0 <= index < len(self.known) or not self.known[index].whole:
            raise _StrangeError
        self.known[index].shared = True
        return self.known[index]

    def fill(self, found: _Object, depth: int) -> None:
        """Read what follows an object's letter."""
        kind = found.kind
        if kind in _FIXED:
            found.data = self.take(_FIXED[kind])
        elif kind in _LONG_BYTES:
            raw, size = self.number()
            found.data = raw + self.take(size)
        elif kind in _SHORT_BYTES:
            raw = self.take(1)
            found.data = raw + self.take(raw[0])
        elif kind == _INTEGER:
            raw, size = self.number()
            found.data = raw + self.take(2 * abs(size))
        elif kind == _CODE:
            found.data = self.take(_CODE_NUMBERS)
            found.parts = [self.read(depth) for _ in range(_CODE_OBJECTS)]
            found.parts += [_Object(0, self.take(_LINE_NUMBER)), self.read(depth)]
        else:
            self.fill_container(found, depth)

    def fill_container(self, found: _Object, depth: int) -> None:
        """Read the members of a tuple, a list, a set or a dictionary."""
        if found.kind == _FEW:
            found.data = self.take(1)
            count = found.data[0]
        elif found.kind in _MANY:
            found.data, count = self.number()
        elif found.kind == _DICT:
            while not found.parts or found.parts[-1].kind != _END:
                found.parts.append(self.read(depth))
            return
        else:
            raise _StrangeError
        if count > len(self.data) - self.at:
            raise _StrangeError
        found.parts = [self.read(depth) for _ in range(count)]
        if found.kind in _SETS:
            found.parts.sort(key=_written)


def _written(top: _Object) -> bytes:
    """Return an object's bytes, with references of its own."""
    chunks: list[bytes] = []
    indexes: dict[int, int] = {}

    def write(one: _Object) -> None:
        index = indexes.get(id(one))
        if index is not None:
            chunks.append(struct.pack("<Bi", _REFERENCE, index))
            return
        if one.shared:
            indexes[id(one)] = len(indexes)
        if one.kind:
            chunks.append(bytes([one.kind | (_FLAG_REF if one.shared else 0)]))
        chunks.append(one.data)
        for part in one.parts:
            write(part)

    write(top)
    return b"".join(chunks)


def ordered(data: bytes) -> bytes:
    """Write a ``.pyc`` with sets in the order of their members' bytes, and marks on shared objects alone.

    Args:
        data: The file.

    Returns:
        The file, the same code for Python; as it is where it is of another Python, or strange.
    """
    if len(data) <= _HEADER or data[2:4] != b"\r\n" or int.from_bytes(data[:2], "little") not in _MAGICS:
        return data
    reader = _Reader(data, _HEADER)
    try:
        top = reader.read()
    except _StrangeError:
        return data
    return data[:_HEADER] + _written(top) if reader.at == len(data) else data
