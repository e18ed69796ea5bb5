"""Fetching from a mirror: what has not changed is not sent again, and what broke off goes on where it stopped."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from ropewalk.errors import NetworkError

if TYPE_CHECKING:
    import httpx2  # slow to import; the functions that use it do so

_TRIES = 4
_PAUSE = 0.1
"""Seconds; grows with the square of the tries."""
_CHUNK = 1 << 16


class ArchiveUnreachable(NetworkError):
    """The archive's mirror does not answer, or not as it should."""


class MirrorBroken(ArchiveUnreachable):
    """The archive's mirror, or a proxy before it, has a failure of its own; that may pass."""


class NotInArchive(NetworkError):
    """The archive's mirror answers that it has no such file."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a server knows which content it sent (RFC 9110, 8.8).

    Attributes:
        etag: Its ``ETag``.
        modified: Its ``Last-Modified``.
    """

    etag: str = ""
    modified: str = ""

    def unless_changed(self) -> dict[str, str]:
        """Return the headers that ask for the content only if it is another one."""
        values = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in values.items() if value}


def _answer(response: "httpx2.Response", url: str) -> None:
    """Raise for an answer that is not the file."""
    if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise NotInArchive("is not there", where=url, hint="the archive may have moved on; make a new view")
    if not response.is_success:
        reason = f"answered {response.status_code} {response.reason_phrase}".strip()
        kind = MirrorBroken if response.is_server_error else ArchiveUnreachable
        raise kind(reason, where=url, hint="look at the mirror and the proxy that apt uses here")


def _persist(url: str, once: Callable[[], None]) -> None:
    """Try until it works; a broken connection or a server's error is tried again a few times.

    Raises:
        ArchiveUnreachable: It did not work.
    """
    import httpx2

    for number in range(1, _TRIES + 1):
        try:
            return once()
        except httpx2.RequestError as error:
            what = str(error) or type(error).__name__
            hint = "check the network and apt's mirror"
            failure = ArchiveUnreachable(f"does not answer: {what}", where=url, hint=hint)
            failure.__cause__ = error
        except MirrorBroken as error:
            failure = error
        if number < _TRIES:
            time.sleep(_PAUSE * number**2)
    raise failure


def get(client: "httpx2.Client", url: str, limit: int) -> bytes:
    """Fetch a small file; see `get_if_changed`."""
    content, _ = get_if_changed(client, url, limit, None)
    return content or b""


def get_if_changed(client: "httpx2.Client", url: str, limit: int, known: Mark | None) -> tuple[bytes | None, Mark]:
    """Fetch a small file, unless it is known.

    Args:
        client: What `Upstream.client` gave.
        url: The file.
        limit: Bytes that it may have.
        known: The mark of the content that is at hand; None asks for it in any case.

    Returns:
        Its content, None where it has not changed; and its mark.

    Raises:
        ArchiveUnreachable: It is larger, or the mirror does not answer, or not as it should.
        NotInArchive: The mirror has no such file.
    """
    content = bytearray()
    found: Mapping[str, str] = {}
    same = False

    def once() -> None:
        nonlocal found, same
        content.clear()
        with client.stream("GET", url, headers=known.unless_changed() if known else {}) as response:
            same = known is not None and response.status_code == HTTPStatus.NOT_MODIFIED
            if same:
                return
            _answer(response, url)
            for part in response.iter_raw(_CHUNK):
                content.extend(part)
                if len(content) > limit:
                    raise ArchiveUnreachable(f"is larger than {limit} bytes", where=url, hint="look at apt's mirror")
            found = response.headers

    _persist(url, once)
    if known is not None and same:
        return None, known
    return bytes(content), Mark(found.get("ETag", ""), found.get("Last-Modified", ""))


def download(client: "httpx2.Client", url: str, path: Path, size: int) -> None:
    """Fetch a file to disk; what is there already is its beginning, and only the rest is asked for (RFC 9110, 14).

    Whether beginning and rest belong together, the caller must check: the beginning may be of another day.

    Args:
        client: What `Upstream.client` gave.
        url: The file.
        path: Where it goes.
        size: In bytes, as the signed index says; of more than that, one byte is kept, so that it is seen.

    Raises:
        ArchiveUnreachable: The mirror does not answer, or not as it should.
        NotInArchive: The mirror has no such file.
    """

    def once() -> None:
        start = path.stat().st_size if path.exists() else 0
        with client.stream("GET", url, headers={"Range": f"bytes={start}-"} if start else {}) as response:
            if start and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                path.write_bytes(b"")  # not removed: who fetches holds a lock on it
                raise MirrorBroken("has less than was fetched before", where=url, hint="try again")
            _answer(response, url)
            goes_on = response.status_code == HTTPStatus.PARTIAL_CONTENT
            if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                path.write_bytes(b"")
                raise MirrorBroken("sent another part than was asked for", where=url, hint="look at apt's mirror")
            with path.open("ab" if goes_on else "wb") as out:
                left = max(size + 1 - (start if goes_on else 0), 0)
                for part in response.iter_raw(_CHUNK):
                    out.write(part[:left])
                    left -= len(part)
                    if left <= 0:
                        break

    _persist(url, once)


def is_file(path: Path, sha256: str, size: int | None = None) -> bool:
    """Tell whether a file is there and has this content.

    Args:
        path: The file.
        sha256: Of its content.
        size: In bytes; None does not look.
    """
    try:
        with path.open("rb") as handle:
            fits = size is None or path.stat().st_size == size
            return fits and hashlib.file_digest(handle, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def complete(path: Path, fetch: Callable[[Path], None], sha256: str, size: int) -> bool:
    """Fetch a file, going on where an earlier attempt stopped; a beginning that proves wrong is thrown away once.

    Args:
        path: Where it goes; may hold a beginning.
        fetch: Writes what is missing, as `download` does.
        sha256: Of the whole content.
        size: In bytes.

    Returns:
        Whether the content is right now.
    """
    begun = path.stat().st_size if path.exists() else 0
    if begun >= size:
        if is_file(path, sha256, size):
            return True
        path.write_bytes(b"")
        begun = 0
    fetch(path)
    if is_file(path, sha256, size) or not begun:
        return is_file(path, sha256, size)
    path.write_bytes(b"")
    fetch(path)
    return is_file(path, sha256, size)
