"""The Debian archive as it was at one moment: views, the pool of .debs, and the proxy that serves them to apt."""

from typing import TYPE_CHECKING

from ropewalk.lazy import exported

if TYPE_CHECKING:
    from ropewalk.archive.fetch import ArchiveUnreachable, NotInArchive
    from ropewalk.archive.index import ArchivePackage
    from ropewalk.archive.lists import Lists
    from ropewalk.archive.making import Receding, WrongIndex, WrongSuite
    from ropewalk.archive.pool import Pool, WrongContent
    from ropewalk.archive.proxy import ArchiveProxy, NotInPool, NotLocked
    from ropewalk.archive.release import DEBIAN_KEYRING, BadSignature, Release, parse_release, verify
    from ropewalk.archive.shelf import Damaged
    from ropewalk.archive.upstream import DEBIAN, SECURITY, Upstream, from_apt
    from ropewalk.archive.view import IndexFile, Pockets, SuiteView, View, ViewBook, suite_names, uri_of
else:
    __getattr__ = exported(
        __name__,
        {
            "fetch": ("ArchiveUnreachable", "NotInArchive"),
            "index": ("ArchivePackage",),
            "lists": ("Lists",),
            "making": ("Receding", "WrongIndex", "WrongSuite"),
            "pool": ("Pool", "WrongContent"),
            "proxy": ("ArchiveProxy", "NotInPool", "NotLocked"),
            "release": ("DEBIAN_KEYRING", "BadSignature", "Release", "parse_release", "verify"),
            "shelf": ("Damaged",),
            "upstream": ("DEBIAN", "SECURITY", "Upstream", "from_apt"),
            "view": ("IndexFile", "Pockets", "SuiteView", "View", "ViewBook", "suite_names", "uri_of"),
        },
    )

__all__ = [
    "DEBIAN",
    "DEBIAN_KEYRING",
    "SECURITY",
    "ArchivePackage",
    "ArchiveProxy",
    "ArchiveUnreachable",
    "BadSignature",
    "Damaged",
    "IndexFile",
    "Lists",
    "NotInArchive",
    "NotInPool",
    "NotLocked",
    "Pockets",
    "Pool",
    "Receding",
    "Release",
    "SuiteView",
    "Upstream",
    "View",
    "ViewBook",
    "WrongContent",
    "WrongIndex",
    "WrongSuite",
    "from_apt",
    "parse_release",
    "suite_names",
    "uri_of",
    "verify",
]
