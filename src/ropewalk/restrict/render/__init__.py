"""Renderers of a realm's rules, one per file format; all are pure."""

from ropewalk.restrict.render.nftables import render_nftables
from ropewalk.restrict.render.policy_json import render_policy
from ropewalk.restrict.render.registries_conf import render_registries_conf, render_shortnames
from ropewalk.restrict.render.registries_d import render_registries_d

__all__ = [
    "render_nftables",
    "render_policy",
    "render_registries_conf",
    "render_registries_d",
    "render_shortnames",
]
