"""Refresh: which images an archive view makes old, rebase where that equals a rebuild, prove, renew."""

from ropewalk.refresh.campaign import Fetch, Publish, refresh
from ropewalk.refresh.checkout import Checkouts
from ropewalk.refresh.decide import Decision, decide, refuse_early
from ropewalk.refresh.difference import Difference, Side, compare
from ropewalk.refresh.inputs import Changes, DpkgFiles, MovedParent, RebaseInputs, changes
from ropewalk.refresh.intent import Intent, Moved, Way, intend
from ropewalk.refresh.lines import plan_refresh
from ropewalk.refresh.merge import merge_config, merge_entry, merge_status
from ropewalk.refresh.owners import Newer, newer_packages
from ropewalk.refresh.prove import compare_rebuilt, differences, prove
from ropewalk.refresh.rebase import DpkgReader, Rebased, origin, rebase
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.reproduce import Claim, Reproduction, Sources, reproduce

__all__ = [
    "Changes",
    "Checkouts",
    "Claim",
    "Decision",
    "Difference",
    "DpkgFiles",
    "DpkgReader",
    "Fetch",
    "Intent",
    "Moved",
    "MovedParent",
    "Newer",
    "Publish",
    "RebaseInputs",
    "Rebased",
    "RefreshReport",
    "RefreshRow",
    "Refusal",
    "Reproduction",
    "Side",
    "Sources",
    "Way",
    "changes",
    "compare",
    "compare_rebuilt",
    "decide",
    "differences",
    "intend",
    "merge_config",
    "merge_entry",
    "merge_status",
    "newer_packages",
    "origin",
    "plan_refresh",
    "prove",
    "rebase",
    "refresh",
    "refuse_early",
    "reproduce",
]
