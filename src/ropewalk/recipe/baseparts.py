"""The parts of ``base.yaml`` that put something into the image beside its packages: files, accounts, certificates."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ropewalk.errors import InputError
from ropewalk.recipe.opened import inside, read_bytes
from ropewalk.recipe.recipe import BaseFile, BaseUser, Certificate
from ropewalk.recipe.yamlfile import Node

_T = TypeVar("_T")

_FILE_KEYS = ("path", "content", "source", "mode", "owner")
_USER_KEYS = ("name", "uid", "gid", "home", "shell")
_MODE = re.compile(r"0?[0-7]{3}|[0-7]{4}")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_OWNER = re.compile(r"(?P<owner>[a-z_][a-z0-9_-]*|[0-9]{1,9})(:(?P<group>[a-z_][a-z0-9_-]*|[0-9]{1,9}))?")
_ABSOLUTE = re.compile(r"(/[^/:\s\\]+)+")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_STORE = "usr/local/share/ca-certificates"
_NOT_OURS = re.compile(
    r"(dev|proc|run|sys|var/lib/dpkg|var/lib/apt/lists)(/.*)?"
    r"|etc/(passwd|group|shadow|gshadow|hosts|hostname|resolv\.conf|machine-id|ld\.so\.cache)"
)
"""What a container gets from where it runs, and what programs keep in order themselves."""
_LARGEST = 16 << 20
_LAST_ID = (1 << 32) - 2
"""The number after it means "no user" (chown(2))."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a recipe's own files are.

    Attributes:
        directory: The recipe's.
        tree: The tree's root; links may lead anywhere inside it.
    """

    directory: Path
    tree: Path

    def path(self, node: Node) -> Path:
        """Return the file that a value names, links followed.

        Raises:
            InputError: It is not there, no plain file, too large, or outside the tree.
        """
        name = node.filled()
        named = self.directory / name
        if name.startswith("/") or not named.is_file():
            raise node.fault(f"there is no file `{name}` beside the recipe", "put it there, or mend the name")
        try:
            real = inside(named, self.tree)
        except InputError as error:
            raise node.fault(f"`{name}`: {error.message}", error.hint) from error
        if real.stat().st_size > _LARGEST:
            raise node.fault(f"`{name}` is larger than {_LARGEST >> 20} MiB", "put it into a package")
        return real

    def read(self, node: Node) -> bytes:
        """Return the content of the file that a value names; see `path`."""
        return read_bytes(self.path(node), self.tree)


def _once(node: Node, read: Callable[[Node], _T], key: Callable[[_T], object]) -> tuple[_T, ...]:
    """Read a list whose values must differ."""
    found: dict[object, _T] = {}
    for item in node.items():
        value = read(item)
        if key(value) in found:
            raise item.fault(f"`{key(value)}` stands twice in `{node.name}`", "keep one of them")
        found[key(value)] = value
    return tuple(found.values())


def read_files(node: Node, beside: Beside) -> tuple[BaseFile, ...]:
    """Read ``files``.

    Args:
        node: The list.
        beside: Where ``source`` is.

    Returns:
        The files, by path.

    Raises:
        InputError: One is wrong, or two have one path.
    """
    files = _once(node, lambda item: _file(item, beside), lambda file: f"/{file.path}")
    return tuple(sorted(files, key=lambda file: file.path))


def _file(node: Node, beside: Beside) -> BaseFile:
    given = node.fields(_FILE_KEYS)
    if ("content" in given) == ("source" in given):
        raise node.fault(
            "a file needs either `content` or `source`", "write its text, or name a file beside the recipe"
        )
    path = _inner(node.need("path"))
    content = given["content"].text().encode() if "content" in given else beside.read(given["source"])
    owner, group = _owner(given["owner"]) if "owner" in given else ("root", "root")
    return BaseFile(path, content, _mode(given["mode"]) if "mode" in given else 0o644, owner, group)


def _inner(node: Node) -> str:
    text = node.filled()
    if not _ABSOLUTE.fullmatch(text) or {".", ".."} & set(text.split("/")):
        raise node.fault(f"`{text}` is no path of a file", "write it whole, from / on, without blanks")
    path = text.removeprefix("/")
    if path.startswith(f"{_STORE}/"):
        raise node.fault("certificates have a key of their own", "name the file below `certificates`")
    if _NOT_OURS.fullmatch(path):
        raise node.fault(f"`{text}` is not kept in an image, or others write it", "put the file elsewhere")
    return path


def _mode(node: Node) -> int:
    text = node.text()
    if not _MODE.fullmatch(text):
        raise node.fault(f"`{text}` is no mode", "write it in octal and in quotes: '0644'")
    return int(text, 8)


def _owner(node: Node) -> tuple[str, str]:
    match = _OWNER.fullmatch(node.text())
    if match is None:
        raise node.fault(f"`{node.text()}` is no owner", "write USER or USER:GROUP, by name or number")
    return match["owner"], match["group"] or match["owner"]


def read_users(node: Node) -> tuple[BaseUser, ...]:
    """Read ``users``.

    Args:
        node: The list.

    Returns:
        The accounts, in the file's order.

    Raises:
        InputError: One is wrong, or two share a name or a number.
    """
    users = _once(node, _user, lambda user: user.name)
    _once(node, _user, lambda user: user.uid)
    return users


def _user(node: Node) -> BaseUser:
    given = node.fields(_USER_KEYS)
    name = node.need("name")
    if not _ACCOUNT.fullmatch(name.filled()):
        raise name.fault(f"`{name.text()}` is no name of an account", "use lower case letters, digits, _ and -")
    uid = _number(node.need("uid"))
    gid = _number(given["gid"]) if "gid" in given else uid
    home = _place(given["home"]) if "home" in given else "/nonexistent"
    shell = _place(given["shell"]) if "shell" in given else "/usr/sbin/nologin"
    return BaseUser(name.text(), uid, gid, home, shell)


def _number(node: Node) -> int:
    number = node.number()
    if not 0 < number <= _LAST_ID:
        raise node.fault(f"`{number}` cannot be given out", f"take one of 1 to {_LAST_ID}")
    return number


def _place(node: Node) -> str:
    text = node.filled()
    if not _ABSOLUTE.fullmatch(text) or {".", ".."} & set(text.split("/")):
        raise node.fault(f"`{text}` is no path", "write it whole, from / on, without blanks and colons")
    return text


def read_certificates(node: Node, beside: Beside, packages: Collection[str]) -> tuple[Certificate, ...]:
    """Read ``certificates``.

    Args:
        node: The list of files.
        beside: Where they are.
        packages: The recipe's; ca-certificates has the program that makes the trust store.

    Returns:
        A certificate for each file, under the name that update-ca-certificates(8) reads.

    Raises:
        InputError: A file is none, or ca-certificates is missing.
    """
    found = _once(node, lambda item: _certificate(item, beside), lambda one: one.name)
    if found and "ca-certificates" not in packages:
        raise node.fault("certificates need the package ca-certificates", "add it to `packages`")
    return tuple(sorted(found, key=lambda one: one.name))


def _certificate(node: Node, beside: Beside) -> Certificate:
    data = beside.read(node)
    if b"PRIVATE KEY-----" in data:
        raise node.fault(
            f"`{node.text()}` holds a private key", "take it out and revoke it; leave the certificate alone"
        )
    blocks = _PEM.findall(data)
    if len(blocks) != 1:
        hint = "one certificate a file, in PEM: openssl x509 -in FILE -inform DER"
        raise node.fault(f"`{node.text()}` holds {len(blocks)} certificates", hint)
    try:
        authority = _is_authority(blocks[0])
    except ValueError as error:
        raise node.fault(f"`{node.text()}` is no certificate", "look: openssl x509 -text -in FILE") from error
    if not authority:
        raise node.fault(f"`{node.text()}` is no authority's certificate", "name the one that signs the others")
    name = Path(node.text()).name
    stem = name.removesuffix(".crt").removesuffix(".pem").removesuffix(".cer")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", stem):
        raise node.fault(f"`{name}` is no plain name", "use letters, digits and . _ -")
    return Certificate(f"{stem}.crt", blocks[0] + b"\n")


def _is_authority(pem: bytes) -> bool:
    """Say whether a certificate may sign others; one without the extension, as old roots are, may (RFC 5280, 4.2.1.9)."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return True
    return constraints.value.ca


def named_files(node: Node) -> Iterator[Node]:
    """Go through the values of ``base.yaml`` that name files beside it.

    Args:
        node: The whole file, read without faults.
    """
    given = node.fields()
    for item in given["files"].items() if "files" in given else ():
        if source := item.fields().get("source"):
            yield source
    for item in given["archives"].items() if "archives" in given else ():
        yield item.need("signed-by")
    yield from given["certificates"].items() if "certificates" in given else ()
