"""The small files that a base image gets beside its packages: apt's sources and settings, and what stops services."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ropewalk.archive import DEBIAN_KEYRING, uri_of
from ropewalk.debian import Repository
from ropewalk.recipe.recipe import BaseFile, BaseSpec
from ropewalk.recipe.strip import dpkg_lines

STRIP = "etc/dpkg/dpkg.cfg.d/ropewalk-strip"
"""Where an image says what it leaves out, so that dpkg leaves it out of what is built on the image too."""
ARCHIVES = "etc/apt/sources.list.d/ropewalk-archives.sources"
"""Where an image names archives beside Debian's."""
KEYRINGS = "etc/apt/keyrings"
SOURCES = "etc/apt/sources.list.d/debian.sources"
"""Where an image names its suites (deb822 format, sources.list(5))."""

_CLEAN = """\
// A layer should not carry what apt can fetch again: remove downloads and binary caches as soon as they were used.
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
_GZIP = """\
// Package lists that a recipe leaves behind stay compressed.
Acquire::GzipIndexes "true";
"""
_LANGUAGES = """\
// Nobody reads translated package descriptions in a container.
Acquire::Languages "none";
"""
_AUTOREMOVE = """\
// What was installed only for a build goes with it, even if something else suggests it.
Apt::AutoRemove::SuggestsImportant "false";
"""
_SPEEDUP = """\
# A build that is cut short starts again: dpkg need not sync every file.
force-unsafe-io
"""
_POLICY = """\
#!/bin/sh
# An image that is being built starts no services (invoke-rc.d reads 101 as "not allowed").
exit 101
"""


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file to put into an image, owned by root.

    Attributes:
        path: Relative to the root.
        content: Its bytes.
        mode: Permission bits.
    """

    path: str
    content: bytes
    mode: int = 0o644


def base_files(spec: BaseSpec) -> tuple[SmallFile, ...]:
    """Return the files that every base image gets.

    Args:
        spec: What the image is made of.

    Returns:
        apt's sources with all suites of the recipe, also those that a view lacks, the settings that Debian's own container images have (under their names there, so that recipes
        that remove one of them keep working), the answer to invoke-rc.d, an empty machine id, and what dpkg leaves out.
    """
    texts = {
        SOURCES: debian_sources(spec.suites, spec.components),
        "etc/apt/apt.conf.d/docker-autoremove-suggests": _AUTOREMOVE,
        "etc/apt/apt.conf.d/docker-clean": _CLEAN,
        "etc/apt/apt.conf.d/docker-gzip-indexes": _GZIP,
        "etc/apt/apt.conf.d/docker-no-languages": _LANGUAGES,
        "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": _SPEEDUP,
    }
    if spec.strip.exclude:
        texts[STRIP] = dpkg_lines(spec.strip)
    plain = tuple(SmallFile(path, text.encode()) for path, text in texts.items())
    return (
        *plain,
        SmallFile("etc/machine-id", b"", 0o444),
        SmallFile("usr/sbin/policy-rc.d", _POLICY.encode(), 0o755),
    )


def archive_files(archives: Sequence[Repository]) -> tuple[BaseFile, ...]:
    """Return what an image needs to go on using archives beside Debian's: their keyrings, and their sources.

    Args:
        archives: The recipe's.
    """
    if not archives:
        return ()
    keyrings = {one.keyring.name: one.keyring for one in archives}
    stanzas = []
    for one in archives:
        lines = ["Types: deb", f"URIs: {one.uri}", f"Suites: {' '.join(one.suites)}"]
        lines += [f"Components: {' '.join(one.components)}"] if one.components else []
        stanzas.append("\n".join([*lines, f"Signed-By: /{KEYRINGS}/{one.keyring.name}", ""]))
    files = {f"{KEYRINGS}/{name}": path.read_bytes() for name, path in keyrings.items()}
    files[ARCHIVES] = "\n".join(stanzas).encode()
    return tuple(BaseFile(path, content, 0o644, "0", "0") for path, content in files.items())


def debian_sources(suites: Sequence[str], components: Sequence[str]) -> str:
    """Write ``debian.sources``: a stanza an archive, the suites in the order given.

    Args:
        suites: Suites of the Debian archive.
        components: ``main`` and others.
    """
    stanzas = []
    for uri in dict.fromkeys(uri_of(suite) for suite in suites):
        mine = " ".join(suite for suite in suites if uri_of(suite) == uri)
        lines = (
            "Types: deb",
            f"URIs: {uri}",
            f"Suites: {mine}",
            f"Components: {' '.join(components)}",
            f"Signed-By: {DEBIAN_KEYRING}",
        )
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def within(sources: str, held: Collection[str]) -> str:
    """Leave out of a ``debian.sources`` the suites that a view lacks, so that ``apt-get update`` succeeds.

    Args:
        sources: The file's text.
        held: Suites of the view.

    Returns:
        The text; unchanged where the view holds every suite that it names. A stanza that keeps no suite is gone.
    """
    stanzas = [stanza for stanza in sources.split("\n\n") if stanza.strip()]
    kept = [narrowed for stanza in stanzas if (narrowed := _narrow(stanza, held)) is not None]
    return sources if kept == stanzas else "\n\n".join(stanza.strip("\n") for stanza in kept) + "\n"


def _narrow(stanza: str, held: Collection[str]) -> str | None:
    lines = []
    for line in stanza.split("\n"):
        name, colon, value = line.partition(":")
        if name.strip().lower() != "suites" or not colon:
            lines.append(line)
            continue
        suites = value.split()
        mine = [suite for suite in suites if suite in held]
        if not mine:
            return None
        lines.append(line if mine == suites else f"{name}: {' '.join(mine)}")
    return "\n".join(lines)
