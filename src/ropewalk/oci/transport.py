"""One HTTP connection pool to a registry: answers, refusals, retries, and who asks."""

import errno
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ropewalk.errors import InputError, NetworkError
from ropewalk.oci.registryauth import Challenge, Credentials, parse_challenge

if TYPE_CHECKING:
    import httpx2  # it takes longer to import than a registry takes to answer: where it runs, functions import it

_SECONDS, _CONNECT_SECONDS = 60.0, 10.0
_TRIES = 3
_PAUSE_SECONDS = 0.2
_BUSY = frozenset((429, 502, 503, 504))
_UNAUTHORISED, _FORBIDDEN, _ERRORS = 401, 403, 300
ANSWER_BYTES = 16 << 20
_SHOWN = 200
_HINT_UP = "start it with `ropewalk registry up`, or name another with --registry"
_HINT_ENDPOINT = "check the address: `ropewalk.endpoint` in the config file, or --registry"

Body = Callable[[], Iterator[bytes]]
"""Opens what is sent; called again when a request is repeated."""


class RegistryDown(NetworkError):
    """No connection to the registry."""


class RegistryRefused(NetworkError):
    """The registry answers no: to who asks, or to what is sent."""


class RegistryNotFound(NetworkError):
    """The address answers, but is no registry, or lacks what must be there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry answered.

    Attributes:
        method: The request's method.
        url: Where the answer came from, after redirects.
        status: The HTTP status.
        reason: Its phrase.
        headers: The headers, whatever their case.
        following: The next page's URL (``Link: ...; rel="next"``); empty where there is none.
        pieces: The body where it is not in ``content``; read it before the exchange ends.
        content: The body of an error, or of an answer that was read whole.
    """

    method: str
    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    following: str
    pieces: Iterator[bytes]
    content: bytes = b""

    def explain(self) -> str:
        """Say in a few words what an error means (distribution-spec, "Error codes")."""
        status = f"{self.status} {self.reason}".strip()
        try:
            first = json.loads(self.content)["errors"][0]
            if _is_full(first.get("detail")):
                return f"{status}: its disk is full"
            detail = json.dumps(first["detail"]) if first.get("detail") else ""
            text = f"{first['code']}: {first.get('message') or ''} {detail}"
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return status
        shown = "".join(c for c in " ".join(text.split()) if c.isprintable())[:_SHOWN]
        return f"{status} ({shown.rstrip(': ')})"


def _is_full(detail: Any) -> bool:
    """Say whether CNCF distribution tells that its disk is full: the number of the error, deep in what it adds."""
    inner = detail.get("Enclosed") if isinstance(detail, dict) else None
    return isinstance(inner, dict) and inner.get("Err") in {errno.ENOSPC, errno.EDQUOT}


class Transport:
    """Sends requests to one registry.

    Attributes:
        endpoint: ``http://HOST:PORT`` or ``https://HOST``, without a trailing slash.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | None,
        sleep: Callable[[float], None] = time.sleep,
        ca_bundle: Path | None = None,
    ) -> None:
        """Prepare for an endpoint; nothing is sent.

        Args:
            endpoint: Its address.
            credentials: User and password, sent only where the registry asks.
            sleep: Waits between tries, in seconds.
            ca_bundle: Certificates in PEM that the registry's must be signed by; None for the system's.

        Raises:
            InputError: The address is none, or the file holds no certificates.
        """
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            hint = "write it as http://127.0.0.1:5000 or https://registry.example.org"
            raise InputError("is no registry's address", where=repr(endpoint), hint=hint)
        self.endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._sleep = sleep
        self._basic = False
        self._tokens: dict[str, str] = {}
        self._ca_bundle = ca_bundle
        self._opening = Lock()
        self._opened: httpx2.Client | None = None

    @property
    def _client(self) -> "httpx2.Client":
        """The connection pool, opened when it is first used."""
        import httpx2

        with self._opening:
            if self._opened is None:
                # The system's certificates, which hold an organisation's own authority; proxies are for other hosts.
                self._opened = httpx2.Client(
                    verify=trusting(self._ca_bundle),
                    timeout=httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS),
                    trust_env=False,
                    headers={"Accept-Encoding": "identity"},
                )
            return self._opened

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()

    def url(self, location: str) -> str:
        """Return an absolute URL for a path or what a ``Location`` header says."""
        return urljoin(f"{self.endpoint}/", location)

    def send(
        self,
        method: str,
        location: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
        tries: int = _TRIES,
    ) -> Answer:
        """Send a request and read the whole answer; its status is the caller's to judge, but 401 and 403 raise.

        Args:
            method: The HTTP method.
            location: A path or URL.
            headers: Beside those that every request has.
            body: What is sent.
            tries: How often it may be sent when connections break or the registry is busy.

        Returns:
            The answer, read.

        Raises:
            RegistryDown: There is no connection.
            RegistryRefused: The registry wants somebody else.
            NetworkError: The answer is too long.
        """
        with self.exchange(method, location, headers=headers, body=body, tries=tries) as answer:
            content = b"".join(bounded(answer.pieces, ANSWER_BYTES, answer.url))
            return replace(answer, content=answer.content or content)

    @contextmanager
    def exchange(
        self,
        method: str,
        location: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
        tries: int = _TRIES,
    ) -> Iterator[Answer]:
        """Send a request; the caller reads a good answer's body, an error's is read. See `send`.

        Yields:
            The answer.
        """
        url = self.url(location)
        response = self._repeat(method, url, dict(headers or {}), body, tries)
        try:
            answer = self._answer(method, response)
            if answer.status in (_UNAUTHORISED, _FORBIDDEN):
                raise RegistryRefused(
                    f"the registry refuses {method}: {answer.explain()}",
                    where=url,
                    hint="check user and password, and what they may do there",
                )
            yield answer
        finally:
            response.close()

    def _answer(self, method: str, response: "httpx2.Response") -> Answer:
        url = str(response.url)
        pieces = self._pieces(response)
        following = response.links.get("next", {}).get("url", "")
        content = b"".join(bounded(pieces, ANSWER_BYTES, url)) if response.status_code >= _ERRORS else b""
        return Answer(
            method=method,
            url=url,
            status=response.status_code,
            reason=response.reason_phrase,
            headers=response.headers,
            following=urljoin(url, following) if following else "",
            pieces=pieces,
            content=content,
        )

    def _pieces(self, response: "httpx2.Response") -> Iterator[bytes]:
        import httpx2

        try:
            yield from response.iter_raw()
        except httpx2.TransportError as error:
            raise self._down(str(response.url), error) from error

    def _repeat(
        self, method: str, url: str, headers: dict[str, str], body: Body | bytes | None, tries: int
    ) -> "httpx2.Response":
        """Send until there is an answer worth giving on."""
        import httpx2

        for left in reversed(range(tries)):
            try:
                response = self._authorised(method, url, headers, body)
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
                raise self._down(url, error) from error
            except httpx2.TransportError as error:
                # A kept connection that the other side closed meanwhile.
                if not left:
                    raise self._down(url, error) from error
                continue
            if response.status_code not in _BUSY or not left:
                return response
            response.close()
            self._sleep(_PAUSE_SECONDS * (tries - left))
        raise AssertionError("unreachable: the last try returns or raises")

    def _authorised(
        self, method: str, url: str, headers: dict[str, str], body: Body | bytes | None
    ) -> "httpx2.Response":
        key = self._key(method, url)
        response = self._once(method, url, headers, body, key)
        if response.status_code != _UNAUTHORISED or not self._ours(url):
            return response
        challenge = parse_challenge(response.headers.get("WWW-Authenticate", ""))
        if not self._believed(challenge, key, "Authorization" in response.request.headers):
            return response
        response.close()
        return self._once(method, url, headers, body, key)

    def _key(self, method: str, url: str) -> str:
        """Tell apart what one token is good for: the repository, its reading or writing."""
        path = urlsplit(url).path
        for part in ("/blobs/", "/manifests/", "/tags/"):
            path = path.partition(part)[0]
        return f"{'read' if method in ('GET', 'HEAD') else 'write'} {path}"

    def _ours(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.endpoint)[:2]

    def _once(
        self, method: str, url: str, headers: dict[str, str], body: Body | bytes | None, key: str
    ) -> "httpx2.Response":
        import httpx2

        content = body() if callable(body) else body
        auth: httpx2.BasicAuth | None = None
        if self._ours(url):
            if key in self._tokens:
                headers = {**headers, "Authorization": f"Bearer {self._tokens[key]}"}
            elif self._basic and self._credentials:
                auth = httpx2.BasicAuth(*self._credentials)
        request = self._client.build_request(method, url, headers=headers, content=content)
        return self._client.send(request, auth=auth, stream=True, follow_redirects=method in ("GET", "HEAD"))

    def _believed(self, challenge: Challenge, key: str, said: bool) -> bool:  # noqa: FBT001  # what the request was
        """Get ready to be believed next time; False where there is nothing more to say."""
        if challenge.scheme == "basic" and self._credentials and not said:
            self._basic = True
            return True
        if challenge.scheme != "bearer" or not challenge.realm:
            return False
        token = self._fetch_token(challenge)
        if not token:
            return False
        self._tokens[key] = token
        return True

    def _fetch_token(self, challenge: Challenge) -> str:
        """Ask the token server; empty where it gives none."""
        import httpx2

        send_password = self._credentials is not None and challenge.safe_for_credentials(self.endpoint)
        auth = httpx2.BasicAuth(*self._credentials) if self._credentials and send_password else None
        request = self._client.build_request("GET", challenge.realm, params=challenge.query())
        try:
            response = self._client.send(request, auth=auth, stream=True, follow_redirects=True)
        except (httpx2.TransportError, httpx2.TooManyRedirects) as error:
            message = f"the registry's token server cannot be reached: {error}"
            raise RegistryDown(message, where=challenge.realm, hint=_HINT_ENDPOINT) from error
        try:
            data = json.loads(b"".join(bounded(self._pieces(response), ANSWER_BYTES, challenge.realm)))
            token = data.get("token") or data.get("access_token") if response.status_code < _ERRORS else ""
        except (ValueError, AttributeError, RecursionError):
            return ""
        finally:
            response.close()
        return str(token or "")

    def _down(self, where: str, error: Exception) -> RegistryDown:
        import httpx2

        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            reason = str(error).strip() or "no answer"
            return RegistryDown(f"the registry cannot be reached: {reason}", where=self.endpoint, hint=_HINT_UP)
        reason = str(error).strip() or type(error).__name__
        message = f"the registry broke the connection off: {reason}"
        return RegistryDown(message, where=where, hint="look at the registry's log, then try again")


def trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return what TLS connections are checked against.

    Args:
        ca_bundle: Certificates in PEM; None for the system's.

    Raises:
        InputError: The file holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:  # ssl's own errors are such, too
        hint = "correct `ca_bundle` in the config file: a file of certificates in PEM"
        raise InputError(
            f"holds no certificates: {error.strerror or error}", where=str(ca_bundle), hint=hint
        ) from error


def bounded(pieces: Iterable[bytes], limit: int, where: str) -> Iterator[bytes]:
    """Pass pieces on as long as they are at most ``limit`` bytes together.

    Raises:
        NetworkError: There are more.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise NetworkError(f"the answer holds more than {limit} bytes", where=where, hint=_HINT_ENDPOINT)
        yield piece
