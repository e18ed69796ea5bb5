"""Where a realm's images come from: the registry's name, and the address where it answers."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from ropewalk.errors import InputError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._:-]+")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server answers.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name, or an address without brackets.
        port: TCP port.
        path: What follows, without a slash at its end; mostly empty.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host as an address; None where it is a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def url(self) -> str:
        """``scheme://host:port/path``."""
        return f"{self.scheme}://{self.location}{self.path}"

    @property
    def location(self) -> str:
        """``host:port``; the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Source:
    """The organisation's registry as a node sees it.

    Attributes:
        name: The registry's name in references and signatures: ``registry.example.org``.
        aliases: Its other names, sorted.
        endpoint: Where it answers.
        lookaside: Where OpenPGP signatures are served; None where the client reads them from the registry.
    """

    name: str
    aliases: tuple[str, ...]
    endpoint: Endpoint
    lookaside: Endpoint | None

    @property
    def names(self) -> tuple[str, ...]:
        """The name, then the aliases."""
        return (self.name, *self.aliases)


def parse_endpoint(url: str) -> Endpoint:
    """Take a URL apart.

    Args:
        url: ``http://HOST[:PORT]`` or ``https://HOST[:PORT]``, perhaps with a path.

    Raises:
        InputError: It is no such URL.
    """
    hint = "write http://HOST:PORT or https://HOST"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"is no address: {error}", where=url, hint=hint) from error
    extra = parts.username or parts.query or parts.fragment
    # A zone (fe80::1%eth0) or a quote would end up in the node's files.
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or "") or extra:
        raise InputError("is no address of a server", where=url, hint=hint)
    return Endpoint(parts.scheme, parts.hostname or "", port or _DEFAULT_PORTS[parts.scheme], parts.path.rstrip("/"))


def check_name(name: str, where: str) -> str:
    """Return a registry's name if references can carry it.

    Args:
        name: ``registry.example.org``, perhaps with a port.
        where: Where it was read, for the error.

    Raises:
        InputError: It is no registry's name.
    """
    host = name.partition(":")[0]
    if not _NAME.fullmatch(name) or not ("." in host or ":" in name or host == "localhost"):
        raise InputError(f"{name!r} is no name of a registry", where=where, hint="write it like registry.example.org")
    return name


def parse_source(name: str, aliases: tuple[str, ...], endpoint: str, lookaside: str) -> Source:
    """Make a source from what the command line and the realm say.

    Args:
        name: The registry's name.
        aliases: Its other names; the name itself among them is left out.
        endpoint: URL where it answers.
        lookaside: URL of its lookaside; may be empty.

    Raises:
        InputError: A name or a URL is wrong, or the registry's address is an IPv6 literal.
    """
    found = parse_endpoint(endpoint)
    if ":" in found.host:
        # containers/image takes no IPv6 literal in a reference, so not as a location either.
        raise InputError("clients take no IPv6 address here", where=endpoint, hint="give the registry a name")
    if found.path:
        raise InputError("has a path; a registry answers at /v2/", where=endpoint, hint="write http://HOST:PORT")
    others = sorted({check_name(alias, "aliases") for alias in aliases} - {name})
    side = parse_endpoint(lookaside) if lookaside else None
    return Source(check_name(name, "registry"), tuple(others), found, side)
