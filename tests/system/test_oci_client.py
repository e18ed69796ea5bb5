"""The client and the store with the programs they must get on with: docker-registry and skopeo."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.layers import directory, file, hardlink, image_of, symlink
from kit.registry import cut_after, running_registry
from ropewalk.oci.client import RegistryClient, RegistryDown, RegistryNotFound, RegistryRefused
from ropewalk.oci.imagejson import digest_of
from ropewalk.oci.model import MANIFEST, Image
from ropewalk.oci.store import Store, parse_image

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry")) as url:
        yield url


@pytest.fixture
def client(endpoint: str) -> Iterator[RegistryClient]:
    with RegistryClient(endpoint) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def small_image(store: Store, content: bytes) -> Image:
    items = (directory("d"), file("d/x", content), symlink("s", "d/x"), hardlink("l", "d/x"))
    return image_of(store, items, [file("top", content)])


def push(client: RegistryClient, store: Store, image: Image, repository: str, tag: str) -> None:
    for blob in (*(layer.blob for layer in image.layers), image.config_blob):
        client.upload(repository, blob.digest, store.blob(blob.digest))
    client.put_manifest(repository, tag, store.read(image.digest), MANIFEST)


def test_an_image_goes_up_and_comes_back(client: RegistryClient, store: Store, tmp_path: Path) -> None:
    image = small_image(store, b"up and back")
    client.ping()
    assert client.tags("up/back") == ()
    push(client, store, image, "up/back", "1.0-1")
    assert client.writes == 4
    assert client.bytes_sent == image.size
    assert client.tags("up/back") == ("1.0-1",)
    assert client.digest_of("up/back", "1.0-1") == image.digest
    found = client.manifest("up/back", image.digest)
    assert found is not None
    assert found[0] == image.manifest
    assert parse_image(found[1], client.blob("up/back", image.config_blob.digest)) == image
    other = Store(tmp_path / "other")
    for layer in image.layers:
        client.download("up/back", layer.blob.digest, tmp_path / "blob")
        assert other.add_layer_blob(tmp_path / "blob", layer.blob.media_type) == layer
    assert other.read_files(image.layers, ["d/x", "l", "top"]) == dict.fromkeys(("d/x", "l", "top"), b"up and back")


def test_a_blob_is_mounted_from_another_repository(client: RegistryClient, store: Store) -> None:
    image = small_image(store, b"mounted")
    push(client, store, image, "mount/from", "1")
    before = client.bytes_sent
    digest = image.layers[0].blob.digest
    assert not client.has_blob("mount/to", digest)
    assert client.mount("mount/to", digest, "mount/from")
    assert client.has_blob("mount/to", digest)
    assert client.bytes_sent == before
    assert not client.mount("mount/to", digest_of(b"nowhere"), "mount/from")


def test_what_is_not_there(client: RegistryClient) -> None:
    assert client.tags("none") == ()
    assert client.manifest("none", "1") is None
    assert client.digest_of("none", "1") is None
    assert not client.has_blob("none", digest_of(b"none"))
    with pytest.raises(RegistryNotFound, match="BLOB_UNKNOWN"):
        client.blob("none", digest_of(b"none"))


def test_each_repository_is_asked_once_also_ahead(endpoint: str, client: RegistryClient, store: Store) -> None:
    for name in ("ahead/a", "ahead/b", "ahead/c"):
        push(client, store, small_image(store, name.encode()), name, "1")
    with cut_after(endpoint, 1000) as line, RegistryClient(line.endpoint) as asking:
        asking.ask_tags(["ahead/a", "ahead/b", "ahead/nothing"])
        assert asking.tags_of(["ahead/a", "ahead/c", "ahead/nothing"]) == {
            "ahead/a": ("1",),
            "ahead/c": ("1",),
            "ahead/nothing": (),
        }
        assert line.seen == 4
        push(client, store, small_image(store, b"again"), "ahead/a", "2")
        assert asking.tags_of(["ahead/a"]) == {"ahead/a": ("1", "2")}


def test_the_registry_says_what_it_refuses(client: RegistryClient, store: Store, tmp_path: Path) -> None:
    image = small_image(store, b"refused")
    with pytest.raises(RegistryRefused, match="MANIFEST_BLOB_UNKNOWN"):
        client.put_manifest("refused", "1", store.read(image.digest), MANIFEST)
    path = tmp_path / "blob"
    path.write_bytes(b"other")
    with pytest.raises(RegistryRefused, match="DIGEST_INVALID"):
        client.upload("refused", digest_of(b"not other"), path)
    with pytest.raises(RegistryNotFound, match="not in the registry: 404"):
        client.upload_bytes("UPPER", b"x")


def test_a_big_blob_goes_in_one_piece(client: RegistryClient, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(256)) * (40 << 12))
    digest = digest_of(path.read_bytes())
    client.upload("big", digest, path)
    client.download("big", digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


def test_a_registry_that_went_down(tmp_path: Path) -> None:
    with running_registry(tmp_path) as url, RegistryClient(url) as client:
        client.ping()
        assert client.upload_bytes("a", b"x") == digest_of(b"x")
        kept = client
    with pytest.raises(RegistryDown, match="cannot be reached"), RegistryClient(kept.endpoint) as again:
        again.tags("a")


def test_skopeo_reads_the_layout_of_one_image(client: RegistryClient, store: Store, tmp_path: Path) -> None:
    image = small_image(store, b"skopeo")
    store.layout(image, "registry.example.org/x:1", tmp_path / "layout")
    source = f"oci:{tmp_path}/layout:registry.example.org/x:1"
    found = json.loads(subprocess.run(["skopeo", "inspect", source], check=True, capture_output=True).stdout)
    assert found["Digest"] == image.digest
    target = f"docker://{client.endpoint.removeprefix('http://')}/skopeo:1"
    copy = ["skopeo", "copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false", source, target]
    subprocess.run(copy, check=True, capture_output=True)
    assert client.digest_of("skopeo", "1") == image.digest


def test_tar_and_other_tools_read_a_layer(store: Store, tmp_path: Path) -> None:
    items = (directory("d"), file("d/x", b"1", 0o4755), hardlink("l", "d/x"), file("n" * 90 + "/" + "ü" * 60, b"2"))
    layer = store.add_layer(items)
    blob = str(store.blob(layer.blob.digest))
    subprocess.run(["tar", "-xzpf", blob, "-C", str(tmp_path)], check=True, capture_output=True)
    assert (tmp_path / "l").samefile(tmp_path / "d" / "x")
    assert (tmp_path / "l").stat().st_mode & 0o7777 == 0o4755
    assert (tmp_path / ("n" * 90) / ("ü" * 60)).read_bytes() == b"2"
