"""What a tree may refuse to have in its images: words of ``ropewalk.refuse``."""

from enum import StrEnum


class Concern(StrEnum):
    """Why what a package makes when it is installed is nothing for an image."""

    KEYS = "keys"
    """A private key or a password: every copy of the image would have it."""
    DATA = "data"
    """What each container must make for itself: a database, an id of a host. It is left out."""
    UNEQUAL = "unequal"
    """It differs from build to build, and nothing mends it. It stays."""
