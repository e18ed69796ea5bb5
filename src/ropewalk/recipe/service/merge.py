"""Variants with their includes: the top level, then what they include, depth first, then themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ropewalk.errors import InputError
from ropewalk.recipe.service.schema import Account, Artifact, Blubber, Builder, Custom, Python, Runs, Settings
from ropewalk.recipe.yamlfile import nearest

_Value = TypeVar("_Value")


def _last(old: _Value | None, new: _Value | None) -> _Value | None:
    return old if new is None else new


def merge_accounts(old: Account, new: Account) -> Account:
    """Return the old values with those that the new one sets."""
    return Account(
        name=_last(old.name, new.name),
        uid=_last(old.uid, new.uid),
        gid=_last(old.gid, new.gid),
        directory=_last(old.directory, new.directory),
    )


def _merge_runs(old: Runs, new: Runs) -> Runs:
    return Runs(
        account=merge_accounts(old.account, new.account),
        insecurely=_last(old.insecurely, new.insecurely),
        environment=tuple({**dict(old.environment), **dict(new.environment)}.items()),
    )


def _merge_packages(
    old: Iterable[tuple[str, tuple[str, ...]]], new: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Append per release."""
    found: dict[str, tuple[str, ...]] = dict(old)
    for release, names in new:
        found[release] = found.get(release, ()) + names
    return tuple(found.items())


def _merge_python(old: Python, new: Python) -> Python:
    return Python(_last(old.version, new.version), _last(old.requirements, new.requirements))


def _merge_builders(old: tuple[Builder, ...], new: tuple[Builder, ...]) -> tuple[Builder, ...]:
    """Merge python into the new one's place; what has no match stands first, in its old order."""
    before = next((item for item in old if isinstance(item, Python)), None)
    replaced = before is not None and any(isinstance(item, Python) for item in new)
    first = [item for item in old if isinstance(item, Custom) or not replaced]
    merged = [_merge_python(before, item) if before and isinstance(item, Python) else item for item in new]
    return (*first, *merged)


def _merge_copies(old: tuple[Artifact, ...], new: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
    """Append; an exact duplicate moves to the later place."""
    return (*(item for item in old if item not in new), *new)


def merge(old: Settings, new: Settings) -> Settings:
    """Lay one mapping's settings over another's (Blubber's rules, key by key).

    Args:
        old: What is below.
        new: What is laid over it; its ``includes`` and place are kept.
    """
    return Settings(
        base=new.base or old.base,
        packages=_merge_packages(old.packages, new.packages),
        lives=merge_accounts(old.lives, new.lives),
        runs=_merge_runs(old.runs, new.runs),
        builders=_merge_builders(old.builders, new.builders),
        python=_merge_python(old.python, new.python),
        entrypoint=_last(old.entrypoint, new.entrypoint),
        includes=new.includes,
        copies=_merge_copies(old.copies, new.copies),
        where=new.where,
        base_where=new.base_where if new.base else old.base_where,
    )


def _order(name: str, variants: Mapping[str, Settings], where: str, path: tuple[str, ...], done: list[str]) -> None:
    """Append a variant's includes, then itself, each once."""
    if name in path:
        loop = " -> ".join([*path[path.index(name) :], name])
        raise InputError(f"`includes` goes in a circle: {loop}", where=where, hint="take one of them out")
    if name in done:
        return
    if name not in variants:
        raise InputError(f"there is no variant `{name}`", where=where, hint=nearest(name, variants))
    for included in variants[name].includes:
        _order(included, variants, variants[name].where, (*path, name), done)
    done.append(name)


def resolve(name: str, blubber: Blubber) -> Settings:
    """Return all that holds for a variant.

    Args:
        name: The variant.
        blubber: The file.

    Raises:
        InputError: It or an included one does not exist, or includes go in a circle.
    """
    names: list[str] = []
    _order(name, blubber.variants, blubber.where, (), names)
    settings = blubber.common
    for included in names:
        settings = merge(settings, blubber.variants[included])
    return replace(settings, where=blubber.variants[name].where)
