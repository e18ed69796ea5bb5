"""Base images with every key of base.yaml: as root and as an ordinary user the same digest, and nothing of the host."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from kit.archive import Archive, Deb
from kit.certificates import authority
from kit.command import Command
from kit.recipes import REGISTRY, production, write
from ropewalk.archive import Pockets, View, ViewBook, from_apt, suite_names
from ropewalk.oci import Entry, EntryType, Image, Store
from ropewalk.settings import Settings

pytestmark = pytest.mark.system

FULL = """\
name: full
version: 12-1
suites: [bookworm, bookworm-updates, bookworm-security]
archives:
  - {uri: URL/apt, suites: [stable], components: [main], signed-by: team.gpg}
packages: [ca-certificates, team-tool]
files:
  - {path: /etc/motd, source: motd}
  - {path: /srv/app/settings, content: "x = 1\\n", mode: '0640', owner: app:www-data}
users:
  - {name: app, uid: 901, gid: 900, home: /srv/app, shell: /bin/sh}
certificates: [corp.pem]
strip:
  lists: [docs, info, lintian, locales, man]
  keep: [/usr/share/locale/de/*]
"""
CHILD = "FROM {{ 'full' | image_tag }}\nRUN {{ 'hello' | apt_install }}\n"
PLAIN = "name: {name}\nversion: 1-1\nsuites: [{name}]\npackages: [ca-certificates]\n"
NAMESPACES = 1000
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Person:
    """An ordinary user with subordinate ids, and what is his."""

    name: str
    place: Path

    def build(self, state: Path, tree: Path, view: str) -> subprocess.CompletedProcess[str]:
        """Run ``ropewalk build`` as this user; views and pool are those of a state directory of root."""
        mine = self.place / "state"
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree(state / "views", mine / "views")
        shutil.copytree(state / "pool", mine / "pool", copy_function=linked, ignore=shutil.ignore_patterns("lock"))
        shutil.rmtree(self.place / "tree", ignore_errors=True)
        shutil.copytree(tree, self.place / "tree")
        account = pwd.getpwnam(self.name)
        for path in (self.place, *self.place.rglob("*")):
            if path.is_dir() or path.stat().st_nlink == 1:  # not the other names of root's files
                os.chown(path, account.pw_uid, account.pw_gid)
        ropewalk = (ROOT / ".venv/bin/ropewalk", "-q", "-c", self.place / "tree/config.yaml")
        command = ("build", "--offline", "--view", view, self.place / "tree")
        clean = {"PATH": os.environ["PATH"], "HOME": self.place, "ROPEWALK_STATE": mine}
        argv = (*reaching(ROOT), "runuser", "-u", self.name, "--", *ropewalk, *command)
        return subprocess.run(argv, check=False, capture_output=True, text=True, env=clean)


def reaching(directory: Path) -> tuple[str, ...]:
    """Return the frame in which any user reaches a directory; that of a checkout below ``/root`` uncovers it alone."""
    closed = [path for path in directory.parents if not path.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return ()
    script = (
        'kept=$(mktemp -d) && mount --bind "$1" "$kept" && mount -t tmpfs -o mode=755 none "$2" && mkdir -p "$1" && '
        'mount --move "$kept" "$1" && rmdir "$kept" && shift 2 && exec "$@"'
    )
    return ("unshare", "--mount", "sh", "-c", script, "sh", str(directory), str(closed[-1]))


def linked(source: str, target: str) -> None:
    """Give a .deb another name, or copy it to another disk; a lock is of one state directory."""
    try:
        if Path(source).name != "lock":
            os.link(source, target)
            return
    except OSError:
        pass
    shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def person() -> Iterator[Person]:
    name = f"ropewalk{os.getpid()}"
    place = Path(mkdtemp(prefix="ropewalk-person-", dir="/var/tmp"))
    limit = Path("/proc/sys/user/max_user_namespaces")
    before = limit.read_text(encoding="ascii")
    if int(before) < NAMESPACES:
        limit.write_text(str(NAMESPACES), encoding="ascii")
    subprocess.run(["useradd", "--no-create-home", "--home-dir", place, name], check=True)
    ids = ["--add-subuids", "1000000-1065535", "--add-subgids", "1000000-1065535"]
    subprocess.run(["usermod", *ids, name], check=True)
    try:
        yield Person(name, place)
    finally:
        subprocess.run(["userdel", name], check=True)
        if int(before) < NAMESPACES:
            limit.write_text(before, encoding="ascii")
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def state() -> Path:
    """Return a state directory that keeps pool and views over runs, and nothing that is made from them."""
    state = Path(os.environ.get("ROPEWALK_STATE", "/tmp/ropewalk-test")) / "bases"  # noqa: S108  by hand only
    for path in state.glob("*"):
        if path.name not in {"views", "pool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return state


def make_view(state: Path, *releases: str) -> View:
    suites = [name for release in releases for name in suite_names(release, Pockets.RELEASE)]
    return ViewBook(Settings(state).views).make(suites, ("main",), "amd64", from_apt(), lambda _: None)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write a tree; the archive that its base names is served."""
    tree = tmp_path_factory.mktemp("bases")
    archive = Archive(tmp_path_factory.mktemp("archive"))
    archive.publish("stable", [Deb("team-tool", "1.0", files=(("srv/tool", "tool\n"),))], place="apt")
    with archive.serve() as served:
        base = FULL.replace("URL", served.url)
        files = {"config.yaml": f"registry: {REGISTRY}\n", "full/base.yaml": base, "full/motd": "welcome\n"}
        write(tree, {**files, **production("child", "1-1", CHILD)})
        (tree / "full" / "corp.pem").write_bytes(authority())
        (tree / "full" / "team.gpg").write_bytes(archive.key.public)
        yield tree


@pytest.fixture(scope="module")
def view(state: Path, tree: Path) -> View:
    made = Command(state, tree / "config.yaml").ask("archive", "view", "--pockets", "release")
    return ViewBook(Settings(state).views).load(made["view"])


@pytest.fixture(scope="module")
def built(state: Path, view: View, tree: Path) -> Store:
    Command(state, tree / "config.yaml").ask("build", "--offline", "--view", view.id, str(tree))
    return Store(Settings(state).store)


def image(store: Store, name: str) -> Image:
    found = store.resolve(f"{REGISTRY}/{name}")
    assert found is not None
    return found


def everything(store: Store, name: str) -> dict[str, Entry]:
    return store.tree(image(store, name))


def read(store: Store, path: str) -> str:
    return store.read_files(image(store, "full:12-1").layers, [path])[path].decode()


def test_files_and_accounts_are_the_recipes(built: Store) -> None:
    tree = everything(built, "full:12-1")
    assert read(built, "etc/motd") == "welcome\n"
    settings = tree["srv/app/settings"]
    assert (settings.mode, settings.uid, settings.gid) == (0o640, 901, 33)
    assert (tree["srv/app"].uid, tree["srv/app"].gid) == (901, 900)
    assert "app:x:901:900::/srv/app:/bin/sh\n" in read(built, "etc/passwd")
    assert "app:x:900:\n" in read(built, "etc/group")


def test_an_archive_beside_debians_is_used_and_named_with_its_keys(built: Store, tree: Path) -> None:
    assert read(built, "srv/tool") == "tool\n"
    sources = read(built, "etc/apt/sources.list.d/ropewalk-archives.sources")
    assert sources.endswith("/apt\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/team.gpg\n")
    keyring = everything(built, "full:12-1")["etc/apt/keyrings/team.gpg"]
    assert keyring.sha256 == hashlib.sha256((tree / "full/team.gpg").read_bytes()).hexdigest()


def test_a_certificate_is_in_the_store_as_the_images_own_program_puts_it(built: Store, tree: Path) -> None:
    found = everything(built, "full:12-1")
    certificate = (tree / "full/corp.pem").read_text(encoding="ascii")
    assert certificate in read(built, "etc/ssl/certs/ca-certificates.crt")
    assert found["etc/ssl/certs/corp.pem"].link == "/usr/local/share/ca-certificates/corp.crt"
    assert any(entry.link == "corp.pem" for path, entry in found.items() if path.startswith("etc/ssl/certs/"))


def test_what_is_stripped_stays_out_of_what_is_built_on_it_and_licences_stay(built: Store) -> None:
    for name, package in (("full:12-1", "bash"), ("child:1-1", "hello")):
        files = {path for path, entry in everything(built, name).items() if entry.type is EntryType.FILE}
        docs = {path for path in files if path.startswith(("usr/share/doc/", "usr/share/man/", "usr/share/info/"))}
        assert f"usr/share/doc/{package}/copyright" in docs
        assert {path for path in docs if not path.endswith("/copyright")} == set()
        locales = {path.split("/")[3] for path in files if path.startswith("usr/share/locale/")}
        assert locales <= {"de", "de_AT", "locale.alias"}
        assert "usr/share/man/man1" in everything(built, name)
    broken = [
        path
        for path, entry in everything(built, "child:1-1").items()
        if path.startswith("etc/alternatives/") and entry.link.startswith("/usr/share/man/")
    ]
    assert broken == []


def test_show_names_archives_and_what_is_left_out(built: Store, state: Path, tree: Path) -> None:
    assert image(built, "child:1-1")
    facts = Command(state, tree / "config.yaml").ask("show", "child")
    assert facts["stripped"][0] == "/usr/share/doc/*"
    assert facts["sources"][0] == "http://deb.debian.org/debian bookworm main"
    assert facts["sources"][-1].endswith("/apt stable main")


def test_nothing_of_the_host_or_of_the_build_is_in_it(built: Store, state: Path, view: View) -> None:
    with built.open_layer(image(built, "full:12-1").layers[0]) as stream:
        data = stream.read()
    words = (view.id, str(state), os.uname().nodename)
    assert [word for word in words if len(word) > 3 and word.encode() in data] == []


def test_an_ordinary_user_gets_the_same_digests(
    person: Person, built: Store, state: Path, view: View, tree: Path
) -> None:
    done = person.build(state, tree, view.id)
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = Store(person.place / "state/store")
    names = ("full:12-1", "child:1-1")
    assert [image(theirs, name).digest for name in names] == [image(built, name).digest for name in names]
    assert not (person.place / "state/scratch").exists()


@pytest.mark.long
@pytest.mark.parametrize("release", ["bullseye", "trixie", "sid"])
def test_every_release_gives_the_same_to_root_and_to_an_ordinary_user(
    person: Person, state: Path, tmp_path: Path, release: str
) -> None:
    view = make_view(state, release)
    write(tmp_path, {"config.yaml": f"registry: {REGISTRY}\n", f"{release}/base.yaml": PLAIN.format(name=release)})
    Command(state, tmp_path / "config.yaml").ask("build", "--offline", "--view", view.id, str(tmp_path))
    done = person.build(state, tmp_path, view.id)
    assert done.returncode == 0, done.stdout + done.stderr
    line = f"{release}:1-1"
    assert image(Store(person.place / "state/store"), line).digest == image(Store(state / "store"), line).digest


def test_a_test_is_refused_before_the_build_where_there_is_no_control_group(
    person: Person, state: Path, view: View, tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    write(tmp_path, {"full/test.sh": "#!/bin/sh\n"})
    done = person.build(state, tmp_path, view.id)
    assert done.returncode != 0
    assert "its test needs a control group, which this user may not make" in done.stdout + done.stderr
