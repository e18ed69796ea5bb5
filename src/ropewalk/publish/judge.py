"""After the publication: a full rebuild confirms a rebased image, or the image is withdrawn.

A withdrawn image keeps its version tag, since that never moves, but loses what nodes ask for: the lookaside's signatures and
cosign's. A signed statement beside its provenance says why, so that nothing here believes it either. Each step may be done
again.
"""

from dataclasses import dataclass
from pathlib import Path

from ropewalk import atomic
from ropewalk.events import Listener, silent, step
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.model import MANIFEST
from ropewalk.oci.reference import parse
from ropewalk.publish.publish import attach, signed
from ropewalk.recipe.record import BuildRecord, Proof, Withdrawn
from ropewalk.trust import (
    PublicKeys,
    SigningKeys,
    artifact_layers,
    attestation_tag,
    cosign_manifest,
    lookaside_directory,
    proof_statement,
    signature_tag,
    verify_cosign,
    verify_openpgp,
    withdrawal_statement,
)
from ropewalk.trust.sign import SIGNATURE_ANNOTATION, SIMPLE_SIGNING
from ropewalk.trust.verify import annotation


@dataclass(frozen=True, slots=True)
class Desk:
    """What judgements are told with.

    Attributes:
        client: The registry.
        keys: Signing keys of the image's generation.
        lookaside: The directory of OpenPGP signatures that nodes read; publishing is locked beside it.
        listener: Is told.
    """

    client: RegistryClient
    keys: SigningKeys
    lookaside: Path
    listener: Listener = silent


def confirm(record: BuildRecord, proof: Proof, desk: Desk) -> bool:
    """Say in the registry, signed, that a full rebuild gave the same image.

    Args:
        record: The image's build record; it is published.
        proof: What the rebuild said; equal.
        desk: Registry and keys.

    Returns:
        Whether anything was written.

    Raises:
        NetworkError: The registry does not answer as it should.
    """
    path, tag = parse(record.repository).repository, attestation_tag(record.digest)
    with atomic.locked(desk.lookaside.parent / "publish.lock"), step(desk.listener, record.reference, "confirm"):
        statement = signed(desk.keys, proof_statement(record, proof))
        return attach(desk.client, path, desk.client.tags(path), tag, statement)


def withdraw(record: BuildRecord, withdrawn: Withdrawn, desk: Desk) -> None:
    """Say in the registry, signed, that an image is no longer vouched for, and take its signatures away.

    Args:
        record: The image's build record; it is published.
        withdrawn: Why, and what takes its place, which is published already.
        desk: Registry and keys.

    Raises:
        NetworkError: The registry does not answer as it should.
    """
    path, client, public = parse(record.repository).repository, desk.client, desk.keys.public
    with atomic.locked(desk.lookaside.parent / "publish.lock"), step(desk.listener, record.reference, "withdraw"):
        tags = client.tags(path)
        statement = signed(desk.keys, withdrawal_statement(record, withdrawn))
        attach(client, path, tags, attestation_tag(record.digest), statement)
        if signature_tag(record.digest) in tags:
            _unsign(client, path, record, public)
        _clear(desk.lookaside / lookaside_directory(path, record.digest), record, public)


def _unsign(client: RegistryClient, path: str, record: BuildRecord, keys: PublicKeys) -> None:
    """Take our signatures from cosign's tag; those of others stay. No registry of Debian's deletes a tag, so it is written."""
    tag = signature_tag(record.digest)
    layers = artifact_layers(client, path, tag)

    def ours(layer: dict[str, object]) -> bool:
        if layer["mediaType"] != SIMPLE_SIGNING:
            return False
        payload, signature = client.blob(path, str(layer["digest"])), annotation(layer, SIGNATURE_ANNOTATION)
        return verify_cosign(keys, payload, signature, record.repository, record.digest).ok

    left = tuple(layer for layer in layers if not ours(layer))
    if len(left) < len(layers):
        image = cosign_manifest(left)
        client.upload_bytes(path, image.config)
        client.put_manifest(path, tag, image.manifest, MANIFEST)


def _clear(directory: Path, record: BuildRecord, keys: PublicKeys) -> None:
    """Remove our signatures from a lookaside; those of others move up, since who reads stops at the first gap."""
    files = sorted(directory.glob("signature-*"), key=lambda file: (len(file.name), file.name))
    contents = [file.read_bytes() for file in files]
    left = [data for data in contents if not verify_openpgp(keys, data, record.repository, record.digest).ok]
    for number, data in enumerate(left, start=1):
        atomic.write_bytes(directory / f"signature-{number}", data)
    for file in files[len(left) :]:
        file.unlink()
