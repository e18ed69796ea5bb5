import pytest

from ropewalk.recipe.revision import anonymous


@pytest.mark.parametrize(
    ("remote", "kept"),
    [
        ("", ""),
        ("https://git.example.org/images", "https://git.example.org/images"),
        ("https://me:hunter2@git.example.org/images", "https://git.example.org/images"),
        ("https://token@git.example.org", "https://git.example.org"),
        ("ssh://git@git.example.org:29418/images", "ssh://git.example.org:29418/images"),
        ("git@git.example.org:images.git", "git@git.example.org:images.git"),
        ("../images.git", "../images.git"),
    ],
)
def test_an_address_keeps_no_password(remote: str, kept: str) -> None:
    assert anonymous(remote) == kept
