"""What a base recipe changes in the unpacked root: what is stripped, its accounts and its files; pure, path by path.

It happens on the items of the layer and not on the disk, so that it is the same for root and for an ordinary user.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from ropewalk.build.aptfiles import archive_files
from ropewalk.build.scan import merged
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType
from ropewalk.recipe.recipe import BaseFile, BaseSpec, BaseUser, Strip
from ropewalk.recipe.strip import filter_of

PASSWD, GROUP, SHADOW, GSHADOW = "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"
_DAY = 86_400
_NOWHERE = "/nonexistent"
_PASSAGES = (EntryType.DIRECTORY, EntryType.SYMLINK)


def stripped(items: Iterable[TarItem], strip: Strip) -> Iterator[TarItem]:
    """Leave out what dpkg would have left out; the first name of a file that stays is the file.

    Args:
        items: The root.
        strip: The recipe's globs.
    """
    if not strip.exclude:
        yield from items
        return
    chosen = filter_of(strip)
    gone: dict[str, TarItem] = {}
    heirs: dict[str, str] = {}
    for item in items:
        entry = item.entry
        if chosen.drops(entry.path, passage=entry.type in _PASSAGES):
            gone[entry.path] = item
        elif entry.type is EntryType.HARDLINK and entry.link in gone:
            heir = heirs.setdefault(entry.link, entry.path)
            first = gone[entry.link]
            if heir == entry.path:
                yield TarItem(replace(first.entry, path=entry.path), first.content)
            else:
                yield TarItem(replace(entry, link=heir), None)
        else:
            yield item


def furnished(items: Iterable[TarItem], spec: BaseSpec, epoch: int, where: str) -> tuple[TarItem, ...]:
    """Put a recipe's accounts and files into the root.

    Args:
        items: The root, normalised.
        spec: What the recipe says.
        epoch: SOURCE_DATE_EPOCH in seconds: the time of what is added, and the day of passwords.
        where: The recipe, for errors.

    Returns:
        The root, by path.

    Raises:
        InputError: An account's name or number is taken, an owner is not known, or a file's directory is none.
    """
    before = {item.entry.path: item for item in items}
    root = dict(before)
    for user in spec.users:
        root |= _with_account(root, user, epoch, where)
        home = user.home.removeprefix("/")
        if home in root and root[home].entry.type not in _PASSAGES:
            raise InputError(
                f"{user.home} is a file in the image", where=where, hint=f"give `{user.name}` another home"
            )
        if user.home != _NOWHERE and home not in root:
            entry = Entry(home, EntryType.DIRECTORY, 0o755, user.uid, user.gid, mtime=epoch)
            root |= _placed(root, TarItem(entry), epoch, where)
    numbers = _numbers(root, PASSWD), _numbers(root, GROUP)
    for file in (*archive_files(spec.archives), *spec.files):
        uid, gid = (_number(name, known, file, where) for name, known in zip(_owners(file), numbers, strict=True))
        entry = Entry(file.path, EntryType.FILE, file.mode, uid, gid, size=len(file.content), mtime=epoch)
        root |= _placed(root, TarItem(entry, partial(io.BytesIO, file.content)), epoch, where)
    return merged((before.values(), (item for path, item in root.items() if item is not before.get(path))))


def _owners(file: BaseFile) -> tuple[str, str]:
    return file.owner, file.group


def _number(name: str, known: Mapping[str, int], file: BaseFile, where: str) -> int:
    if name.isdigit():
        return int(name)
    if name not in known:
        message = f"/{file.path} shall belong to `{name}`, which the image does not have"
        raise InputError(message, where=where, hint="add it to `users`, or the package that makes it to `packages`")
    return known[name]


def _placed(root: Mapping[str, TarItem], item: TarItem, epoch: int, where: str) -> dict[str, TarItem]:
    """Return an item with the directories above it that are missing."""
    path = item.entry.path
    found = {path: item}
    old = root.get(path)
    if old is not None and old.entry.type is EntryType.DIRECTORY:
        raise InputError(f"/{path} is a directory in the image", where=where, hint="name a file in it")
    parts = path.split("/")
    for above in ("/".join(parts[:count]) for count in range(1, len(parts))):
        there = root.get(above)
        if there is None:
            found[above] = TarItem(Entry(above, EntryType.DIRECTORY, 0o755, mtime=epoch))
        elif there.entry.type is not EntryType.DIRECTORY:
            what = f"a link to {there.entry.link}" if there.entry.type is EntryType.SYMLINK else "a file"
            raise InputError(f"/{path} stands below /{above}, which is {what}", where=where, hint="write the real path")
    return found


# Accounts


def _with_account(root: Mapping[str, TarItem], user: BaseUser, epoch: int, where: str) -> dict[str, TarItem]:
    """Return the four files with an account more (passwd(5), group(5), shadow(5), gshadow(5))."""
    if user.name in _numbers(root, PASSWD) or user.uid in _numbers(root, PASSWD).values():
        message = f"the image has an account `{user.name}` or the number {user.uid} already"
        raise InputError(message, where=where, hint="take another name and number, or leave it out")
    lines = {
        PASSWD: f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}",
        SHADOW: f"{user.name}:!:{epoch // _DAY}:0:99999:7:::",
    }
    if user.gid not in _numbers(root, GROUP).values():
        if user.name in _numbers(root, GROUP):
            message = f"the image has a group `{user.name}` of another number already"
            raise InputError(message, where=where, hint=f"give `{user.name}` its gid")
        lines |= {GROUP: f"{user.name}:x:{user.gid}:", GSHADOW: f"{user.name}:!::"}
    return {path: _appended(root[path], line) for path, line in lines.items() if path in root}


def _appended(item: TarItem, line: str) -> TarItem:
    data = _content(item) + f"{line}\n".encode()
    return TarItem(replace(item.entry, size=len(data), sha256=""), partial(io.BytesIO, data))


def _numbers(root: Mapping[str, TarItem], path: str) -> dict[str, int]:
    """Return the numbers of passwd or group by name."""
    fields = (line.split(":") for line in _content(root[path]).decode().splitlines()) if path in root else ()
    return {name: int(number) for name, _, number, *_ in fields}


def _content(item: TarItem) -> bytes:
    if item.content is None:
        return b""
    with item.content() as stream:
        return stream.read()
