"""Globs that choose recipes: what matches nothing was meant otherwise."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ropewalk.errors import InputError
from ropewalk.recipe.recipe import Recipe

_WILD = re.compile(r"\[[^]]*\]|[*?]")
_SHOWN = 3


def check_globs(recipes: Iterable[Recipe], globs: Sequence[str], option: str) -> None:
    """Refuse a glob that matches no recipe.

    Args:
        recipes: The tree.
        globs: Globs against ``registry/name:version``.
        option: What they were given to, for the message.

    Raises:
        InputError: One matches nothing; names the nearest recipes.
    """
    lines = {recipe.reference: recipe.name for recipe in recipes}
    for glob in globs:
        if not any(fnmatchcase(line, glob) for line in lines):
            raise InputError("matches no recipe", where=f"{option} {glob}", hint=_hint(glob, lines.values()))


def _hint(glob: str, names: Iterable[str]) -> str:
    """Name the recipes that a glob may have meant."""
    known = sorted(set(names))
    word = _WILD.sub("", glob.rpartition("/")[2].partition(":")[0])
    near = [name for name in known if word and word in name] or get_close_matches(word, known, _SHOWN)
    shown = " or ".join(f"'*/{name}:*'" for name in near[:_SHOWN])
    meant = f"did you mean {shown}? " if near else ""
    return f"{meant}globs match registry/name:version; `ropewalk plan` lists them"
