"""Whose the layers of an image are that somebody else made."""

from pathlib import Path

from kit.images import add_files, add_image, owners
from ropewalk.oci import Store
from ropewalk.plan import newest
from ropewalk.publish.adopt import owners as owners_of


def test_the_longest_known_chain_is_inherited(tmp_path: Path) -> None:
    store = Store(tmp_path)
    low, middle, high = (add_files(store, {name: name.encode()}) for name in "abc")
    base, app = owners((low, "base")), owners((low, "base"), (middle, "app"))
    known = {(low.diff_id,): base, (low.diff_id, middle.diff_id): app}
    image = add_image(store, low, middle, high)
    assert owners_of(image, "tool", known) == owners((low, "base"), (middle, "app"), (high, "tool"))
    assert owners_of(image, "tool", {}) == owners((low, "tool"), (middle, "tool"), (high, "tool"))
    # An image that only changes how its parent runs has no layer of its own.
    assert owners_of(add_image(store, low, middle), "tool", known) == app


def test_the_newest_version_tag() -> None:
    assert newest(["latest", "1.9-1", "1.10-1", "1.10-1-r2", "sha256-1.sig"]) == "1.10-1-r2"
    assert newest(["latest", "test"]) == ""
