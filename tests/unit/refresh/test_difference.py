from dataclasses import replace
from pathlib import Path

import pytest

from kit.layers import AMD64, directory, file, opaque, symlink, whiteout
from ropewalk.build.causes import Cause
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import ImageConfig
from ropewalk.oci.store import Store
from ropewalk.refresh import Side, compare

NOW = 1_790_000_000


def side(place: Path, *items: TarItem, config: ImageConfig | None = None) -> Side:
    """Put an image with one layer into a store of its own."""
    store = Store(place)
    layer = store.add_layer(items)
    image = store.add_image(config or ImageConfig(), (layer,), AMD64, 1)
    return Side(store, image, image.layers)


def found(old: Side, new: Side, *, times: bool = True, dockerfile: str = "") -> list[tuple[str, str, Cause]]:
    answer = compare(old, new, dockerfile=dockerfile, now=NOW, times=times)
    return [(one.path, one.what, one.cause) for one in answer]


def test_equal_layers_do_not_differ(tmp_path: Path) -> None:
    items = (directory("etc"), file("etc/x", b"x"), symlink("etc/y", "x"), whiteout("etc/z"))
    assert found(side(tmp_path / "a", *items), side(tmp_path / "b", *items)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((file("x", b"1"),), (file("x", b"12"),), ("x", "content differs (1 -> 2 bytes)", Cause.UNKNOWN)),
        ((file("x", mtime=5),), (file("x", mtime=7),), ("x", "time 5 -> 7", Cause.TIME)),
        ((file("x", uid=1),), (file("x", uid=2),), ("x", "uid 1 -> 2", Cause.UNKNOWN)),
        ((file("x"),), (file("x", mode=0o600),), ("x", "mode 0644 -> 0600", Cause.UNKNOWN)),
        ((symlink("x", "a"),), (symlink("x", "b"),), ("x", "link a -> b", Cause.UNKNOWN)),
        ((file("x"),), (), ("x", "only in the old (file)", Cause.UNKNOWN)),
        ((), (whiteout("x"),), ("x", "only in the new (whiteout)", Cause.UNKNOWN)),
        (
            (directory("d"), opaque("d")),
            (directory("d"),),
            ("d/.wh..wh..opq", "only in the old (opaque)", Cause.UNKNOWN),
        ),
        (
            (file("var/log/x.log", b"a"),),
            (file("var/log/x.log", b"b"),),
            ("var/log/x.log", "content differs (1 -> 1 bytes)", Cause.TIME),
        ),
    ],
)
def test_each_kind_of_difference_is_told(
    tmp_path: Path, old: tuple[TarItem, ...], new: tuple[TarItem, ...], expected: tuple[str, str, Cause]
) -> None:
    assert found(side(tmp_path / "a", *old), side(tmp_path / "b", *new)) == [expected]


def test_what_containers_see_has_no_times(tmp_path: Path) -> None:
    old, new = side(tmp_path / "a", file("x", mtime=5)), side(tmp_path / "b", file("x", mtime=7))
    assert found(old, new, times=False) == []


def test_the_configuration_is_compared_but_not_the_order_of_variables(tmp_path: Path) -> None:
    config = ImageConfig(env=(("A", "1"), ("B", "2")), user="www")
    old = side(tmp_path / "a", file("x"), config=config)
    new = side(tmp_path / "b", file("x"), config=replace(config, env=config.env[::-1], user="root"))
    assert found(old, new) == [("configuration", "user 'www' -> 'root'", Cause.UNKNOWN)]


def test_a_recipe_that_fetches_explains_what_nothing_else_does(tmp_path: Path) -> None:
    old, new = side(tmp_path / "a", file("x", b"1")), side(tmp_path / "b", file("x", b"2"))
    ((_, _, cause),) = found(old, new, dockerfile="RUN wget https://example.org/x\n")
    assert cause is Cause.NETWORK
