"""What may run where: realms, and the files that make a node keep to its realm."""

from ropewalk.restrict.client import ClientVersion
from ropewalk.restrict.node import NFTABLES, NodeFile, render_node, write_node
from ropewalk.restrict.policy import Policy, load_policy
from ropewalk.restrict.realm import Egress, Exemption, Realm

__all__ = [
    "NFTABLES",
    "ClientVersion",
    "Egress",
    "Exemption",
    "NodeFile",
    "Policy",
    "Realm",
    "load_policy",
    "render_node",
    "write_node",
]
