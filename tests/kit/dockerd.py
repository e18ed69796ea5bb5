"""dockerd as docker-pkg's users have it: Debian's, on a socket and data of its own, without bridge and packet rules."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WAIT = 300


def programs() -> str:
    """Return a PATH with dockerd and docker; where the host lacks one, Debian's packages are unpacked below ``.state``."""
    path = os.environ["PATH"]
    if shutil.which("dockerd") and shutil.which("docker"):
        return path
    place = ROOT / ".state" / "peers" / "docker"
    if not (place / "usr/bin/docker").exists():
        place.mkdir(parents=True, exist_ok=True)
        # Since Debian 13 the client is a package of its own.
        found = subprocess.run(["apt-cache", "pkgnames", "docker-cli"], check=True, capture_output=True, text=True)
        client = {"docker-cli"} & set(found.stdout.split())
        subprocess.run(["apt-get", "download", "-q", "docker.io", "containerd", *client], check=True, cwd=place)
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg", "--extract", package, place], check=True)
            package.unlink()
    return f"{place}/usr/bin:{place}/usr/sbin:{path}"


@contextmanager
def dockerd(place: Path) -> Iterator[dict[str, str]]:
    """Run a daemon during the ``with``.

    Args:
        place: A directory for its data, its socket and its log; a short path, since sockets' names are short.

    Yields:
        The environment in which ``docker`` and docker-pkg talk to it.

    Raises:
        RuntimeError: It does not start; the message has the end of its log.
    """
    place.mkdir(parents=True, exist_ok=True)
    address = f"unix://{place / 'socket'}"
    variables = {**os.environ, "PATH": programs(), "DOCKER_HOST": address, "HOME": str(place)}
    private = (f"--{name}={place / name.removesuffix('file')}" for name in ("data-root", "exec-root", "pidfile"))
    argv = ["dockerd", "--iptables=false", "--bridge=none", f"--host={address}", *private]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=variables)
        try:
            _wait(process, place / "log", variables)
            yield variables
        finally:
            process.terminate()
            process.wait(60)
            # The daemon leaves its mount of the host's network behind.
            left = place / "exec-root" / "netns" / "default"
            subprocess.run(["umount", left], check=False, capture_output=True)


def _wait(process: subprocess.Popen[bytes], log: Path, variables: dict[str, str]) -> None:
    for _ in range(_WAIT):
        if subprocess.run(["docker", "version"], check=False, capture_output=True, env=variables).returncode == 0:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"dockerd does not start: {log.read_text()[-1000:]}")
