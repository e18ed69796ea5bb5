"""What apt would upgrade, case by case; then over an index of images."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from kit.aptcases import APT_CASES, BACKPORTS, PLAIN, SECURITY, UPDATES, AptCase
from kit.images import add_files, add_image, owners, recipe, record, status
from ropewalk.archive import DEBIAN, ArchivePackage
from ropewalk.db import open_database
from ropewalk.debian import sort_key
from ropewalk.inventory import ingest_image, upgrades
from ropewalk.inventory.upgrades import Offer, candidate
from ropewalk.oci.model import Platform
from ropewalk.oci.store import Store
from ropewalk.recipe.record import BuildRecord


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "x.sqlite")


def offered(package: str, version: str, suite: str, architecture: str = "amd64", uri: str = DEBIAN) -> ArchivePackage:
    return ArchivePackage(package, version, package, version, architecture, "p.deb", 1, "0" * 64, suite, uri)


def take(
    path: Path, engine: Engine, name: str, *packages: str, codename: str = "bookworm", platform: str = "amd64"
) -> BuildRecord:
    """Take an image with one layer into the inventory."""
    store = Store(path / "store")
    release = f"ID=debian\nVERSION_CODENAME={codename}\n".encode()
    layer = add_files(store, {"var/lib/dpkg/status": status(*packages), "etc/os-release": release})
    image = add_image(store, layer, platform=Platform("linux", platform))
    made = record(recipe(name), image=image, layers=owners((layer, name)))
    ingest_image(engine, store, made)
    return made


@pytest.mark.parametrize("case", APT_CASES, ids=lambda case: case.name)
def test_the_candidate_is_apts(case: AptCase, tmp_path: Path, engine: Engine) -> None:
    take(tmp_path, engine, "x", f"p:{case.architecture}={case.installed}")
    archive = [offered("p", version, suite, architecture) for version, architecture, suite in case.offered()]
    assert [row.candidate for row in upgrades(engine, archive)] == ([case.expected] if case.expected else [])


VERSIONS = st.sampled_from(["1-1", "1-2", "1-2+deb12u1", "2~rc1-1", "2-1~bpo12+1", "2-1", "1:0-1"])


def all_offers(of: list[tuple[str, str]]) -> Iterator[Offer]:
    return (Offer(version, sort_key(version), "amd64", suite, version) for version, suite in of)


@given(VERSIONS, st.lists(st.tuples(VERSIONS, st.sampled_from([PLAIN, UPDATES, SECURITY, BACKPORTS])), max_size=6))
def test_an_upgrade_is_never_older_and_settles(installed: str, of: list[tuple[str, str]]) -> None:
    best = candidate(sort_key(installed), all_offers(of))
    if best is None:
        newer = {suite for version, suite in of if sort_key(version) > sort_key(installed)}
        assert newer <= {BACKPORTS}
    else:
        assert best.key > sort_key(installed)
        assert candidate(best.key, all_offers(of)) is None


def test_archives_beside_debians_count_for_images_that_have_a_package_of_theirs(tmp_path: Path, engine: Engine) -> None:
    take(tmp_path, engine, "has", "tool=1", "nginx=1", "bash=1")
    take(tmp_path, engine, "lacks", "nginx=1", "bash=1", "tool=0")
    url = "https://apt.example.org"
    before = [offered("tool", "1", "bookworm", uri=url), offered("nginx", "3", "bookworm", uri=url)]
    now = [offered("tool", "2", "bookworm", uri=url), offered("nginx", "4", "bookworm", uri=url)]
    debian = [offered("bash", "2", "bookworm")]
    found = upgrades(engine, [*now, *debian], beside=before)
    assert [(row.reference.partition("/")[2], row.package, row.candidate) for row in found] == [
        ("has:1", "bash", "2"),
        ("has:1", "nginx", "4"),
        ("has:1", "tool", "2"),
        ("lacks:1", "bash", "2"),
    ]
    assert [row.package for row in upgrades(engine, [*now, *debian])] == ["bash", "bash"]


def test_rows_say_image_owner_and_security(tmp_path: Path, engine: Engine) -> None:
    made = take(tmp_path, engine, "bookworm", "libssl3=3.0.15-1", "tzdata:all=2024a-1", "bash=5.2-1")
    archive = (
        offered("libssl3", "3.0.15-1", PLAIN),
        offered("libssl3", "3.0.16-1", SECURITY),
        offered("libssl3", "3.0.17-1", UPDATES),
        offered("tzdata", "2025b-1", UPDATES, "all"),
        offered("bash", "5.2-1", PLAIN),
        offered("bash", "5.3-1", "trixie"),
    )
    found = upgrades(engine, archive)
    assert [(row.package, row.installed, row.candidate, row.security) for row in found] == [
        ("libssl3", "3.0.15-1", "3.0.17-1", True),
        ("tzdata", "2024a-1", "2025b-1", False),
    ]
    assert {(row.reference, row.digest, row.owner) for row in found} == {(made.reference, made.digest, "bookworm")}


def test_each_image_has_its_own_suites(tmp_path: Path, engine: Engine) -> None:
    take(tmp_path, engine, "bookworm", "bash=5.2-1")
    take(tmp_path, engine, "trixie", "bash=5.2-1", codename="trixie")
    take(tmp_path, engine, "alpine", "bash=5.2-1", codename="")
    archive = (offered("bash", "5.2-2", SECURITY), offered("bash", "5.3-1", "trixie-updates"))
    assert [(row.reference.rpartition("/")[2], row.candidate) for row in upgrades(engine, archive)] == [
        ("bookworm:1", "5.2-2"),
        ("trixie:1", "5.3-1"),
    ]


def test_images_of_another_architecture_take_only_their_own_packages(tmp_path: Path, engine: Engine) -> None:
    take(tmp_path, engine, "arm", "bash:armhf=1", "tzdata:all=1", platform="arm")
    archive = (offered("bash", "2", PLAIN), offered("tzdata", "2", PLAIN, "all"))
    assert [row.package for row in upgrades(engine, archive)] == ["tzdata"]


def test_only_the_images_asked_for(tmp_path: Path, engine: Engine) -> None:
    first = take(tmp_path, engine, "a", "bash=1")
    take(tmp_path, engine, "b", "bash=1", "dash=1")
    archive = (offered("bash", "2", PLAIN),)
    assert len(upgrades(engine, archive)) == 2
    assert [row.digest for row in upgrades(engine, archive, [first.digest])] == [first.digest]
    assert upgrades(engine, archive, []) == ()
