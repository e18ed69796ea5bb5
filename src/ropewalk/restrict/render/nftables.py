"""nftables rules: what a node and its containers may reach (nft(8)).

A refused TCP connection is reset and anything else answered with "administratively prohibited": a client then fails at
once with a clear word, where a dropped packet lets it wait for most of a minute.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, ip_address

from ropewalk.restrict.realm import Egress
from ropewalk.restrict.render.header import header

TABLE = "ropewalk"
_OPENS = (
    "rules know addresses, not images; policy.json asks for the realm's signature on what an address serves.",
    "what comes in is not filtered, and root on the node can remove the table; that belongs to the host's own rules.",
)
_DISCOVERY = "nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report"


def _set(name: str, kind: str, allowed: Iterable[Egress]) -> str:
    ordered = sorted(allowed, key=lambda one: (ip_address(one.address).packed, one.protocol, one.port))
    lines = [f"\tset {name} {{", f"\t\ttype {kind} . inet_proto . inet_service"]
    if ordered:
        lines.append("\t\telements = {")
        # A reason may hold anything but a line break; it stands in a comment.
        lines += [
            f"\t\t\t{one.address} . {one.protocol} . {one.port}, # {' '.join(one.reason.split())}" for one in ordered
        ]
        lines.append("\t\t}")
    return "\n".join([*lines, "\t}"])


_CHAINS = f"""\tchain allowed {{
\t\tct state established,related accept
\t\tip daddr . meta l4proto . th dport @allowed4 accept
\t\tip6 daddr . meta l4proto . th dport @allowed6 accept
\t\tmeta l4proto tcp reject with tcp reset
\t\treject with icmpx admin-prohibited
\t}}

\tchain output {{
\t\ttype filter hook output priority filter; policy drop
\t\toifname "lo" accept
\t\ticmpv6 type {{ {_DISCOVERY} }} accept
\t\tjump allowed
\t}}

\tchain forward {{
\t\ttype filter hook forward priority filter; policy drop
\t\t# Into a container of this node: no egress.
\t\toifname "podman*" accept
\t\toifname "cni-podman*" accept
\t\tjump allowed
\t}}"""


def render_nftables(realm: str, allowed: Sequence[Egress]) -> str:
    """Return a file for ``nft -f`` that replaces our table at one stroke.

    Args:
        realm: The realm's name.
        allowed: Addresses and ports that may be reached; one that is named twice stands once, with its first reason.
    """
    first: dict[tuple[str, str, int], Egress] = {}
    for one in allowed:
        first.setdefault((one.address, one.protocol, one.port), one)
    v4 = [one for one in first.values() if isinstance(ip_address(one.address), IPv4Address)]
    v6 = [one for one in first.values() if one not in v4]
    sets = f"{_set('allowed4', 'ipv4_addr', v4)}\n\n{_set('allowed6', 'ipv6_addr', v6)}"
    # Naming the table first makes deleting it no error where it is not there yet.
    fresh = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
    return header(realm, _OPENS) + fresh + f"table inet {TABLE} {{\n{sets}\n\n{_CHAINS}\n}}\n"
