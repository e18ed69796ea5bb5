"""What a user can put right, and the one table of exit codes.

An error names what failed, where, and what to do. A "no" (a refused rebase, a failed check) is a value, not an error.
"""

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of the ``ropewalk`` command; the table in ``docs/reference/exit-codes.md`` is made from it."""

    OK = 0
    """Done, or nothing to do."""
    FAILED = 1
    """A build, a test, a proof or a check did not succeed."""
    USAGE = 2
    """The command line is wrong."""
    INPUT = 3
    """A recipe, a config file or another input is wrong."""
    HOST = 4
    """This machine lacks something; ``ropewalk doctor`` says what."""
    NETWORK = 5
    """The archive or the registry could not be reached or did not answer as it should."""
    TRUST = 6
    """A signature, a digest or a checksum is wrong."""
    REFUSED = 7
    """The answer is no: a plan refuses a recipe, a policy denies an image."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C; the next run goes on."""


class RopewalkError(Exception):
    """Something the user can put right; a bug stays a plain exception."""

    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str, *, where: str, hint: str) -> None:
        """Keep what failed, where, and what to do.

        Args:
            message: What failed, without a full stop.
            where: The file (with line), address or image it concerns.
            hint: What the user can do.
        """
        super().__init__(f"{where}: {message}")
        self.message = message
        self.where = where
        self.hint = hint


class InputError(RopewalkError):
    """A recipe, a config file or an argument is wrong."""

    exit_code = Exit.INPUT


class HostError(RopewalkError):
    """This machine lacks something that the work needs."""

    exit_code = Exit.HOST


class NetworkError(RopewalkError):
    """A server could not be reached or gave an answer that makes no sense."""

    exit_code = Exit.NETWORK


class TrustError(RopewalkError):
    """A signature, a digest or a checksum is wrong."""

    exit_code = Exit.TRUST
