"""A registry's client (OCI distribution-spec v1.1, and distribution 2.8 as Debian has it).

Requests run on kept connections; one that the registry dropped meanwhile is sent again. What is fetched is checked
against its digest before anybody sees it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from ropewalk import atomic
from ropewalk.errors import InputError, TrustError
from ropewalk.oci import bulk
from ropewalk.oci.imagejson import digest_of
from ropewalk.oci.model import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, Descriptor
from ropewalk.oci.reference import is_digest
from ropewalk.oci.registryauth import Credentials
from ropewalk.oci.stream import CHUNK, LIMITS
from ropewalk.oci.transport import (
    Answer,
    Body,
    RegistryDown,
    RegistryNotFound,
    RegistryRefused,
    Transport,
    bounded,
    trusting,
)

__all__ = ["RegistryClient", "RegistryDown", "RegistryNotFound", "RegistryRefused"]

_OK, _CREATED, _ACCEPTED, _NOT_FOUND = 200, 201, 202, 404
_ACCEPT = f"{MANIFEST}, {INDEX}, {DOCKER_MANIFEST}, {DOCKER_INDEX}"
_MANIFEST_BYTES = 4 << 20
_MEMORY_BYTES = 64 << 20
_PAGES = 10_000
_UPLOAD_TRIES = 3
_HINT_FETCH = "fetch it again; if that fails too, the registry's data is damaged: `ropewalk publish` writes it anew"


class RegistryClient:
    """Talks to one registry.

    Attributes:
        endpoint: Its address.
        writes: How many blobs and manifests this client wrote or mounted.
        bytes_sent: How many bytes they had together; a mounted blob counts nothing.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | None = None,
        *,
        ca_bundle: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            endpoint: ``http://127.0.0.1:5000`` or ``https://registry.example.org``.
            credentials: User and password; sent only where the registry asks for them.
            ca_bundle: Certificates in PEM that the registry's must be signed by; None for the system's.
            sleep: Waits between tries, in seconds.

        Raises:
            InputError: The address is none, or the file holds no certificates.
        """
        self._transport = Transport(endpoint, credentials, sleep, ca_bundle)
        self._ca_bundle = ca_bundle
        self._is_registry = False
        self._asked: bulk.Asked | None = None
        self.endpoint = self._transport.endpoint
        self.writes = 0
        self.bytes_sent = 0

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._asked is not None:
            self._asked.give_up()
        self._transport.close()

    # Reading

    def ping(self) -> None:
        """Make sure that a registry answers.

        Raises:
            RegistryDown: Nothing answers.
            RegistryRefused: It wants somebody else.
            RegistryNotFound: What answers is no registry.
        """
        answer = self._transport.send("GET", "/v2/")
        named = "Docker-Distribution-Api-Version" in answer.headers
        if answer.status != _OK or not (named or _is_json_object(answer.content)):
            said = f"answers {answer.status} on /v2/"
            hint = "check the address: `ropewalk.endpoint` in the config file, or --registry"
            raise RegistryNotFound(f"is no registry: it {said}", where=answer.url, hint=hint)
        self._is_registry = True

    def _missing(self, answer: Answer) -> bool:
        """Say whether an answer is a registry's 404; a server that is none must not pass as an empty registry."""
        if answer.status != _NOT_FOUND:
            return False
        if not self._is_registry:
            self.ping()
        return True

    def _expect(self, answer: Answer, *wanted: int) -> None:
        """Refuse another status than those wanted."""
        if answer.status in wanted:
            return
        where = answer.url
        if answer.status == _NOT_FOUND:
            self._missing(answer)
            raise RegistryNotFound(
                f"is not in the registry: {answer.explain()}", where=where, hint="publish it, or correct the name"
            )
        message = f"the registry refuses {answer.method}: {answer.explain()}"
        raise RegistryRefused(message, where=where, hint="look at the registry's log")

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return the tags of a repository, sorted; none if there is no such repository.

        Args:
            repository: Its name without the registry.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        found: set[str] = set()
        location = f"{_path(repository)}/tags/list"
        for _ in range(_PAGES):
            answer = self._transport.send("GET", location)
            if self._missing(answer):
                break
            self._expect(answer, _OK)
            found.update(_tags_in(answer))
            if not answer.following:
                break
            location = answer.following
        return tuple(sorted(found))

    def tags_of(self, repositories: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the tags of many repositories; those with a registry that answers oddly are left out: see `tags`.

        Args:
            repositories: Their names without the registry.

        Raises:
            InputError: ``ca_bundle`` holds no certificates, or a name is none.
        """
        wanted = frozenset(repositories)
        asked = [one for one in (self._asked,) if one is not None]
        self._asked = None
        if rest := wanted.difference(*(one.repositories for one in asked)):
            asked.append(self._ask(sorted(rest)))
        return {name: tags for one in asked for name, tags in one.answers().items() if name in wanted}

    def ask_tags(self, repositories: Sequence[str]) -> None:
        """Begin to ask for tags that `tags_of` will be called for once more is known; its next call takes the answers.

        Args:
            repositories: Names without the registry, as far as they are known by now.

        Raises:
            InputError: ``ca_bundle`` holds no certificates, or a name is none.
        """
        self._asked = self._ask(repositories)

    def _ask(self, repositories: Sequence[str]) -> bulk.Asked:
        context = trusting(self._ca_bundle) if self.endpoint.startswith("https:") else None
        return bulk.Asked(self.endpoint, {name: f"{_path(name)}/tags/list" for name in repositories}, context)

    def manifest(self, repository: str, reference: str) -> tuple[Descriptor, bytes] | None:
        """Fetch a manifest.

        Args:
            repository: Its name without the registry.
            reference: A tag or a digest.

        Returns:
            Its descriptor and bytes; None if there is none.

        Raises:
            NetworkError: The registry does not answer as it should.
            TrustError: It is not what its digest says.
        """
        location = f"{_path(repository)}/manifests/{quote(reference, safe=':')}"
        with self._transport.exchange("GET", location, headers={"Accept": _ACCEPT}) as answer:
            data = b"".join(bounded(answer.pieces, _MANIFEST_BYTES, answer.url))
        if self._missing(answer):
            return None
        self._expect(answer, _OK)
        digest = digest_of(data)
        named = reference if is_digest(reference) else answer.headers.get("Docker-Content-Digest", digest)
        if named != digest:
            raise TrustError(
                f"the manifest has digest {digest}, not {named}", where=self._transport.url(location), hint=_HINT_FETCH
            )
        media_type = answer.headers.get("Content-Type", MANIFEST).partition(";")[0].strip()
        return Descriptor(media_type, digest, len(data)), data

    def digest_of(self, repository: str, reference: str) -> str | None:
        """Return the digest that a tag names now; None if there is no such tag.

        Args:
            repository: Its name without the registry.
            reference: A tag or a digest.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        location = f"{_path(repository)}/manifests/{quote(reference, safe=':')}"
        answer = self._transport.send("HEAD", location, headers={"Accept": _ACCEPT})
        if self._missing(answer):
            return None
        self._expect(answer, _OK)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if is_digest(digest):
            return str(digest)
        found = self.manifest(repository, reference)
        return found[0].digest if found else None

    def has_blob(self, repository: str, digest: str) -> bool:
        """Say whether a repository holds a blob.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        answer = self._transport.send("HEAD", f"{_path(repository)}/blobs/{digest}")
        if self._missing(answer):
            return False
        self._expect(answer, _OK)
        return True

    def blob(self, repository: str, digest: str) -> bytes:
        """Fetch a small blob (a config, an attestation), verified.

        Raises:
            NetworkError: The registry lacks it or does not answer as it should.
            TrustError: It is not what its digest says.
        """
        return b"".join(self._verified(repository, digest, _MEMORY_BYTES))

    def download(self, repository: str, digest: str, path: Path) -> None:
        """Fetch a blob into a file, which appears only when it is whole and verified.

        Args:
            repository: Its name without the registry.
            digest: Of the blob.
            path: The file.

        Raises:
            NetworkError: The registry lacks it or does not answer as it should.
            TrustError: It is not what its digest says.
        """
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            for piece in self._verified(repository, digest, LIMITS.bytes):
                file.write(piece)

    def _verified(self, repository: str, digest: str, limit: int) -> Iterator[bytes]:
        """Go through a blob's bytes; the last step raises where they are not what the digest says."""
        location = f"{_path(repository)}/blobs/{digest}"
        found = hashlib.sha256()
        with self._transport.exchange("GET", location) as answer:
            self._expect(answer, _OK)
            for piece in bounded(answer.pieces, limit, answer.url):
                found.update(piece)
                yield piece
        if f"sha256:{found.hexdigest()}" != digest:
            raise TrustError(
                f"the blob has digest sha256:{found.hexdigest()}", where=self._transport.url(location), hint=_HINT_FETCH
            )

    # Writing

    def upload(self, repository: str, digest: str, path: Path) -> None:
        """Send a blob in one piece (distribution-spec, "POST then PUT").

        Args:
            repository: Its name without the registry.
            digest: Of the blob; the registry checks it.
            path: The file.

        Raises:
            NetworkError: The registry does not take it.
        """

        def body() -> Iterator[bytes]:
            with path.open("rb") as file:
                while data := file.read(CHUNK):
                    yield data

        self._upload(repository, digest, path.stat().st_size, body)

    def upload_bytes(self, repository: str, data: bytes) -> str:
        """Send a small blob and return its digest.

        Raises:
            NetworkError: The registry does not take it.
        """
        digest = digest_of(data)
        self._upload(repository, digest, len(data), lambda: iter((data,)))
        return digest

    def _upload(self, repository: str, digest: str, size: int, body: Body) -> None:
        for left in reversed(range(_UPLOAD_TRIES)):
            answer = self._transport.send("POST", f"{_path(repository)}/blobs/uploads/", body=b"")
            self._expect(answer, _ACCEPTED)
            try:
                self._put_blob(self._location(answer), digest, size, body)
            except RegistryDown:
                # The session may be used up: begin anew, unless the blob arrived and only the answer was lost.
                if not self.has_blob(repository, digest):
                    if left:
                        continue
                    raise
            self.writes += 1
            self.bytes_sent += size
            return

    def _put_blob(self, location: str, digest: str, size: int, body: Body) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer = self._transport.send("PUT", _with_digest(location, digest), headers=headers, body=body, tries=1)
        self._expect(answer, _CREATED)

    def _location(self, answer: Answer) -> str:
        location = answer.headers.get("Location")
        if not location:
            where = answer.url
            raise RegistryRefused("the registry opens no upload", where=where, hint="look at the registry's log")
        return urljoin(answer.url, location)

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Take a blob over from another repository of the registry, without sending it.

        Args:
            repository: Where it shall be.
            digest: Of the blob.
            source: A repository that has it.

        Returns:
            False where the registry does not do it; the blob must then be sent.

        Raises:
            NetworkError: The registry does not answer as it should.
        """
        query = urlencode({"mount": digest, "from": source})
        answer = self._transport.send("POST", f"{_path(repository)}/blobs/uploads/?{query}", body=b"")
        self._expect(answer, _CREATED, _ACCEPTED)
        if answer.status == _CREATED:
            self.writes += 1
            return True
        # The registry opened an upload instead; it is given back.
        if "Location" in answer.headers:
            self._transport.send("DELETE", self._location(answer))
        return False

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """Write a manifest.

        Args:
            repository: Its name without the registry.
            reference: A tag or its digest.
            data: Its bytes.
            media_type: What it is.

        Returns:
            Its digest.

        Raises:
            NetworkError: The registry does not take it; the message says what it lacks.
            TrustError: The registry says another digest.
        """
        location = f"{_path(repository)}/manifests/{quote(reference, safe=':')}"
        answer = self._transport.send("PUT", location, headers={"Content-Type": media_type}, body=data)
        self._expect(answer, _CREATED)
        digest = digest_of(data)
        named = answer.headers.get("Docker-Content-Digest", digest)
        if named != digest:
            where = self._transport.url(location)
            raise TrustError(
                f"the registry wrote {named}, not {digest}", where=where, hint="look at what answers there"
            )
        self.writes += 1
        self.bytes_sent += len(data)
        return digest


def _path(repository: str) -> str:
    if not repository or not all(repository.split("/")) or repository.startswith("."):
        hint = "write it as namespace/name, without the registry"
        raise InputError("is no repository's name", where=repr(repository), hint=hint)
    return f"/v2/{quote(repository, safe='/')}"


def _is_json_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _tags_in(answer: Answer) -> tuple[str, ...]:
    try:
        return tuple(str(tag) for tag in json.loads(answer.content)["tags"] or ())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        where = answer.url
        raise RegistryNotFound("is no list of tags", where=where, hint="check the registry's address") from error


def _with_digest(location: str, digest: str) -> str:
    parts = urlsplit(location)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("digest", digest)]
    return urlunsplit(parts._replace(query=urlencode(query)))
