"""What makes a directory a recipe: the file that it holds."""

from enum import StrEnum


class Kind(StrEnum):
    """A recipe's file, which says how the directory is read."""

    BASE = "base.yaml"
    PRODUCTION = "Dockerfile.template"
    SERVICE = "blubber.yaml"
