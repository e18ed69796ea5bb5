from pathlib import Path

import pytest

from ropewalk.debian import Repository
from ropewalk.errors import InputError
from ropewalk.recipe import load_config

GOOD = "{uri: 'https://apt.example.org/x/', suites: [a, a/b], components: [main], signed-by: keys/x.asc}"
FLAT = "{uri: http://h, suites: [./], signed-by: keys/x.asc}"


def read(tmp_path: Path, *archives: str) -> tuple[Repository, ...]:
    (tmp_path / "keys").mkdir(exist_ok=True)
    (tmp_path / "keys" / "x.asc").write_text("x")
    path = tmp_path / "config.yaml"
    path.write_text("ropewalk:\n  archives:\n" + "".join(f"  - {archive}\n" for archive in archives))
    return load_config(path, None).archives


def test_archives_of_a_config(tmp_path: Path) -> None:
    keyring = tmp_path / "keys" / "x.asc"
    assert read(tmp_path, GOOD, FLAT) == (
        Repository("https://apt.example.org/x", ("a", "a/b"), ("main",), keyring),
        Repository("http://h", ("./",), (), keyring),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("https://", "ftp://", "is no address of a repository"),
        ("https://apt.example.org/x/", "https://", "is no address of a repository"),
        ("https://", "https://u:p@", "has a user in its address"),
        ("[a, a/b]", "[]", "`suites` is empty"),
        ("[a, a/b]", "[../a]", r"`\.\./a` cannot stand in"),
        ("[a, a/b]", "[/etc]", "`/etc` cannot stand in"),
        ("[a, a/b]", "[a, ./]", "mixes flat suites and others"),
        ("[a, a/b]", "[./]", "mixes flat suites and others"),
        ("components: [main], ", "", "`components` is missing"),
        ("[main]", "['a b']", "`a b` cannot stand in"),
        ("x.asc", "y.asc", r"config.yaml:3: the keyring `keys/y\.asc` is not there"),
        ("signed-by", "signed_by", "unknown key"),
        (", signed-by: keys/x.asc", "", "`signed-by` is missing"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert caught.value.hint
