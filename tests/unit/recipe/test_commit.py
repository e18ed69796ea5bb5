"""A tree's changes in git: clean or not, committed once, found again."""

import subprocess
from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.recipe.commit import check_clean, commit, committed, files_of

WHO = "A B <a@example.org>"
TRAILER = "Ropewalk-Campaign: all-V"


def git(tree: Path, *arguments: str) -> str:
    who = ("-c", "user.name=C", "-c", "user.email=c@example.org")
    done = subprocess.run(["git", "-C", str(tree), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for name in ("a", "b"):
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_a_clean_tree_is_clean(tree: Path) -> None:
    check_clean(tree)


def test_what_is_not_committed_is_named(tree: Path) -> None:
    (tree / "c d").write_text("new")
    (tree / "a").write_text("2\n")
    with pytest.raises(InputError, match="a: is not committed, and 1 more: the tree must be clean"):
        check_clean(tree)


def test_only_the_named_files_are_committed(tree: Path) -> None:
    (tree / "a").write_text("2\n")
    (tree / "b").write_text("2\n")
    assert committed(tree, TRAILER) == ""
    made = commit(tree, [tree / "a"], f"Title\n\nText.\n\n{TRAILER}\n", WHO)
    assert git(tree, "log", "-1", "--format=%H %an %ce %s") == f"{made} A B a@example.org Title"
    assert committed(tree, TRAILER) == made
    assert files_of(tree, made) == {(tree / "a").resolve()}
    with pytest.raises(InputError, match="b: is not committed: the tree must be clean"):
        check_clean(tree)


def test_hooks_are_not_run(tree: Path) -> None:
    hook = tree / ".git" / "hooks" / "commit-msg"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (tree / "a").write_text("2\n")
    assert commit(tree, [tree / "a"], "Title\n", WHO)


def test_git_says_why_it_refuses(tree: Path) -> None:
    with pytest.raises(InputError) as caught:
        commit(tree, [tree / "a"], "Title\n", WHO)
    assert "the files are written" in caught.value.hint


def test_before_the_first_commit_nothing_is_found(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert committed(tmp_path, TRAILER) == ""
