"""What instructions of a build reach: words of ``ropewalk.network`` and ``--network``."""

from enum import StrEnum


class Network(StrEnum):
    """The network of a build."""

    HOST = "host"
    """The builder's own: apt gets the archive view, everything else what the builder gets."""
    ISOLATED = "isolated"
    """A network of its own with nothing in it but the archive proxy."""
