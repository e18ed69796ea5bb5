"""May an image be rebased, and what must its reconcile layer hold? Pure: trees and files' texts in, a value out.

``old`` is the parent that the child's own layer was built on, ``new`` the parent that it shall stand on. A rebase is allowed
only where it equals a full rebuild. The rules and their numbers were measured on real packages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ropewalk.debian import parse_status, stanzas, unmet
from ropewalk.oci.model import EntryType
from ropewalk.oci.tree import Tree, changed, flatten
from ropewalk.refresh import accounts
from ropewalk.refresh.inputs import STATUS, Changes, MovedParent, RebaseInputs, changes
from ropewalk.refresh.merge import merge_entry, merge_status
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.rules import build_configuration, built_using, computed, copies, hooks, whiteouts

LD_CACHE = "etc/ld.so.cache"

_NOT_YET = {
    "var/cache/debconf/config.dat": ("merge 3", "parent and child both changed debconf's database"),
    "var/cache/debconf/templates.dat": ("merge 3", "parent and child both changed debconf's database"),
    "var/lib/apt/extended_states": ("merge 6", "parent and child both changed which packages are automatic"),
}
"""Files that a later Ropewalk merges by their format."""

_RECONCILE_LIMIT = 4 << 20
"""Bytes of a reconcile layer, uncompressed, above which a rebuild is cheaper to ship."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A rebase is allowed.

    Attributes:
        target: The tree that a rebuild would give (but for ``etc/ld.so.cache``, if it is to be made).
        reconcile: Paths that the reconcile layer must set or remove on top of the child's own layers.
        merged: Files that both sides changed and that were merged by their format, as (path, content).
        ldconfig: ``etc/ld.so.cache`` must be made by the image's ldconfig.
        proof: Why the image must be proven before it is published; empty where it need not be.
    """

    target: Tree
    reconcile: tuple[str, ...]
    merged: tuple[tuple[str, bytes], ...]
    ldconfig: bool
    proof: tuple[str, ...]


def decide(inputs: RebaseInputs) -> Decision | Refusal:
    """Decide whether a child may be rebased.

    Args:
        inputs: Trees, dpkg's files and the recipe.

    Returns:
        What the reconcile layer must hold, or the first rule that forbids the rebase.
    """
    early = refuse_early(allowed=inputs.allowed, moved=inputs.moved)
    if early is not None:
        return early
    found = changes(inputs)
    for rule in (built_using, whiteouts, build_configuration, copies):
        refusal = rule(found)
        if refusal is not None:
            return refusal
    made = computed(found)
    if isinstance(made, Refusal):
        return made
    watched = hooks(found)
    if isinstance(watched, Refusal):
        return watched
    return _merge(found, (*made, *watched))


def refuse_early(*, allowed: bool, moved: Sequence[MovedParent]) -> Refusal | None:
    """Apply the rules that need no tree: 5 (the recipe says never) and 4 (a build parent is another image now).

    Args:
        allowed: The recipe allows a rebase.
        moved: Build parents that are other images now.
    """
    if not allowed:
        return Refusal(5, "", "the recipe says that it must never be rebased")
    if moved:
        return Refusal(4, moved[0].reference, "this build parent is another image now")
    return None


# Rules 1 and 2: the merge


def _merge(found: Changes, proof: tuple[str, ...]) -> Decision | Refusal:
    target = dict(found.child)
    conflicts: dict[str, Refusal] = {}
    for path in found.stale:
        merged = merge_entry(path, found.inputs.old.get(path), found.inputs.new.get(path), found.child.get(path))
        if isinstance(merged, Refusal):
            conflicts[path] = merged
        elif merged is None:
            target.pop(path, None)
        else:
            target[path] = merged
    formats: list[tuple[str, bytes]] = []
    for path in sorted(conflicts.keys() & {STATUS, *accounts.PATHS}):
        if path != STATUS and not _same_attributes(path, found):
            continue
        content = _status(found.inputs) if path == STATUS else _accounts(path, found.inputs)
        if isinstance(content, Refusal):
            return content
        formats.append((path, content))
        del conflicts[path]
    ldconfig = conflicts.pop(LD_CACHE, None) is not None
    for path, conflict in conflicts.items():
        rule, reason = _NOT_YET.get(path, (conflict.rule, conflict.reason))
        return Refusal(rule, path, reason)
    refusal = _automatic(found) or _without_place(target)
    if refusal is not None:
        return refusal
    if not _accounts_stand(found.inputs) and any(path in accounts.PATHS for path in found.own):
        proof = (*proof, "the parent gained or lost accounts, so numbers may be given out otherwise")
    return _reconcile(found.inputs, target, tuple(formats), ldconfig=ldconfig, proof=proof)


def _same_attributes(path: str, found: Changes) -> bool:
    """Say whether parent and child have a path alike but for its content; the old parent may lack it."""
    new, child = found.inputs.new.get(path), found.child.get(path)
    entries = [entry for entry in (found.inputs.old.get(path), new, child) if entry is not None]
    alike = {(entry.type, entry.mode, entry.uid, entry.gid, entry.xattrs) for entry in entries}
    return new is not None and child is not None and len(alike) == 1


def _accounts(path: str, inputs: RebaseInputs) -> bytes | Refusal:
    files = (inputs.old_dpkg, inputs.new_dpkg, inputs.child_dpkg)
    return accounts.merge_accounts(path, *(dpkg.accounts.get(path, b"") for dpkg in files))


def _accounts_stand(inputs: RebaseInputs) -> bool:
    return accounts.same_names(inputs.old_dpkg.accounts, inputs.new_dpkg.accounts)


def _status(inputs: RebaseInputs) -> bytes | Refusal:
    merged = merge_status(inputs.old_dpkg.status, inputs.new_dpkg.status, inputs.child_dpkg.status)
    if isinstance(merged, Refusal):
        return merged
    before = set(unmet(parse_status(inputs.child_dpkg.status)))
    worse = [line for line in unmet(parse_status(merged)) if line not in before]
    return Refusal(2, STATUS, worse[0]) if worse else merged


def _automatic(found: Changes) -> Refusal | None:
    """Refuse where a package of the child came into the parent too: whose mark holds is merge 6's affair."""
    files = (found.inputs.old_dpkg, found.inputs.new_dpkg, found.inputs.child_dpkg)
    old, new, child = (set(stanzas(dpkg.status)) for dpkg in files)
    both = sorted((new - old) & (child - old))
    path = "var/lib/apt/extended_states"
    if both and (path in found.own or path in found.parent):
        return Refusal("merge 6", path, f"package {both[0][0]} is new in the parent and in the child")
    return None


def _without_place(target: Tree) -> Refusal | None:
    """Refuse a tree in which something lies where no directory is (any more)."""
    for path in target:
        directory = path.rpartition("/")[0]
        above = target.get(directory)
        if directory and (above is None or above.type is not EntryType.DIRECTORY):
            return Refusal(1, path, "the parent has no such directory any more")
    return None


def _reconcile(
    inputs: RebaseInputs,
    target: Tree,
    merged: tuple[tuple[str, bytes], ...],
    *,
    ldconfig: bool,
    proof: tuple[str, ...],
) -> Decision | Refusal:
    candidate = flatten((inputs.new.values(), *inputs.own))
    made = {*(path for path, _ in merged), *((LD_CACHE,) if ldconfig else ())}
    paths = tuple(sorted({*changed(candidate, target), *made}))
    size = sum(target[path].size for path in paths if path in target and path not in made)
    if size > _RECONCILE_LIMIT:
        return Refusal("size", "", f"the reconcile layer would hold {size >> 20} MiB; a rebuild is cheaper to ship")
    return Decision(target, paths, merged, ldconfig, proof)
