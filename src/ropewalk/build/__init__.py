"""Builds: bootstraps and Dockerfiles run in isolation, what they add is normalised, tested, recorded and tagged."""

from ropewalk.build.containers import ld_cache, load_image, unload
from ropewalk.build.crew import Outcome, ParentFailed, in_order, ready, run_plan
from ropewalk.build.executor import Made, build_recipe, check, make_image, pin_parents, with_test
from ropewalk.build.failure import BuildFailed, DiskFull, current_step, full_disk, last_lines
from ropewalk.build.fresh import move_out, open_fresh, refuse_full
from ropewalk.build.host import Check, checks, jobs, memory
from ropewalk.build.imagetest import TestFailed, TestOutcome, run_test
from ropewalk.build.isolation import Isolation, isolation
from ropewalk.build.locked import Locked, file_of, read_locks
from ropewalk.build.needs import Needs, needs
from ropewalk.build.normalise import normalise
from ropewalk.build.preview import open_preview
from ropewalk.build.prune import Freed, prune, weigh
from ropewalk.build.workshop import Workshop, open_workshop

__all__ = [
    "BuildFailed",
    "Check",
    "DiskFull",
    "Freed",
    "Isolation",
    "Locked",
    "Made",
    "Needs",
    "Outcome",
    "ParentFailed",
    "TestFailed",
    "TestOutcome",
    "Workshop",
    "build_recipe",
    "check",
    "checks",
    "current_step",
    "file_of",
    "full_disk",
    "in_order",
    "isolation",
    "jobs",
    "last_lines",
    "ld_cache",
    "load_image",
    "make_image",
    "memory",
    "move_out",
    "needs",
    "normalise",
    "open_fresh",
    "open_preview",
    "open_workshop",
    "pin_parents",
    "prune",
    "read_locks",
    "ready",
    "refuse_full",
    "run_plan",
    "run_test",
    "unload",
    "weigh",
    "with_test",
]
