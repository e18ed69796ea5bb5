"""The registry that Ropewalk can run itself."""

from ropewalk.registry.embedded import (
    Address,
    RegistryElsewhere,
    RegistryNotStarted,
    down,
    lookaside_of,
    status,
    up,
)

__all__ = [
    "Address",
    "RegistryElsewhere",
    "RegistryNotStarted",
    "down",
    "lookaside_of",
    "status",
    "up",
]
