"""How a registry is told who asks: Basic, or distribution's token flow (distribution-spec, "auth/token")."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Credentials = tuple[str, str]
"""User and password."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for.

    Attributes:
        scheme: ``basic`` or ``bearer``; anything else is not answered.
        realm: The token server's address; for Basic a title.
        service: The registry's name at the token server.
        scopes: What the token must allow.
    """

    scheme: str
    realm: str
    service: str
    scopes: tuple[str, ...]

    def query(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of the token request."""
        service = (("service", self.service),) if self.service else ()
        return (*service, *(("scope", scope) for scope in self.scopes))

    def safe_for_credentials(self, endpoint: str) -> bool:
        """Say whether a password may go to the token server: never in the clear where the registry is asked by TLS."""
        scheme = urlsplit(self.realm).scheme
        return scheme == "https" or (scheme == "http" and urlsplit(endpoint).scheme == "http")


def parse_challenge(header: str) -> Challenge:
    """Read a ``WWW-Authenticate`` header (RFC 9110, section 11.6.1).

    Args:
        header: Its value; empty gives a challenge that cannot be answered.
    """
    scheme, _, rest = header.strip().partition(" ")
    found = {name.lower(): (quoted or plain) for name, quoted, plain in _PARAMETER.findall(rest)}
    scopes = tuple(found.get("scope", "").split())
    return Challenge(scheme.lower(), found.get("realm", ""), found.get("service", ""), scopes)
