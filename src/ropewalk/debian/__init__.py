"""Debian's file formats: control files, versions, relations, dpkg's status, changelogs; no disk, no network."""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.debian.changelog import ChangelogEntry, new_entry, newest, versions
    from ropewalk.debian.control import fields, paragraphs, stanza_texts
    from ropewalk.debian.date import seconds
    from ropewalk.debian.relation import (
        Alternatives,
        Package,
        Relation,
        package_of,
        parse_relation,
        parse_relations,
        source_of,
        unmet,
    )
    from ropewalk.debian.repository import Repository, is_flat, suite_path
    from ropewalk.debian.status import parse_status, stanzas
    from ropewalk.debian.version import Version, compare, parts_key, sort_key, upstream_version
else:
    __getattr__ = exported(
        __name__,
        {
            "changelog": ("ChangelogEntry", "new_entry", "newest", "versions"),
            "control": ("fields", "paragraphs", "stanza_texts"),
            "date": ("seconds",),
            "relation": (
                "Alternatives",
                "Package",
                "Relation",
                "package_of",
                "parse_relation",
                "parse_relations",
                "source_of",
                "unmet",
            ),
            "repository": ("Repository", "is_flat", "suite_path"),
            "status": ("parse_status", "stanzas"),
            "version": ("Version", "compare", "parts_key", "sort_key", "upstream_version"),
        },
    )

__all__ = [
    "Alternatives",
    "ChangelogEntry",
    "Package",
    "Relation",
    "Repository",
    "Version",
    "compare",
    "fields",
    "is_flat",
    "new_entry",
    "newest",
    "package_of",
    "paragraphs",
    "parse_relation",
    "parse_relations",
    "parse_status",
    "parts_key",
    "seconds",
    "sort_key",
    "source_of",
    "stanza_texts",
    "stanzas",
    "suite_path",
    "unmet",
    "upstream_version",
    "versions",
]
