"""Make an own layer a function of its inputs: drop what builds leave by accident, clamp times, keep only changes.

The table is REBASE.md's ('What two builds differ in', 'Layers').
"""

import hashlib
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from ropewalk.build.mend import mend_for
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import Tree, same

APT_CONF = "etc/apt/apt.conf.d/zzz-ropewalk"
"""Where a build sees the proxy's settings; never in an image."""
MOUNT = "run/ropewalk"
"""Where a build sees the host's pip settings and certificates; never in an image."""

_DROPPED = re.compile(
    "|".join(
        (
            r"var/log/(dpkg|alternatives|bootstrap|fontconfig)\.log",
            r"var/log/(btmp|wtmp|lastlog|faillog|tallylog)",
            r"var/log/apt/.+",
            r"var/cache/(ldconfig|man)/.+",
            r"var/cache/apt/(pkgcache\.bin|srcpkgcache\.bin|archives/.+)",
            r"var/lib/apt/lists/.+",
            r"var/.+-old",
            r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
            r"etc/aliases\.db",
            r"var/lib/postgresql/[^/]+/[^/]+/.+",
            r"var/lib/mysql/.+",
            r"var/lib/texmf/.+\.log",
            r"usr/lib/jvm/java-(8|11)-[^/]+/.+/classes\.jsa",
            r"(dev|proc|sys)/.+",
            re.escape(APT_CONF),
            rf"{MOUNT}(/.+)?",
        )
    )
)
_SECRETS = re.compile(
    r"etc/ssh/ssh_host_[^/]+_key(\.pub)?"
    r"|etc/ssl/(private/ssl-cert-snakeoil\.key|certs/ssl-cert-snakeoil\.pem)"
    r"|(.+/)?\.erlang\.cookie"
    r"|var/lib/dbus/machine-id"
)
_SNAKEOIL = "ssl-cert-snakeoil.pem"
_STUBS = frozenset({"etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv", "run/secrets", ".dockerenv"})
"""Where container tools mount something during a RUN and leave an empty file or directory."""
_BLOCK = 1 << 20
_ALWAYS_KEPT = frozenset({EntryType.WHITEOUT, EntryType.OPAQUE})


@dataclass(frozen=True, slots=True)
class _Parts:
    """A layer taken apart: what is at the paths, and which directories hide the parent's content."""

    items: dict[str, TarItem]
    opaque: frozenset[str]


def normalise(items: Iterable[TarItem], parent: Tree, epoch: int) -> tuple[TarItem, ...]:
    """Make a layer that the same inputs give again.

    Logs, caches, private keys and what container tools leave are dropped; times after the epoch are clamped; what
    equals the parent's is dropped, and so are unchanged directories that hold nothing; a whiteout or an opaque mark
    stays only where the parent has something to hide.

    Args:
        items: The layer as the build left it; a file's ``sha256`` may be empty.
        parent: The flattened parent; empty for an image from scratch.
        epoch: SOURCE_DATE_EPOCH in seconds.

    Returns:
        The items to write, by path.
    """
    parts = _take_apart(items, parent)
    mended = {path: _mended(item, epoch) for path, item in parts.items.items()}
    kept = {path: item for path, item in mended.items() if not _dropped(item.entry, parent)}
    news = {path: item for path, item in kept.items() if _is_news(item, mended, parent, parts.opaque)}
    whole = _with_ancestors(_promoted(news, mended), mended, parent)
    marks = [TarItem(Entry(path, EntryType.OPAQUE), None) for path in parts.opaque if path in whole]
    return tuple(
        sorted([*whole.values(), *marks], key=lambda item: (item.entry.path, item.entry.type is EntryType.OPAQUE))
    )


def secrets(items: Iterable[TarItem]) -> tuple[str, ...]:
    """Name the private keys and ids that `normalise` drops because every copy of the image would share them.

    Args:
        items: The layer as the build left it.

    Returns:
        Their paths, sorted.
    """
    return tuple(sorted(item.entry.path for item in items if _is_secret(item.entry)))


def _take_apart(items: Iterable[TarItem], parent: Tree) -> _Parts:
    at: dict[str, TarItem] = {}
    opaque = set()
    for item in items:
        if item.entry.type is not EntryType.OPAQUE:
            at[item.entry.path] = item
        elif (old := parent.get(item.entry.path)) is not None and old.type is EntryType.DIRECTORY:
            opaque.add(item.entry.path)
    return _Parts(at, frozenset(opaque))


def _is_secret(entry: Entry) -> bool:
    if entry.type is EntryType.SYMLINK:
        return entry.link.endswith(_SNAKEOIL)
    return entry.type is EntryType.FILE and _SECRETS.fullmatch(entry.path) is not None


def _dropped(entry: Entry, parent: Tree) -> bool:
    if entry.type is EntryType.WHITEOUT:
        return entry.path not in parent
    if _DROPPED.fullmatch(entry.path) or _is_secret(entry):
        return True
    empty = entry.type is EntryType.DIRECTORY or (entry.type is EntryType.FILE and entry.size == 0)
    return entry.path in _STUBS and empty and entry.path not in parent


def _mended(item: TarItem, epoch: int) -> TarItem:
    """Clamp an item's time and mend its content where the table says so."""
    entry = replace(item.entry, mtime=min(item.entry.mtime, epoch))
    mend = mend_for(entry.path) if item.content and entry.type is EntryType.FILE else None
    if mend is None or item.content is None:
        return TarItem(entry, item.content)
    with item.content() as stream:
        data = mend(stream.read(), epoch)
    checked = replace(entry, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    return TarItem(checked, partial(io.BytesIO, data))


def _is_news(item: TarItem, everything: dict[str, TarItem], parent: Tree, opaque: Collection[str]) -> bool:
    """Say whether the parent does not have exactly this already; a hard link counts as the file that it names."""
    entry = item.entry
    old = parent.get(entry.path)
    if entry.type in _ALWAYS_KEPT or old is None or _hidden(entry.path, opaque) or entry.path in opaque:
        return True
    if entry.type is EntryType.HARDLINK:
        target = everything[entry.link]
        return not _equal(_as_file(entry.path, target), old)
    return not _equal(item, old)


def _promoted(kept: dict[str, TarItem], everything: dict[str, TarItem]) -> dict[str, TarItem]:
    """Make the first hard link to a file that is not kept the file."""
    result = dict(kept)
    heirs: dict[str, str] = {}
    for path in sorted(kept):
        entry = kept[path].entry
        if entry.type is not EntryType.HARDLINK or entry.link in kept:
            continue
        heir = heirs.setdefault(entry.link, path)
        result[path] = (
            _as_file(path, everything[entry.link]) if heir == path else TarItem(replace(entry, link=heir), None)
        )
    return result


def _as_file(path: str, target: TarItem) -> TarItem:
    return TarItem(replace(target.entry, path=path), target.content)


def _hidden(path: str, opaque: Collection[str]) -> bool:
    parts = path.split("/")
    return bool(opaque) and any("/".join(parts[:count]) in opaque for count in range(1, len(parts)))


def _equal(item: TarItem, old: Entry) -> bool:
    entry = item.entry
    if entry.type is EntryType.FILE and not entry.sha256:
        if old.type is not EntryType.FILE or entry.size != old.size or item.content is None:
            return False
        with item.content() as stream:
            entry = replace(entry, sha256=_digest(stream))
    return same(entry, old)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _with_ancestors(kept: dict[str, TarItem], everything: dict[str, TarItem], parent: Tree) -> dict[str, TarItem]:
    """Add the directories above what is kept, and drop new ones that only held a mount of ours."""
    result = dict(kept)
    for path in sorted(kept):
        for above in _ancestors(path):
            if above not in result and (found := everything.get(above) or _inherited(above, parent)):
                result[above] = found
    for mount in (APT_CONF, MOUNT):
        for above in reversed(_ancestors(mount)):
            if above not in parent and mount in everything and not any(path.startswith(f"{above}/") for path in result):
                result.pop(above, None)
    return result


def _inherited(path: str, parent: Tree) -> TarItem | None:
    entry = parent.get(path)
    return TarItem(entry, None) if entry is not None else None


def _ancestors(path: str) -> tuple[str, ...]:
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(1, len(parts)))
