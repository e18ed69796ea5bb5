"""The commands that builds and tests run, and what is read from their answers."""

import io
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.archive import SuiteView, View, uri_of
from ropewalk.build import storage
from ropewalk.build.aptfiles import SmallFile
from ropewalk.build.bootstrap import Ground, base_config, base_items, bootstrap_command, dated
from ropewalk.build.containers import read_config
from ropewalk.build.failure import BuildFailed, telling, what_failed
from ropewalk.build.host import clock_check
from ropewalk.build.isolation import Isolation, build_options
from ropewalk.build.testroom import docker_script
from ropewalk.debian import Repository
from ropewalk.errors import InputError
from ropewalk.oci.layer import TarItem
from ropewalk.oci.model import Entry, EntryType, ImageConfig
from ropewalk.process import Command, run
from ropewalk.recipe.recipe import BaseSpec, Certificate, Strip
from ropewalk.settings import Settings

SPEC = BaseSpec(
    ("bookworm", "bookworm-security"), ("main", "contrib"), ("ca-certificates", "curl"), (("LANG", "C"),), ()
)


RUN = "--opt run --pull=never --network=host --cgroup-parent=/g --memory=1"


def ground(*suites: str, components: tuple[str, ...] = ("main", "contrib")) -> Ground:
    parts = tuple(SuiteView(uri_of(suite), suite, suite, "", 0, components, "", ()) for suite in suites)
    return Ground(View("20260101-0000000000", "amd64", parts), "http://v:b@127.0.0.1:1", 7, Path("/s p"))


def hooks(spec: BaseSpec, kind: str) -> list[str]:
    argv = bootstrap_command(spec, ground("bookworm")).argv
    return [word.partition("=")[2] for word in argv if word.startswith(f"--{kind}-hook=")]


def test_a_bootstrap_uses_the_suites_that_the_view_holds() -> None:
    command = bootstrap_command(SPEC, ground("bookworm"))
    signed = 'deb [signed-by="/usr/share/keyrings/debian-archive-keyring.gpg"]'
    assert command.argv[-3:] == (
        "bookworm",
        "/s p/root",
        f"{signed} http://deb.debian.org/debian bookworm main contrib",
    )
    assert {"--include=ca-certificates", "--include=curl"} <= set(command.argv)
    assert dict(command.environment) == {"SOURCE_DATE_EPOCH": "7", "TMPDIR": "/s p"}
    both = bootstrap_command(SPEC, ground("bookworm", "bookworm-security"))
    assert both.argv[-1] == f"{signed} http://deb.debian.org/debian-security bookworm-security main contrib"


def test_maintainer_scripts_see_neither_the_proxy_nor_this_hosts_names() -> None:
    command = bootstrap_command(SPEC, ground("bookworm"))
    assert not any("127.0.0.1" in word for word in command.argv), "the build's word would be seen by this host's users"
    assert hooks(SPEC, "setup") == [': >"$1/etc/resolv.conf" && echo localhost >"$1/etc/hostname"']


def test_what_is_stripped_is_left_out_by_dpkg_and_deleted_of_what_was_unpacked_without_it(tmp_path: Path) -> None:
    assert hooks(SPEC, "extract") == []
    spec = replace(SPEC, strip=Strip(("/usr/share/doc/*", "/usr/share/man/*"), ("/usr/share/doc/*/copyright",)))
    _, copied = hooks(spec, "setup")
    assert copied == """mkdir -p "$1/etc/dpkg/dpkg.cfg.d" && cp '/s p/strip' "$1/etc/dpkg/dpkg.cfg.d/ropewalk-strip\""""
    (deleting,) = hooks(spec, "extract")
    for path in ("doc/a/copyright", "doc/a/b/copyright", "doc/a/NEWS", "man/man1/a.1", "info/dir"):
        place = tmp_path / "usr/share" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    subprocess.run(["sh", "-c", deleting, "sh", str(tmp_path)], check=True)
    left = sorted(str(path.relative_to(tmp_path / "usr/share")) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["doc/a/b/copyright", "doc/a/copyright", "info/dir"]


def test_certificates_enter_the_store_by_the_images_own_program() -> None:
    spec = replace(SPEC, certificates=(Certificate("a.crt", b""),))
    first, last = hooks(spec, "customize")
    assert first.startswith("cp '/s p/certificates'/*.crt ")
    assert first.endswith('chroot "$1" update-ca-certificates')
    assert last == 'chroot "$1" ldconfig'


def test_archives_beside_debians_are_asked_by_plain_http_with_their_own_keys(tmp_path: Path) -> None:
    archives = (
        Repository("https://example.org/apt", ("stable",), ("main", "extra"), tmp_path / "a.gpg"),
        Repository("http://example.org:8080/flat", ("./",), (), tmp_path / "b.asc"),
    )
    spec = replace(SPEC, archives=archives)
    held = tuple(SuiteView(one.uri, one.suites[0], "", "", 0, one.components, "", ()) for one in archives)
    have = ground("bookworm")
    whole = replace(have, view=replace(have.view, suites=(*have.view.suites, *held)))
    assert bootstrap_command(spec, whole).argv[-2:] == (
        'deb [signed-by="/s p/keyrings/a.gpg"] http://example.org/apt stable main extra',
        'deb [signed-by="/s p/keyrings/b.asc"] http://example.org:8080/flat ./',
    )
    with pytest.raises(InputError, match=r"holds no https://example\.org/apt stable"):
        bootstrap_command(spec, have)


def test_a_view_without_any_suite_of_the_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="view 20260101-0000000000: holds none of bookworm"):
        bootstrap_command(SPEC, ground("trixie"))


def test_a_view_that_lacks_a_component_is_refused() -> None:
    with pytest.raises(InputError, match="holds no contrib of bookworm") as caught:
        bootstrap_command(SPEC, ground("bookworm", components=("main",)))
    assert "--component contrib" in caught.value.hint


def test_what_the_bootstrap_took_from_this_host_is_left_out() -> None:
    gone = ("etc/resolv.conf", "etc/hostname", "etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/a")
    scanned = [TarItem(Entry(path, EntryType.FILE), io.BytesIO) for path in (*gone, "etc/b")]
    found = {item.entry.path: item.entry for item in base_items(scanned, [SmallFile("etc/a", b"12", 0o600)], 9)}
    assert found == {
        "etc/b": Entry("etc/b", EntryType.FILE),
        "etc/a": Entry("etc/a", EntryType.FILE, 0o600, size=2, mtime=9),
    }


def test_a_base_image_has_debians_search_path_unless_the_recipe_sets_one() -> None:
    assert [name for name, _ in base_config(SPEC).env] == ["PATH", "LANG"]
    own = BaseSpec((), (), (), (("PATH", "/x"),), (("b", "2"), ("a", "1")))
    assert base_config(own) == ImageConfig(env=(("PATH", "/x"),), cmd=("bash",), labels=(("a", "1"), ("b", "2")))


def test_a_config_is_read_without_buildahs_label() -> None:
    data = {
        "User": "33",
        "Env": ["A=1=2", "B="],
        "Entrypoint": ["/x"],
        "Cmd": None,
        "Labels": {"io.buildah.version": "1", "z": "1", "a": "2"},
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
        "StopSignal": "SIGQUIT",
    }
    assert read_config(data) == ImageConfig(
        user="33",
        env=(("A", "1=2"), ("B", "")),
        entrypoint=("/x",),
        labels=(("a", "2"), ("z", "1")),
        exposed_ports=("443/tcp", "80/tcp"),
        stop_signal="SIGQUIT",
    )
    assert read_config({}) == ImageConfig()


def test_builds_pull_nothing_and_use_our_storage_and_settings_only() -> None:
    settings = Settings(Path("/state"))
    command = storage.buildah(settings, "bud", *build_options(settings, Isolation("oci", "runc")))
    text = " ".join(command.argv)
    for expected in (
        "--root /state/containers/storage",
        "--pull-never",
        "--layers=false",
        "--isolation oci --runtime runc",
    ):
        assert expected in text
    assert command.contained
    assert dict(command.environment)["CONTAINERS_CONF"] == "/state/containers/containers.conf"
    assert "--runtime" not in build_options(settings, Isolation("chroot", ""))


def test_the_run_directory_is_short_however_long_the_state_is() -> None:
    places = {storage.run_root(Settings(Path(name * 30))) for name in ("/a", "/b")}
    assert len(places) == 2
    assert all(len(str(place)) <= 50 for place in places)


def test_cleaning_removes_what_a_dead_run_left(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    (settings.scratch / "build-x/root").mkdir(parents=True)
    (storage.root(settings) / "libpod").mkdir(parents=True)
    (storage.root(settings) / "overlay").mkdir()
    storage.clean(settings)
    storage.clean(settings)
    assert not settings.scratch.exists()
    assert [path.name for path in storage.root(settings).iterdir()] == ["overlay"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "-p", "80:80", "x"), f"{RUN} x"),
        (
            ("run", "-d", "-e", "A=1", "--rm", "--name", "n", "x", "-p", "1:2"),
            f"{RUN} -d -e A=1 --rm --name n x -p 1:2",
        ),
        (("run", "-itd", "-v", "/a:/b:ro", "--net", "bridge", "-p8080:8080", "x"), f"{RUN} -itd -v /a:/b:ro x"),
        (("run", "-ie", "A", "--entrypoint", "/bin/sh", "x", "-c", "y"), f"{RUN} -ie A --entrypoint /bin/sh x -c y"),
        (("create", "x"), f"{RUN.replace('run', 'create')} x"),
        (("exec", "x", "a b"), "--opt exec x a b"),
        (("logs", "x"), "--opt logs x"),
    ],
)
def test_a_tests_docker_is_podman(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    assert asked(tmp_path, words).stdout == expected


@pytest.mark.parametrize("verb", ["pull", "push", "build", "login"])
def test_a_tests_docker_fetches_nothing(tmp_path: Path, verb: str) -> None:
    done = asked(tmp_path, (verb, "x"))
    assert (done.returncode, done.stdout) == (125, "")
    assert f"docker {verb}: a test may not" in done.stderr


def asked(place: Path, words: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    (place / "docker").write_text(docker_script(("--opt",), "/g", ("--memory=1",)))
    (place / "docker").chmod(0o755)
    (place / "podman").write_text('#!/bin/sh\nprintf %s "$*"\n')
    (place / "podman").chmod(0o755)
    environment = {"PATH": f"{place}:{os.environ['PATH']}"}
    return subprocess.run([place / "docker", *words], env=environment, capture_output=True, text=True, check=False)


BUD = """\
[1/2] STEP 1/2: FROM a
[1/2] STEP 2/2: RUN first
E: not this
STEP 3/4: RUN apt-get update && apt-get install -y a-package-with-a-very-long-name
Get:1 http://deb.debian.org
E: Unable to locate package a-package
E: Sub-process x returned an error
error building at STEP "RUN ...": error while running runtime: exit status 100
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            BUD,
            "`RUN apt-get update && apt-get install -y a-package-with-a-ve...` failed: E: Unable to locate package a-package",
        ),
        ("STEP 1/1: RUN x\nsaid\nexit status 7\n", "`RUN x` failed: said"),
        (
            "STEP 1/1: COPY x /\nerror building at STEP: no such file\n",
            "`COPY x /` failed: error building at STEP: no such file",
        ),
        ("STEP 1/1: RUN x\n", "`RUN x` failed: no output"),
        ("I: running\nE: Unable to locate package y\nE: apt-get failed\nI: bye\n", "E: Unable to locate package y"),
        ("", ""),
    ],
)
def test_a_log_is_told_in_one_line(log: str, expected: str) -> None:
    assert what_failed(log) == expected


def test_a_failed_program_names_what_was_built_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(BuildFailed, match=r"^x:1: E: it is broken$") as caught, telling("x:1", log):
        run(Command(("sh", "-c", "echo E: it is broken; exit 4")), log=log)
    assert caught.value.hint == f"read {log}"


@pytest.mark.parametrize(("late", "ok"), [(-9_000_000, True), (0, True), (3_000, True), (90_000, False)])
def test_a_clock_behind_the_archive_is_wrong(late: int, *, ok: bool) -> None:
    check = clock_check(1_700_000_000 + late, 1_700_000_000)
    assert check.ok is ok
    assert bool(check.fix) is not ok


def test_directories_of_a_base_have_the_images_time() -> None:
    directory = TarItem(Entry("usr/lib", EntryType.DIRECTORY, 0o755, mtime=3), None)
    file = TarItem(Entry("usr/lib/x", EntryType.FILE, 0o644, mtime=3), None)
    assert dated(directory, 7).entry.mtime == 7
    assert dated(file, 7) is file
