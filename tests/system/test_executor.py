"""Several builds at once on real packages: what is shared, what fails, what is stopped, and what a test may do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.marked import running, wait_until
from kit.recipes import load, production, write
from ropewalk.archive import Pockets, View, ViewBook, from_apt, suite_names
from ropewalk.build import DiskFull, Outcome, Workshop, open_workshop, run_plan, storage
from ropewalk.events import Event
from ropewalk.oci import EntryType
from ropewalk.plan import Action, decide, observe
from ropewalk.recipe import Recipe
from ropewalk.settings import Settings

pytestmark = pytest.mark.system

BASE = """\
name: bookworm
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
components: [main]
packages: []
"""
FROM = "FROM {{ 'bookworm' | image_tag }}\n"
MODEST = "container_limits: memory=1500m,memswap=2g,cpushares=512,cpusetcpus=0\n"
SERVER = """\
#!/usr/bin/perl
use IO::Socket::INET;
my $all = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "no port 80: $!";
while (my $one = $all->accept) { <$one>; print $one "HTTP/1.0 200 OK\\r\\n\\r\\nserved as $ENV{ROLE}\\n"; close $one; }
"""


@dataclass(slots=True)
class Yard:
    """A workshop with a base image, and a place for trees."""

    shop: Workshop
    view: View
    place: Path
    count: int = 0

    def recipes(self, images: Mapping[str, str], config: str = "", **more: str) -> tuple[Recipe, ...]:
        """Write a tree: the base image and some on it; ``more`` files go to each."""
        self.count += 1
        files = {"bookworm/base.yaml": BASE}
        for name, template in images.items():
            files |= production(name, f"1.{self.count}-1", template, **more)
        return load(self.place / str(self.count), files, config)

    def run(self, recipes: tuple[Recipe, ...], jobs: int = 2, *, keep_going: bool = False) -> dict[str, Outcome]:
        """Build what is not built."""
        plan = decide(recipes, observe(recipes, book=self.shop.book, store=self.shop.store), self.view.id)
        outcomes = run_plan(self.shop, plan, {Action.BUILD}, self.view, jobs=jobs, keep_going=keep_going)
        return {outcome.recipe.name: outcome for outcome in outcomes}

    def build(self, images: Mapping[str, str], config: str = "", **more: str) -> dict[str, Outcome]:
        """Write a tree and build it."""
        return self.run(self.recipes(images, config, **more))


def state() -> Settings:
    """Return a state directory that keeps pool and views over runs, and nothing that is made from them."""
    path = Path(os.environ.get("ROPEWALK_STATE", "/tmp/ropewalk-test")) / "build"  # noqa: S108  by hand only
    for item in path.glob("*"):
        if item.name not in {"views", "pool"}:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    return Settings(path)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    settings = state()
    events: list[Event] = []
    view = ViewBook(settings.views).make(
        suite_names("bookworm", Pockets.RELEASE), ("main",), "amd64", from_apt(), events.append
    )
    with open_workshop(settings, from_apt(), events.append) as shop:
        made = Yard(shop, view, tmp_path_factory.mktemp("trees"))
        assert [outcome.error for outcome in made.build({}, MODEST).values()] == [None]
        yield made


# --- several at once ---


def test_tests_at_once_share_neither_names_nor_ports(yard: Yard) -> None:
    script = """\
#!/bin/bash -eu
docker run -d --rm --name server -e ROLE="$1" -p 8080:80 "$1" >/dev/null
for _ in $(seq 100); do curl -fs localhost:8080 >/tmp/answer 2>/dev/null && break; sleep 0.1; done
test "$(curl -s localhost:8080)" = "served as $1"
test "$(curl -s 127.0.0.1:80)" = "served as $1"
docker exec server test -e /server
docker logs server
docker stop -t 1 server
test -z "$(docker ps -q)"
"""
    template = FROM + 'COPY --chmod=755 server /server\nUSER 33\nENTRYPOINT ["/server"]\n'
    outcomes = yard.build({"one": template, "two": template}, server=SERVER, test_sh=script)
    assert {name: outcome.error for name, outcome in outcomes.items()} == {"one": None, "two": None}
    assert list(yard.shop.settings.scratch.iterdir()) == []


def test_a_failure_stops_what_needs_it_and_tells(yard: Yard) -> None:
    on = "FROM {{ '%s' | image_tag }}\n"
    images = {
        "broken": FROM + "RUN for n in $(seq 30); do echo line $n; done; exit 3\n",
        "child": on % "broken",
        "grandchild": on % "child",
        "sound": FROM + "RUN sleep 2\n",
        "later": on % "sound" + "RUN touch /srv/x\n",
    }
    recipes = yard.recipes(images)
    outcomes = yard.run(recipes)
    assert {name for name, outcome in outcomes.items() if outcome.record} == {"sound"}
    assert {name for name, outcome in outcomes.items() if outcome.error} == {"broken", "child", "grandchild"}
    broken = outcomes["broken"]
    assert "`RUN for n in" in str(broken.error)
    assert len(broken.tail) == 20
    assert "line 30" in broken.tail
    assert broken.log is not None
    assert "line 1\n" in broken.log.read_text(encoding="utf-8")
    assert "needs registry.example.org/broken:" in str(outcomes["child"].error)
    again = yard.run(recipes, keep_going=True)
    assert {name for name, outcome in again.items() if outcome.record} == {"later"}


def test_stages_that_name_different_suites_each_see_their_own(yard: Yard) -> None:
    other = "# another\nTypes: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-backports\n"
    other += "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    parent = FROM + "COPY other.sources /etc/apt/sources.list.d/debian.sources\n"
    images = {
        "parent": parent,
        "mixed": "FROM {{ 'parent' | image_tag }} AS first\nRUN apt-get update && grep -q another /etc/apt/sources.list.d/debian.sources\n"
        "RUN touch /made\n"
        + FROM
        + "RUN apt-get update && ! grep another /etc/apt/sources.list.d/debian.sources\nCOPY --from=first /made /srv/\n"
        + "RUN rm -rf /var/lib/apt/lists/*\n",
    }
    outcomes = yard.build(images, other_sources=other)
    assert [str(outcome.error) for outcome in outcomes.values() if outcome.error] == []
    record = outcomes["mixed"].record
    assert record is not None
    own = yard.shop.store.entries(record.layers[-1].diff_id)
    assert {entry.path for entry in own if entry.type is EntryType.FILE} == {"srv/made"}


def test_a_build_has_no_more_than_the_config_allows(yard: Yard) -> None:
    line = "RUN perl -e 'my $much = \"x\" x 300_000_000; print length $much'\n"
    outcomes = yard.build({"greedy": FROM + line}, "container_limits: memory=100m,memswap=100m\n")
    assert outcomes["greedy"].error is not None
    assert yard.build({"modest": FROM + line}, "container_limits: memory=900m\n")["modest"].error is None


def test_a_bootstrap_has_no_more_than_the_config_allows_either(yard: Yard) -> None:
    base = {"bookworm/base.yaml": BASE.replace("12-1", "12-2")}
    greedy = yard.run(load(yard.place / "greedy", base, "container_limits: memory=8m,memswap=8m\n"))["bookworm"]
    assert greedy.error is not None
    group, top = storage.cgroup(yard.shop.settings).removeprefix("/"), Path("/sys/fs/cgroup")
    assert [path for path in (*top.glob(f"{group}/*"), *top.glob(f"*/{group}/*")) if path.is_dir()] == []


# --- what a test may do ---


def test_a_test_finds_no_keys_no_store_and_no_home(yard: Yard) -> None:
    settings = yard.shop.settings
    (settings.keys).mkdir(exist_ok=True)
    (settings.keys / "secret").write_text("secret")
    # A state directory below /root is all that is seen of it.
    state = settings.state.absolute()
    below_root = state.relative_to("/root").parts[0] if state.is_relative_to("/root") else ""
    script = f"""\
#!/bin/bash -eu
cd {settings.state}
test "$(ls)" = "$(printf 'containers\\nscratch')"
! touch containers/x 2>/dev/null
test "$(ls /root)" = "{below_root}" -a -z "$(ls -A ~)"
docker run --rm -v "$(dirname "$0")":/here:ro "$1" test -e /here/test.sh
! docker run --rm -v "$(dirname "$0")":/here:ro "$1" touch /here/x
echo text | docker run -i --rm --entrypoint /bin/sh "$1" -c 'grep -q text'
test "$(docker run --rm -e A=1 --env=B=2 "$1" sh -c 'echo $A$B')" = 12
! docker rmi "$1"
"""
    outcomes = yard.build({"kept": FROM}, test_sh=script)
    assert [str(outcome.error) for outcome in outcomes.values() if outcome.error] == []


def test_a_test_that_never_ends_is_ended(yard: Yard) -> None:
    script = '#!/bin/sh\ndocker run --name endless "$1" sleep 1234567\n'
    start = time.monotonic()
    outcomes = yard.build({"endless": FROM}, "ropewalk: {test_seconds: 4}\n", test_sh=script)
    assert "the test was ended: not ended after 4 s" in str(outcomes["endless"].error)
    assert time.monotonic() - start < 60
    assert not running("1234567")


# --- stopped ---


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_several_builds_that_are_stopped_leave_nothing(yard: Yard, tmp_path: Path, number: signal.Signals) -> None:
    settings = Settings(tmp_path / "state")
    settings.state.mkdir()
    for kept in ("views", "pool", "store", "records"):
        (settings.state / kept).symlink_to(yard.shop.settings.state / kept)
    marks = [f"{number}{os.getpid()}{n}" for n in range(2)]
    name = f"stopped{int(number)}"
    files = {"bookworm/base.yaml": BASE, **production(f"{name}-first", "1-1", FROM + "RUN touch /srv/first\n")}
    files |= production(f"{name}-build", "1-1", FROM + f"RUN test -e /bin/sleep && sleep {marks[0]}\n")
    files |= production(f"{name}-test", "1-1", FROM, test_sh=f'#!/bin/sh\ndocker run "$1" sleep {marks[1]}\n')
    write(tmp_path / "tree", files)
    (tmp_path / "config.yaml").write_text("registry: registry.example.org\n")
    process = ropewalk(tmp_path, settings)
    wait_until(lambda: all(running(mark) for mark in marks))
    process.send_signal(number)
    assert process.wait(60) in {130, -9}
    wait_until(lambda: not any(running(mark) for mark in marks))
    assert str(settings.state) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    for path in (tmp_path / "tree").rglob("*"):
        if path.name in {"test.sh", "Dockerfile.template"}:
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(f"sleep {marks[0]}", "true").replace(f"sleep {marks[1]}", "true"))
    assert ropewalk(tmp_path, settings).wait(120) == 0
    assert not settings.scratch.exists() or list(settings.scratch.iterdir()) == []
    assert not list(Path("/sys/fs/cgroup").glob(f"*{storage.cgroup(settings)}"))


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(yard: Yard, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(small)], check=True)
    try:
        settings = Settings(small / "state")
        settings.state.mkdir()
        for kept in ("views", "pool"):
            (settings.state / kept).symlink_to(yard.shop.settings.state / kept)
        recipes = load(tmp_path, {"bookworm/base.yaml": BASE})
        with open_workshop(settings, from_apt(), lambda _event: None) as shop:
            [outcome] = Yard(shop, yard.view, tmp_path).run(recipes).values()
        assert isinstance(outcome.error, DiskFull), outcome.error
        assert "\n" not in str(outcome.error)
        subprocess.run(["mount", "-o", "remount,size=1g", str(small)], check=True)
        with open_workshop(settings, from_apt(), lambda _event: None) as shop:
            [outcome] = Yard(shop, yard.view, tmp_path).run(recipes).values()
        assert outcome.error is None
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def ropewalk(place: Path, settings: Settings) -> subprocess.Popen[bytes]:
    """Start ``ropewalk build --jobs 2`` on a tree."""
    words = ("-c", str(place / "config.yaml"), "build", "--offline", "--jobs", "3", str(place / "tree"))
    code = "from ropewalk.cli.app import main; main()"
    environment = {**os.environ, "ROPEWALK_STATE": str(settings.state)}
    with (place / "output").open("ab") as output:
        return subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stdout=output, stderr=output)
