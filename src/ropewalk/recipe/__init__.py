"""Recipes: what a tree's files say, read into plain values.

Base images (``base.yaml``), production images in docker-pkg's format, service images in Blubber's; and the record that
says what was made from them.
"""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.recipe.archives import read_archives
    from ropewalk.recipe.base import load_base
    from ropewalk.recipe.config import Foreign, TreeConfig, load_config
    from ropewalk.recipe.directories import own_directories
    from ropewalk.recipe.dockerfile import Dockerfile, Instruction, Stage, parse
    from ropewalk.recipe.head import check_name, check_version
    from ropewalk.recipe.keeping import Keeping
    from ropewalk.recipe.limits import Limits, parse_limits
    from ropewalk.recipe.lock import LOCK_FILE, Lock, LockedDeb
    from ropewalk.recipe.lockfile import (
        LockedParent,
        LockFile,
        LockRefused,
        lock_file,
        lock_text,
        of_recipe,
        read_lock,
        why_stale,
    )
    from ropewalk.recipe.network import Network
    from ropewalk.recipe.parents import Rules
    from ropewalk.recipe.pins import Outside, outside, outside_of
    from ropewalk.recipe.production import load_production
    from ropewalk.recipe.recipe import (
        BaseSpec,
        ContextFile,
        Forbidden,
        Generation,
        Parent,
        ParentRole,
        Recipe,
        ScriptTest,
        VariantTest,
    )
    from ropewalk.recipe.record import (
        Attested,
        BuildRecord,
        Commit,
        How,
        LayerKind,
        OwnedLayer,
        ParentPin,
        Proof,
        Proven,
        Published,
        RecordBook,
        Withdrawn,
        from_json,
        to_json,
    )
    from ropewalk.recipe.renewal import Consent, Renewal, Versions, span
    from ropewalk.recipe.service.service import load_service
    from ropewalk.recipe.tree import Loaded, base_specs, load_tree
    from ropewalk.recipe.update import (
        Edit,
        Entry,
        author,
        counted,
        dated,
        edited,
        write,
    )
else:
    __getattr__ = exported(
        __name__,
        {
            "archives": ("read_archives",),
            "base": ("load_base",),
            "config": ("Foreign", "TreeConfig", "load_config"),
            "directories": ("own_directories",),
            "dockerfile": ("Dockerfile", "Instruction", "Stage", "parse"),
            "head": ("check_name", "check_version"),
            "keeping": ("Keeping",),
            "limits": ("Limits", "parse_limits"),
            "lock": ("LOCK_FILE", "Lock", "LockedDeb"),
            "lockfile": (
                "LockedParent",
                "LockFile",
                "LockRefused",
                "lock_file",
                "lock_text",
                "of_recipe",
                "read_lock",
                "why_stale",
            ),
            "network": ("Network",),
            "parents": ("Rules",),
            "pins": ("Outside", "outside", "outside_of"),
            "production": ("load_production",),
            "recipe": (
                "BaseSpec",
                "ContextFile",
                "Forbidden",
                "Generation",
                "Parent",
                "ParentRole",
                "Recipe",
                "ScriptTest",
                "VariantTest",
            ),
            "record": (
                "Attested",
                "BuildRecord",
                "Commit",
                "How",
                "LayerKind",
                "OwnedLayer",
                "ParentPin",
                "Proof",
                "Proven",
                "Published",
                "RecordBook",
                "Withdrawn",
                "from_json",
                "to_json",
            ),
            "renewal": ("Consent", "Renewal", "Versions", "span"),
            "service.service": ("load_service",),
            "tree": ("Loaded", "base_specs", "load_tree"),
            "update": ("Edit", "Entry", "author", "counted", "dated", "edited", "write"),
        },
    )

__all__ = [
    "LOCK_FILE",
    "Attested",
    "BaseSpec",
    "BuildRecord",
    "Commit",
    "Consent",
    "ContextFile",
    "Dockerfile",
    "Edit",
    "Entry",
    "Forbidden",
    "Foreign",
    "Generation",
    "How",
    "Instruction",
    "Keeping",
    "LayerKind",
    "Limits",
    "Loaded",
    "Lock",
    "LockFile",
    "LockRefused",
    "LockedDeb",
    "LockedParent",
    "Network",
    "Outside",
    "OwnedLayer",
    "Parent",
    "ParentPin",
    "ParentRole",
    "Proof",
    "Proven",
    "Published",
    "Recipe",
    "RecordBook",
    "Renewal",
    "Rules",
    "ScriptTest",
    "Stage",
    "TreeConfig",
    "VariantTest",
    "Versions",
    "Withdrawn",
    "author",
    "base_specs",
    "check_name",
    "check_version",
    "counted",
    "dated",
    "edited",
    "from_json",
    "load_base",
    "load_config",
    "load_production",
    "load_service",
    "load_tree",
    "lock_file",
    "lock_text",
    "of_recipe",
    "outside",
    "outside_of",
    "own_directories",
    "parse",
    "parse_limits",
    "read_archives",
    "read_lock",
    "span",
    "to_json",
    "why_stale",
    "write",
]
