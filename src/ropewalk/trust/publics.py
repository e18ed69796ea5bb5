"""The public keys of an installation, which are read and checked only when something must be verified with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ropewalk.recipe.recipe import Generation
from ropewalk.trust.keyid import ECDSA_PUBLIC, key_id

if TYPE_CHECKING:
    from ropewalk.trust.keys import PublicKeys


@dataclass(frozen=True, slots=True)
class Publics:
    """The public keys below a directory.

    Attributes:
        directory: The key directory of the installation.
    """

    directory: Path

    def ids(self) -> frozenset[tuple[Generation, str]]:
        """Return the ids of the generations' ECDSA keys; whether they are keys is seen by `load`."""
        files = {generation: self.directory / generation / ECDSA_PUBLIC for generation in Generation}
        return frozenset((generation, key_id(file.read_bytes())) for generation, file in files.items() if file.exists())

    def load(self) -> "tuple[PublicKeys, ...]":
        """Read the keys: see `ropewalk.trust.public`.

        Raises:
            KeysUnreadable: A file does not hold a key of its kind.
        """
        from ropewalk.trust.keys import public

        return public(self.directory)
