"""Images under docker's manifests, as docker-pkg pushed them."""

import json
from pathlib import Path

from kit.images import AMD64, add_files
from ropewalk.oci import (
    CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    LAYER_GZIP,
    MANIFEST,
    ImageConfig,
    Store,
    parse_image,
)


def test_docker_images_mix_with_ours_and_stand_in_a_layout_as_oci(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    layer = add_files(store, {"a": b"1"})
    made = store.add_image(ImageConfig(), [layer], AMD64, 1)
    value = json.loads(store.read(made.digest))
    value["mediaType"] = DOCKER_MANIFEST
    value["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    value["layers"][0]["mediaType"] = DOCKER_LAYER_GZIP
    put = store.put(json.dumps(value).encode(), DOCKER_MANIFEST)
    image = parse_image(store.read(put.digest), store.read(made.config_blob.digest))
    assert (image.digest, image.manifest.media_type, image.layers) == (put.digest, DOCKER_MANIFEST, (layer,))
    store.layout(image, "x:1", tmp_path / "layout")
    [entry] = json.loads((tmp_path / "layout/index.json").read_bytes())["manifests"]
    assert entry["mediaType"] == MANIFEST
    manifest = json.loads(store.read(entry["digest"]))
    assert (manifest["config"]["mediaType"], manifest["layers"][0]["mediaType"]) == (CONFIG, LAYER_GZIP)
