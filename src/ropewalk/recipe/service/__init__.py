"""Service images from ``blubber.yaml`` (Blubber v4): schema, merge, phases, rendered Dockerfile."""

from ropewalk.recipe.service.render import render
from ropewalk.recipe.service.schema import Blubber, read_blubber
from ropewalk.recipe.service.service import load_service

__all__ = ["Blubber", "load_service", "read_blubber", "render"]
