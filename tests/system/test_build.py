"""Builds on real packages: what an own layer holds, what stays out of it, and what a stopped build leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kit.archive import Archive, Deb, armoured, certificate
from kit.marked import running, wait_until
from kit.recipes import load, production
from ropewalk.archive import ArchiveProxy, Pockets, Pool, View, ViewBook, from_apt, suite_names
from ropewalk.build import BuildFailed, TestFailed, Workshop, build_recipe, make_image, open_workshop, pin_parents
from ropewalk.errors import HostError
from ropewalk.events import Event, EventKind, silent
from ropewalk.oci import Entry, EntryType, Image
from ropewalk.recipe import BuildRecord, Recipe
from ropewalk.settings import Settings

pytestmark = pytest.mark.system

BASE = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main]
packages: []
env: {LANG: C.UTF-8}
labels: {who: tests}
"""
FROM = "FROM {{ 'bookworm' | image_tag }}\n"


@dataclass(slots=True)
class Bench:
    """A workshop with a base image, and a place for trees."""

    shop: Workshop
    view: View
    base: Recipe
    record: BuildRecord
    place: Path
    events: list[Event] = field(default_factory=list)
    count: int = 0

    def recipe(self, template: str, **more: str) -> tuple[Recipe, tuple[Recipe, ...]]:
        """Write a production recipe on the base image, of a name of its own."""
        self.count += 1
        name = f"image{self.count}"
        files = {"bookworm/base.yaml": BASE, **production(name, "1.0-1", template, **more)}
        recipes = load(self.place / name, files, "known_uid_mappings: {www-data: 33}\n")
        return next(recipe for recipe in recipes if recipe.name == name), recipes

    def make(self, template: str, **more: str) -> Image:
        """Make such an image; it is not tested, tagged or recorded."""
        recipe, recipes = self.recipe(template, **more)
        return make_image(self.shop, recipe, pin_parents(self.shop, recipe, recipes), self.view).image

    def build(self, template: str, **more: str) -> BuildRecord:
        """Build, test, tag and record such an image."""
        recipe, recipes = self.recipe(template, **more)
        return build_recipe(self.shop, recipe, pin_parents(self.shop, recipe, recipes), self.view)

    def own(self, image: Image) -> dict[tuple[str, EntryType], Entry]:
        """Return what the image's own layer holds."""
        return {(entry.path, entry.type): entry for entry in self.shop.store.entries(image.layers[-1].diff_id)}


def settings(name: str) -> Settings:
    """Return a state directory that keeps pool and views over runs, and nothing that is made from them."""
    state = Path(os.environ.get("ROPEWALK_STATE", "/tmp/ropewalk-test")) / name  # noqa: S108  by hand only
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Settings(state)


def make_view(chosen: Settings) -> View:
    listener: list[Event] = []
    suites = suite_names("bookworm", Pockets.RELEASE)
    return ViewBook(chosen.views).make(suites, ("main",), "amd64", from_apt(), listener.append)


def build_base(shop: Workshop, view: View, place: Path) -> tuple[Recipe, BuildRecord]:
    [recipe] = load(place, {"bookworm/base.yaml": BASE})
    return recipe, build_recipe(shop, recipe, (), view)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    chosen = settings("build")
    view = make_view(chosen)
    place = tmp_path_factory.mktemp("trees")
    events: list[Event] = []
    with open_workshop(chosen, from_apt(), events.append) as shop:
        recipe, record = build_base(shop, view, place / "base")
        yield Bench(shop, view, recipe, record, place, events)


def base_image(bench: Bench) -> Image:
    image = bench.shop.store.load(bench.record.digest)
    assert image is not None
    return image


# --- base images ---


def test_a_base_image_holds_nothing_of_its_build(bench: Bench) -> None:
    tree = bench.shop.store.tree(base_image(bench))
    gone = ("etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap")
    assert [path for path in gone if path in tree] == []
    files = {path for path, entry in tree.items() if entry.type is EntryType.FILE}
    for directory in ("var/log/", "var/lib/apt/lists/", "var/cache/apt/", "dev/", "proc/", "run/"):
        assert [path for path in files if path.startswith(directory)] == []
    assert tree["etc/machine-id"].size == 0
    assert "usr/share/keyrings/debian-archive-keyring.gpg" in tree


def test_a_base_image_has_apts_settings_and_all_suites_of_its_recipe(bench: Bench) -> None:
    image = base_image(bench)
    sources, policy = "etc/apt/sources.list.d/debian.sources", "usr/sbin/policy-rc.d"
    found = bench.shop.store.read_files(image.layers, (sources, policy, "etc/apt/apt.conf.d/docker-clean"))
    text = found[sources].decode()
    assert "Suites: bookworm bookworm-updates\n" in text
    assert "URIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\n" in text
    assert b"exit 101" in found[policy]
    assert bench.shop.store.tree(image)[policy].mode == 0o755
    assert b"Dir::Cache::pkgcache" in found["etc/apt/apt.conf.d/docker-clean"]
    assert dict(image.config.env) == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
    }
    assert image.created == bench.view.newest_date(["bookworm"])


def test_the_same_base_image_comes_out_in_another_place(bench: Bench, tmp_path: Path) -> None:
    # The long name also shows that no socket or option of a tool limits where the state may be.
    other = Settings(tmp_path / ("a-long-name-" * 8) / "state")
    other.state.mkdir(parents=True)
    for kept in ("views", "pool"):
        (other.state / kept).symlink_to(bench.shop.settings.state / kept)
    with open_workshop(other, from_apt(), bench.events.append) as shop:
        _, record = build_base(shop, bench.view, tmp_path / "base")
    assert record.digest == bench.record.digest


# --- what a Dockerfile adds ---


def test_an_own_layer_holds_what_changed_and_nothing_else(bench: Bench) -> None:
    image = bench.make(
        FROM
        + """
RUN touch -d @1 /srv/old && touch /srv/new && rm /etc/issue && chmod -R u+r /usr/bin
RUN rm -rf /etc/skel && mkdir /etc/skel && touch /etc/skel/mine && mkdir -p /opt/a/b
RUN ln /usr/bin/perl /usr/bin/perl-twin && ln /srv/new /srv/twin && ln -s ./new /srv/link && chmod 700 /media
"""
    )
    own = bench.own(image)
    wanted = {
        ("etc", EntryType.DIRECTORY),
        ("etc/issue", EntryType.WHITEOUT),
        ("etc/skel", EntryType.DIRECTORY),
        ("etc/skel", EntryType.OPAQUE),
        ("etc/skel/mine", EntryType.FILE),
        ("media", EntryType.DIRECTORY),
        ("opt", EntryType.DIRECTORY),
        ("opt/a", EntryType.DIRECTORY),
        ("opt/a/b", EntryType.DIRECTORY),
        ("srv", EntryType.DIRECTORY),
        ("srv/link", EntryType.SYMLINK),
        ("srv/new", EntryType.FILE),
        ("srv/old", EntryType.FILE),
        ("srv/twin", EntryType.HARDLINK),
        ("usr", EntryType.DIRECTORY),
        ("usr/bin", EntryType.DIRECTORY),
        ("usr/bin/perl-twin", EntryType.FILE),
    }
    assert set(own) == wanted
    assert own["srv/old", EntryType.FILE].mtime == 1
    assert own["srv/new", EntryType.FILE].mtime == image.created
    assert own["srv/link", EntryType.SYMLINK].link == "./new"
    assert image.layers[:-1] == base_image(bench).layers


def test_packages_come_from_the_view_and_no_setting_of_ours_stays(bench: Bench) -> None:
    image = bench.make(FROM + "RUN {{ 'hello' | apt_install }}\n")
    paths = {path for path, _ in bench.own(image)}
    assert {"usr/bin/hello", "var/lib/dpkg/status"} <= paths
    assert [path for path in paths if path.startswith(("etc/", "run", "var/log", "var/cache/apt"))] == []


def test_an_https_archive_beside_debians_stays_https_in_the_image(bench: Bench, tmp_path: Path) -> None:
    archive, pem = Archive(tmp_path / "archive"), certificate(tmp_path)
    archive.publish("x", [Deb("a-tool", "1.0", files=(("usr/bin/a-tool", "#!/bin/sh\n"),))], place="apt")
    with archive.serve(pem) as served:
        upstream, pool = replace(from_apt(), certificates=pem), Pool(bench.shop.settings.pool)
        beside = archive.repository(served.url, "apt", "x")
        view = bench.shop.views.make(["bookworm"], ["main"], "amd64", upstream, silent, archives=[beside])
        source = f"deb [signed-by=/etc/apt/key.asc] {served.url}/apt x main"
        with ArchiveProxy(bench.shop.views, pool, upstream, bench.events.append) as proxy:
            other = replace(bench, shop=replace(bench.shop, proxy=proxy), view=view)
            image = other.make(
                f"{FROM}COPY key.asc /etc/apt/\nRUN echo '{source}' > /etc/apt/sources.list.d/x.list\n"
                "RUN apt-get update && apt-get install -y a-tool && rm -r /var/lib/apt/lists/*\n",
                key_asc=armoured(archive.key),
            )
            assert proxy.errors == ()
    assert ("usr/bin/a-tool", EntryType.FILE) in bench.own(image)
    found = bench.shop.store.read_files(image.layers, ("etc/apt/sources.list.d/x.list",))
    assert found["etc/apt/sources.list.d/x.list"].decode() == f"{source}\n"


def test_a_build_has_the_same_host_name_everywhere(bench: Bench) -> None:
    image = bench.make(FROM + "RUN hostname > /srv/name && uname -n >> /srv/name\n")
    assert bench.shop.store.read_files(image.layers, ["srv/name"])["srv/name"] == b"localhost\nlocalhost\n"


def test_the_users_environment_and_labels_are_the_dockerfiles(bench: Bench) -> None:
    parent = bench.build(FROM + "USER 33\nENV A=1\n")
    name = parent.name
    child = FROM.replace("bookworm", name) + 'ENV B=2\nLABEL x=y\nCMD ["a", "b"]\nWORKDIR /srv\n'
    files = {"bookworm/base.yaml": BASE, **production(name, "1.0-1", FROM), **production("child", "1-1", child)}
    recipes = load(bench.place / "child", files)
    recipe = next(recipe for recipe in recipes if recipe.name == "child")
    image = make_image(bench.shop, recipe, pin_parents(bench.shop, recipe, recipes), bench.view).image
    assert (image.config.user, image.config.cmd, image.config.working_dir) == ("33", ("a", "b"), "/srv")
    assert dict(image.config.env)["A"] == "1"
    assert dict(image.config.env)["B"] == "2"
    assert dict(image.config.labels) == {"who": "tests", "x": "y"}


def test_only_the_last_stage_counts_and_stages_may_stand_on_each_other(bench: Bench) -> None:
    image = bench.make(
        FROM.replace("\n", " AS tools\n")
        + "RUN touch /srv/tool\n"
        + FROM.replace("\n", " AS first\n")
        + "RUN touch /srv/a /srv/b\nFROM first\nCOPY --from=tools /srv/tool /srv/\nRUN rm /srv/b\n"
    )
    files = {path for path, kind in bench.own(image) if kind is not EntryType.DIRECTORY}
    assert files == {"srv/a", "srv/tool"}


def test_an_image_from_scratch_gets_its_own_ldconfigs_cache(bench: Bench) -> None:
    image = bench.make(
        FROM.replace("\n", " AS all\n")
        + "RUN mkdir -p /out/sbin /out/etc /out/lib && cp /sbin/ldconfig /out/sbin/ && cp /lib/x86_64-linux-gnu/libz.so.1 /out/lib\n"
        + "FROM scratch\nCOPY --from=all /out /\n"
    )
    assert ("etc/ld.so.cache", EntryType.FILE) in bench.own(image)
    assert len(image.layers) == 1


def test_a_dockerfile_that_adds_no_file_adds_no_layer(bench: Bench) -> None:
    assert bench.make(FROM + "ENV X=1\n").layers == base_image(bench).layers


def test_private_keys_are_left_out_and_said(bench: Bench) -> None:
    image = bench.make(FROM + "RUN mkdir -p /etc/ssh && echo secret > /etc/ssh/ssh_host_rsa_key && touch /etc/ssh/x\n")
    assert {path for path, kind in bench.own(image) if kind is EntryType.FILE} == {"etc/ssh/x"}
    warnings = [event.detail for event in bench.events if event.kind is EventKind.WARNING]
    assert any("/etc/ssh/ssh_host_rsa_key" in detail for detail in warnings)


# --- tests of images ---


def test_a_test_script_runs_containers_in_a_network_of_their_own(bench: Bench) -> None:
    script = """\
#!/bin/sh -eu
test "$(ip -brief link | wc -l)" = 1
docker run --rm -p 80:80 "$1" true
docker run -d --name left "$1" sleep 1000
docker exec left test -e /etc/debian_version
! docker pull "$1"
"""
    record = bench.build(FROM, test_sh=script)
    assert record.tested
    assert bench.shop.store.resolve(record.reference) is not None
    assert list(bench.shop.settings.scratch.iterdir()) == []


def test_an_image_whose_test_fails_is_not_tagged(bench: Bench) -> None:
    with pytest.raises(TestFailed, match="its test failed: the page was not there") as caught:
        bench.build(FROM + "RUN touch /srv/x\n", test_sh="#!/bin/sh\necho the page was not there\nexit 3\n")
    assert caught.value.hint.startswith("read ")
    assert not any(reference.endswith(f"image{bench.count}:1.0-1") for reference in bench.shop.store.tags())


def test_the_same_image_with_another_test_is_tested_again(bench: Bench) -> None:
    template = FROM + "RUN echo again >/srv/again\n"
    first = bench.build(template, test_sh="#!/bin/sh\nexit 0\n")
    recipe, recipes = bench.recipe(template, test_sh="#!/bin/sh\ntrue\n")
    recipe = replace(recipe, name=first.name)
    pins = pin_parents(bench.shop, recipe, recipes)
    second = build_recipe(bench.shop, recipe, pins, bench.view)
    assert (second.digest, second.reference) == (first.digest, first.reference)
    assert bench.shop.book.load(first.digest) == second
    assert second.recipe_digest == recipe.digest != first.recipe_digest
    failing, recipes = bench.recipe(template, test_sh="#!/bin/sh\nexit 1\n")
    with pytest.raises(TestFailed):
        build_recipe(bench.shop, replace(failing, name=first.name), pins, bench.view)
    assert bench.shop.book.load(first.digest) == second


# --- failures ---


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RUN echo before && echo what went wrong >&2 && exit 7\n", "RUN echo before .*what went wrong"),
        ("RUN apt-get update && apt-get install -y no-such-package\n", "Unable to locate package no-such-package"),
        ("COPY nothing /\n", "COPY nothing /"),
        (
            "RUN echo deb http://example.org/x y z > /etc/apt/sources.list && apt-get update\n",
            "example.org is not in view",
        ),
    ],
)
def test_a_failing_instruction_is_named_with_what_it_said(bench: Bench, lines: str, expected: str) -> None:
    with pytest.raises(BuildFailed, match=expected) as caught:
        bench.make(FROM + lines)
    assert "\n" not in str(caught.value)
    assert caught.value.hint.startswith("read ")


STOPPED = """
import sys
from pathlib import Path
from ropewalk.archive import ViewBook, from_apt
from ropewalk.build import build_recipe, open_workshop, pin_parents
from ropewalk.settings import Settings
from kit.recipes import load, production
state, place, view, base, template, test = sys.argv[1:]
settings = Settings(Path(state))
files = {"bookworm/base.yaml": base, **production("slow", "1-1", template, test_sh=test)}
recipes = load(Path(place), files)
recipe = next(recipe for recipe in recipes if recipe.name == "slow")
with open_workshop(settings, from_apt(), lambda event: None) as shop:
    build_recipe(shop, recipe, pin_parents(shop, recipe, recipes), ViewBook(settings.views).load(view))
"""


@pytest.fixture(scope="module")
def other(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Make a second state on the same images, for processes that are stopped."""
    state = tmp_path_factory.mktemp("stopped")
    for kept in ("views", "pool", "store", "records"):
        (state / kept).symlink_to(bench.shop.settings.state / kept)
    return Settings(state)


@pytest.mark.parametrize(
    ("number", "line", "test"),
    [
        (signal.SIGKILL, "RUN sleep {marker}\n", "exit 0"),
        (signal.SIGINT, "RUN sleep {marker}\n", "exit 0"),
        (signal.SIGKILL, "", "docker run -d --name a $1 sleep 99\ndocker run --name b $1 sleep {marker}"),
    ],
    ids=["killed in a RUN", "interrupted in a RUN", "killed in a test"],
)
def test_a_stopped_build_leaves_nothing_and_the_next_one_works(
    *, bench: Bench, other: Settings, tmp_path: Path, number: signal.Signals, line: str, test: str
) -> None:
    marker = f"{1000 + number}{os.getpid()}{len(test)}"
    words = (bench.view.id, BASE, FROM + line.format(marker=marker), f"#!/bin/sh -e\n{test.format(marker=marker)}\n")
    argv = [sys.executable, "-c", STOPPED, str(other.state), str(tmp_path / "tree"), *words]
    path = {"PYTHONPATH": f"{Path(__file__).parent.parent}"}
    process = subprocess.Popen(argv, env={**os.environ, **path}, stderr=subprocess.DEVNULL)
    wait_until(lambda: running(marker))
    with (
        pytest.raises(HostError, match="another ropewalk process"),
        open_workshop(other, from_apt(), bench.events.append),
    ):
        pass
    process.send_signal(number)
    process.wait(30)
    wait_until(lambda: not running(marker))
    assert str(other.state) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    with open_workshop(other, from_apt(), bench.events.append) as shop:
        assert [path.name for path in shop.settings.scratch.iterdir()] == []
        kept = tuple((other.containers / "storage/overlay-containers").glob("*containers.json"))
        assert [json.loads(path.read_bytes()) for path in kept] == [[]] * len(kept)
        assert not any(reference.endswith("/slow:1-1") for reference in shop.store.tags())
        recipe, recipes = bench.recipe(FROM + "RUN touch /srv/again\n")
        made = make_image(shop, recipe, pin_parents(shop, recipe, recipes), bench.view)
    assert len(made.image.layers) == 2
