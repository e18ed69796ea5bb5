"""Lists of installed Python packages agree with the files that were mended."""

import base64
import hashlib

import pytest

from ropewalk.build.installed import recorded
from ropewalk.oci.model import Entry, EntryType

SITE = "usr/local/lib/python3.11/dist-packages"
LIST = f"{SITE}/a-1.dist-info/RECORD"
NEW = b"new content"


def line(path: str, data: bytes) -> bytes:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n".encode()


@pytest.mark.parametrize(
    ("path", "mended"),
    [("a/x.so", f"{SITE}/a/x.so"), ("../../../bin/x.so", "usr/local/bin/x.so")],
)
def test_a_mended_files_line_is_made_anew_and_others_stay(path: str, mended: str) -> None:
    others = line("a/__init__.py", b"1") + b"a/__pycache__/x.pyc,,\na-1.dist-info/RECORD,,\n"
    entry = Entry(mended, EntryType.FILE, 0o644, size=len(NEW), sha256=hashlib.sha256(NEW).hexdigest())
    assert recorded(LIST, line(path, b"old") + others, {mended: entry}) == line(path, NEW) + others


def test_a_list_without_mended_files_stays() -> None:
    data = b'"a,b.so",sha256=x,1\r\n\xff\xfe,sha256=x,1\nnonsense\n' + line("x.so", b"1")
    assert recorded(LIST, data, {}) == data
