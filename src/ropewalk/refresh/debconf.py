"""Three-way merge of debconf's databases, ``config.dat`` and ``templates.dat`` (debconf-devel(7); Debconf::Format::822); pure.

debconf writes every item as a paragraph, sorted by name: fields, then ``Owners``, ``Flags`` and ``Variables``. Several packages
may own an item; the last one that is configured gives its text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ropewalk.debian import stanza_texts
from ropewalk.refresh.merge import merge_mapping
from ropewalk.refresh.refusal import Refusal

CONFIG, TEMPLATES = "var/cache/debconf/config.dat", "var/cache/debconf/templates.dat"
PATHS = frozenset((CONFIG, TEMPLATES))

RULE = "merge 3"
_NAME, _OWNERS = "Name: ", "Owners: "


@dataclass(frozen=True, slots=True)
class _Item:
    """A paragraph: what stands before its owners, who owns it, and what stands behind."""

    before: tuple[str, ...]
    owners: frozenset[str]
    behind: tuple[str, ...]

    @property
    def text(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """All of it but the owners."""
        return self.before, self.behind

    def __str__(self) -> str:
        """Return the paragraph as debconf writes it."""
        owners = (f"{_OWNERS}{', '.join(sorted(self.owners))}",) if self.owners else ()
        return "".join(f"{line}\n" for line in (*self.before, *owners, *self.behind))


def merge_debconf(path: str, old: bytes, new: bytes, child: bytes, *, converged: bool) -> bytes | Refusal:
    """Merge one of the two databases item by item; owners of both sides are united.

    Args:
        path: Which database.
        old: The old parent's.
        new: The new parent's.
        child: The child's.
        converged: The child upgraded a package of the old parent to the new parent's version. Then an item of
            ``templates.dat`` whose text the child changed, but not its owners, is the new parent's: a rebuilt child would not
            configure that package again.

    Returns:
        The database as a rebuild would leave it, or which item both changed.
    """
    olds, news, children = _items(old), _items(new), _items(child)
    if converged and path == TEMPLATES:
        children = {name: _unconverged(item, olds.get(name), news.get(name)) for name, item in children.items()}
    united = _united(olds, news, children)

    def conflict(name: str) -> Refusal:
        return Refusal(RULE, path, f"parent and child both changed debconf's {name}")

    texts = [{name: item.text for name, item in items.items()} for items in (olds, news, children)]
    merged = merge_mapping(texts[0], texts[1], texts[2], conflict)
    if isinstance(merged, Refusal):
        return merged
    items = (str(_Item(*_around(merged[name], united[name]))) for name in sorted(merged))
    return "".join(f"{item}\n" for item in items).encode(errors="surrogateescape")


def _around(
    text: tuple[tuple[str, ...], tuple[str, ...]], owners: frozenset[str]
) -> tuple[tuple[str, ...], frozenset[str], tuple[str, ...]]:
    return text[0], owners, text[1]


def _items(data: bytes) -> dict[str, _Item]:
    found = {}
    for stanza in stanza_texts(data.decode(errors="surrogateescape")):
        lines = stanza.rstrip("\n").split("\n")
        at = next((number for number, line in enumerate(lines) if line.startswith(_OWNERS)), None)
        before, behind = (lines, []) if at is None else (lines[:at], lines[at + 1 :])
        owners = lines[at].removeprefix(_OWNERS).split(", ") if at is not None else ()
        found[lines[0].removeprefix(_NAME)] = _Item(tuple(before), frozenset(owners), tuple(behind))
    return found


def _unconverged(item: _Item, old: _Item | None, new: _Item | None) -> _Item:
    """Return the new parent's text for an item to which the child only gave another text."""
    if old is None or new is None or item.owners != old.owners or item.text == old.text:
        return item
    return replace(new, owners=item.owners)


def _united(
    old: Mapping[str, _Item], new: Mapping[str, _Item], child: Mapping[str, _Item]
) -> dict[str, frozenset[str]]:
    """Return the owners of each item: who came on either side, without who left on either side."""
    nobody: frozenset[str] = frozenset()
    united = {}
    for name in {*new, *child}:
        was, there, here = (items[name].owners if name in items else nobody for items in (old, new, child))
        united[name] = (there | here) - (was - there) - (was - here)
    return united
