"""Builds: bootstraps and Dockerfiles run in isolation, what they add is normalised, tested, recorded and tagged."""

from ropewalk.build.containers import ld_cache, load_image, unload
from ropewalk.build.executor import Made, Outcome, ParentFailed, build_recipe, check, make_image, pin_parents, run_plan
from ropewalk.build.failure import BuildFailed
from ropewalk.build.host import Check, checks
from ropewalk.build.imagetest import TestFailed, TestOutcome, run_test
from ropewalk.build.isolation import Isolation, isolation
from ropewalk.build.normalise import normalise
from ropewalk.build.workshop import Workshop, open_workshop

__all__ = [
    "BuildFailed",
    "Check",
    "Isolation",
    "Made",
    "Outcome",
    "ParentFailed",
    "TestFailed",
    "TestOutcome",
    "Workshop",
    "build_recipe",
    "check",
    "checks",
    "isolation",
    "ld_cache",
    "load_image",
    "make_image",
    "normalise",
    "open_workshop",
    "pin_parents",
    "run_plan",
    "run_test",
    "unload",
]
