import json
from pathlib import Path

from kit.images import AMD64, add_files
from ropewalk.oci import ImageConfig, Store
from ropewalk.oci.annotations import annotations

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
