"""An image to look at: of the store, or one that only the registry has."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ropewalk.cli.session import Session
from ropewalk.errors import InputError

if TYPE_CHECKING:
    from ropewalk.inventory import InstalledPackage
    from ropewalk.oci import Image, RegistryClient
    from ropewalk.recipe import BuildRecord, OwnedLayer


@dataclass(frozen=True, slots=True)
class Sight:
    """An image and what is known of it.

    Attributes:
        image: The image; the store has at least its layers' indexes.
        name: How it is called.
        layers: Its layers with their owners; nameless ones where nothing says whose they are.
        record: Its build record; None where neither this state directory nor a verified statement has one.
    """

    image: "Image"
    name: str
    layers: "tuple[OwnedLayer, ...]"
    record: "BuildRecord | None"

    def packages(self, session: Session) -> "tuple[InstalledPackage, ...]":
        """Return its packages, read from its layers."""
        from ropewalk.inventory import read_packages

        return read_packages(session.store(), self.image, self.layers)


def look(session: Session, wanted: str, registry: str | None) -> Sight:
    """Find an image in the store, else in the registry, where it is read without keeping its layers.

    Args:
        session: The run.
        wanted: Name, name:version, full reference or digest; in the registry a reference with a tag or a digest.
        registry: ``--registry``.

    Raises:
        InputError: It is nowhere.
        NetworkError: The registry does not answer as it should.
    """
    try:
        image, record = session.find(wanted)
    except InputError:
        if not ("/" in wanted or ":" in wanted):
            raise
        with session.client(offline=False, registry=registry) as client:
            if client is None:
                raise
            return _from_registry(session, client, wanted)
    return Sight(image, record.reference, record.layers, record)


def _from_registry(session: Session, client: "RegistryClient", wanted: str) -> Sight:
    from ropewalk.inventory.read import is_of_interest
    from ropewalk.oci import parse
    from ropewalk.publish import NoSuchImage, note_image
    from ropewalk.recipe import LayerKind, OwnedLayer
    from ropewalk.trust import public, verify_image

    asked = parse(wanted)
    digest = asked.digest or client.digest_of(asked.repository, asked.tag or "latest")
    if digest is None:
        hint = "`ropewalk images` lists what is here; name it as the registry does"
        raise NoSuchImage("is neither in the store nor in the registry", where=wanted, hint=hint)
    image = note_image(client, asked.repository, digest, session.store(), is_of_interest)
    record = verify_image(client, asked.name, digest, public(session.settings.keys)).record
    if record is not None:
        return Sight(image, record.reference, record.layers, record)
    layers = tuple(OwnedLayer(layer.diff_id, "", LayerKind.OWN) for layer in image.layers)
    return Sight(image, wanted, layers, None)
