"""What services' Dockerfiles say, run by the real buildah: quoting is where renderers go wrong."""

import json
from pathlib import Path

import pytest

from kit.busybox import fetch_busybox
from ropewalk.build import storage
from ropewalk.process import run
from ropewalk.recipe.service.phases import command, copy, environment
from ropewalk.settings import Settings

pytestmark = pytest.mark.system

SCRIPT = 'echo "[$Q]"; for i in 1 2; do echo $i; done; false; echo $? ${X:-x} 5%\nbusybox cat <<EOF\n  $i\nEOF\nbusybox id -u'


def test_names_values_and_commands_arrive_as_written(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "state")
    storage.prepare(settings, "runc")
    context = tmp_path / "context"
    (context / "d d").mkdir(parents=True)
    (context / "busybox").write_bytes(fetch_busybox(tmp_path / "deb"))
    (context / "busybox").chmod(0o755)
    (context / "a$b").write_text("dollar")
    (context / "d d/x y").write_text("blanks")
    lines = [
        "FROM scratch",
        "COPY busybox /bin/busybox",
        "COPY busybox /bin/sh",
        "WORKDIR /srv/app",
        "ENV PATH=/bin",
        environment("Q", "a \"b\" \\ $PATH 'c' ${N:-d}"),
        copy(["a$b"], "a$b", "5:6"),
        copy(["d d/x y"], "deep/n n/", "5:6"),
        "USER 7",
        command((SCRIPT,)),
        command(("/bin/sh", "-c", 'for i in 1 2; do echo "it\'s" $i; done')),
        command(("busybox stat -c '%u:%g %n' a*", "deep/n n/x y")),
    ]
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    options = ("--layers=false", "--pull-never", "--isolation", "oci", "--runtime", "runc", "--network", "host")
    made = run(storage.buildah(settings, "bud", *options, "-t", "x", str(context))).stdout.decode()
    for said in (
        "[a \"b\" \\ /bin 'c' d]\n1\n2\n1 x 5%\n  2\n7\n",
        "it's 1\nit's 2\n",
        "5:6 a$b\n5:6 deep/n n/x y\n",
    ):
        assert said in made
    inspected = run(storage.buildah(settings, "inspect", "--type", "image", "x"))
    config = json.loads(inspected.stdout)["OCIv1"]["config"]
    assert config["Env"] == ["PATH=/bin", "Q=a \"b\" \\ /bin 'c' d"]
