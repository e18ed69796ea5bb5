"""Large rooms import what they export when it is first asked for, so that a command starts with what it needs alone.

A room's ``__init__`` imports its names under ``TYPE_CHECKING``, for checkers and readers, and gives ``__getattr__`` the same
names for running.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def exported(room: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return a room's ``__getattr__`` (PEP 562).

    Args:
        room: The room's ``__name__``.
        modules: Its modules, each with the names that the room exports of it; no name may be a module's.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(f"{room}.{homes[name]}"), name)
        setattr(sys.modules[room], name, value)
        return value

    return get
