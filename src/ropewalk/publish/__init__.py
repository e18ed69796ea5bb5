"""From the store to a registry, signed and attested, and back."""

from ropewalk.publish.adopt import Adopter, Candidate, State, Surveyor
from ropewalk.publish.distribution import OtherDistribution, distribution
from ropewalk.publish.fetch import NoSuchImage, WrongLayer, fetch_image, note_image
from ropewalk.publish.judge import Desk, confirm, withdraw
from ropewalk.publish.latest import Standing, standing
from ropewalk.publish.publish import Outcome, ReadBackDiffers, TagMoved, WasWithdrawn, publish

__all__ = [
    "Adopter",
    "Candidate",
    "Desk",
    "NoSuchImage",
    "OtherDistribution",
    "Outcome",
    "ReadBackDiffers",
    "Standing",
    "State",
    "Surveyor",
    "TagMoved",
    "WasWithdrawn",
    "WrongLayer",
    "confirm",
    "distribution",
    "fetch_image",
    "note_image",
    "publish",
    "standing",
    "withdraw",
]
