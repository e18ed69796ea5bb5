import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.recipes import BASE, config, production, service, write
from ropewalk.errors import InputError
from ropewalk.recipe import TreeConfig, load_config, load_tree
from ropewalk.recipe.opened import read_text

SERVICE = "version: v4\nbase: registry.example.org/a\nvariants: {production: {}}\n"
FILES = {
    "changelog": production("r", "1", "FROM scratch\n"),
    "control": production("r", "1", "FROM scratch\n"),
    "Dockerfile.template": production("r", "1", "FROM scratch\n"),
    "test.sh": production("r", "1", "FROM scratch\n"),
    ".dockerignore": production("r", "1", "FROM scratch\n"),
    "base.yaml": {"r/base.yaml": BASE},
    "blubber.yaml": service("r", SERVICE),
}


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 108 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "out of the tree": (lambda path: path.symlink_to("/etc/passwd"), "the link leads out of the tree"),
    "endless": (lambda path: path.symlink_to("/dev/zero"), "the link leads out of the tree"),
    "nowhere": (lambda path: path.symlink_to("nowhere"), "the link leads nowhere"),
    "itself": (lambda path: path.symlink_to(path.name), "the link leads nowhere"),
    "pipe": (os.mkfifo, "no plain file|neither a file nor a directory"),
    "socket": (_socket, "no plain file|neither a file nor a directory"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("make", "error"), STRANGE.values(), ids=STRANGE)
def test_a_recipes_files_are_plain_files_of_the_tree(
    tmp_path: Path, name: str, make: Callable[[Path], object], error: str
) -> None:
    write(tmp_path / "tree", FILES[name])
    path = tmp_path / "tree" / "r" / name
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(InputError, match=error) as caught:
        load_tree([tmp_path / "tree"], TreeConfig())
    assert caught.value.where == str(path)


def test_a_file_out_of_the_tree_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not to be read")
    os.utime(secret, ns=(0, secret.stat().st_mtime_ns))
    write(tmp_path / "tree", {"file": ""})
    (tmp_path / "tree/link").symlink_to(secret)
    with pytest.raises(InputError, match="out of the tree"):
        read_text(tmp_path / "tree/link", tmp_path / "tree")
    assert secret.stat().st_atime_ns == 0


def test_a_link_inside_the_tree_is_followed(tmp_path: Path) -> None:
    write(tmp_path, {"one": "text\r\n"})
    (tmp_path / "two").symlink_to("one")
    assert read_text(tmp_path / "two", tmp_path) == "text\n"


def test_a_template_includes_no_file_behind_a_linked_directory_out_of_the_tree(tmp_path: Path) -> None:
    write(tmp_path / "else", {"part": "RUN true\n"})
    write(
        tmp_path / "tree", production("r", "1", "FROM scratch\n{% include 'd/part' %}\n") | {"r/.dockerignore": "d\n"}
    )
    (tmp_path / "tree/r/d").symlink_to(tmp_path / "else")
    with pytest.raises(InputError, match="the link leads out of the tree"):
        load_tree([tmp_path / "tree"], TreeConfig())


def test_a_config_that_is_a_link_stays_in_its_repository(tmp_path: Path) -> None:
    write(tmp_path, {"else.yaml": "registry: registry.example.org\n", "tree/.git/HEAD": "", "tree/own.yaml": ""})
    path = tmp_path / "tree/config.yaml"
    path.symlink_to("own.yaml")
    assert load_config(path, None).path == path
    path.unlink()
    path.symlink_to("../else.yaml")
    with pytest.raises(InputError, match="the link leads out of the tree"):
        load_config(path, None)


def test_a_config_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    with pytest.raises(InputError, match="a pipe or a socket, no plain file"):
        load_config(tmp_path / "config.yaml", None)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, production("r", "1", "FROM scratch\n"))
    os.truncate(tmp_path / "r/Dockerfile.template", 1 << 40)
    with pytest.raises(InputError, match="larger than"):
        read_text(tmp_path / "r/Dockerfile.template", tmp_path)


def test_a_linked_directory_between_recipes_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path, production("r", "1", "FROM scratch\n"))
    (tmp_path / "again").symlink_to("r")
    loaded = load_tree([tmp_path], config(tmp_path, ""))
    assert [recipe.name for recipe in loaded.recipes] == ["r"]
    assert loaded.warnings == (
        f"{tmp_path}/again: left out: a link to {tmp_path}/r; recipes are looked for in directories alone",
    )


def test_a_linked_directory_inside_a_recipe_is_its_build_contexts(tmp_path: Path) -> None:
    write(tmp_path, production("r", "1", "FROM scratch\n") | {"shared/file": "x"})
    (tmp_path / "r/d").symlink_to("../shared")
    recipe = load_tree([tmp_path], TreeConfig()).recipes[0]
    assert [file.path for file in recipe.context if file.path.startswith("d")] == ["d", "d/file"]


def test_a_linked_directory_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "else", production("r", "1", "FROM scratch\n"))
    write(tmp_path / "tree", production("a", "1", "FROM scratch\n"))
    (tmp_path / "tree/r").symlink_to("../else/r")
    with pytest.raises(InputError, match="the link leads out of the tree") as caught:
        load_tree([tmp_path / "tree"], TreeConfig())
    assert caught.value.where == str(tmp_path / "tree/r")
