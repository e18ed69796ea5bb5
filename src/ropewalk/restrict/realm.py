"""A realm: a set of nodes and networks under one restriction."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ropewalk.recipe.recipe import Generation


@dataclass(frozen=True, slots=True)
class Egress:
    """An address that the realm's nodes and containers may reach.

    Attributes:
        address: An IPv4 or IPv6 address, no network and no name.
        port: Port of the address.
        protocol: ``tcp`` or ``udp``.
        reason: Why.
    """

    address: str
    port: int
    protocol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exemption:
    """An image of others that runs without our signature for a while.

    Attributes:
        image: ``registry/repository@sha256:HEX``; a tag would let others decide what runs.
        reason: Why.
        contact: Who answers for it.
        expires: The last day on which it counts.
    """

    image: str
    reason: str
    contact: str
    expires: date

    @property
    def repository(self) -> str:
        """The image without its digest."""
        return self.image.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Realm:
    """What ``restrict.yaml`` says of one realm.

    Attributes:
        name: Its name.
        generations: Whose signatures let an image run: production, service or both, never base.
        keys: Directory of public keys, as ``ropewalk keys new`` makes it; None for the installation's own.
        aliases: Other names of the registry.
        egress: What may be reached beside the registry.
        exemptions: Images of others.
    """

    name: str
    generations: tuple[Generation, ...]
    keys: Path | None
    aliases: tuple[str, ...]
    egress: tuple[Egress, ...]
    exemptions: tuple[Exemption, ...]

    def exempt(self, today: date) -> tuple[Exemption, ...]:
        """Return the exemptions that count on ``today``."""
        return tuple(one for one in self.exemptions if today <= one.expires)
