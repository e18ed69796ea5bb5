"""Refresh: which images an archive view makes old, rebase where that equals a rebuild, prove, renew."""

from ropewalk.refresh.campaign import Fetch, Publish, refresh
from ropewalk.refresh.chart import draw_patches, human_time
from ropewalk.refresh.checkout import Checkouts
from ropewalk.refresh.decide import Decision, decide, refuse_early
from ropewalk.refresh.difference import Difference, Side, compare
from ropewalk.refresh.expect import Costs, Expected, costs_of
from ropewalk.refresh.history import Approved, Deployed, Due, History, Patched, Update, deployed
from ropewalk.refresh.inputs import Changes, DpkgFiles, MovedParent, RebaseInputs, changes
from ropewalk.refresh.intent import Intent, Moved, Way, intend
from ropewalk.refresh.judge import Judgement, Verdict, judge, unsettled
from ropewalk.refresh.life import Moment, Papers, Step, life, told
from ropewalk.refresh.lines import lines_of
from ropewalk.refresh.logbook import Campaign, CampaignBook, CampaignRow, State
from ropewalk.refresh.merge import merge_config, merge_entry, merge_status
from ropewalk.refresh.owners import Newer, newer_packages
from ropewalk.refresh.patches import Patch, Spread, first_released, open_dues, patches, spread
from ropewalk.refresh.planned import measured, plan_refresh
from ropewalk.refresh.policy import Kind, Pending, Waiting
from ropewalk.refresh.prove import compare_rebuilt, differences, prove
from ropewalk.refresh.rebase import DpkgReader, Rebased, origin, rebase
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.released import released
from ropewalk.refresh.report import RefreshReport, RefreshRow
from ropewalk.refresh.reproduce import Claim, Reproduction, Sources, reproduce
from ropewalk.refresh.running import Ran, run_campaign
from ropewalk.refresh.scope import Ask, Helpless, Scope, Severity, scope_of
from ropewalk.refresh.standing import Standing, standing_of
from ropewalk.refresh.survey import Survey, survey
from ropewalk.refresh.watch import Hands, Round, Watch

__all__ = [
    "Approved",
    "Ask",
    "Campaign",
    "CampaignBook",
    "CampaignRow",
    "Changes",
    "Checkouts",
    "Claim",
    "Costs",
    "Decision",
    "Deployed",
    "Difference",
    "DpkgFiles",
    "DpkgReader",
    "Due",
    "Expected",
    "Fetch",
    "Hands",
    "Helpless",
    "History",
    "Intent",
    "Judgement",
    "Kind",
    "Moment",
    "Moved",
    "MovedParent",
    "Newer",
    "Papers",
    "Patch",
    "Patched",
    "Pending",
    "Publish",
    "Ran",
    "RebaseInputs",
    "Rebased",
    "RefreshReport",
    "RefreshRow",
    "Refusal",
    "Reproduction",
    "Round",
    "Scope",
    "Severity",
    "Side",
    "Sources",
    "Spread",
    "Standing",
    "State",
    "Step",
    "Survey",
    "Update",
    "Verdict",
    "Waiting",
    "Watch",
    "Way",
    "changes",
    "compare",
    "compare_rebuilt",
    "costs_of",
    "decide",
    "deployed",
    "differences",
    "draw_patches",
    "first_released",
    "human_time",
    "intend",
    "judge",
    "life",
    "lines_of",
    "measured",
    "merge_config",
    "merge_entry",
    "merge_status",
    "newer_packages",
    "open_dues",
    "origin",
    "patches",
    "plan_refresh",
    "prove",
    "rebase",
    "refresh",
    "refuse_early",
    "released",
    "reproduce",
    "run_campaign",
    "scope_of",
    "spread",
    "standing_of",
    "survey",
    "told",
    "unsettled",
]
