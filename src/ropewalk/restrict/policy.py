"""``restrict.yaml``: what each realm lets run and reach."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Generation
from ropewalk.recipe.yamlfile import Node, load, nearest
from ropewalk.restrict.realm import Egress, Exemption, Realm
from ropewalk.restrict.source import check_name

_KEYS = ("generations", "keys", "aliases", "egress", "exemptions")
_DEPLOYED = (Generation.PRODUCTION, Generation.SERVICE)
_PROTOCOLS = ("tcp", "udp")
_MOST_PORT = 65535
_REALM = re.compile(r"[a-z0-9][a-z0-9._-]*")
_BY_DIGEST = re.compile(r"([a-z0-9.:-]+)/[a-z0-9]+([._/-]+[a-z0-9]+)*@sha256:[0-9a-f]{64}")


def _generation(node: Node) -> Generation:
    text = node.filled()
    if text == Generation.BASE:
        raise node.fault("base images are never deployed", "build a production image on it")
    if text not in _DEPLOYED:
        raise node.fault(f"`{text}` is no generation", nearest(text, _DEPLOYED))
    return Generation(text)


def _generations(node: Node) -> tuple[Generation, ...]:
    found = sorted({_generation(item) for item in node.items()})
    if not found:
        raise node.fault("names no generation, so nothing could run", "write [production, service]")
    return tuple(found)


def _address(node: Node) -> str:
    text = node.filled()
    fault = node.fault(
        f"`{text}` is no IPv4 or IPv6 address", "packet rules know addresses only; write each one by itself"
    )
    if "%" in text:  # a zone (fe80::1%eth0), which may hold anything
        raise fault
    try:
        return str(ip_address(text))
    except ValueError:
        raise fault from None


def _port(node: Node) -> int:
    number = node.number()
    if not 0 < number <= _MOST_PORT:
        raise node.fault(f"{number} is no port", f"write 1 to {_MOST_PORT}")
    return number


def _protocol(node: Node) -> str:
    text = node.filled()
    if text not in _PROTOCOLS:
        raise node.fault(f"`{text}` is no protocol", "write tcp or udp")
    return text


def _egress(node: Node) -> Egress:
    found = node.fields(("address", "port", "protocol", "reason"))
    protocol = _protocol(found["protocol"]) if "protocol" in found else "tcp"
    return Egress(_address(node.need("address")), _port(node.need("port")), protocol, node.need("reason").filled())


def _exemption(node: Node) -> Exemption:
    node.fields(("image", "reason", "contact", "expires"))
    image = node.need("image")
    match = _BY_DIGEST.fullmatch(image.filled())
    if not match:
        hint = "write registry/name@sha256:...; a tag would let others decide what runs"
        raise image.fault(f"`{image.value}` names no image by digest", hint)
    check_name(match[1], image.where)
    texts = (node.need("reason").filled(), node.need("contact").filled())
    return Exemption(image.text(), *texts, node.need("expires").day())


def _realm(name: str, node: Node) -> Realm:
    if not _REALM.fullmatch(name):
        raise node.fault(f"`{name}` is no name of a realm", "write small letters, digits, dots and dashes")
    found = node.fields(_KEYS)
    generations = _generations(node.need("generations"))
    aliases = found["aliases"].items() if "aliases" in found else ()
    return Realm(
        name=name,
        generations=generations,
        keys=node.path.parent / found["keys"].filled() if "keys" in found else None,
        aliases=tuple(check_name(alias.filled(), alias.where) for alias in aliases),
        egress=tuple(map(_egress, found["egress"].items())) if "egress" in found else (),
        exemptions=tuple(map(_exemption, found["exemptions"].items())) if "exemptions" in found else (),
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """What ``restrict.yaml`` says.

    Attributes:
        path: The file.
        realms: Its realms, in its order.
    """

    path: Path
    realms: tuple[Realm, ...]

    def realm(self, name: str) -> Realm:
        """Return the realm of a name.

        Raises:
            InputError: There is none of that name; the hint has the nearest.
        """
        for realm in self.realms:
            if realm.name == name:
                return realm
        hint = nearest(name, [realm.name for realm in self.realms])
        raise InputError(f"has no realm `{name}`", where=str(self.path), hint=hint)


def load_policy(path: Path) -> Policy:
    """Read ``restrict.yaml``.

    Args:
        path: The file. A realm's ``keys`` is a directory relative to it.

    Raises:
        InputError: The file cannot be read, or a key or a value is wrong: with its line and what would be right.
    """
    root = load(path)
    root.fields(("realms",))
    realms = root.need("realms").fields()
    return Policy(path, tuple(_realm(name, node) for name, node in realms.items()))
