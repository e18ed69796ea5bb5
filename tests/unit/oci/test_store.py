import gzip
import hashlib
import io
import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from kit.hostile_tars import END, hard_link_target_replaced, raw
from kit.layers import AMD64, directory, file, files, hardlink, image_of, symlink, tar_of, whiteout
from ropewalk.errors import InputError, TrustError
from ropewalk.oci import tar
from ropewalk.oci.layer import read_tar
from ropewalk.oci.layerblob import LayerWriter
from ropewalk.oci.model import (
    DOCKER_MANIFEST,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    MANIFEST,
    EntryType,
    Image,
    ImageConfig,
    Layer,
)
from ropewalk.oci.store import Store, parse_image
from ropewalk.oci.tar import LayerError

CONFIG = ImageConfig(
    user="33:33",
    env=(("PATH", "/bin"), ("EMPTY", ""), ("A", "b=c")),
    entrypoint=("/bin/x", "-a"),
    cmd=(),
    working_dir="/srv",
    labels=(("a", "1"), ("b", "2")),
    exposed_ports=("8080/tcp",),
    volumes=("/data",),
    stop_signal="SIGQUIT",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def blobs(store: Store) -> set[str]:
    return {path.name for path in (store.directory / "blobs" / "sha256").iterdir()}


def test_is_an_oci_layout(store: Store) -> None:
    assert json.loads((store.directory / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.directory / "index.json").read_text())
    assert index == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def test_a_layer_is_what_its_digests_say(store: Store) -> None:
    items = (directory("d"), file("d/x", b"content"), hardlink("l", "d/x"))
    layer = store.add_layer(items)
    blob = store.blob(layer.blob.digest).read_bytes()
    assert layer.blob.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert layer.blob.size == len(blob)
    assert gzip.decompress(blob) == tar_of(*items)
    assert layer.diff_id == f"sha256:{hashlib.sha256(tar_of(*items)).hexdigest()}"
    assert store.open_layer(layer).read() == tar_of(*items)
    assert [entry.path for entry in store.entries(layer.diff_id)] == ["d", "d/x", "l"]


def test_the_gzip_header_holds_no_time_and_no_name(store: Store) -> None:
    blob = store.blob(store.add_layer([file("x")]).blob.digest).read_bytes()
    assert blob[:8] == b"\x1f\x8b\x08\0\0\0\0\0"


def test_a_blob_does_not_depend_on_how_the_tar_is_cut() -> None:
    data = os.urandom(1000) * 5000
    digests = set()
    for step in (511, 65536, 1 << 20, 3_000_001, len(data)):
        writer = LayerWriter(io.BytesIO())
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
        digests.add(writer.finish().blob.digest)
    assert len(digests) == 1


def test_an_index_is_read_back_by_another(store: Store) -> None:
    items = (
        directory("d", 0o1777, uid=7),
        file("d/x", b"1", mtime=9),
        file("caf\udce9", b"2"),
        symlink("s", "d/x"),
        whiteout("gone"),
    )
    layer = store.add_layer(items)
    other = Store(store.directory)
    assert other.layer(layer.diff_id) == layer
    assert other.entries(layer.diff_id) == store.entries(layer.diff_id)


def test_the_same_layer_is_kept_once(store: Store) -> None:
    first = store.add_layer([file("x", b"1")])
    before = blobs(store)
    assert store.add_layer([file("x", b"1")]) == first
    assert blobs(store) == before
    assert not list((store.directory / "incoming").iterdir())


def test_a_fetched_layer_keeps_its_blob(store: Store) -> None:
    built = store.add_layer([file("x", b"1")])
    other = gzip.compress(tar_of(file("x", b"1")), 9, mtime=0)
    fetched = store.add_layer_blob(io.BytesIO(other), LAYER_GZIP)
    assert fetched.diff_id == built.diff_id
    assert store.read(fetched.blob.digest) == other
    assert store.layer(built.diff_id) == built


def test_a_plain_tar_is_kept_too(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "layer.tar"
    path.write_bytes(tar_of(file("x", b"1")) + bytes(5000))
    layer = store.add_layer_blob(path, LAYER_TAR)
    assert layer.diff_id == layer.blob.digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert store.read_files([layer], ["x"]) == {"x": b"1"}


def test_of_a_path_that_stands_twice_the_last_wins(store: Store) -> None:
    data = raw(b"a", content=b"111") + raw(b"b", content=b"b") + raw(b"a", content=b"222") + END
    layer = store.add_layer_blob(io.BytesIO(data), LAYER_TAR)
    assert [entry.path for entry in store.entries(layer.diff_id)] == ["b", "a"]
    assert store.read_files([layer], ["a", "b"]) == {"a": b"222", "b": b"b"}


def test_a_hostile_layer_leaves_nothing(store: Store) -> None:
    for data in (hard_link_target_replaced(), raw(b"a", tar.HARDLINK, link=b"../x") + END, b"no tar" * 200):
        with pytest.raises(LayerError):
            store.add_layer_blob(io.BytesIO(data), LAYER_TAR)
    assert not blobs(store)
    assert not list((store.directory / "incoming").iterdir())
    assert not list((store.directory / "layers").iterdir())


def test_a_failing_content_leaves_nothing(store: Store) -> None:
    with pytest.raises(LayerError):
        store.add_layer([file("a", b"x"), file("../b")])
    assert not blobs(store)
    assert not list((store.directory / "incoming").iterdir())


def test_unknown_layers_are_told(store: Store) -> None:
    diff_id = "sha256:" + "0" * 64
    assert store.layer(diff_id) is None
    with pytest.raises(InputError, match="not in the store"):
        store.entries(diff_id)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "latest", "", "sha256:" + "A" * 64])
def test_a_digest_cannot_name_another_file(store: Store, digest: str) -> None:
    with pytest.raises(InputError, match="no sha256 digest"):
        store.blob(digest)


def test_reads_files_of_the_flattened_image(store: Store) -> None:
    layers = [
        store.add_layer((*files({"etc/a": b"1", "etc/b": b"1", "etc/c": b"1"}), hardlink("etc/l", "etc/a"))),
        store.add_layer((file("etc/a", b"2"), whiteout("etc/b"), symlink("etc/s", "a"))),
    ]
    wanted = ("etc/a", "etc/b", "etc/c", "etc/l", "etc/s", "etc", "none")
    assert store.read_files(layers, wanted) == {"etc/a": b"2", "etc/c": b"1", "etc/l": b"1"}
    assert store.read_files(layers[:1], ["etc/a", "etc/b"]) == {"etc/a": b"1", "etc/b": b"1"}


def test_reads_contents_of_one_layer(store: Store) -> None:
    layer = store.add_layer((*files({"d/b": b"1", "d/a": b"2"}), hardlink("l", "d/b"), symlink("s", "l")))
    found = [(entry.path, entry.type, data) for entry, data in store.contents(layer, {"d/a", "d/b", "l", "s", "none"})]
    assert found == [
        ("d/a", EntryType.FILE, b"2"),
        ("d/b", EntryType.FILE, b"1"),
        ("l", EntryType.FILE, b"1"),
    ]


def test_a_blob_that_was_exchanged_is_noticed(store: Store) -> None:
    layer = store.add_layer([file("x", b"1")])
    other = store.add_layer([file("x", b"2")])
    store.blob(layer.blob.digest).write_bytes(store.read(other.blob.digest))
    with pytest.raises(TrustError, match="does not hold 'x'"):
        store.read_files([layer], ["x"])
    with pytest.raises(TrustError, match="was changed"):
        store.read(layer.blob.digest)


def test_an_image_is_the_same_each_time(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        store = Store(tmp_path / name)
        layers = [store.add_layer([file("a", b"1")]), store.add_layer([file("b", b"2")])]
        image = store.add_image(CONFIG, layers, AMD64, 1_700_000_000, ["first", "second"])
        digests.add(image.digest)
        assert image.config == CONFIG
        assert image.layers == tuple(layers)
        assert image.created == 1_700_000_000
        assert store.load(image.digest) == image
        assert sorted(store.tree(image)) == ["a", "b"]
    assert len(digests) == 1


def test_the_config_says_what_the_specification_wants(store: Store) -> None:
    layer = store.add_layer([file("a")])
    image = store.add_image(CONFIG, [layer], AMD64, 0, ["RUN x"])
    assert json.loads(store.read(image.config_blob.digest)) == {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": "33:33",
            "Env": ["PATH=/bin", "EMPTY=", "A=b=c"],
            "Entrypoint": ["/bin/x", "-a"],
            "Cmd": [],
            "WorkingDir": "/srv",
            "Labels": {"a": "1", "b": "2"},
            "ExposedPorts": {"8080/tcp": {}},
            "Volumes": {"/data": {}},
            "StopSignal": "SIGQUIT",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "RUN x"}],
    }
    manifest = json.loads(store.read(image.digest))
    assert manifest["mediaType"] == MANIFEST
    assert [item["digest"] for item in manifest["layers"]] == [layer.blob.digest]


def test_history_has_one_text_a_layer(store: Store) -> None:
    layer = store.add_layer([file("a")])
    with pytest.raises(ValueError, match="2 history texts for 1 layers"):
        store.add_image(ImageConfig(), [layer], AMD64, 0, ["a", "b"])


def test_tags_come_and_go(store: Store) -> None:
    one = image_of(store, [file("a")], reference="r.example/x:1")
    two = image_of(store, [file("b")], reference="r.example/a:2")
    store.tag("r.example/x:latest", one.digest)
    assert store.tags() == {
        "r.example/a:2": two.digest,
        "r.example/x:1": one.digest,
        "r.example/x:latest": one.digest,
    }
    store.tag("r.example/x:latest", two.digest)
    assert store.resolve("r.example/x:latest") == two
    store.untag("r.example/x:1")
    store.untag("r.example/none:1")
    assert Store(store.directory).resolve("r.example/x:1") is None
    assert store.load(one.digest) == one


def test_only_an_image_that_is_here_gets_a_tag(store: Store) -> None:
    with pytest.raises(InputError, match="image is not in the store"):
        store.tag("x:1", "sha256:" + "0" * 64)


def test_a_broken_index_is_told(store: Store) -> None:
    (store.directory / "index.json").write_text("[]")
    with pytest.raises(InputError, match="no index of an OCI layout"):
        store.tags()


def test_a_layout_of_one_image_borrows_the_blobs(store: Store, tmp_path: Path) -> None:
    image = image_of(store, [file("a", b"1")], reference="x:1")
    image_of(store, [file("b", b"1")], reference="x:2")
    into = tmp_path / "layout"
    for reference in ("r.example/x:1", "r.example/x:9"):
        store.layout(image, reference, into)
    (item,) = json.loads((into / "index.json").read_text())["manifests"]
    assert item["digest"] == image.digest
    assert item["annotations"] == {"org.opencontainers.image.ref.name": "r.example/x:9"}
    assert (into / "blobs" / "sha256" / image.digest.removeprefix("sha256:")).is_file()


def manifest_and_config(store: Store) -> tuple[Image, bytes, bytes]:
    image = image_of(store, [file("a")])
    return image, store.read(image.digest), store.read(image.config_blob.digest)


def test_an_image_is_parsed_from_bytes(store: Store) -> None:
    image, manifest, config = manifest_and_config(store)
    assert parse_image(manifest, config) == image


def test_dockers_form_is_read(store: Store) -> None:
    image, manifest, config = manifest_and_config(store)
    changed = manifest.replace(MANIFEST.encode(), DOCKER_MANIFEST.encode())
    assert parse_image(changed, config).layers == image.layers
    assert parse_image(changed, config).manifest.media_type == DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("created", "seconds"),
    [("2023-11-14T22:13:20Z", 1_700_000_000), ("2023-11-14T23:13:20.123456789+01:00", 1_700_000_000), ("", 0)],
)
def test_times_of_other_builders_are_read(store: Store, created: str, seconds: int) -> None:
    _, manifest, config = manifest_and_config(store)
    config = json.dumps({**json.loads(config), "created": created}).encode()
    assert parse_image(with_config(manifest, config), config).created == seconds


def with_config(manifest: bytes, config: bytes) -> bytes:
    value = json.loads(manifest)
    value["config"]["digest"] = f"sha256:{hashlib.sha256(config).hexdigest()}"
    return json.dumps(value).encode()


def test_another_config_is_a_trust_error(store: Store) -> None:
    _, manifest, config = manifest_and_config(store)
    with pytest.raises(TrustError, match="not the one that the manifest names"):
        parse_image(manifest, config + b" ")


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"config": 1}',
        b'{"config": {}}',
        b"[" * 100_000,
        b'{"config": {"digest": "sha256:../x"}}',
    ],
)
def test_what_is_no_manifest_is_an_input_error(manifest: bytes) -> None:
    with pytest.raises(InputError):
        parse_image(manifest, b"{}")


def test_an_index_is_told_apart() -> None:
    with pytest.raises(InputError, match=r"no image manifest but .*index"):
        parse_image(json.dumps({"mediaType": INDEX, "manifests": []}).encode(), b"{}")


@pytest.mark.parametrize(
    "broken", [b"[]", b"{}", b'{"rootfs": {"diff_ids": []}, "os": "linux", "architecture": "amd64"}']
)
def test_a_config_that_does_not_fit_is_an_input_error(store: Store, broken: bytes) -> None:
    _, manifest, _ = manifest_and_config(store)
    with pytest.raises(InputError):
        parse_image(with_config(manifest, broken), broken)


def add_slowly(directory: Path, started: "multiprocessing.synchronize.Event") -> None:
    store = Store(directory)

    def content() -> io.BytesIO:
        started.set()
        signal.pause()
        return io.BytesIO()

    store.add_layer([replace(file("x"), content=content)])


def test_what_a_killed_process_was_writing_is_swept(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    child = context.Process(target=add_slowly, args=(store.directory, started))
    child.start()
    assert started.wait(20)
    incoming = store.directory / "incoming"
    Store(store.directory)
    assert len(list(incoming.iterdir())) == 1, "a living writer's file stays"
    child.kill()
    child.join()
    Store(store.directory)
    assert not list(incoming.iterdir())
    assert not blobs(store)


def tag_many(directory: Path, digest: str, name: str) -> None:
    store = Store(directory)
    for number in range(15):
        store.tag(f"{name}:{number}", digest)
        store.add_layer([file("shared", str(number).encode())])


def test_two_processes_lose_nothing(store: Store) -> None:
    image = image_of(store, [file("a")])
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=tag_many, args=(store.directory, image.digest, name)) for name in ("a", "b")]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert len(store.tags()) == 30
    assert all(
        hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in store.blob(image.digest).parent.iterdir()
    )


def test_a_layer_whose_blob_is_gone_is_written_again(store: Store) -> None:
    layer = store.add_layer([file("x", b"1")])
    store.blob(layer.blob.digest).unlink()
    assert store.layer(layer.diff_id) is None
    with pytest.raises(InputError, match="not in the store"):
        store.open_layer(layer)
    assert store.add_layer([file("x", b"1")]) == layer
    assert store.read_files([layer], ["x"]) == {"x": b"1"}


def test_a_layer_whose_blob_was_changed_is_written_again(store: Store) -> None:
    layer = store.add_layer([file("x", b"1")])
    blob = store.blob(layer.blob.digest)
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert store.add_layer([file("x", b"1")]) == layer
    assert blob.read_bytes() == whole


def test_a_broken_index_of_a_layer_counts_as_missing(store: Store) -> None:
    layer = store.add_layer([file("x", b"1")])
    (store.directory / "layers" / f"{layer.diff_id.removeprefix('sha256:')}.json").write_text("{")
    other = Store(store.directory)
    assert other.layer(layer.diff_id) is None
    assert other.add_layer([file("x", b"1")]) == layer
    assert [entry.path for entry in Store(store.directory).entries(layer.diff_id)] == ["x"]


def test_a_layer_is_streamed_in_the_order_of_its_index(store: Store) -> None:
    layer: Layer = store.add_layer([file("b"), hardlink("a", "b"), file("c")])
    with store.open_layer(layer) as stream:
        assert [entry.path for entry, _ in read_tar(stream)] == ["b", "c", "a"]


def test_a_blob_that_was_cut_counts_as_missing_and_is_put_right(store: Store) -> None:
    layer = store.add_layer([file("a", b"x" * 5000)])
    image = store.add_image(CONFIG, [layer], AMD64, 1)
    assert (store.is_here(image.digest), store.is_whole(image)) == (True, True)
    os.truncate(store.blob(layer.blob.digest), 10)
    assert (store.is_here(image.digest), store.is_whole(image)) == (False, False)
    with pytest.raises(TrustError, match="was cut: it has 10 of"):
        store.read_files([layer], ["a"])
    assert store.add_layer([file("a", b"x" * 5000)]) == layer
    assert store.is_here(image.digest)


@pytest.mark.parametrize("what", ["manifest", "config_blob"])
def test_a_manifest_or_config_that_was_cut_is_written_again(store: Store, what: str) -> None:
    image = store.add_image(CONFIG, [store.add_layer([file("a", b"x")])], AMD64, 1)
    os.truncate(store.blob(getattr(image, what).digest), 10)
    assert not store.is_here(image.digest)
    assert store.add_image(CONFIG, image.layers, AMD64, 1) == image
    assert store.is_here(image.digest)


def test_what_is_no_image_is_not_here(store: Store) -> None:
    assert not store.is_here("sha256:" + "0" * 64)
    assert not store.is_here(store.put(b"no manifest", MANIFEST).digest)


def test_a_blob_whose_bytes_were_changed_is_named(store: Store) -> None:
    layer = store.add_layer([file("a", os.urandom(5000))])
    path = store.blob(layer.blob.digest)
    data = bytearray(path.read_bytes())
    data[100:3000] = bytes(2900)
    path.write_bytes(data)
    with pytest.raises(TrustError) as caught:
        store.read_files([layer], ["a"])
    assert caught.value.where == str(path)
    assert "delete" in caught.value.hint
