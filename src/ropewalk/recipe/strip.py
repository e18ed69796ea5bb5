"""What a base image leaves out: dpkg's ``path-exclude`` and ``path-include`` globs (dpkg(1)), and lists of them by name.

The image keeps them as dpkg's own configuration, so that images built on it leave out the same.
"""

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cache

from ropewalk.recipe.recipe import Strip
from ropewalk.recipe.yamlfile import Node, nearest

LISTS: dict[str, Strip] = {
    "docs": Strip(("/usr/share/doc/*", "/usr/share/doc-base/*", "/usr/share/gtk-doc/*"), ()),
    "help": Strip(("/usr/share/gnome/help/*", "/usr/share/help/*", "/usr/share/omf/*"), ()),
    "info": Strip(("/usr/share/info/*",), ()),
    "lintian": Strip(("/usr/share/lintian/overrides/*",), ()),
    "locales": Strip(("/usr/share/locale/*",), ("/usr/share/locale/locale.alias",)),
    "man": Strip(("/usr/share/man/*",), ()),
}
"""Lists that a recipe may name."""
ALWAYS = ("/usr/share/doc/*/copyright", "/usr/share/common-licenses/*")
"""A licence's text stays with what it covers, whatever a recipe says."""

_KEYS = ("lists", "paths", "keep")
_GLOB = re.compile(r"/usr(/[^/\s*?\[\]\\#]+){2,}(/[^\s\\#]*)?")
_MAN = re.compile(r"usr/share/man/man[0-9]")
"""Packages make links here and fail where the directory is missing."""


def read_strip(node: Node) -> Strip:
    """Read ``strip``.

    Args:
        node: ``lists`` of known names, ``paths`` of further globs, ``keep`` for exceptions.

    Raises:
        InputError: A list is not known, or a glob could take what packages need.
    """
    given = node.fields(_KEYS)
    exclude: list[str] = []
    include: list[str] = []
    for item in given["lists"].items() if "lists" in given else ():
        known = LISTS.get(item.filled())
        if known is None:
            raise item.fault(f"no list is called `{item.text()}`", nearest(item.text(), LISTS))
        exclude += known.exclude
        include += known.include
    for key, globs in (("paths", exclude), ("keep", include)):
        globs.extend(_glob(item) for item in (given[key].items() if key in given else ()))
    if not exclude:
        raise node.fault("`strip` leaves nothing out", f"name lists ({', '.join(sorted(LISTS))}) or paths")
    return Strip(tuple(dict.fromkeys(exclude)), tuple(dict.fromkeys((*include, *ALWAYS))))


def _glob(node: Node) -> str:
    text = node.filled()
    if not _GLOB.fullmatch(text) or ".." in text.split("/"):
        hint = "begin with /usr and two plain names: /usr/share/games/*"
        raise node.fault(f"`{text}` is no glob that may be left out", hint)
    return text


@dataclass(frozen=True, slots=True)
class Filter:
    """Says of paths whether dpkg would leave them out (dpkg(1), ``--path-exclude``); the last glob that matches counts.

    Attributes:
        exclude: Matches what is left out.
        include: Matches what is kept all the same.
        above: Plain beginnings of what is kept: directories and links there must stay.
    """

    exclude: re.Pattern[str]
    include: re.Pattern[str]
    above: tuple[str, ...]

    def drops(self, path: str, *, passage: bool) -> bool:
        """Say whether a path is left out.

        Args:
            path: Relative to the root.
            passage: It is a directory or a symbolic link.
        """
        absolute = f"/{path}"
        if not self.exclude.fullmatch(absolute) or self.include.fullmatch(absolute):
            return False
        return not (passage and (absolute.startswith(self.above) or _MAN.fullmatch(path)))


@cache
def filter_of(strip: Strip) -> Filter:
    """Return the filter of a recipe's globs.

    Args:
        strip: The globs; those to keep stand after those to leave out.
    """
    above = tuple(re.split(r"[*?\[\\]", glob)[0].rstrip("/") for glob in strip.include)
    return Filter(_any(strip.exclude), _any(strip.include), above)


def _any(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, globs)) or r"(?!)")


def dpkg_lines(strip: Strip) -> str:
    """Write the globs as a file for ``/etc/dpkg/dpkg.cfg.d``.

    Args:
        strip: The globs.
    """
    lines = [*(f"path-exclude={glob}" for glob in strip.exclude), *(f"path-include={glob}" for glob in strip.include)]
    return "\n".join(["# Left out of this image, and of what is built on it.", *lines, ""])
