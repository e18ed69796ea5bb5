"""A tiny image that serves HTTP: Debian's static busybox in an image from scratch, written by hand."""

import gzip
import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from ropewalk.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, REF_NAME
from ropewalk.process import Command, run

TAG = "tiny"


def fetch_busybox(directory: Path) -> bytes:
    """Return Debian's static busybox, fetched by the host's apt into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    run(Command(("apt-get", "download", "busybox-static"), directory=directory))
    [package] = directory.glob("busybox-static_*.deb")
    run(Command(("dpkg-deb", "--extract", str(package), str(directory / "root"))))
    return next((directory / "root").glob("**/bin/busybox")).read_bytes()


def write_layout(directory: Path, busybox: bytes, page: str, port: int) -> str:
    """Write an OCI layout with one image, tagged ``tiny``, whose ``httpd`` serves a page.

    Args:
        directory: The layout; it is made.
        busybox: The program.
        page: What ``/`` answers; it makes the digest.
        port: Where it listens.

    Returns:
        The manifest's digest.
    """
    tar = _tar({"bin/busybox": (busybox, 0o755), "www/index.html": (page.encode(), 0o644)})
    layer = _put(directory, LAYER_GZIP, gzip.compress(tar, mtime=0))
    command = ["/bin/busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/www"]
    config = {
        "architecture": run(Command(("dpkg", "--print-architecture"))).stdout.decode().strip(),
        "os": "linux",
        "config": {"Entrypoint": command, "User": "65534:65534"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(tar).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _put(directory, CONFIG, json.dumps(config).encode()),
        "layers": [layer],
    }
    descriptor = _put(directory, MANIFEST, json.dumps(manifest).encode())
    named = {**descriptor, "annotations": {REF_NAME: TAG}}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return str(descriptor["digest"])


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, (content, mode) in files.items():
            item = tarfile.TarInfo(path)
            item.size, item.mode = len(content), mode
            tar.addfile(item, io.BytesIO(content))
    return out.getvalue()


def _put(directory: Path, media_type: str, data: bytes) -> dict[str, Any]:
    digest = sha256(data).hexdigest()
    blob = directory / "blobs" / "sha256" / digest
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
