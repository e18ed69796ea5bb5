"""Globs that match nothing."""

import pytest

from kit.images import recipe
from ropewalk.errors import Exit, InputError
from ropewalk.plan import check_globs

TREE = (recipe("bookworm"), recipe("nginx"), recipe("python3-devel"), recipe("python3-build"))


def test_what_matches_is_no_fault() -> None:
    check_globs(TREE, (), "--select")
    check_globs(TREE, ("*nginx*", "*/python3-*", TREE[0].reference), "--select")


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("*ngnix*", "did you mean '*/nginx:*'?"),
        ("nginx", "did you mean '*/nginx:*'?"),
        ("*/python3:*", "did you mean '*/python3-build:*' or '*/python3-devel:*'?"),
        ("zz[*", "globs match registry/name:version"),
        ("", "globs match registry/name:version"),
    ],
)
def test_what_matches_nothing_names_the_nearest(glob: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        check_globs(TREE, ("*nginx*", glob), "--force")
    assert str(caught.value) == f"--force {glob}: matches no recipe"
    assert caught.value.hint.startswith(hint)
    assert caught.value.exit_code is Exit.INPUT
