"""Publishing: one idempotent act whose last steps make the image visible.

The order is blobs, config, manifest by digest, read back, cosign's signature, the OpenPGP signature, the attestation, the
version tag, ``latest``. A publish that dies on the way leaves no version tag without signatures; the next one goes on.
Requests are dear (a registry answers some 250 a second): what is certain is not asked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ropewalk import atomic
from ropewalk.errors import Exit, InputError, RopewalkError, TrustError
from ropewalk.events import Event, EventKind, Listener, silent, step
from ropewalk.oci.client import RegistryClient
from ropewalk.oci.model import MANIFEST, Image, Layer
from ropewalk.oci.reference import parse
from ropewalk.oci.store import Store
from ropewalk.plan import LATEST
from ropewalk.publish.distribution import check_distribution
from ropewalk.publish.latest import takes_latest
from ropewalk.recipe.record import BuildRecord, How, Published, RecordBook
from ropewalk.trust import (
    Artifact,
    SigningKeys,
    artifact_layers,
    attestation_layer,
    attestation_tag,
    cosign_layer,
    cosign_manifest,
    cosign_payload,
    envelope,
    lookaside_directory,
    lookaside_payload,
    proof_statement,
    sign_cosign,
    sign_openpgp,
    signature_tag,
    statement_of,
    verify_openpgp,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a publish did.

    Attributes:
        reference: ``registry/namespace/name:tag``.
        digest: The image's manifest digest.
        writes: Requests that changed the registry, and signature files written.
        bytes: Bytes sent to the registry.
        skipped: All was there already.
    """

    reference: str
    digest: str
    writes: int
    bytes: int
    skipped: bool


class TagMoved(RopewalkError):
    """The version tag names another image in the registry; it is never moved."""

    exit_code = Exit.REFUSED


class WasWithdrawn(RopewalkError):
    """The image is no longer vouched for; it is not signed again."""

    exit_code = Exit.REFUSED


class ReadBackDiffers(TrustError):
    """The registry gives other bytes than were sent."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One publish: what goes where."""

    image: Image
    record: BuildRecord
    store: Store
    client: RegistryClient
    keys: SigningKeys
    lookaside: Path
    book: RecordBook
    distributions: Collection[str]

    @property
    def path(self) -> str:
        """The repository without the registry."""
        return parse(self.record.repository).repository

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes, checked against its digest."""
        return self.store.read(self.image.digest)


def publish(
    image: Image,
    record: BuildRecord,
    *,
    store: Store,
    client: RegistryClient,
    keys: SigningKeys,
    lookaside: Path,
    book: RecordBook,
    latest: bool,
    now: int,
    distributions: Collection[str] = (),
    listener: Listener = silent,
) -> Outcome:
    """Push an image, sign and attest it, then give it its version tag and perhaps ``latest``.

    Args:
        image: What to publish, held by ``store``.
        record: Its build record.
        store: Where its blobs are.
        client: The registry to write to.
        keys: Signing keys of the image's generation.
        lookaside: The directory of OpenPGP signatures that nodes read.
        book: Where the publishing is noted, last.
        latest: Move ``latest`` here if this is the newest version in the registry.
        now: Seconds since 1970.
        distributions: Distributions beside Debian that the config allows.
        listener: Is told of each step.

    Returns:
        What was written; nothing where all was there.

    Raises:
        TagMoved: The registry has another image under the version tag.
        OtherDistribution: It is an image of a distribution that is not allowed; nothing was sent.
        WasWithdrawn: A full rebuild gave another image; nothing was sent.
        ReadBackDiffers: The registry's manifest is not the one that was sent.
        NetworkError: The registry does not answer as it should.
        ValueError: Image, record and keys do not belong together.
    """
    if (image.digest, keys.generation) != (record.digest, record.generation):
        raise ValueError(f"{record.reference}: image, record and keys do not belong together")
    withdrawn = book.withdrawn(image.digest)
    if withdrawn is not None:
        hint = f"publish {withdrawn.by}, which takes its place"
        raise WasWithdrawn(f"was withdrawn: {withdrawn.reason}", where=record.reference, hint=hint)
    job = _Job(image, record, store, client, keys, lookaside, book, distributions)
    writes, sent = client.writes, client.bytes_sent
    with atomic.locked(lookaside.parent / "publish.lock"):
        signatures = _publish(job, listener, latest=latest)
    writes = client.writes - writes + signatures
    if writes or book.published(image.digest) is None:
        book.mark_published(image.digest, Published(client.endpoint, now))
    skipped = writes == 0
    listener(Event(EventKind.NOTE, record.reference, "publish", "nothing to do" if skipped else f"{writes} writes"))
    return Outcome(record.reference, image.digest, writes, client.bytes_sent - sent, skipped)


def _publish(job: _Job, listener: Listener, *, latest: bool) -> int:
    """Do what is missing, in order; return how many signature files were written."""
    subject, tag = job.record.reference, job.record.tag
    tags = job.client.tags(job.path)
    visible = tag in tags and _is_there(job, tag)
    if not visible and not job.store.is_whole(job.image):
        hint = "build it again; an adopted image, whose layers are not kept, can be copied with skopeo first"
        raise InputError("its layers are not in the store, or not whole", where=subject, hint=hint)
    if not visible:
        check_distribution(job.image, job.store, subject, job.distributions)
        with step(listener, subject, "push"):
            _push(job)
    with step(listener, subject, "sign"):
        payload = cosign_payload(subject, job.image.digest)
        layer = cosign_layer(payload, sign_cosign(job.keys, payload))
        attach(job.client, job.path, tags, signature_tag(job.image.digest), layer)
        signatures = _write_lookaside(job)
    with step(listener, subject, "attest"):
        _attest(job, tags)
    if not visible:
        with step(listener, subject, "tag"):
            _put_tag(job, tag)
    if latest:
        _move_latest(job, tags, listener)
    return signatures


def _is_there(job: _Job, tag: str) -> bool:
    """Say whether the version tag names this image; false where it was deleted meanwhile."""
    digest = job.client.digest_of(job.path, tag)
    if digest not in (None, job.image.digest):
        hint = "a published version never changes: add a changelog entry with a new version"
        message = f"is published as {digest}, not {job.image.digest}"
        raise TagMoved(message, where=job.record.reference, hint=hint)
    return digest is not None


def _push(job: _Job) -> None:
    """Send blobs, config and the manifest by digest, and read the manifest back."""
    sent: set[str] = set()
    for layer in job.image.layers:
        if layer.blob.digest not in sent:
            _send_layer(job, layer)
            sent.add(layer.blob.digest)
    job.client.upload_bytes(job.path, job.store.read(job.image.config_blob.digest))
    job.client.put_manifest(job.path, job.image.digest, job.manifest, job.image.manifest.media_type)
    found = job.client.manifest(job.path, job.image.digest)
    if found is None or found[1] != job.manifest:
        hint = "look at the registry's storage and at what stands between it and here; then publish again"
        raise ReadBackDiffers("the manifest reads back differently", where=job.record.reference, hint=hint)


def _send_layer(job: _Job, layer: Layer) -> None:
    """Mount a layer from the parent's repository; upload what is ours or cannot be mounted."""
    digest, parent = layer.blob.digest, job.record.parent()
    own = any(x.diff_id == layer.diff_id and x.owner == job.record.name for x in job.record.layers)
    if parent is not None and not own and job.client.mount(job.path, digest, parse(parent.reference).repository):
        return
    # Asked, as it may well be there: a rebase keeps its own layers, and a publish may have died on the way.
    if not job.client.has_blob(job.path, digest):
        job.client.upload(job.path, digest, job.store.blob(digest))


def _attest(job: _Job, tags: Collection[str]) -> None:
    """Attach the provenance, and the proof of a rebased image that was proven before."""
    tag, proof = attestation_tag(job.image.digest), job.book.proof(job.image.digest)
    wrote = attach(job.client, job.path, tags, tag, signed(job.keys, statement_of(job.record)))
    if job.record.how is How.REBASED and proof is not None and proof.equal:
        there = (*tags, tag) if wrote else tags
        attach(job.client, job.path, there, tag, signed(job.keys, proof_statement(job.record, proof)))


def signed(keys: SigningKeys, statement: dict[str, Any]) -> Artifact:
    """Sign a statement.

    Args:
        keys: Keys of the image's generation.
        statement: The in-toto statement.

    Returns:
        The layer that carries it.
    """
    return attestation_layer(envelope(keys, statement), statement["predicateType"])


def attach(client: RegistryClient, path: str, tags: Collection[str], tag: str, wanted: Artifact) -> bool:
    """Put a signature or attestation under its tag, beside those that others put there.

    Args:
        client: The registry.
        path: The repository without the registry.
        tags: The repository's tags.
        tag: ``sha256-HEX.sig`` or ``.att``.
        wanted: The layer.

    Returns:
        Whether it was written; false where it was there.
    """
    present = artifact_layers(client, path, tag) if tag in tags else ()
    layer = wanted.descriptor()
    # Our signatures are deterministic: the same claim by the same key is the same layer.
    if any(all(other.get(name) == value for name, value in layer.items()) for other in present):
        return False
    image = cosign_manifest((*present, layer))
    client.upload_bytes(path, wanted.data)
    client.upload_bytes(path, image.config)
    client.put_manifest(path, tag, image.manifest, MANIFEST)
    return True


def _write_lookaside(job: _Job) -> int:
    """Write the OpenPGP signature unless one that verifies is there; return the files written."""
    directory = job.lookaside / lookaside_directory(job.path, job.image.digest)
    number = 1
    while (path := directory / f"signature-{number}").is_file():
        if verify_openpgp(job.keys.public, path.read_bytes(), job.record.repository, job.image.digest).ok:
            return 0
        number += 1
    payload = lookaside_payload(job.record.reference, job.image.digest)
    atomic.write_bytes(path, sign_openpgp(job.keys, payload))
    return 1


def _put_tag(job: _Job, tag: str) -> None:
    job.client.put_manifest(job.path, tag, job.manifest, job.image.manifest.media_type)


def _move_latest(job: _Job, tags: Collection[str], listener: Listener) -> None:
    """Let ``latest`` name this image if it is the newest."""
    if not takes_latest(job.record, tags, path=job.path, client=job.client, store=job.store, book=job.book):
        listener(Event(EventKind.NOTE, job.record.reference, "latest stays where it is", "another version is newer"))
    elif LATEST not in tags or job.client.digest_of(job.path, LATEST) != job.image.digest:
        _put_tag(job, LATEST)
