"""Many small questions to one registry at once: what takes long is the way there and back, not the answer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 16
"""Connections at most: as many as a client keeps open, and few for a registry."""

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def together(ask: Callable[[_Item], _Answer], items: Iterable[_Item]) -> tuple[_Answer, ...]:
    """Ask for each item, at most `AT_ONCE` at a time.

    Args:
        ask: Asks the registry; called from several threads, none of which outlives this call.
        items: What to ask for.

    Returns:
        The answers in the order of the items.

    Raises:
        Exception: The first that `ask` raised; what was not begun by then is not asked.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="registry")
    try:
        return tuple(pool.map(ask, items))
    finally:
        pool.shutdown(cancel_futures=True)
