"""Deploy: the deployment repository's versions follow what is published, in waves; what somebody holds is left alone."""

from ropewalk.deploy.config import DeployConfig, Wave, Way, load_deploy
from ropewalk.deploy.decide import Build, Facts, Policy, State, Step, Verdict, judge
from ropewalk.deploy.message import Deployment, advisories_in
from ropewalk.deploy.published import Published
from ropewalk.deploy.repository import Clone
from ropewalk.deploy.rollout import Outcome, Rollout, RolloutReport, WaveReport
from ropewalk.deploy.survey import Survey, Surveyor, deployments
from ropewalk.deploy.values import Place, Reading, read, rewritten

__all__ = [
    "Build",
    "Clone",
    "DeployConfig",
    "Deployment",
    "Facts",
    "Outcome",
    "Place",
    "Policy",
    "Published",
    "Reading",
    "Rollout",
    "RolloutReport",
    "State",
    "Step",
    "Survey",
    "Surveyor",
    "Verdict",
    "Wave",
    "WaveReport",
    "Way",
    "advisories_in",
    "deployments",
    "judge",
    "load_deploy",
    "read",
    "rewritten",
]
