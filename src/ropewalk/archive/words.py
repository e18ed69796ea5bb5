"""The words by which builds are known at the archive proxy: one a build, unguessable, and good where that build is alone.

A build's word is its password at the proxy. It is made when the build begins and means nothing when it has ended. Where a
build has a network of its own, its word is good at the door in there and at no other, and no other word is good there.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_BYTES = 16
"""128 bits: nobody guesses that while a build runs."""


class Words:
    """Which builds run, by their words; for several threads."""

    def __init__(self) -> None:
        """No build runs."""
        self._words: dict[str, str] = {}
        self._apart: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def known(self, build: str) -> Iterator[None]:
        """Know a build during the ``with``.

        Args:
            build: Its name, which no other that runs has.
        """
        with self._lock:
            self._words[build] = secrets.token_hex(_BYTES)
        try:
            yield
        finally:
            with self._lock:
                del self._words[build]

    @contextmanager
    def apart(self, build: str) -> Iterator[None]:
        """Take a build's word at its own door only, during the ``with``.

        Args:
            build: Its name.
        """
        with self._lock:
            self._apart.add(build)
        try:
            yield
        finally:
            with self._lock:
                self._apart.discard(build)

    def of(self, build: str) -> str:
        """Return the word of a build that runs; who asks without a word has none.

        Args:
            build: Its name; empty for who is no build.
        """
        with self._lock:
            return self._words[build] if build else ""

    def build(self, word: str, door: str = "") -> str | None:
        """Say which build asks.

        Args:
            word: What it gave as its word.
            door: The build at whose own door it asks; empty at the door that is open to all.

        Returns:
            Its name, empty for who gave no word at the open door; None where the word is not good there.
        """
        given = word.encode()
        with self._lock:
            known = self._words.items()
            found = next((build for build, one in known if secrets.compare_digest(one.encode(), given)), None)
            if not word and not door:
                return ""
            home = found if found in self._apart else ""
            return found if found is not None and home == door else None
