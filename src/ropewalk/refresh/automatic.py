"""Three-way merge of ``var/lib/apt/extended_states``: which packages apt installed for others' sake (apt-mark(8)); pure.

apt keeps a paragraph for an automatic package and none for another. It writes those that it knows in their order, then new ones.
"""

from collections.abc import Collection

from ropewalk.debian import stanzas
from ropewalk.refresh.merge import merge_mapping
from ropewalk.refresh.refusal import Refusal

PATH = "var/lib/apt/extended_states"

RULE = "merge 6"

Key = tuple[str, str]
"""Package and architecture."""


def merge_automatic(old: bytes, new: bytes, child: bytes, both: Collection[Key]) -> bytes | Refusal:
    """Merge the marks package by package.

    A package that parent and child got, each for itself, is automatic where both say so: a rebuilt child finds it there,
    and what its recipe names is marked as manual.

    Args:
        old: The old parent's file; empty where it is absent.
        new: The new parent's.
        child: The child's.
        both: Packages that are new in the new parent and in the child, as dpkg names them; apt marks a package of
            architecture ``all`` as one of the image's own.

    Returns:
        The file as a rebuild would leave it, or whose mark both changed.
    """

    def conflict(key: Key) -> Refusal:
        return Refusal(RULE, PATH, f"parent and child both changed the mark of {key[0]}")

    olds, news, children = stanzas(old), stanzas(new), stanzas(child)
    for key in news.keys() ^ children.keys():
        if key in both or (key[0], "all") in both:
            news.pop(key, None)
            children.pop(key, None)
    merged = merge_mapping(olds, news, children, conflict)
    if isinstance(merged, Refusal):
        return merged
    if not merged and not new:
        return Refusal(RULE, PATH, "no mark would be left in it, and the parent has no such file")
    return "".join(f"{stanza}\n" for stanza in merged.values()).encode(errors="surrogateescape")
