import json
from pathlib import Path

from kit.images import AMD64, add_files
from ropewalk.oci import ImageConfig, Store
from ropewalk.oci.annotations import annotations, base_name, inheritable, numbered_digest, own_config

LINE = "registry.example.org/team/nginx:1.22-1"
SAID = {
    "org.opencontainers.image.title": "nginx",
    "org.opencontainers.image.version": "1.22-1",
    "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
    "org.opencontainers.image.ref.name": LINE,
}


def test_an_image_from_scratch_names_no_base() -> None:
    assert annotations(LINE, 1_700_000_000) == SAID


def test_a_base_is_named_with_its_digest() -> None:
    digest = "sha256:" + "1" * 64
    assert annotations(LINE, 1_700_000_000, ("registry.example.org/bookworm:1", digest)) == {
        **SAID,
        "org.opencontainers.image.base.name": "registry.example.org/bookworm:1",
        "org.opencontainers.image.base.digest": digest,
    }


def test_annotations_stand_in_the_manifest_and_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    layer = add_files(store, {"a": b"1"})
    plain = store.add_image(ImageConfig(), [layer], AMD64, 1)
    first, second = (store.add_image(ImageConfig(), [layer], AMD64, 1, annotations=SAID) for _ in range(2))
    assert (plain.annotations, dict(first.annotations), first) == ((), SAID, second)
    assert plain.digest != first.digest
    assert "annotations" not in json.loads(store.read(plain.digest))


def test_a_renewed_image_says_its_own_number() -> None:
    said = annotations(LINE, 1_700_000_000, build=3)
    number = {"version": "1.22-1-r3", "ref.name": f"{LINE}-r3"}
    assert said == {**SAID, **{f"org.opencontainers.image.{name}": value for name, value in number.items()}}


def test_builds_that_differ_by_their_number_alone_are_known_as_such(tmp_path: Path) -> None:
    store = Store(tmp_path)
    layer, base = add_files(store, {"a": b"1"}), ("registry.example.org/bookworm:1", "sha256:" + "1" * 64)
    builds = [
        store.add_image(ImageConfig(), [layer], AMD64, 1, annotations=annotations(LINE, 1, base, build=number))
        for number in (1, 2, 3)
    ]
    assert len({image.digest for image in builds}) == 3
    for image in builds:
        assert [numbered_digest(image, LINE, number) for number in (1, 2, 3)] == [one.digest for one in builds]


def test_a_parent_is_called_by_its_number(tmp_path: Path) -> None:
    store, named = Store(tmp_path), "registry.example.org/team/nginx:1.22-1"
    second, other = (
        store.add_image(ImageConfig(), (), AMD64, 1, annotations=annotations(line, 1, build=2))
        for line in (LINE, "registry.example.org/other:1")
    )
    assert base_name(named, second) == f"{named}-r2"
    assert base_name(named, other) == named
    assert base_name(named, store.add_image(ImageConfig(), (), AMD64, 1)) == named


def test_what_is_said_of_the_parent_does_not_pass_for_the_childs() -> None:
    start = "org.opencontainers.image"
    parent = (
        ("maintainer", "a team"),
        (f"{start}.description", "a base"),
        (f"{start}.title", "base"),
        (f"{start}.vendor", "us"),
        (f"{start}.version", "12-1"),
    )
    base = ImageConfig(labels=parent)
    assert own_config(base, base, "x=y").labels == (parent[0], parent[3])
    assert own_config(base, base, f"{start}.title=base").labels == (parent[0], parent[2], parent[3])
    own = ImageConfig(labels=((f"{start}.title", "own"), *parent[3:]))
    assert own_config(own, base, "").labels == ((f"{start}.title", "own"), parent[3])
    assert inheritable(base).labels == (parent[0], parent[3])
