"""The Debian archive as it was at one moment: views, the pool of .debs, and the proxy that serves them to apt."""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.archive.advisory import Advisory, Fix, Status, Tracker, Urgency, load_tracker, parse_tracker
    from ropewalk.archive.audit import Finding, audit_pool, audit_views
    from ropewalk.archive.compare import Change, Changed, changed_packages
    from ropewalk.archive.fetch import ArchiveUnreachable, NotInArchive
    from ropewalk.archive.index import ArchivePackage, origin
    from ropewalk.archive.lists import Lists
    from ropewalk.archive.making import FromTheFuture, Receding, WrongIndex, WrongSuite
    from ropewalk.archive.pool import Pool, WrongContent
    from ropewalk.archive.proxy import ArchiveProxy, NotInPool, NotLocked
    from ropewalk.archive.release import DEBIAN_KEYRING, BadSignature, Release, parse_release, verify
    from ropewalk.archive.shelf import Damaged
    from ropewalk.archive.sources import SourceFile, SourcePackage, fetch_sources
    from ropewalk.archive.sweep import PoolFile, PoolPlan, ViewPlan, Why, plan_pool, plan_views, sweep_pool, sweep_views
    from ropewalk.archive.upstream import DEBIAN, SECURITY, Upstream, from_apt
    from ropewalk.archive.view import IndexFile, Pockets, SuiteView, View, ViewBook, suite_names, uri_of
else:
    __getattr__ = exported(
        __name__,
        {
            "advisory": ("Advisory", "Fix", "Status", "Tracker", "Urgency", "load_tracker", "parse_tracker"),
            "audit": ("Finding", "audit_pool", "audit_views"),
            "compare": ("Change", "Changed", "changed_packages"),
            "fetch": ("ArchiveUnreachable", "NotInArchive"),
            "index": ("ArchivePackage", "origin"),
            "lists": ("Lists",),
            "making": ("FromTheFuture", "Receding", "WrongIndex", "WrongSuite"),
            "pool": ("Pool", "WrongContent"),
            "proxy": ("ArchiveProxy", "NotInPool", "NotLocked"),
            "release": ("DEBIAN_KEYRING", "BadSignature", "Release", "parse_release", "verify"),
            "shelf": ("Damaged",),
            "sources": ("SourceFile", "SourcePackage", "fetch_sources"),
            "sweep": (
                "PoolFile",
                "PoolPlan",
                "ViewPlan",
                "Why",
                "plan_pool",
                "plan_views",
                "sweep_pool",
                "sweep_views",
            ),
            "upstream": ("DEBIAN", "SECURITY", "Upstream", "from_apt"),
            "view": ("IndexFile", "Pockets", "SuiteView", "View", "ViewBook", "suite_names", "uri_of"),
        },
    )

__all__ = [
    "DEBIAN",
    "DEBIAN_KEYRING",
    "SECURITY",
    "Advisory",
    "ArchivePackage",
    "ArchiveProxy",
    "ArchiveUnreachable",
    "BadSignature",
    "Change",
    "Changed",
    "Damaged",
    "Finding",
    "Fix",
    "FromTheFuture",
    "IndexFile",
    "Lists",
    "NotInArchive",
    "NotInPool",
    "NotLocked",
    "Pockets",
    "Pool",
    "PoolFile",
    "PoolPlan",
    "Receding",
    "Release",
    "SourceFile",
    "SourcePackage",
    "Status",
    "SuiteView",
    "Tracker",
    "Upstream",
    "Urgency",
    "View",
    "ViewBook",
    "ViewPlan",
    "Why",
    "WrongContent",
    "WrongIndex",
    "WrongSuite",
    "audit_pool",
    "audit_views",
    "changed_packages",
    "fetch_sources",
    "from_apt",
    "load_tracker",
    "origin",
    "parse_release",
    "parse_tracker",
    "plan_pool",
    "plan_views",
    "suite_names",
    "sweep_pool",
    "sweep_views",
    "uri_of",
    "verify",
]
