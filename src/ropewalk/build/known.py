"""What differs between two builds of one recipe: one table of paths, causes, treatments and what recipes can do.

Pure. The normaliser acts on it, a build reports from it, and comparisons explain paths with the same words. Its rows are
those of REBASE.md ('What two builds differ in') and what was found since; `tests/system/test_normalise.py` shows them on
the real packages.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ropewalk.build import mend as mends
from ropewalk.recipe.concern import Concern


class Cause(StrEnum):
    """What makes two builds of the same inputs differ."""

    TIME = "time"
    """The clock, or the date of something."""
    ORDER = "order"
    """The same things in another order: a directory's, a hash table's, of threads."""
    RANDOM = "randomness"
    """A random number, an identifier, an address in memory, the name of a temporary directory."""
    KEY = "key"
    """A private key or a password made while building: every copy of the image would share it."""
    NETWORK = "network content"
    """Something that was fetched, and that no archive view pins."""
    UNKNOWN = "unknown"
    """Nothing here explains it."""


class Treatment(StrEnum):
    """What the normaliser does about it."""

    LEFT_OUT = "left out"
    REWRITTEN = "rewritten"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Why:
    """An explanation of a difference.

    Attributes:
        cause: The class.
        reason: What makes it, in a few words.
        fix: What the recipe can do; empty where nothing is lost or nothing is known.
    """

    cause: Cause
    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A row of the table.

    Attributes:
        paths: A regular expression for whole paths, relative to the root.
        why: Why they differ, and what a recipe can do.
        treatment: What the normaliser does.
        concern: Under which word a tree can refuse it; None where nobody needs to know.
        mend: Gives the content to keep, where it is rewritten.
        shows: Says of a content whether it is what this row is about; None where the path says it.
        files: The row is about regular files alone: a recipe may put a link to a mounted one there.
    """

    paths: str
    why: Why
    treatment: Treatment = Treatment.LEFT_OUT
    concern: Concern | None = None
    mend: mends.Mend | None = None
    shows: Callable[[bytes], bool] | None = None
    files: bool = False


def _key(paths: str, reason: str, fix: str) -> Known:
    return Known(paths, Why(Cause.KEY, reason, fix), concern=Concern.KEYS, files=True)


def _data(paths: str, reason: str, fix: str, cause: Cause = Cause.RANDOM) -> Known:
    return Known(paths, Why(cause, reason, fix), concern=Concern.DATA)


def _rewritten(paths: str, cause: Cause, reason: str, by: mends.Mend) -> Known:
    return Known(paths, Why(cause, reason), Treatment.REWRITTEN, mend=by, files=True)


def _unequal(paths: str, cause: Cause, reason: str, fix: str) -> Known:
    return Known(paths, Why(cause, reason, fix), Treatment.KEPT, Concern.UNEQUAL, files=True)


_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PASSWORD = re.compile(rb"^[^:\n]+:!?[$][^:\n]+:", re.MULTILINE)


def _has_private_key(data: bytes) -> bool:
    return _PRIVATE_KEY.search(data) is not None


def _has_password(data: bytes) -> bool:
    return _PASSWORD.search(data) is not None


_LOG = Why(Cause.TIME, "a log")
_CACHE = Why(Cause.TIME, "a cache with the times or numbers of files")
_BACKUP = Why(Cause.TIME, "the version before the last change")
_SLAPD = "answer `slapd/no_configuration` with true by debconf before, and run `slapadd` when a container starts"
_TEX = "use pdfTeX or XeTeX, or delete it and run `fmtutil-sys --all` when a container starts"
_MACHINE_ID = "an id of one system"

TABLE: tuple[Known, ...] = (
    Known(r"var/log/(dpkg|alternatives|bootstrap|fontconfig)\.log", _LOG),
    Known(r"var/log/(btmp|wtmp|lastlog|faillog|tallylog)|var/log/apt/.+|var/lib/texmf/.+\.log", _LOG),
    Known(r"var/cache/(ldconfig|man)/.+|var/cache/apt/(pkgcache\.bin|srcpkgcache\.bin|archives/.+)", _CACHE),
    Known(r"var/.+-old|etc/(passwd|group|shadow|gshadow|subuid|subgid)-", _BACKUP),
    Known(
        r"var/cache/debconf/tmp\.ci(/.+)?",
        Why(Cause.ORDER, "where debconf unpacks questions, made by whoever is first"),
    ),
    Known(r"tmp/hsperfdata_[^/]+(/.+)?", Why(Cause.RANDOM, "what Java counted, in a file named after its process")),
    Known(r"var/lib/dbus/machine-id", Why(Cause.RANDOM, _MACHINE_ID), files=True),
    _rewritten(r"etc/machine-id", Cause.RANDOM, _MACHINE_ID, mends.emptied),
    _rewritten(r"etc/iscsi/initiatorname\.iscsi", Cause.RANDOM, "an iSCSI initiator's random name", mends.initiator),
    _rewritten(r".+\.pyc", Cause.ORDER, "byte code: the source's time; sets in the order of random hashes", mends.pyc),
    _rewritten(r"etc/ssl/certs/java/cacerts", Cause.TIME, "a keystore: the date of each entry", mends.keystore),
    _rewritten(
        r"(usr/share/texmf|usr/share/texlive/texmf-dist|var/lib/texmf|usr/local/share/texmf)/ls-R\S*",
        Cause.ORDER,
        "a list in the order of the directory",
        mends.ls_r,
    ),
    _rewritten(
        r".+/(site|dist)-packages/.+\.so(\.\d+)*",
        Cause.RANDOM,
        "a C extension: the temporary directory in which pip built it",
        mends.extension,
    ),
    _key(
        r"etc/ssh/ssh_host_[^/]+_key(\.pub)?",
        "an ssh host key, made at install",
        "run `ssh-keygen -A` when a container starts",
    ),
    _key(
        r"etc/ssl/(private/ssl-cert-snakeoil\.key|certs/ssl-cert-snakeoil\.pem)",
        "the snakeoil certificate, made at install",
        "mount a certificate, or run `make-ssl-cert generate-default-snakeoil` when a container starts",
    ),
    _key(r"(.+/)?\.erlang\.cookie", "Erlang's cookie, made at install", "mount the cluster's own"),
    _key(r"etc/munge/munge\.key", "munge's key, made at install", "mount the cluster's own"),
    _key(r"etc/bind/rndc\.key", "bind's key, made at install", "run `rndc-confgen -a` when a container starts"),
    Known(
        r"etc/shadow",
        Why(Cause.KEY, "a password, with a random salt", "give the account none (`passwd --lock`)"),
        Treatment.KEPT,
        Concern.KEYS,
        shows=_has_password,
        files=True,
    ),
    Known(
        r"(etc|var|root|home|srv|opt|usr/local)/(.+/)?(id_(rsa|dsa|ecdsa|ed25519)|[^/]+\.(key|pem))",
        Why(Cause.KEY, "a private key", "mount it, or make it when a container starts"),
        Treatment.KEPT,
        Concern.KEYS,
        shows=_has_private_key,
        files=True,
    ),
    Known(
        r"etc/ldap/slapd\.d/.+",
        Why(Cause.RANDOM, "OpenLDAP's configuration, made at install: ids, times, a password", _SLAPD),
        Treatment.KEPT,
        Concern.UNEQUAL,
        files=True,
    ),
    _data(r"var/lib/ldap/.+", "an OpenLDAP database, made at install", _SLAPD),
    _data(r"etc/aliases\.db", "a database with a random id", "run `newaliases` when a container starts"),
    _data(
        r"var/lib/postgresql/[^/]+/[^/]+/.+",
        "a PostgreSQL cluster, made at install",
        "write `create_main_cluster = false` to /etc/postgresql-common/createcluster.conf before the package is"
        " installed, and run `pg_createcluster` when a container starts",
    ),
    _data(
        r"var/lib/mysql/.+",
        "a MariaDB or MySQL data directory, made at install",
        "install mariadb-server-core, and run `mariadb-install-db` when a container starts",
    ),
    _data(
        r"etc/nvme/(hostid|hostnqn)",
        "an NVMe host's random name",
        "run `nvme gen-hostnqn` when a container starts",
    ),
    _data(
        r"usr/lib/jvm/java-(8|11)-[^/]+/.+/classes\.jsa",
        "Java's class archive, which holds addresses",
        "`rm` it in the RUN that installs it: Java starts without, some 25 ms later; 17 and newer have an equal one",
    ),
    _unequal(
        r"etc/popularity-contest\.conf|etc/cron\.d/popularity-contest",
        Cause.RANDOM,
        "a random id and time of day",
        "do not install popularity-contest",
    ),
    _unequal(
        r"var/lib/texmf/web2c/(luatex|luahbtex)/.+\.fmt",
        Cause.ORDER,
        "a format of LuaTeX: words in the order of a hash table",
        _TEX,
    ),
    _unequal(r"var/lib/texmf/web2c/tex/.+\.fmt", Cause.TIME, "a format of plain TeX, which holds the date", _TEX),
)
"""The first row that matches counts."""

_AT_START = "delete it in the RUN that installs it, make it when a container starts"
PIN = "pin versions and hashes: pip's --require-hashes, npm ci, checksums of downloads"
"""What a recipe can do about content from the network."""
A_KEY = Why(Cause.KEY, "a key that is made at install, and a fault: every copy of the image has it", _AT_START)
"""What a path or a content shows to be a key that has no row of its own."""
_GUESSES: tuple[tuple[re.Pattern[str], Why], ...] = tuple(
    (re.compile(paths), why)
    for paths, why in (
        (r"etc/ssh/ssh_host_.+|etc/ssl/private/.+|.+\.(key|p12|pfx)", A_KEY),
        (
            r"var/lib/(mysql|postgresql|redis|mongodb)/.+|.+\.(sqlite3?|db)",
            Why(Cause.RANDOM, "a database that is made at install", "delete its data directory, make it at start"),
        ),
        (r"(.+/)?machine-id|(.+/)?random-seed", Why(Cause.RANDOM, _MACHINE_ID, _AT_START)),
        (r".+\.log|var/log/.+", Why(Cause.TIME, "a log", "delete it in the RUN that writes it")),
        (
            r"(.+/)?(site-packages|node_modules|gems|composer|\.cargo|go/pkg)/.+",
            Why(Cause.NETWORK, "installed from the network, not from the archive view", PIN),
        ),
        (
            r".+\.(jar|war|zip|whl|gz|tgz|tar|xz|zst|bz2)",
            Why(
                Cause.TIME, "an archive that holds its members' times", "touch its members to $SOURCE_DATE_EPOCH first"
            ),
        ),
        (r".+\.jsa", Why(Cause.RANDOM, "Java's class archive, which holds addresses", "delete it; Java works without")),
        (r".+\.fmt", Why(Cause.TIME, "a TeX format", "delete it; TeX makes it again with fmtutil")),
        (r"(.+/)?ls-R", Why(Cause.ORDER, "a list in the order of the directory", "run mktexlsr at start")),
        (r".+\.(pyc|pyo)", Why(Cause.ORDER, "byte code with sets or references in another order", "delete it")),
        (r"etc/shadow", Why(Cause.TIME, "the day on which a password was changed")),
    )
)
"""What a path suggests where no row of the table is about it; of several the first counts."""

_ROWS = tuple((re.compile(row.paths), row) for row in TABLE)
_ANY = re.compile("|".join(f"(?:{row.paths})" for row in TABLE))


def known(path: str) -> Known | None:
    """Return the table's row for a path.

    Args:
        path: Relative to the root.
    """
    if not _ANY.fullmatch(path):
        return None
    return next(row for pattern, row in _ROWS if pattern.fullmatch(path))


def explain(path: str, data: bytes = b"") -> Why | None:
    """Say why two builds may differ at a path: by the table, or by what the path suggests.

    Where the normaliser has rewritten a file, its own reason is the last one to be believed.

    Args:
        path: Relative to the root.
        data: The content, where it is known.
    """
    row = known(path)
    sure = row if row is not None and (row.shows is None or row.shows(data)) else None
    if sure is not None and sure.treatment is not Treatment.REWRITTEN:
        return sure.why
    guess = next((why for pattern, why in _GUESSES if pattern.fullmatch(path)), None)
    return guess or (sure.why if sure is not None else None)
