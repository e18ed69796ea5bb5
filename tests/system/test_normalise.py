"""Real packages that make keys, ids, logs and databases, installed twice, the second time 40 days later: equal layers.

What two builds differ in is `build/known.py`'s table; here each class is shown by the package that has it.
"""

from collections.abc import Iterator

import pytest

from kit.twice import REAL, Bench, Built, differing, opened, raw_differing
from ropewalk.build import make_image, pin_parents
from ropewalk.build.concerns import NotForAnImage
from ropewalk.build.known import Treatment, known
from ropewalk.oci import EntryType

pytestmark = pytest.mark.system

SITE = "usr/local/lib/python3.11/dist-packages"
PACKAGES = (
    "openssh-server ssl-cert dbus postfix man-db groff-base fontconfig fonts-dejavu-core munge nvme-cli open-iscsi"
    " popularity-contest python3-pip python3-dev python3-setuptools python3-wheel gcc libc6-dev"
)
PIP = "pip3 install --break-system-packages --no-binary :all: --no-build-isolation --use-pep517 MarkupSafe==2.1.5"
TEMPLATE = (
    f"RUN {{{{ '{PACKAGES}' | apt_install }}}}\n"
    f"RUN useradd --create-home someone && {PIP} && date +%s >/var/log/apt/now\n"
    f"RUN {REAL}{{{{ 'openjdk-17-jre-headless bind9' | apt_install }}}}\n"
)
DIFFER = {
    "etc/aliases.db": Treatment.LEFT_OUT,
    "etc/bind/rndc.key": Treatment.LEFT_OUT,
    "etc/iscsi/initiatorname.iscsi": Treatment.REWRITTEN,
    "etc/munge/munge.key": Treatment.LEFT_OUT,
    "etc/nvme/hostid": Treatment.LEFT_OUT,
    "etc/nvme/hostnqn": Treatment.LEFT_OUT,
    "etc/popularity-contest.conf": Treatment.KEPT,
    "etc/ssh/ssh_host_ed25519_key": Treatment.LEFT_OUT,
    "etc/ssh/ssh_host_rsa_key.pub": Treatment.LEFT_OUT,
    "etc/ssl/certs/java/cacerts": Treatment.REWRITTEN,
    "etc/ssl/certs/ssl-cert-snakeoil.pem": Treatment.LEFT_OUT,
    "etc/ssl/private/ssl-cert-snakeoil.key": Treatment.LEFT_OUT,
    f"{SITE}/markupsafe/_speedups.cpython-311-x86_64-linux-gnu.so": Treatment.REWRITTEN,
    "var/cache/ldconfig/aux-cache": Treatment.LEFT_OUT,
    "var/lib/dbus/machine-id": Treatment.LEFT_OUT,
    "var/log/alternatives.log": Treatment.LEFT_OUT,
    "var/log/apt/history.log": Treatment.LEFT_OUT,
    "var/log/apt/now": Treatment.LEFT_OUT,
    "var/log/dpkg.log": Treatment.LEFT_OUT,
}
"""Files that the packages make otherwise each time, and what becomes of them."""
UNEQUAL = {"etc/popularity-contest.conf", "etc/cron.d/popularity-contest"}
WORKS = f"""\
#!/bin/sh
# What was left out can be made when a container starts, and what was rewritten is still believed.
set -eux
python3 -c 'import markupsafe._speedups'
cd /{SITE}
python3 - <<'END'
import base64, hashlib, pathlib
[listed] = pathlib.Path().glob("[Mm]arkup[Ss]afe-*.dist-info/RECORD")
for line in listed.read_text().splitlines():
    path, digest, size = line.rsplit(",", 2)
    data = pathlib.Path(path).read_bytes()
    if digest:
        found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={{found}}", str(len(data))), path
END
keytool -list -cacerts -storepass changeit | grep -q trustedCertEntry
fc-list | grep -q DejaVu
test ! -s /etc/machine-id
grep -x GenerateName=yes /etc/iscsi/initiatorname.iscsi
mkdir -p /run/sshd && ssh-keygen -A && /usr/sbin/sshd -t
make-ssl-cert generate-default-snakeoil && openssl x509 -noout -in /etc/ssl/certs/ssl-cert-snakeoil.pem
newaliases && test -s /etc/aliases.db
rndc-confgen -a && test -s /etc/bind/rndc.key
nvme gen-hostnqn | grep -q ^nqn
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened("bookworm", tmp_path_factory.mktemp("trees")) as found:
        yield found


@pytest.fixture(scope="module")
def both(bench: Bench) -> tuple[Built, Built]:
    return bench.both("many", TEMPLATE)


@pytest.mark.parametrize("path", DIFFER)
def test_a_package_makes_it_otherwise_each_time(both: tuple[Built, Built], path: str) -> None:
    row = known(path)
    assert row is not None
    assert row.treatment is DIFFER[path]
    assert path in raw_differing(both)
    assert [path in built.kept for built in both] == [row.treatment is not Treatment.LEFT_OUT] * 2


def test_the_second_build_is_40_days_later(both: tuple[Built, Built]) -> None:
    first, second = both
    assert 39 < (second.clock - first.clock) / 86400 < 41


def test_all_that_differs_is_in_the_table(both: tuple[Built, Built]) -> None:
    unknown = {path for path in raw_differing(both) if known(path) is None}
    assert {path for path in unknown if not path.endswith("/RECORD")} == set()


def test_two_images_are_equal_but_for_what_the_build_says(both: tuple[Built, Built]) -> None:
    assert differing(both) <= UNEQUAL
    for built in both:
        assert {path for row, paths in built.concerns if row.treatment is Treatment.KEPT for path in paths} == UNEQUAL


def test_a_build_says_what_is_nothing_for_an_image(both: tuple[Built, Built]) -> None:
    wanted = {path for path in DIFFER if (row := known(path)) is not None and row.concern is not None}
    for built in both:
        said = {path for row, paths in built.concerns for path in paths}
        assert wanted <= said
        assert all(row.why.fix for row, _ in built.concerns)


def test_days_and_font_caches_are_of_the_epoch(bench: Bench, both: tuple[Built, Built]) -> None:
    for built in both:
        data = bench.shop.store.read_files(built.image.layers, ("etc/shadow",))["etc/shadow"].decode()
        [line] = [line for line in data.splitlines() if line.startswith("someone:")]
        assert line.split(":")[2] == str(built.image.created // 86400)
        assert ("tmp" in built.kept) == any(path.startswith("tmp/") for path in built.kept)
        assert "var/cache/man/index.db" in built.raw  # it differs only where a parent was changed below an image
        assert "var/cache/man/index.db" not in built.kept
        assert any(path.startswith("var/cache/fontconfig/") for path in built.kept)
        assert any(path.endswith(".pyc") and entry.type is EntryType.FILE for path, entry in built.kept.items())


def test_the_image_works_and_makes_its_own_keys(bench: Bench, both: tuple[Built, Built]) -> None:
    bench.check(both[0].image, WORKS)


@pytest.mark.parametrize(
    ("word", "run"),
    [
        ("keys", "mkdir -p /srv && printf -- '-----BEGIN PRIVATE KEY-----\\n' >/srv/tls.key"),
        ("keys", "echo root:secret | chpasswd"),
        ("data", "mkdir -p /var/lib/mysql && echo >/var/lib/mysql/ibdata1"),
        ("unequal", "echo MY_HOSTID=1 >/etc/popularity-contest.conf"),
    ],
)
def test_a_tree_refuses_what_it_says(bench: Bench, word: str, run: str) -> None:
    settings = f"ropewalk:\n  refuse: [{word}]\n"
    strict = bench.recipe("strict", f"RUN {run}\n", settings)
    parents = pin_parents(bench.shop, strict, [])
    with pytest.raises(NotForAnImage, match=r"strict:1\.0-1: refused: ") as caught:
        make_image(bench.shop, strict, parents, bench.view)
    assert f"take `{word}` out of `ropewalk.refuse`" in caught.value.hint
