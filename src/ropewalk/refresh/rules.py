"""The refusals of a rebase that need the trees: rules 3, 4, 6, 7, 8 and 9; pure.

Each rule takes the `Changes` and returns a `Refusal`, or None (or what must be proven) where it has nothing against the rebase.
"""

import re

from ropewalk.debian import fields, parse_relations, parse_status, upstream_version
from ropewalk.oci.model import Entry, EntryType
from ropewalk.oci.tree import ancestors
from ropewalk.refresh.hooks import activations, check_hooks, check_triggers
from ropewalk.refresh.inputs import INFO, STATUS, Changes, DpkgFiles, RebaseInputs, as_unpacked, equal
from ropewalk.refresh.instructions import Kind, classify, touched
from ropewalk.refresh.refusal import Refusal

_BUILD_CONFIGURATION = (
    r"etc/(?:apt|dpkg|skel)/.",
    r"etc/(?:adduser|deluser)\.conf$",
    r"etc/(?:login\.defs|locale\.gen)$",
    r"etc/default/useradd$",
    r"usr/sbin/policy-rc\.d$",
)
_COMPILERS = re.compile(r"usr/bin/(?:[a-z0-9_]+-linux-gnu-)?(?:cc|gcc|g\+\+|clang|rustc)(?:-\d+)?")
_COMPILER_INPUTS = (
    r"usr/include/",
    r"usr/lib/gcc/",
    r"usr/lib/(?:[^/]+/)?[^/]+\.(?:so|a)$",
    r"usr/lib/(?:[^/]+/)?pkgconfig/",
)
_MAINTAINED = re.compile(
    r"var/lib/(?:dpkg|apt|ucf|systemd|pam)/|var/cache/(?:debconf|ldconfig|man|apt)/|etc/alternatives/|etc/rc[0-6S]\.d/"
    r"|etc/systemd/system/|etc/(?:passwd|group|shadow|gshadow|subuid|subgid|shells|ld\.so\.cache|machine-id)$"
    r"|usr/share/(?:info/dir|mime|icons)|(?:.*/)?__pycache__/"
)
"""What dpkg, its triggers and maintainer scripts write without owning it; rules 1 and 3 watch over that."""


DIVERSIONS, OVERRIDES = "var/lib/dpkg/diversions", "var/lib/dpkg/statoverride"
_OVERRIDE_SPACES = 3
"""Between user, group, mode and path."""

# Rule 4, second half


def built_using(changes: Changes) -> Refusal | None:
    """Refuse a package that was linked statically from a source that changed."""
    old, _, child = changes.packages
    moved = _moved_sources(changes.inputs)
    for key, text in child.items():
        if key in old or "Static-Built-Using" not in text:
            continue
        sources = {one.name for group in parse_relations(fields(text).get("Static-Built-Using", "")) for one in group}
        if sources & moved:
            return Refusal(4, key[0], f"it was linked statically from {min(sources & moved)}, which changed")
    return None


def _moved_sources(inputs: RebaseInputs) -> frozenset[str]:
    before = {(p.source, p.source_version) for p in parse_status(inputs.old_dpkg.status)}
    after = {(p.source, p.source_version) for p in parse_status(inputs.new_dpkg.status)}
    return frozenset(source for source, _ in before ^ after)


# Rule 7


def whiteouts(changes: Changes) -> Refusal | None:
    """Refuse what the parent adds where the child deleted: a glob or a recursive rm would have taken it too."""
    added = [path for path in changes.stale if path not in changes.inputs.old]
    if not added:
        return None
    by_hand = _deleted_by_hand(changes)
    hidden = {e.path for layer in changes.inputs.own for e in layer if e.type is EntryType.OPAQUE}
    hidden |= {path for path in by_hand if changes.inputs.old[path].type is EntryType.DIRECTORY}
    beside = {_directory(path) for path in by_hand}
    steps = classify(changes.inputs.dockerfile)
    sure = all(step.kind is not Kind.UNKNOWN for step in steps)
    for path in added:
        inside = any(above in hidden for above in ancestors(path))
        # Commands that say by name what they delete leave the neighbours alone.
        near = _directory(path) in beside and not (sure and not any(touched(step.inputs, [path]) for step in steps))
        if inside or near:
            return Refusal(7, path, "the parent adds it beside something that the child deleted")
    return None


def _deleted_by_hand(changes: Changes) -> tuple[str, ...]:
    """Return what the child lacks of the old parent although no package that it removed or upgraded explains it."""
    deleted = [path for path in changes.inputs.old if path not in changes.child and not _MAINTAINED.match(path)]
    if not deleted:
        return ()
    before = changes.inputs.old_dpkg.owned()
    return tuple(path for path in deleted if path in changes.owned or path not in before)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


# Rule 1: what the child told dpkg about paths


def claims(changes: Changes) -> Refusal | None:
    """Refuse where the parent changed a path that the child diverts, or added one whose mode it overrides.

    dpkg would have unpacked it elsewhere, or otherwise (dpkg-divert(1), dpkg-statoverride(1)).
    """
    old, child = changes.inputs.old_dpkg.merged, changes.inputs.child_dpkg.merged
    added = {path for path in changes.parent if path not in changes.inputs.old}
    for file, paths, moved in ((DIVERSIONS, _diverted, {*changes.parent}), (OVERRIDES, _overridden, added)):
        if file not in changes.own:
            continue
        claimed = paths(child.get(file, b"")) - paths(old.get(file, b""))
        path = min(claimed & moved, default="")
        if path:
            return Refusal(1, path, f"the parent changed it, and the child has it in {file}")
    return None


def _diverted(data: bytes) -> frozenset[str]:
    return as_unpacked(data.decode(errors="surrogateescape").splitlines()[::3])


def _overridden(data: bytes) -> frozenset[str]:
    lines = data.decode(errors="surrogateescape").splitlines()
    return as_unpacked(line.split(" ", 3)[3] for line in lines if line.count(" ") >= _OVERRIDE_SPACES)


# Rule 8


def build_configuration(changes: Changes) -> Refusal | None:
    """Refuse where the parent changed what governs apt, dpkg and useradd, and the child used one of them."""
    if changes.own.keys().isdisjoint((STATUS, "etc/passwd", "etc/group")):
        return None
    path = touched(_BUILD_CONFIGURATION, changes.parent)
    return Refusal(8, path, "it governs how packages and users are made in the child") if path else None


# Rule 6


def _unowned(changes: Changes) -> dict[str, Entry]:
    """Return what the child's own layers hold that neither dpkg nor a maintainer script put there."""
    found = changes.own.items()
    return {path: entry for path, entry in found if path not in changes.owned and not _MAINTAINED.match(path)}


def copies(changes: Changes) -> Refusal | None:
    """Refuse a copy of a parent's file that changed since."""
    old = changes.inputs.old
    moved = {old[path].sha256: path for path in changes.parent if path in old and old[path].size > 0}
    moved.pop("", None)
    for path, entry in _unowned(changes).items():
        source = moved.get(entry.sha256) if entry.type is EntryType.FILE else None
        if source is not None and path != source and entry.sha256 not in changes.inputs.context:
            return Refusal(6, path, f"it is a copy of the parent's {source}, which changed")
    return None


# Rule 9


def computed(changes: Changes) -> tuple[str, ...] | Refusal:
    """Judge by instruction what the child's files were computed from."""
    proof = []
    left = _left_over(changes)
    for step in classify(changes.inputs.dockerfile):
        if step.kind is Kind.UNKNOWN:
            if left:
                proof.append(f"line {step.line}: `{step.command}` may have made {left} from the parent")
            continue
        path = touched(step.inputs, changes.parent)
        if step.kind is Kind.GENERATOR:
            path = path or _compiler_input(changes) or _interpreter(changes, step.interpreter)
            if path:
                return Refusal(9, path, f"`{step.command}` depends on it")
        elif path:
            proof.append(f"line {step.line}: `{step.command}` reaches the parent's {path}")
    return tuple(proof)


def _left_over(changes: Changes) -> str:
    """Return a path whose state no package, no COPY from the context and no maintainer script accounts for.

    Besides new files these are paths of the parent that the child changed or deleted: a command that looks for files
    (``find -delete``, ``-exec chmod``) would have found others in the new parent.
    """
    context = changes.inputs.context
    made = (path for path, entry in _unowned(changes).items() if not entry.sha256 or entry.sha256 not in context)
    return min((*made, *_altered(changes), *_deleted_by_hand(changes)), default="")


def _altered(changes: Changes) -> tuple[str, ...]:
    """Return paths of the old parent that the child has otherwise, but for those of packages that it installed."""
    lists = {path: data for path, data in changes.inputs.child_dpkg.lists.items() if path in changes.own}
    installed = DpkgFiles(lists=lists).owned()
    both = (path for path in changes.child if path in changes.inputs.old and path not in installed)
    old = changes.inputs.old
    return tuple(p for p in both if not _MAINTAINED.match(p) and not equal(old[p], changes.child[p]))


def _compiler_input(changes: Changes) -> str:
    if not any(_COMPILERS.fullmatch(path) for path in changes.child):
        return ""
    return touched(_COMPILER_INPUTS, changes.stale)


def _interpreter(changes: Changes, packages: str) -> str:
    """Return the interpreter's package whose upstream version changed."""
    pattern = re.compile(packages)
    old, new = (
        {p.name: upstream_version(p.version) for p in parse_status(dpkg.status) if pattern.fullmatch(p.name)}
        for dpkg in (changes.inputs.old_dpkg, changes.inputs.new_dpkg)
    )
    return next((name for name in sorted(old) if name in new and old[name] != new[name]), "")


# Rule 3


def hooks(changes: Changes) -> tuple[str, ...] | Refusal:
    """Judge the child's triggers and hooks: what must be proven, or why the image must be rebuilt."""
    inputs, (old, new, _) = changes.inputs, changes.packages
    moved = {
        package
        for package, architecture in {*old, *new}
        if old.get((package, architecture)) != new.get((package, architecture))
    }
    activated = {
        name
        for path, data in inputs.new_dpkg.triggers.items()
        if _package(path) in moved
        for name in activations(data.decode(errors="replace"))
    }
    own = {_package(p): d.decode(errors="replace") for p, d in inputs.child_dpkg.triggers.items() if p in changes.own}
    watched = check_triggers(own, changes.stale, activated)
    if isinstance(watched, Refusal):
        return watched
    hook = check_hooks(changes.own, changes.stale)
    if hook is not None:
        return hook
    return tuple(f"a trigger on {one.interest} saw another {one.path}" for one in watched)


def scripts(changes: Changes) -> tuple[str, ...]:
    """Ask for a proof where a child with packages has a parent that gained or lost some.

    Maintainer scripts look for programs (systemctl, systemd-tmpfiles...) and do otherwise where they find them.
    """
    old, new, _ = changes.packages
    moved = sorted(old.keys() ^ new.keys())
    if not moved or STATUS not in changes.own:
        return ()
    return (f"the parent gained or lost {moved[0][0]}: the scripts of the child's packages look for what is there",)


def _package(path: str) -> str:
    """Return the package of ``info/NAME[:ARCHITECTURE].triggers``."""
    return path.removeprefix(INFO).rpartition(".")[0].partition(":")[0]
