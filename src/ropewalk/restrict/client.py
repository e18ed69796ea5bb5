"""Which container client a node runs, and what it can check."""

from enum import StrEnum
from typing import Self

from ropewalk.errors import InputError


class ClientVersion(StrEnum):
    """A client that files are rendered for, by program and version."""

    PODMAN_4_3 = "podman-4.3"
    """Debian 12: sigstore signatures are switched off; it checks OpenPGP signatures from a lookaside."""
    PODMAN_5_4 = "podman-5.4"
    """Debian 13: it checks the sigstore signatures that stand in the registry."""

    @property
    def reads_sigstore(self) -> bool:
        """Whether it checks signatures that are kept as ``.sig`` tags in the registry."""
        return self is ClientVersion.PODMAN_5_4

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the client that ``text`` names.

        Args:
            text: ``podman-4.3`` or ``podman-5.4``.

        Raises:
            InputError: Nothing is known of what that client checks.
        """
        try:
            return cls(text)
        except ValueError:
            hint = "known: " + ", ".join(cls)
            raise InputError("is no client that files are rendered for", where=text, hint=hint) from None
