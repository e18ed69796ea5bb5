"""What a build takes from the archive: what it was given is its lock, and a lock can be all that it is given."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from ropewalk.build.failure import BuildFailed
from ropewalk.build.workshop import Workshop
from ropewalk.recipe.lock import LockedDeb


@contextmanager
def supplied(shop: Workshop, build: str, allowed: Collection[str] | None = None) -> Iterator[None]:
    """Let the archive proxy supply a build.

    Args:
        shop: The workshop.
        build: The build's word, as the proxy's address names it.
        allowed: The sha256 of each .deb that it may have, which must be in the pool; None lets it have all of its view.

    Yields:
        Nothing.

    Raises:
        RopewalkError: What went wrong at the archive, instead of the program that failed because of it.
    """
    try:
        with shop.proxy.limited(build, allowed):
            yield
    except BuildFailed as failed:
        for error in shop.proxy.take_errors(build)[:1]:
            raise error from failed
        raise
    finally:
        shop.proxy.take_errors(build)
        shop.proxy.take_used(build)


def taken(shop: Workshop, build: str) -> tuple[LockedDeb, ...]:
    """Return the .debs that a build was given, sorted; within `supplied`.

    Args:
        shop: The workshop.
        build: The build's word.
    """
    return tuple(LockedDeb(x.package, x.version, x.architecture, x.sha256) for x in shop.proxy.take_used(build))
