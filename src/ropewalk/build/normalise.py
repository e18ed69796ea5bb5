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

from ropewalk.build.installed import RECORD, recorded
from ropewalk.build.known import TABLE, Known, Treatment, known
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import Tree, same

APT_CONF = "etc/apt/apt.conf.d/zzz-ropewalk"
"""Where a build sees the proxy's settings; never in an image."""
MOUNT = "run/ropewalk"
"""Where a build sees the host's pip settings and certificates; never in an image."""

_TRACES = re.compile(rf"var/lib/apt/lists/.+|(dev|proc|sys)/.+|{re.escape(APT_CONF)}|{MOUNT}(/.+)?")
"""What the build itself leaves."""
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
    mended = _recorded({path: _mended(item, epoch) for path, item in parts.items.items()})
    kept = {path: item for path, item in mended.items() if not _dropped(item.entry, parent)}
    news = {path: item for path, item in kept.items() if _is_news(item, mended, parent, parts.opaque)}
    whole = _with_ancestors(_promoted(news, mended), mended, parent)
    marks = [TarItem(Entry(path, EntryType.OPAQUE), None) for path in parts.opaque if path in whole]
    return tuple(
        sorted([*whole.values(), *marks], key=lambda item: (item.entry.path, item.entry.type is EntryType.OPAQUE))
    )


def concerns(items: Iterable[TarItem]) -> tuple[tuple[Known, tuple[str, ...]], ...]:
    """Find what packages made at install that an image should not have, whether it is left out or stays.

    Args:
        items: The layer as the build left it; of a few files the content is read.

    Returns:
        Rows of the table with the paths that each is about, in the table's order.
    """
    found: dict[Known, list[str]] = {}
    for item in items:
        row = _row(item.entry)
        if row is None or row.concern is None or item.entry.type is not EntryType.FILE:
            continue
        if row.shows is None or row.shows(_content(item)):
            found.setdefault(row, []).append(item.entry.path)
    return tuple((row, tuple(sorted(found[row]))) for row in TABLE if row in found)


def _take_apart(items: Iterable[TarItem], parent: Tree) -> _Parts:
    at: dict[str, TarItem] = {}
    opaque = set()
    for item in items:
        if item.entry.type is not EntryType.OPAQUE:
            at[item.entry.path] = item
        elif (old := parent.get(item.entry.path)) is not None and old.type is EntryType.DIRECTORY:
            opaque.add(item.entry.path)
    return _Parts(at, frozenset(opaque))


def _row(entry: Entry) -> Known | None:
    """Return what is known of an entry; a link to the snakeoil certificate goes with it."""
    if entry.type is EntryType.SYMLINK and entry.link.endswith(_SNAKEOIL):
        return known(f"etc/ssl/certs/{_SNAKEOIL}")
    row = known(entry.path)
    return None if row is not None and row.files and entry.type is not EntryType.FILE else row


def _dropped(entry: Entry, parent: Tree) -> bool:
    if entry.type is EntryType.WHITEOUT:
        return entry.path not in parent
    row = _row(entry)
    if _TRACES.fullmatch(entry.path) or (row is not None and row.treatment is Treatment.LEFT_OUT):
        return True
    empty = entry.type is EntryType.DIRECTORY or (entry.type is EntryType.FILE and entry.size == 0)
    return entry.path in _STUBS and empty and entry.path not in parent


def _mended(item: TarItem, epoch: int) -> TarItem:
    """Clamp an item's time and mend its content where the table says so."""
    entry = replace(item.entry, mtime=min(item.entry.mtime, epoch))
    row = _row(entry) if item.content is not None else None
    if row is None or row.mend is None:
        return TarItem(entry, item.content)
    return _rewritten(entry, row.mend(_content(item), epoch))


def _rewritten(entry: Entry, data: bytes) -> TarItem:
    checked = replace(entry, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    return TarItem(checked, partial(io.BytesIO, data))


def _recorded(items: dict[str, TarItem]) -> dict[str, TarItem]:
    """Tell the lists of installed Python packages what became of their extensions."""
    lists = [path for path in items if RECORD.fullmatch(path) and items[path].content is not None]
    if not lists:
        return items
    mended = {path: item.entry for path, item in items.items() if item.entry.sha256}
    written = {path: _rewritten(items[path].entry, recorded(path, _content(items[path]), mended)) for path in lists}
    return {**items, **written}


def _content(item: TarItem) -> bytes:
    if item.content is None:
        return b""
    with item.content() as stream:
        return stream.read()


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
