"""``registries.conf``: which name is asked at which address (containers-registries.conf(5))."""

import json
from collections.abc import Sequence

from ropewalk.restrict.render.header import header
from ropewalk.restrict.source import Source

_OPENS = ("other registries, as the format cannot refuse by default; policy.json and the egress rules do.",)
# A longer prefix wins over a shorter one, so a host's own entry wins over these.
_BLOCKED = (
    "*.com",
    "*.dev",
    "*.io",
    "*.net",
    "*.org",
    "docker.io",
    "gcr.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "quay.io",
    "registry.access.redhat.com",
    "registry.fedoraproject.org",
    "registry.gitlab.com",
    "registry.k8s.io",
    "registry.opensuse.org",
    "registry.redhat.io",
)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's basic strings for all that a name or an address can hold.
    return json.dumps(text)


def _ours(name: str, source: Source) -> str:
    lines = ["[[registry]]", f"prefix = {_quoted(name)}", f"location = {_quoted(source.endpoint.location)}"]
    if source.endpoint.scheme == "http":
        lines.append("insecure = true")
    return "\n".join(lines)


def _open(repository: str) -> str:
    return f"[[registry]]\nprefix = {_quoted(repository)}\nlocation = {_quoted(repository)}"


def _blocked(prefix: str) -> str:
    location = "" if prefix.startswith("*") else f"location = {_quoted(prefix)}\n"
    return f"[[registry]]\nprefix = {_quoted(prefix)}\n{location}blocked = true"


def _hides(blocked: str, name: str) -> bool:
    """Say whether a blocked prefix would win over one of our names or stand as high."""
    if not blocked.startswith("*"):
        return blocked == name
    return name.endswith(blocked[1:]) and len(name) <= len(blocked)


def _hosts_to_block(source: Source) -> list[str]:
    return [host for host in _BLOCKED if not any(_hides(host, name) for name in source.names)]


def render_registries_conf(realm: str, source: Source, exempt: Sequence[str]) -> str:
    """Return the configuration: our names lead to the registry, well-known others are refused by name.

    Args:
        realm: The realm's name.
        source: The registry's names and address.
        exempt: Repositories of other registries that must stay reachable.
    """
    tables = [_ours(name, source) for name in source.names]
    tables += [_open(repository) for repository in sorted(set(exempt))]
    tables += [_blocked(host) for host in _hosts_to_block(source)]
    top = 'unqualified-search-registries = []\nshort-name-mode = "enforcing"\n'
    return header(realm, _OPENS) + top + "\n" + "\n\n".join(tables) + "\n"


def render_shortnames(realm: str) -> str:
    """Return the file that takes the place of Debian's list of short names: no short name means anything."""
    return header(realm, ("nothing; it empties Debian's list, which leads short names to other registries.",))
