"""The ``ropewalk`` command: one module per command, each parses, calls its room, and prints."""

from ropewalk.cli.app import main

__all__ = ["main"]
