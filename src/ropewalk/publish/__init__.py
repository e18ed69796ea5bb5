"""From the store to a registry, signed and attested, and back."""

from ropewalk.publish.adopt import Adopter, Candidate, State, Surveyor
from ropewalk.publish.distribution import OtherDistribution, distribution
from ropewalk.publish.fetch import NoSuchImage, WrongLayer, fetch_image, note_image
from ropewalk.publish.publish import Outcome, ReadBackDiffers, TagMoved, is_newest, publish

__all__ = [
    "Adopter",
    "Candidate",
    "NoSuchImage",
    "OtherDistribution",
    "Outcome",
    "ReadBackDiffers",
    "State",
    "Surveyor",
    "TagMoved",
    "WrongLayer",
    "distribution",
    "fetch_image",
    "is_newest",
    "note_image",
    "publish",
]
