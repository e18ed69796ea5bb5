"""Refresh: which images an archive view makes old, rebase where that equals a rebuild, prove, renew."""

from ropewalk.refresh.campaign import Fetch, Publish, refresh
from ropewalk.refresh.checkout import Checkouts
from ropewalk.refresh.decide import Decision, decide, refuse_early
from ropewalk.refresh.difference import Difference, Side, compare
from ropewalk.refresh.expect import Costs, Expected, costs_of
from ropewalk.refresh.inputs import Changes, DpkgFiles, MovedParent, RebaseInputs, changes
from ropewalk.refresh.intent import Intent, Moved, Way, intend
from ropewalk.refresh.lines import lines_of
from ropewalk.refresh.logbook import Campaign, CampaignBook, CampaignRow, State
from ropewalk.refresh.merge import merge_config, merge_entry, merge_status
from ropewalk.refresh.owners import Newer, newer_packages
from ropewalk.refresh.planned import measured, plan_refresh
from ropewalk.refresh.prove import compare_rebuilt, differences, prove
from ropewalk.refresh.rebase import DpkgReader, Rebased, origin, rebase
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.reproduce import Claim, Reproduction, Sources, reproduce
from ropewalk.refresh.running import Ran, run_campaign
from ropewalk.refresh.scope import Ask, Helpless, Scope, Severity, scope_of

__all__ = [
    "Ask",
    "Campaign",
    "CampaignBook",
    "CampaignRow",
    "Changes",
    "Checkouts",
    "Claim",
    "Costs",
    "Decision",
    "Difference",
    "DpkgFiles",
    "DpkgReader",
    "Expected",
    "Fetch",
    "Helpless",
    "Intent",
    "Moved",
    "MovedParent",
    "Newer",
    "Publish",
    "Ran",
    "RebaseInputs",
    "Rebased",
    "RefreshReport",
    "RefreshRow",
    "Refusal",
    "Reproduction",
    "Scope",
    "Severity",
    "Side",
    "Sources",
    "State",
    "Way",
    "changes",
    "compare",
    "compare_rebuilt",
    "costs_of",
    "decide",
    "differences",
    "intend",
    "lines_of",
    "measured",
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
    "run_campaign",
    "scope_of",
]
