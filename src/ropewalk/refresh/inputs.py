"""What a rebase is decided on, and what follows from it at once; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ropewalk.debian import stanzas
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import Tree, changed, same, sources
from ropewalk.recipe.dockerfile import Dockerfile

STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info/"
Packages = Mapping[tuple[str, str], str]
"""dpkg's paragraphs by package and architecture."""

_MERGED = ("bin/", "lib/", "lib32/", "lib64/", "libx32/", "sbin/")
"""Directories that are links into ``/usr``; packages may still name files below them."""


@dataclass(frozen=True, slots=True)
class MovedParent:
    """A build parent that is another image now.

    Attributes:
        reference: As the recipe names it.
        old: The digest that was built with.
        new: The digest that stands for it now.
    """

    reference: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DpkgFiles:
    """What dpkg and its maintainer scripts keep of one image: content of files by path.

    Attributes:
        status: ``var/lib/dpkg/status``; empty where there is none.
        lists: ``info/*.list``.
        triggers: ``info/*.triggers``.
        merged: What is merged or judged by its format, as far as it is there: accounts, debconf's databases, apt's marks,
            dpkg's diversions and overrides.
    """

    status: bytes = b""
    lists: Mapping[str, bytes] = field(default_factory=dict)
    triggers: Mapping[str, bytes] = field(default_factory=dict)
    merged: Mapping[str, bytes] = field(default_factory=dict)

    def owned(self) -> frozenset[str]:
        """Return all paths that dpkg says it unpacked, as a merged ``/usr`` has them and as the packages name them."""
        found: set[str] = set()
        for data in self.lists.values():
            found |= as_unpacked(data.decode(errors="surrogateescape").splitlines())
        return frozenset(found)


def as_unpacked(lines: Iterable[str]) -> frozenset[str]:
    """Return the paths that dpkg names, with and without the links of a merged ``/usr``.

    Args:
        lines: Paths with a leading slash.
    """
    paths = [line[1:] for line in lines]
    return frozenset((*paths, *(f"usr/{path}" for path in paths if path.startswith(_MERGED))))


@dataclass(frozen=True, slots=True)
class RebaseInputs:
    """All that the decision rests on.

    Attributes:
        old: The old parent's tree.
        new: The new parent's tree.
        own: Entries of the child's own layers, lowest first.
        old_dpkg: dpkg's files in the old parent.
        new_dpkg: In the new parent.
        child_dpkg: In the child.
        dockerfile: The rendered Dockerfile that the child was built from.
        context: sha256 of the files of its build context.
        allowed: The recipe allows a rebase.
        moved: Build parents that are other images now.
    """

    old: Tree
    new: Tree
    own: tuple[tuple[Entry, ...], ...]
    old_dpkg: DpkgFiles
    new_dpkg: DpkgFiles
    child_dpkg: DpkgFiles
    dockerfile: Dockerfile
    context: frozenset[str]
    allowed: bool = True
    moved: tuple[MovedParent, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """The inputs and what follows from them at once.

    Attributes:
        inputs: The inputs.
        child: The child's tree on the old parent.
        parent: Paths that old and new parent have otherwise, sorted.
        stale: Those of them that the child does not have as the new parent has them, sorted.
        own: Files, links and other things that are no directory, of the child's own layers.
        owned: Paths that dpkg says it unpacked in the child.
        packages: dpkg's paragraphs of the old parent, the new parent and the child, by package and architecture.
    """

    inputs: RebaseInputs
    child: Tree
    parent: tuple[str, ...]
    stale: tuple[str, ...]
    own: Mapping[str, Entry]
    owned: frozenset[str]
    packages: tuple[Packages, Packages, Packages]


def changes(inputs: RebaseInputs) -> Changes:
    """Compare the three trees of a rebase.

    Args:
        inputs: What the decision rests on.
    """
    child = sources((inputs.old.values(), *inputs.own))
    tree = {path: source.entry for path, source in child.items()}
    parent = changed(inputs.old, inputs.new)
    stale = tuple(path for path in parent if not equal(tree.get(path), inputs.new.get(path)))
    own = {p: s.entry for p, s in child.items() if s.layer > 0 and s.entry.type is not EntryType.DIRECTORY}
    files = (inputs.old_dpkg, inputs.new_dpkg, inputs.child_dpkg)
    old, new, here = (stanzas(dpkg.status) for dpkg in files)
    return Changes(inputs, tree, parent, stale, own, inputs.child_dpkg.owned(), (old, new, here))


def equal(a: Entry | None, b: Entry | None) -> bool:
    """Say whether two paths are the same, absent ones included."""
    return a is b if a is None or b is None else same(a, b)
