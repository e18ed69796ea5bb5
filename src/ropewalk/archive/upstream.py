"""Where a view's files really come from: the mirror that the host's apt uses, reached as apt reaches it."""

import re
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ropewalk import process
from ropewalk.debian import paragraphs
from ropewalk.errors import InputError

if TYPE_CHECKING:
    import httpx2  # slow to import; the functions that use it do so

DEBIAN = "http://deb.debian.org/debian"
"""The public address of Debian's archive; views, images and sources lists name it."""
SECURITY = "http://deb.debian.org/debian-security"
"""The public address of Debian's security archive."""

_ONE_LINE = re.compile(
    r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+[^#\s]+)*)"
)
_RELEASE = re.compile(
    r"(buster|bullseye|bookworm|trixie|forky|duke|sid|(old)*stable|testing|unstable)([-/](updates|security|backports))?"
)
_ASKED = ("Acquire::http::Proxy", "Acquire::https::CAInfo")
_SECONDS, _CONNECT_SECONDS = 60.0, 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """An entry of apt's sources.

    Attributes:
        uri: The repository, without a slash at its end.
        suite: One suite of it.
        components: Its components.
        signed_by: The keyring that it names; empty where it names none.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """The mirrors behind the public addresses.

    Attributes:
        debian: The mirror of `DEBIAN`.
        security: The mirror of `SECURITY`.
        proxy: The HTTP proxy to reach them by; None asks them directly (or as ``http_proxy`` says).
        certificates: Who may vouch for https mirrors, in PEM; None for the system's.
    """

    debian: str = DEBIAN
    security: str = SECURITY
    proxy: str | None = None
    certificates: Path | None = None

    def url(self, public_uri: str, path: str) -> str:
        """Return where a file is fetched.

        Args:
            public_uri: `DEBIAN`, `SECURITY`, or another repository's own address.
            path: The file, relative to it, not quoted.

        Returns:
            An address; apt's own quoting, so that ``+`` survives mirrors that read it as a blank.
        """
        base = {DEBIAN: self.debian, SECURITY: self.security}.get(public_uri, public_uri)
        return f"{base.rstrip('/')}/{quote(path, safe='/~:')}"

    def client(self) -> "httpx2.Client":
        """Return an HTTP client that keeps connections; the caller closes it."""
        import httpx2

        headers = {"Accept-Encoding": "identity", "User-Agent": "ropewalk"}
        return httpx2.Client(
            proxy=self.proxy,
            timeout=httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=True,
            headers=headers,
            verify=_certificates(self.certificates),
        )


@cache
def _certificates(path: Path | None) -> ssl.SSLContext:
    """Read certificates once: that takes longer than asking a mirror."""
    import httpx2

    if path is None:
        return httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        hint = "look at Acquire::https::CAInfo in apt's settings"
        raise InputError(f"no certificates can be read: {error}", where=str(path), hint=hint) from error


def _deb822(text: str) -> Iterator[Source]:
    for fields in paragraphs(re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        values = {name.lower(): value for name, value in fields.items()}
        if "deb" not in values.get("types", "").split() or values.get("enabled", "yes").lower() in {"no", "false", "0"}:
            continue
        components = tuple(values.get("components", "").split())
        for uri in values.get("uris", "").split():
            for suite in values.get("suites", "").split():
                yield Source(uri.rstrip("/"), suite, components, values.get("signed-by", ""))


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line)
        if match is not None:
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            components = tuple(match["components"].split())
            yield Source(match["uri"].rstrip("/"), match["suite"], components, options.get("signed-by", ""))


def parse_sources(text: str, name: str) -> tuple[Source, ...]:
    """Read a file of apt's sources (sources.list(5)).

    Args:
        text: Its content.
        name: Its name; ``.sources`` at its end means deb822.

    Returns:
        Its binary repositories, one value per suite.
    """
    return tuple(_deb822(text) if name.endswith(".sources") else _one_line(text))


def _rank(source: Source, tail: str) -> int:
    """Say how surely a source is a mirror of Debian: other vendors too use its suites' names."""
    if source.signed_by and "debian-archive" not in source.signed_by:
        return 0
    if not _RELEASE.fullmatch(source.suite) or "main" not in source.components:
        return 0
    if urlsplit(source.uri).scheme not in {"http", "https"}:
        return 0
    return 2 * bool(source.signed_by) + (urlsplit(source.uri).path.rpartition("/")[2] == tail)


def _mirror(sources: Iterable[Source], default: str, tail: str) -> str:
    """Return the likeliest mirror, the first of equals."""
    best = max(sources, key=lambda source: _rank(source, tail), default=None)
    return default if best is None or _rank(best, tail) == 0 else best.uri


def choose(sources: Iterable[Source], proxy: str | None = None) -> Upstream:
    """Find Debian's mirrors among apt's sources.

    Args:
        sources: All of them, in apt's order.
        proxy: The proxy that apt uses.

    Returns:
        The mirrors; deb.debian.org where the sources name none.
    """
    every = tuple(sources)
    security = tuple(source for source in every if re.search(r"[-/](security|updates)$", source.suite))
    security = tuple(one for one in security if "security" in one.suite or urlsplit(one.uri).path.endswith("security"))
    debian = tuple(source for source in every if source not in security)
    return Upstream(
        debian=_mirror(debian, DEBIAN, "debian"),
        security=_mirror(security, SECURITY, "debian-security"),
        proxy=proxy,
    )


def _apt_settings(directory: Path) -> dict[str, str]:
    """Ask apt for its proxy and its certificates; apt alone knows its configuration's whole grammar."""
    with NamedTemporaryFile("w", prefix="ropewalk-apt-", suffix=".conf") as config:
        config.write(f'Dir::Etc "{directory}";\n')
        config.flush()
        argv = ("apt-config", "dump", "--format", "%f %v%n", *_ASKED)
        environment = (("APT_CONFIG", config.name),)
        shown = process.run(process.Command(argv, environment=environment, timeout=_SECONDS)).stdout
    rows = (line.partition(" ") for line in shown.decode(errors="replace").splitlines())
    return {name: value for name, _, value in rows if value not in {"", "DIRECT", "false"}}


def from_apt(directory: Path = Path("/etc/apt")) -> Upstream:
    """Find the mirrors and the proxy that the host's apt uses.

    Args:
        directory: apt's configuration.

    Returns:
        The mirrors; deb.debian.org where apt names none.

    Raises:
        ProgramMissing: This host has no apt.
    """
    parts = directory / "sources.list.d"
    files = [directory / "sources.list", parts / "debian.sources", *sorted(parts.glob("*.list"))]
    files += [path for path in sorted(parts.glob("*.sources")) if path not in files]
    sources = [
        source
        for path in files
        if path.is_file()
        for source in parse_sources(path.read_text(encoding="utf-8", errors="replace"), path.name)
    ]
    proxy, certificates = (_apt_settings(directory).get(name) for name in _ASKED)
    chosen = choose(sources, proxy)
    return replace(chosen, certificates=Path(certificates)) if certificates else chosen
