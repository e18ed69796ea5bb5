"""From the store to a registry, signed and attested, and back."""

from ropewalk.publish.fetch import NoSuchImage, WrongLayer, fetch_image
from ropewalk.publish.publish import Outcome, ReadBackDiffers, TagMoved, is_newest, publish

__all__ = [
    "NoSuchImage",
    "Outcome",
    "ReadBackDiffers",
    "TagMoved",
    "WrongLayer",
    "fetch_image",
    "is_newest",
    "publish",
]
