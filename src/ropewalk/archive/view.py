"""Archive views: the exact InRelease and index files of every suite in use at one moment."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive.making import Work, record_suite
from ropewalk.archive.memory import Seen, remember, remembered
from ropewalk.archive.release import DEBIAN_KEYRING
from ropewalk.archive.shelf import ViewShelf
from ropewalk.archive.suite import IndexFile, Pockets, SuiteView, View, suite_names, uri_of, view_of, wanted_suites
from ropewalk.archive.upstream import Upstream
from ropewalk.debian import Repository
from ropewalk.errors import InputError
from ropewalk.events import Listener

__all__ = ["IndexFile", "Pockets", "SuiteView", "View", "ViewBook", "suite_names", "uri_of", "view_of"]


class ViewBook(ViewShelf):
    """The views of a state directory, and the making of new ones."""

    def __init__(self, directory: Path, keyring: Path = DEBIAN_KEYRING) -> None:
        """Use a directory.

        Args:
            directory: Where the views are; it need not exist yet.
            keyring: The keys that sign the archive.
        """
        super().__init__(directory)
        self._keyring = keyring

    def make(
        self,
        suites: Sequence[str],
        components: Sequence[str],
        architecture: str,
        upstream: Upstream,
        listener: Listener,
        *,
        archives: Sequence[Repository] = (),
        sources: bool = False,
        now: int | None = None,
    ) -> View:
        """Record what suites offer now.

        Args:
            suites: Debian's, the release first; see `suite_names`.
            components: ``main`` and others, of Debian's suites.
            architecture: Debian's name: ``amd64``.
            upstream: Where the archive is fetched.
            listener: Hears of each index that is fetched.
            archives: Archives beside Debian's.
            sources: Record the indexes of source packages too; the view's id is the same.
            now: Seconds since 1970, to warn of a release file that has expired; None does not look.

        Returns:
            The view; the same as before where the archive has not changed, and then it was only asked, suite by suite.

        Raises:
            InputError: The archive lacks a suite, a component or the architecture.
            TrustError: A signature or a checksum is wrong, a release file is another suite's or older than before.
            NetworkError: The archive cannot be reached.
        """
        wanted = wanted_suites(suites, components, archives)
        if not wanted or (suites and not components):
            raise InputError("a view needs suites and components", where="archive view", hint="name a suite and `main`")
        with atomic.locked(self.lock_file()), upstream.client() as client:
            work = Work(self, client, upstream, self._keyring, architecture, now, listener, sources)
            seen = remembered(self.memory_file(), self)
            held = []
            for one in wanted:
                suite, seen[one.name] = record_suite(work, one, seen.get(one.name, Seen()))
                held.append(suite)
            view = self._with_sources(view_of(architecture, held))
            self.save(view)
            remember(self.memory_file(), seen)
        return view

    def _with_sources(self, view: View) -> View:
        """Keep indexes of source packages that were recorded before, though they are not asked for now."""
        if view.id not in self.ids():
            return view
        known = {suite.name: suite.sources for suite in self.load(view.id).suites}
        suites = (replace(suite, sources=suite.sources or known.get(suite.name, ())) for suite in view.suites)
        return replace(view, suites=tuple(suites))
