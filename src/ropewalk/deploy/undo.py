"""What puts a commit of ours back, as far as what it set still stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from ropewalk.deploy.repository import Clone
from ropewalk.deploy.values import Place, decoded, read, rewritten


@dataclass(frozen=True, slots=True)
class Undo:
    """What is put back.

    Attributes:
        places: What still stands as the commit set it, as it stands now.
        files: The files with what stood there before, each with its mode.
    """

    places: tuple[Place, ...]
    files: dict[str, tuple[str, bytes]]


def undo(clone: Clone, commit: str, head: str, keys: Mapping[str, str]) -> Undo:
    """Say what puts a commit back on the branch as it is now; what others changed meanwhile stays as they have it.

    Args:
        clone: The repository.
        commit: A commit of ours; it may have been merged under another id.
        head: The branch's commit.
        keys: Keys of values that hold a version alone.
    """
    before, after, now = (_Files(clone, one, keys) for one in (clone.parent(commit), commit, head))
    places: list[Place] = []
    files: dict[str, tuple[str, bytes]] = {}
    for path in after.blobs:
        if path not in now.blobs or after.blobs[path] == before.blobs.get(path):
            continue
        was = {place.identity: place for place in before.places(path)}
        set_to = {place.identity: place.version for place in after.places(path)}
        standing = [
            (place, *was[place.identity].version)
            for place in now.places(path)
            if place.identity in was
            and was[place.identity].version != set_to.get(place.identity)
            and place.version == set_to.get(place.identity)
        ]
        if standing:
            places += [place for place, *_ in standing]
            files[path] = (now.modes[path], rewritten(now.text(path), standing).encode())
    return Undo(tuple(places), files)


class _Files:
    """The files of a commit, read when they are asked for."""

    def __init__(self, clone: Clone, commit: str, keys: Mapping[str, str]) -> None:
        self._clone, self._keys = clone, keys
        self._files = {blob.path: blob for blob in clone.files(commit)}
        self.blobs = {path: blob.identifier for path, blob in self._files.items()}
        self.modes = {path: blob.mode for path, blob in self._files.items()}

    def text(self, path: str) -> str:
        blob = self._files.get(path)
        return "" if blob is None else decoded(self._clone.contents([blob])[blob.identifier]) or ""

    def places(self, path: str) -> tuple[Place, ...]:
        return read(self.text(path), path, self._keys).places
