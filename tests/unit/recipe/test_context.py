import os
from pathlib import Path

import pytest

from kit.recipes import write
from ropewalk.errors import InputError
from ropewalk.recipe.context import docker_ignored, docker_pkg_ignored, load_context, tree_of


def nothing(_path: str) -> bool:
    return False


def kept(tmp_path: Path, files: list[str], ignore: str, *, docker: bool) -> list[str]:
    write(tmp_path, {**dict.fromkeys(files, "x"), ".dockerignore": ignore})
    ignored = docker_ignored(tmp_path, tmp_path) if docker else docker_pkg_ignored(tmp_path, tmp_path)
    return [file.path for file in load_context(tmp_path, tmp_path, ignored)]


def test_files_are_sorted_hashed_and_have_gits_modes(tmp_path: Path) -> None:
    write(tmp_path, {"b": "one\n", "a/c": "two\n", "a/run": "x", ".git/HEAD": "x", ".hidden": ""})
    (tmp_path / "b").chmod(0o600)
    (tmp_path / "a/run").chmod(0o775)
    (tmp_path / "a").chmod(0o700)
    found = load_context(tmp_path, tmp_path, nothing)
    assert [(file.path, oct(file.mode), file.directory, file.sha256[:8]) for file in found] == [
        (".hidden", "0o644", False, "e3b0c442"),
        ("a", "0o755", True, ""),
        ("a/c", "0o644", False, "27dd8ed4"),
        ("a/run", "0o755", False, "2d711642"),
        ("b", "0o644", False, "2c8b08da"),
    ]
    assert all(file.source.is_absolute() for file in found)


def test_links_inside_the_tree_are_followed(tmp_path: Path) -> None:
    write(tmp_path, {"shared/run.sh": "x", "shared/d/e": "y", "r/own": "z"})
    (tmp_path / "r/run.sh").symlink_to("../shared/run.sh")
    (tmp_path / "r/d").symlink_to("../shared/d")
    found = load_context(tmp_path / "r", tmp_path, nothing)
    assert [(file.path, file.directory, file.source.name) for file in found] == [
        ("d", True, "d"),
        ("d/e", False, "e"),
        ("own", False, "own"),
        ("run.sh", False, "run.sh"),
    ]
    assert found[3].source == (tmp_path / "shared/run.sh").resolve()


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("../../outside", "the link leads out of the tree"),
        ("/etc/hostname", "the link leads out of the tree"),
        ("../../directory", "the link leads out of the tree"),
        ("none", "the link leads nowhere"),
        ("link", "the link leads nowhere"),
        ("..", "the link leads to a directory above it"),
        (".", "the link leads to a directory above it"),
    ],
)
def test_other_links_are_refused(tmp_path: Path, target: str, error: str) -> None:
    write(tmp_path, {"outside": "x", "directory/x": "x", "tree/r/own": "x"})
    (tmp_path / "tree/r/link").symlink_to(target)
    with pytest.raises(InputError) as caught:
        load_context(tmp_path / "tree/r", tmp_path / "tree", nothing)
    assert str(caught.value).startswith(f"{tmp_path}/tree/r/link: {error}")


def test_an_ignored_link_may_lead_anywhere(tmp_path: Path) -> None:
    write(tmp_path, {"r/.dockerignore": "link"})
    (tmp_path / "r/link").symlink_to("/etc")
    ignored = docker_pkg_ignored(tmp_path / "r", tmp_path)
    assert [file.path for file in load_context(tmp_path / "r", tmp_path, ignored)] == [".dockerignore"]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is neither a file nor a directory"):
        load_context(tmp_path, tmp_path, nothing)


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ("", "a.md b.txt d d/a.md d/e d/e/f"),
        ("*.md\n", "b.txt d d/a.md d/e d/e/f"),
        ("# *.md\n\n  d/*.md  \n", "a.md b.txt d d/e d/e/f"),
        ("d\n", "a.md b.txt"),
        ("d/\n", "a.md b.txt"),
        ("**/*.md\n", "b.txt d d/e d/e/f"),
        ("d/**\n", "a.md b.txt d"),
        ("?.md\n", "b.txt d d/a.md d/e d/e/f"),
        ("[a-c].*\n", "d d/a.md d/e d/e/f"),
        ("/a.md\n", "b.txt d d/a.md d/e d/e/f"),
        ("*\n!d/e\n", "d d/e d/e/f"),
        ("d\n!d/a.md\n", "a.md b.txt d d/a.md"),
        ("!a.md\n*.md\n", "b.txt d d/a.md d/e d/e/f"),
        ("./d/../a.md\n", "b.txt d d/a.md d/e d/e/f"),
    ],
)
def test_dockers_reading_of_dockerignore(tmp_path: Path, ignore: str, expected: str) -> None:
    found = kept(tmp_path, ["a.md", "b.txt", "d/a.md", "d/e/f"], ignore, docker=True)
    assert [path for path in found if path != ".dockerignore"] == expected.split()


def test_docker_pkgs_globs_know_no_exceptions(tmp_path: Path) -> None:
    found = kept(tmp_path, ["a.md", "b.md", "d/c.md"], "*.md\n!a.md\n", docker=False)
    assert found == [".dockerignore", "d", "d/c.md"]


def test_a_directory_that_a_glob_names_is_gone_with_its_files(tmp_path: Path) -> None:
    assert kept(tmp_path, ["test/a", "test/b/c", "x"], "te*\n", docker=False) == [".dockerignore", "x"]


def test_a_broken_pattern_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.dockerignore: `\[z-a\]` is no pattern"):
        kept(tmp_path, ["x"], "[z-a]\n", docker=True)


def test_the_tree_is_the_git_repository(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(
        tmp_path,
        {
            "one/.git/HEAD": "",
            "one/config.yaml": "",
            "one/images/x/y": "",
            "two/.git": "",
            "two/s/y": "",
            "free/s/y": "",
        },
    )
    assert tree_of(one / "images", one / "config.yaml") == one
    assert tree_of(two / "s", one / "config.yaml") == two
    assert tree_of(tmp_path / "free/s", one / "config.yaml") == tmp_path / "free/s"
    assert tree_of(one / "images", None) == one
