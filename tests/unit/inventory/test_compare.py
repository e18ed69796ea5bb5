"""Two images side by side."""

from pathlib import Path

from kit.images import add_files, file_item, whiteout
from ropewalk.inventory.compare import (
    Change,
    ConfigChange,
    Content,
    FileChange,
    PackageChange,
    compare_config,
    compare_files,
    compare_packages,
)
from ropewalk.inventory.read import InstalledPackage
from ropewalk.oci import ImageConfig, Layer, Store
from ropewalk.oci.tree import sources


def package(name: str, version: str, owner: str = "app") -> InstalledPackage:
    return InstalledPackage(name, version, name, version, "amd64", owner, "sha256:1")


def content(store: Store, *named: tuple[Layer, str]) -> Content:
    tree = sources(store.entries(layer.diff_id) for layer, _ in named)
    return Content(tree, tuple(owner for _, owner in named), (), ImageConfig())


def test_packages_are_added_removed_upgraded_and_downgraded_as_dpkg_orders_them() -> None:
    old = [package("gone", "1"), package("same", "1"), package("up", "1.9-1", "base"), package("down", "2")]
    new = [package("same", "1"), package("up", "1.10-1", "base"), package("down", "2~rc1"), package("fresh", "1")]
    assert compare_packages(old, new) == (
        PackageChange("down", "amd64", Change.DOWNGRADED, "2", "2~rc1", "app"),
        PackageChange("fresh", "amd64", Change.ADDED, "", "1", "app"),
        PackageChange("gone", "amd64", Change.REMOVED, "1", "", "app"),
        PackageChange("up", "amd64", Change.UPGRADED, "1.9-1", "1.10-1", "base"),
    )


def test_files_differ_with_the_line_whose_layer_holds_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    low = add_files(store, {"etc/a": b"1", "etc/b": b"1", "etc/same": b"1"})
    high = store.add_layer([file_item("etc/a", b"22", 0o600), whiteout("etc/b"), file_item("etc/c", b"3")])
    old, new = content(store, (low, "base")), content(store, (low, "base"), (high, "app"))
    what = "mode 0644 -> 0600, content differs (1 -> 2 bytes)"
    assert compare_files(old, new) == (
        FileChange("etc/a", Change.CHANGED, what, "base", "app"),
        FileChange("etc/b", Change.REMOVED, "only in the old (file)", "base", ""),
        FileChange("etc/c", Change.ADDED, "only in the new (file)", "", "app"),
    )
    assert compare_files(new, new) == ()


def test_configurations_differ_value_by_value() -> None:
    old = ImageConfig(user="root", env=(("A", "1"), ("B", "2")), cmd=("/bin/sh",), labels=(("who", "x"),))
    new = ImageConfig(user="33", env=(("A", "1"), ("B", "3")), cmd=("/bin/sh",), entrypoint=("/run", "-x"))
    assert compare_config(old, new) == (
        ConfigChange("entrypoint", "", "/run -x"),
        ConfigChange("env.B", "2", "3"),
        ConfigChange("labels.who", "x", ""),
        ConfigChange("user", "root", "33"),
    )
    assert compare_config(new, new) == ()
