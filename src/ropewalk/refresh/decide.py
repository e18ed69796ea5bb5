"""May an image be rebased, and what must its reconcile layer hold? Pure: trees and files' texts in, a value out.

``old`` is the parent that the child's own layer was built on, ``new`` the parent that it shall stand on. A rebase is allowed
only where it equals a full rebuild. The rules and their numbers were measured on real packages.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ropewalk.debian import parse_status, unmet
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import Tree, changed, flatten
from ropewalk.refresh import accounts, automatic, debconf
from ropewalk.refresh.inputs import STATUS, Changes, MovedParent, RebaseInputs, changes
from ropewalk.refresh.merge import merge_entry, merge_status
from ropewalk.refresh.refusal import Refusal
from ropewalk.refresh.rules import build_configuration, built_using, claims, computed, copies, hooks, scripts, whiteouts

LD_CACHE = "etc/ld.so.cache"

MERGED = frozenset((*accounts.PATHS, *debconf.PATHS, automatic.PATH))
"""Files that are merged by their format, dpkg's status apart."""

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
        converged: Packages of the old parent that the child upgraded to the new parent's very version. Its own layer hides
            the parent's files, so that it is to be rebuilt some day; the next update of such a package is refused (rule 1).
    """

    target: Tree
    reconcile: tuple[str, ...]
    merged: tuple[tuple[str, bytes], ...]
    ldconfig: bool
    proof: tuple[str, ...]
    converged: tuple[str, ...] = ()


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
    for rule in (built_using, whiteouts, claims, build_configuration, copies):
        refusal = rule(found)
        if refusal is not None:
            return refusal
    made = computed(found)
    if isinstance(made, Refusal):
        return made
    watched = hooks(found)
    if isinstance(watched, Refusal):
        return watched
    merged = combine(found)
    if isinstance(merged, Refusal):
        return merged
    refusal = _relations(found, merged) or _bound(merged)
    return refusal or replace(merged, proof=(*made, *watched, *scripts(found), *merged.proof))


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


# Rule 1: the merge


def combine(found: Changes) -> Decision | Refusal:
    """Stack the child's own layers on the new parent and merge what both changed; no other rule is asked.

    Args:
        found: The trees and where they differ.

    Returns:
        What the reconcile layer must hold, or the first conflict.
    """
    target, conflicts = _by_path(found)
    converged = _converged(found)
    formats = _by_format(found, target, conflicts, converged=bool(converged))
    if isinstance(formats, Refusal):
        return formats
    ldconfig = conflicts.pop(LD_CACHE, None) is not None
    for path in formats:
        conflicts.pop(path, None)
    refusal = next(iter(conflicts.values()), None) or _without_place(target)
    if refusal is not None:
        return refusal
    merged = _reconcile(found.inputs, target, formats, ldconfig=ldconfig)
    proof: tuple[str, ...] = ()
    if not _accounts_stand(found.inputs) and any(path in accounts.PATHS for path in found.own):
        proof = ("the parent gained or lost accounts, so numbers may be given out otherwise",)
    return replace(merged, proof=proof, converged=converged)


def _by_path(found: Changes) -> tuple[dict[str, Entry], dict[str, Refusal]]:
    """Merge path by path; return the tree, and the paths that need more than that."""
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
    return target, conflicts


def _by_format(
    found: Changes, target: Tree, conflicts: Collection[str], *, converged: bool
) -> dict[str, bytes] | Refusal:
    """Merge by their formats the files in conflict, and those of which a rebuild would change what no conflict shows."""
    formats: dict[str, bytes] = {}
    both = _gained_twice(found)
    for path in sorted((STATUS, *MERGED)):
        hidden = (path in debconf.PATHS and converged and path in found.own) or (path == automatic.PATH and both)
        if (path not in conflicts and not (hidden and path in target)) or (path != STATUS and not _alike(path, found)):
            continue
        files = (found.inputs.old_dpkg, found.inputs.new_dpkg, found.inputs.child_dpkg)
        old, new, child = (dpkg.merged.get(path, b"") for dpkg in files)
        content: bytes | Refusal
        if path == STATUS:
            content = merge_status(*found.packages)
        elif path == automatic.PATH:
            content = automatic.merge_automatic(old, new, child, both)
        elif path in debconf.PATHS:
            content = debconf.merge_debconf(path, old, new, child, converged=converged)
        else:
            content = accounts.merge_accounts(path, old, new, child)
        if isinstance(content, Refusal):
            return content
        if path in conflicts or hashlib.sha256(content).hexdigest() != target[path].sha256:
            formats[path] = content
    return formats


def _alike(path: str, found: Changes) -> bool:
    """Say whether all sides have a path alike but for its content; one may lack it that never had it."""
    trees = (found.inputs.old, found.inputs.new, found.child)
    old, new, child = (tree.get(path) for tree in trees)
    if old is not None and (new is None or child is None):
        return False
    entries = [entry for entry in (old, new, child) if entry is not None]
    return len({(entry.type, entry.mode, entry.uid, entry.gid, entry.xattrs) for entry in entries}) == 1


def _accounts_stand(inputs: RebaseInputs) -> bool:
    return accounts.same_names(inputs.old_dpkg.merged, inputs.new_dpkg.merged)


def _gained_twice(found: Changes) -> frozenset[tuple[str, str]]:
    """Return the packages that are new in the new parent and in the child."""
    old, new, child = (packages.keys() for packages in found.packages)
    return frozenset((new - old) & (child - old))


def _converged(found: Changes) -> tuple[str, ...]:
    """Return the packages of the old parent that the child upgraded to what the new parent has."""
    old, new, child = found.packages
    same = (key[0] for key, text in old.items() if key in new and text != new[key] == child.get(key))
    return tuple(sorted(same))


def _without_place(target: Tree) -> Refusal | None:
    """Refuse a tree in which something lies where no directory is (any more)."""
    for path in target:
        directory = path.rpartition("/")[0]
        above = target.get(directory)
        if directory and (above is None or above.type is not EntryType.DIRECTORY):
            return Refusal(1, path, "the parent has no such directory any more")
    return None


def _reconcile(inputs: RebaseInputs, target: Tree, merged: Mapping[str, bytes], *, ldconfig: bool) -> Decision:
    candidate = flatten((inputs.new.values(), *inputs.own))
    made = {*merged, *((LD_CACHE,) if ldconfig else ())}
    return Decision(target, tuple(sorted({*changed(candidate, target), *made})), tuple(merged.items()), ldconfig, ())


# Rule 2, and the bound


def _relations(found: Changes, merged: Decision) -> Refusal | None:
    """Refuse a set of packages with an unmet or violated relation that the child does not have already."""
    status = dict(merged.merged).get(STATUS)
    if status is None:
        return None
    before = set(unmet(parse_status(found.inputs.child_dpkg.status)))
    worse = [line for line in unmet(parse_status(status)) if line not in before]
    return Refusal(2, STATUS, worse[0]) if worse else None


def _bound(merged: Decision) -> Refusal | None:
    made = dict(merged.merged)
    paths = (path for path in merged.reconcile if path in merged.target and path not in made)
    size = sum(merged.target[path].size for path in paths if path != LD_CACHE or not merged.ldconfig)
    if size <= _RECONCILE_LIMIT:
        return None
    return Refusal("size", "", f"the reconcile layer would hold {size >> 20} MiB; a rebuild is cheaper to ship")
