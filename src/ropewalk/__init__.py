"""Ropewalk: the container-image works of an organisation that runs its own infrastructure on Debian."""

__version__ = "0.1.0"
