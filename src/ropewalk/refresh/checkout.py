"""A recipe as its image's provenance names it: read from the git commit, else from a tree whose recipe digest agrees."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ropewalk.errors import InputError
from ropewalk.recipe.config import load_config
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, Commit
from ropewalk.recipe.revision import holds, write_commit
from ropewalk.recipe.tree import load_tree

HERE = "the tree here"
"""Where a recipe is from that no commit has."""


@dataclass(slots=True)
class Checkouts:
    """Reads recipes; each commit is written out once.

    Attributes:
        repositories: Git repositories in which commits are looked for.
        here: The recipes of the present work tree; they count only where their digest is the wanted one.
        place: An empty directory for what is written out; it must stay while the recipes are built.
    """

    repositories: tuple[Path, ...]
    here: Sequence[Recipe]
    place: Path
    _written: dict[str, Path] = field(default_factory=dict)
    _read: dict[str, Mapping[str, Recipe]] = field(default_factory=dict)

    def recipe(self, record: BuildRecord) -> tuple[Recipe, str]:
        """Return the recipe of an image and where it is from: ``commit ID``, or `HERE`.

        Args:
            record: The image's build record.

        Raises:
            InputError: Neither commit nor work tree has a recipe of the recorded digest.
        """
        found: list[tuple[Recipe | None, str]] = []
        if record.commit is not None and record.commit.config:
            found.append(self._at_commit(record, record.commit))
        now = next((recipe for recipe in self.here if recipe.repository == record.repository), None)
        found.append((now, HERE))
        for recipe, source in found:
            if recipe is not None and recipe.digest == record.recipe_digest:
                return recipe, source
        tried = "; ".join(f"{source} has {_digest(recipe)}" for recipe, source in found)
        message = f"no recipe of digest {record.recipe_digest[7:19]} is here: {tried}"
        raise InputError(message, where=record.reference, hint=_hint(record.commit))

    def _at_commit(self, record: BuildRecord, commit: Commit) -> tuple[Recipe | None, str]:
        source = f"commit {commit.id[:12]}"
        repository = next((place for place in self.repositories if holds(place, commit.id)), None)
        if repository is None:
            return None, source
        recipe = self._load(repository, record, commit, "").get(record.repository)
        if recipe is not None and recipe.version != record.version and record.version.startswith(recipe.version):
            # A nightly build: its version has an ending that no changelog has.
            suffix = record.version.removeprefix(recipe.version)
            recipe = self._load(repository, record, commit, suffix).get(record.repository)
        return recipe, source

    def _load(self, repository: Path, record: BuildRecord, commit: Commit, suffix: str) -> Mapping[str, Recipe]:
        key = repr((commit.id, commit.config, commit.directories, suffix))
        if key not in self._read:
            root = self._write(repository, commit.id)
            if any(
                ".." in Path(name).parts or Path(name).is_absolute() for name in (commit.config, *commit.directories)
            ):
                raise InputError("names a path out of the repository", where=record.reference, hint="do not trust it")
            # Read without the user's own docker-pkg.yaml: no provenance names it.
            config = load_config(root / commit.config, None)
            directories = [root / name for name in commit.directories if (root / name).is_dir()]
            day = datetime.fromtimestamp(record.made, UTC).date()
            recipes = load_tree(directories, config, day, suffix=suffix).recipes
            self._read[key] = {recipe.repository: recipe for recipe in recipes}
        return self._read[key]

    def _write(self, repository: Path, commit: str) -> Path:
        if commit not in self._written:
            root = self.place / hashlib.sha256(commit.encode()).hexdigest()[:12]
            root.mkdir(parents=True)
            write_commit(repository, commit, root)
            (root / ".git").mkdir()  # links may lead anywhere in what was written, as in the repository itself
            self._written[commit] = root
        return self._written[commit]


def _digest(recipe: Recipe | None) -> str:
    return "none" if recipe is None else recipe.digest[7:19]


def _hint(commit: Commit | None) -> str:
    if commit is None:
        return "check out the recipe as it was, or build from a git commit: its provenance names none"
    changed = ", with changes that were not committed" if commit.dirty else ""
    origin = f" of {commit.remote}" if commit.remote else ""
    how = "put them back into the tree here" if commit.dirty else "name a clone that has it with --git DIR"
    return f"it was made at commit {commit.id}{changed}{origin}: {how}"
