"""``policy.json``: which signatures a client asks for (containers-policy.json(5)).

JSON has no comments. What it leaves open: images that are in local storage already, builds ``FROM scratch``, root
directories, and a user's own policy. The egress rules close the way by which such things come in.
"""

import json
from collections.abc import Sequence
from typing import Any

from ropewalk.restrict.client import ClientVersion
from ropewalk.restrict.source import Source

_REJECT = [{"type": "reject"}]
_ACCEPT = [{"type": "insecureAcceptAnything"}]


def _identity(name: str, source: Source) -> dict[str, Any]:
    """Say which name a signature must carry: the version tag or the digest that was asked for."""
    if name == source.name:
        return {"type": "matchRepoDigestOrExact"}
    # Signatures name the registry by its own name; an alias must be turned into it before the comparison.
    return {"type": "remapIdentity", "prefix": name, "signedPrefix": source.name}


def _signed(client: ClientVersion, key_paths: Sequence[str], identity: dict[str, Any]) -> dict[str, Any]:
    if client.reads_sigstore:
        return {"type": "sigstoreSigned", "keyPaths": list(key_paths), "signedIdentity": identity}
    return {"type": "signedBy", "keyType": "GPGKeys", "keyPath": key_paths[0], "signedIdentity": identity}


def render_policy(client: ClientVersion, source: Source, key_paths: Sequence[str], exempt: Sequence[str]) -> str:
    """Return the policy: reject all, ask for our signature on our names.

    Args:
        client: Who reads it.
        source: The registry's names.
        key_paths: Public keys on the node, any of which suffices; one keyring for a client that reads OpenPGP only.
        exempt: Images by digest (``docker.io/library/x@sha256:...``) that run without our signature.
    """
    scopes: dict[str, Any] = {name: [_signed(client, key_paths, _identity(name, source))] for name in source.names}
    scopes |= dict.fromkeys(exempt, _ACCEPT)
    policy = {"default": _REJECT, "transports": {"docker": scopes}}
    return json.dumps(policy, indent=2, sort_keys=True) + "\n"
