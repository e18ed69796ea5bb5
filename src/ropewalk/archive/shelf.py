"""Views on disk: each a JSON file, and beside them the signed files and indexes by sha256."""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ropewalk import atomic
from ropewalk.archive.index import ArchivePackage, packages, rows, table
from ropewalk.archive.release import parse_release, signed_text
from ropewalk.archive.suite import IndexFile, SuiteView, View, read_view
from ropewalk.errors import InputError, TrustError

_ID = re.compile(r"[0-9]{8}-[0-9a-f]{10}")


class Damaged(TrustError):
    """A recorded file of a view is not what was recorded."""


class ViewShelf:
    """Views on disk: ``ID.json``, and below ``files`` the signed files and indexes by sha256, tables beside them."""

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which need not exist yet."""
        self._directory = directory

    def lock_file(self) -> Path:
        """Return the file that a process locks to make a view."""
        return self._directory / "lock"

    def memory_file(self) -> Path:
        """Return the file of what is remembered of each suite."""
        return self._directory / "suites.json"

    def file_path(self, sha256: str) -> Path:
        """Return where a recorded file is."""
        return self._directory / "files" / sha256

    def files(self) -> tuple[Path, ...]:
        """Return all recorded files and the tables beside them, in the order of their names."""
        return tuple(sorted((self._directory / "files").glob("*")))

    def view_file(self, view_id: str) -> Path:
        """Return where a view is or would be."""
        return self._directory / f"{view_id}.json"

    def made(self, view_id: str) -> int:
        """Return when a view was last made, in seconds since 1970."""
        return int(self.view_file(view_id).stat().st_mtime)

    def remove(self, view_id: str) -> None:
        """Forget a view, but not its files. The caller holds the lock."""
        self.view_file(view_id).unlink(missing_ok=True)
        order = {name: count for name, count in self._order().items() if name != view_id}
        atomic.write_text(self._directory / "order.json", json.dumps(order, indent=1, sort_keys=True))

    def file(self, sha256: str) -> bytes:
        """Return a recorded file.

        Args:
            sha256: Of its content.

        Raises:
            InputError: It is not there.
            Damaged: Its content is not what was recorded.
        """
        path = self.file_path(sha256)
        hint = "make the view again: `ropewalk archive view`"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise InputError("a view's file is not there", where=str(path), hint=hint) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Damaged("a view's file is not what was recorded", where=str(path), hint=hint)
        return data

    def valid_until(self, suite: SuiteView) -> int | None:
        """Return until when a suite's release file is valid, in seconds since 1970; None where it does not say so.

        Raises:
            InputError, Damaged: As `file` says.
        """
        text = signed_text(self.file(suite.inrelease).decode(errors="replace"))
        return parse_release(text, f"InRelease of {suite.name}").valid_until

    def holds(self, sha256: str) -> bool:
        """Tell whether a file is recorded and whole."""
        try:
            self.file(sha256)
        except (InputError, Damaged):
            return False
        return True

    def _order(self) -> dict[str, int]:
        """Return when each view was last made, by count: the wall clock may jump, this does not."""
        try:
            counts = json.loads((self._directory / "order.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return {str(name): int(count) for name, count in counts.items()}

    def save(self, view: View) -> None:
        """Keep a view; it counts as made after all that are there. The caller holds the lock."""
        atomic.write_text(self.view_file(view.id), json.dumps(asdict(view), indent=1))
        order = self._order()
        order[view.id] = max(order.values(), default=0) + 1
        atomic.write_text(self._directory / "order.json", json.dumps(order, indent=1, sort_keys=True))

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all views, sorted."""
        names = (path.stem for path in self._directory.glob("*.json"))
        return tuple(sorted(name for name in names if _ID.fullmatch(name)))

    def load(self, view_id: str) -> View:
        """Return a view.

        Raises:
            InputError: There is none with this id, or its file is damaged.
        """
        if view_id not in (known := self.ids()):
            near = difflib.get_close_matches(view_id, known, 1, 0.5)
            listed = "did you mean " + near[0] if near else "there are " + (", ".join(known[-5:]) or "none yet")
            hint = f"{listed}; `ropewalk archive list` shows all, `ropewalk archive view` makes one"
            raise InputError("there is no such view", where=f"view {view_id}", hint=hint)
        path = self.view_file(view_id)
        try:
            return read_view(json.loads(path.read_bytes()))
        except (ValueError, KeyError, TypeError) as error:
            message = f"is no view: {error!r}"
            raise InputError(message, where=str(path), hint="delete the file and make the view again") from error

    def __iter__(self) -> Iterator[View]:
        """Go through all views: by their newest date, then in the order they were made."""
        order = self._order()
        views = [self.load(view_id) for view_id in self.ids()]
        yield from sorted(
            views, key=lambda view: (max(one.date for one in view.suites), order.get(view.id, 0), view.id)
        )

    def newest(self) -> View | None:
        """Return the view with the newest date, of equal ones the last made; None where there is none."""
        return next(reversed(tuple(self)), None)

    def rows(self, index: IndexFile) -> list[str]:
        """Return the table of a recorded index; it is made at the first use.

        Raises:
            InputError, Damaged: As `file` and `index.table` say.
        """
        path = self.file_path(index.sha256).with_suffix(".packages")
        if path.is_file() and (lines := rows(path.read_text(encoding="utf-8"))) is not None:
            return lines
        text = table(self.file(index.sha256), index.path)
        atomic.write_text(path, text)
        return rows(text) or []

    def beside(self, view_ids: Iterable[str]) -> Iterator[ArchivePackage]:
        """Go through the packages of archives beside Debian's in some views; views that are not there are passed over.

        Args:
            view_ids: The views.

        Yields:
            Each package, once an index.
        """
        known = set(self.ids())
        views = [self.load(view_id) for view_id in sorted({*view_ids} & known)]
        suites = [suite for view in views for suite in view.suites if not suite.of_debian]
        indexes = {index.sha256: (index, suite) for suite in suites for index in suite.indexes}
        for index, suite in indexes.values():
            yield from packages(self.rows(index), suite.suite, suite.uri)

    def packages(self, view: View, suites: Collection[str] | None = None) -> Iterator[ArchivePackage]:
        """Go through the packages of a view.

        Args:
            view: The view.
            suites: Only these; None takes all.

        Yields:
            Each package of each suite, in the archive's order.
        """
        for suite in view.suites:
            if suites is None or suite.suite in suites:
                for index in suite.indexes:
                    yield from packages(self.rows(index), suite.suite, suite.uri)
