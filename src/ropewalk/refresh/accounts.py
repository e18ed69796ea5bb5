"""Three-way merge of passwd, group, shadow and gshadow by name (passwd(5), group(5), shadow(5), gshadow(5)); pure.

They differ between any two views: shadow holds the day of SOURCE_DATE_EPOCH, and a base image's is its view's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from ropewalk.refresh.merge import merge_mapping
from ropewalk.refresh.refusal import Refusal

PASSWD, GROUP = "etc/passwd", "etc/group"
PATHS = frozenset((PASSWD, GROUP, "etc/shadow", "etc/gshadow"))

RULE = "merge 5"
_ID = 2
"""The field of passwd and group that holds the number."""


def merge_accounts(path: str, old: bytes, new: bytes, child: bytes) -> bytes | Refusal:
    """Merge one of the four files line by line; the order is the new parent's, then the child's.

    Args:
        path: Which file; passwd and group are checked for numbers that would stand twice.
        old: The old parent's content; empty where it is absent.
        new: The new parent's.
        child: The child's.

    Returns:
        The file as a rebuild would leave it, or which account both changed or would share a number.
    """
    tables: list[dict[str, str]] = []
    for data in (old, new, child):
        lines = data.decode(errors="surrogateescape").splitlines()
        table = {line.partition(":")[0]: line for line in lines}
        if len(table) != len(lines):
            return Refusal(RULE, path, "a name stands in it twice")
        tables.append(table)

    def conflict(name: str) -> Refusal:
        return Refusal(RULE, path, f"parent and child both changed account {name}")

    merged = merge_mapping(tables[0], tables[1], tables[2], conflict)
    if isinstance(merged, Refusal):
        return merged
    if path in (PASSWD, GROUP):
        known = shared_ids(tables[1].values()) | shared_ids(tables[2].values())
        clash = sorted(shared_ids(merged.values()) - known)
        if clash:
            names = " and ".join(name for name, line in merged.items() if _id(line) == clash[0])
            return Refusal(RULE, path, f"{names} would share number {clash[0]}")
    return "".join(f"{line}\n" for line in merged.values()).encode(errors="surrogateescape")


def same_names(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
    """Say whether a parent neither gained nor lost an account: then numbers are given out as before.

    Args:
        old: The old parent's four files, by path.
        new: The new parent's.
    """
    return all(_names(old.get(path, b"")) == _names(new.get(path, b"")) for path in (PASSWD, GROUP))


def _names(data: bytes) -> set[tuple[bytes, bytes]]:
    fields = (line.split(b":") for line in data.splitlines())
    return {(field[0], field[_ID] if len(field) > _ID else b"") for field in fields}


def _id(line: str) -> str:
    fields = line.split(":")
    return fields[_ID] if len(fields) > _ID else ""


def shared_ids(lines: Iterable[str]) -> set[str]:
    """Return the numbers that stand in more than one line."""
    counted = Counter(number for line in lines if (number := _id(line)))
    return {number for number, times in counted.items() if times > 1}
