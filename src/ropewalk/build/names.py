"""Names in buildah's storage while several builds use them: one image a name at any moment."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Names:
    """Which image each name stands for, and for how many builds.

    Two builds may need the same name for the same image at once; for another image (``:latest`` of another day) the later
    one waits. A build takes all of its names in one step, so that none waits for a build that waits for it.
    """

    def __init__(self) -> None:
        """No name is in use."""
        self._changed = threading.Condition()
        self._meaning: dict[str, str] = {}
        self._users: Counter[str] = Counter()
        self._loading = threading.Lock()
        self._count = itertools.count(1)

    def fresh(self) -> str:
        """Return a short word that no other build of this process has, for names that must be one build's alone."""
        return f"b{next(self._count)}"

    @contextmanager
    def held(self, wanted: Mapping[str, str]) -> Iterator[None]:
        """Let names stand for images during the ``with``; waits until each is free or stands for that image already.

        Args:
            wanted: Name to the image's digest.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: all(self._meaning.get(name, digest) == digest for name, digest in wanted.items())
            )
            self._meaning.update(wanted)
            self._users.update(wanted.keys())
        try:
            yield
        finally:
            with self._changed:
                self._users.subtract(wanted.keys())
                for name in [name for name in wanted if self._users[name] <= 0]:
                    del self._meaning[name], self._users[name]
                self._changed.notify_all()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Load one image at a time: two that share layers would copy them twice."""
        with self._loading:
            yield
