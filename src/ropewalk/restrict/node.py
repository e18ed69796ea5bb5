"""A node's files: rendered from a realm, written so that a run that changes nothing writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ropewalk import atomic
from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Generation
from ropewalk.restrict.client import ClientVersion
from ropewalk.restrict.realm import Egress, Exemption, Realm
from ropewalk.restrict.render import (
    render_nftables,
    render_policy,
    render_registries_conf,
    render_registries_d,
    render_shortnames,
)
from ropewalk.restrict.source import Endpoint, Source, parse_source
from ropewalk.trust.keys import PublicKeys

_CONTAINERS = "etc/containers"
_KEYS = f"{_CONTAINERS}/keys"
_KEYRING = f"{_KEYS}/ropewalk.gpg"
_OUR_KEYS = "ropewalk*"
NFTABLES = "etc/nftables.d/ropewalk.nft"


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A file of a node.

    Attributes:
        path: Relative to the node's root directory.
        content: Its bytes.
        mode: Its permission bits.
    """

    path: str
    content: bytes
    mode: int = 0o644


def _trusted(realm: Realm, keys: Sequence[PublicKeys]) -> tuple[PublicKeys, ...]:
    """Return the keys of the realm's generations; a generation without a key would be refused silently on the node."""
    if not realm.generations or Generation.BASE in realm.generations:
        hint = "name production, service or both in restrict.yaml"
        raise InputError("a realm runs images of production and service only", where=f"realm {realm.name}", hint=hint)
    for generation in realm.generations:
        if not any(key.generation is generation for key in keys):
            hint = f"make one: ropewalk keys new {generation}"
            raise InputError(f"no public key of {generation} is here", where=f"realm {realm.name}", hint=hint)
    return tuple(key for key in sorted(keys, key=lambda key: key.generation) if key.generation in realm.generations)


def _key_files(client: ClientVersion, trusted: Sequence[PublicKeys]) -> tuple[NodeFile, ...]:
    if client.reads_sigstore:
        return tuple(NodeFile(f"{_KEYS}/ropewalk-{key.generation}.pem", key.ecdsa_pem) for key in trusted)
    # Binary certificates one after the other are a keyring.
    return (NodeFile(_KEYRING, b"".join(key.openpgp for key in trusted)),)


def _reach(endpoint: Endpoint, realm: Realm, what: str) -> tuple[Egress, ...]:
    """Return the rule that lets a node reach one of our servers.

    Raises:
        InputError: It has a name, and the realm's egress opens its port nowhere.
    """
    if endpoint.address is not None:
        return (Egress(str(endpoint.address), endpoint.port, "tcp", what),)
    if any(one.port == endpoint.port and one.protocol == "tcp" for one in realm.egress):
        return ()
    hint = f"add its addresses with port {endpoint.port} to egress of realm {realm.name}"
    raise InputError(f"{what} has a name, and packet rules know addresses only", where=endpoint.url, hint=hint)


def _egress(realm: Realm, source: Source) -> tuple[Egress, ...]:
    ours = _reach(source.endpoint, realm, "the registry")
    if source.lookaside is not None:
        ours += _reach(source.lookaside, realm, "the registry's signatures")
    return (*ours, *realm.egress)


def _exempt(realm: Realm, source: Source, today: date) -> tuple[Exemption, ...]:
    """Return the exemptions of today; one of our own names would only switch off the signature check."""
    found = realm.exempt(today)
    for one in found:
        if one.repository.partition("/")[0] in source.names:
            raise InputError("is an image of our own registry", where=one.image, hint="publish it signed instead")
    return found


def render_node(
    realm: Realm,
    client: ClientVersion,
    *,
    name: str,
    endpoint: str,
    lookaside: str,
    keys: Sequence[PublicKeys],
    today: date,
) -> tuple[NodeFile, ...]:
    """Render what restricts a node to its realm's images.

    Args:
        realm: The realm.
        client: The container client that the node runs.
        name: The registry's name in references: ``registry.example.org``.
        endpoint: URL where it answers.
        lookaside: URL where OpenPGP signatures are served; may be empty for a client that does not read them.
        keys: Public keys at hand; only those of the realm's generations are written.
        today: Exemptions that expired before are left out.

    Returns:
        The files, sorted by path.

    Raises:
        InputError: A name or an address is wrong, a key or the lookaside is missing, or an address is not known.
    """
    if not client.reads_sigstore and not lookaside:
        hint = "`ropewalk registry up` serves one and prints its address"
        raise InputError(f"{client} reads signatures from a lookaside only", where="lookaside", hint=hint)
    source = parse_source(name, realm.aliases, endpoint, "" if client.reads_sigstore else lookaside)
    exempt = _exempt(realm, source, today)
    key_files = _key_files(client, _trusted(realm, keys))
    key_paths = [f"/{file.path}" for file in key_files]
    texts = {
        f"{_CONTAINERS}/policy.json": render_policy(client, source, key_paths, [one.image for one in exempt]),
        f"{_CONTAINERS}/registries.conf": render_registries_conf(
            realm.name, source, [one.repository for one in exempt]
        ),
        f"{_CONTAINERS}/registries.conf.d/shortnames.conf": render_shortnames(realm.name),
        f"{_CONTAINERS}/registries.d/ropewalk.yaml": render_registries_d(realm.name, client, source),
        NFTABLES: render_nftables(realm.name, _egress(realm, source)),
    }
    files = [NodeFile(path, text.encode()) for path, text in texts.items()]
    return tuple(sorted((*files, *key_files), key=lambda file: file.path))


def write_node(files: Sequence[NodeFile], out: Path) -> tuple[str, ...]:
    """Write a node's files below a directory that stands for its root.

    Args:
        files: What `render_node` gave.
        out: The directory; it is made where it is missing. Keys of ours that are no longer among the files go.

    Returns:
        Paths that were written or removed; empty where all was as it should be.
    """
    changed = []
    for file in files:
        path = out / file.path
        if path.is_file() and path.read_bytes() == file.content and path.stat().st_mode & 0o7777 == file.mode:
            continue
        atomic.write_bytes(path, file.content, file.mode)
        changed.append(file.path)
    wanted = {out / file.path for file in files}
    for path in sorted(set((out / _KEYS).glob(_OUR_KEYS)) - wanted):
        path.unlink()
        changed.append(str(path.relative_to(out)))
    return tuple(changed)
