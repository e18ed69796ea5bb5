"""Which distribution an image is of, as its own files say: what is not Debian goes out only where the config allows it."""

import shlex
from collections.abc import Collection

from ropewalk.errors import Exit, RopewalkError
from ropewalk.oci.model import Image
from ropewalk.oci.store import Store

_DEBIAN = "debian"
_FILES = ("etc/os-release", "usr/lib/os-release")
"""Where os-release(5) may be; the first is often a link to the second."""


class OtherDistribution(RopewalkError):
    """An image of another distribution that the config does not allow."""

    exit_code = Exit.REFUSED


def distribution(image: Image, store: Store) -> str:
    """Return the ``ID`` in an image's os-release(5); empty where it has none, as images from scratch.

    Args:
        image: The image.
        store: Where its layers are.

    Raises:
        InputError: A layer is not here.
        TrustError: A layer does not hold what its index says.
    """
    found = store.read_files(image.layers, _FILES)
    text = next((found[path].decode(errors="replace") for path in _FILES if path in found), "")
    lines = (line.partition("=") for line in text.splitlines())
    said = [value.strip() for name, _, value in lines if name.strip() == "ID"]
    if not text:
        return ""
    # os-release(5): the default is `linux`; the last assignment counts.
    return _unquoted(said[-1]) if said else "linux"


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return value


def check_distribution(image: Image, store: Store, where: str, allowed: Collection[str]) -> None:
    """Refuse an image of another distribution than Debian.

    Args:
        image: The image.
        store: Where its layers are.
        where: Its reference, for the error.
        allowed: Other distributions that the config allows today.

    Raises:
        OtherDistribution: It is of another one.
    """
    found = distribution(image, store)
    if found in ("", _DEBIAN) or found in allowed:
        return
    hint = (
        "build it on an image of your own, or allow it in config.yaml: an entry of `ropewalk.foreign` with "
        f"`distribution: {found}`, image, reason, contact and expires"
    )
    raise OtherDistribution(f"is an image of {found}, not of {_DEBIAN} (its os-release)", where=where, hint=hint)
