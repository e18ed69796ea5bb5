"""Lists of installed Python packages: where a file of theirs was mended, its checksum is made anew.

The format is that of the packaging guide ('Recording installed projects'): ``RECORD``, a line a file.
"""

import base64
import re
from collections.abc import Callable, Mapping
from posixpath import dirname, normpath

from ropewalk.oci.model import Entry

RECORD = re.compile(r".+\.dist-info/RECORD")
_LINE = re.compile(rb"^([^,\"\r\n]+),sha256=[\w-]+,\d+(\r?)$", re.MULTILINE)


def recorded(path: str, data: bytes, mended: Mapping[str, Entry]) -> bytes:
    """Write the checksums and sizes of mended files into a list.

    Args:
        path: The list's path.
        data: The list.
        mended: What the files are now, by path, as far as they were mended.

    Returns:
        The list; as it is where none of its files was mended.
    """
    return _LINE.sub(_line_for(dirname(dirname(path)), mended), data)


def _line_for(site: str, mended: Mapping[str, Entry]) -> Callable[[re.Match[bytes]], bytes]:
    def line(found: re.Match[bytes]) -> bytes:
        entry = mended.get(normpath(f"{site}/{found[1].decode('utf-8', 'replace')}"))
        if entry is None:
            return found[0]
        digest = base64.urlsafe_b64encode(bytes.fromhex(entry.sha256)).rstrip(b"=")
        return b"%s,sha256=%s,%d%s" % (found[1], digest, entry.size, found[2])

    return line
