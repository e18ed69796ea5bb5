"""``registries.d``: where a client finds signatures (containers-registries.d(5))."""

import json

from ropewalk.restrict.client import ClientVersion
from ropewalk.restrict.render.header import header
from ropewalk.restrict.source import Source

_OPENS = (
    "anyone may serve signatures there; policy.json asks for one by a key of the realm on the very digest.",
    "policy.json (it holds no comments): images already here, builds FROM scratch, --rootfs, --signature-policy;",
    "  the egress rules close the way by which foreign images come in.",
)


def render_registries_d(realm: str, client: ClientVersion, source: Source) -> str:
    """Return where the signatures of our names are.

    Args:
        realm: The realm's name.
        client: Who reads it.
        source: The registry's names and its lookaside.
    """
    if client.reads_sigstore or source.lookaside is None:
        setting = "use-sigstore-attachments: true"
    else:
        setting = f"lookaside: {json.dumps(source.lookaside.url)}"
    # podman looks up the address that registries.conf leads to (tried with 4.3.1), not the name that was asked for.
    scopes = dict.fromkeys((*source.names, source.endpoint.location))
    lines = ["docker:"]
    for scope in scopes:
        lines += [f"  {json.dumps(scope)}:", f"    {setting}"]
    return header(realm, _OPENS) + "\n".join(lines) + "\n"
