"""cosign as an oracle: Debian 13's package, fetched once with apt and unpacked beside the checkout's state.

apt verifies the archive's signature; the host's own package lists and settings of sources are left alone.
"""

import subprocess
from pathlib import Path

from ropewalk import atomic

_CACHE = Path(__file__).parent.parent.parent / ".state" / "cosign"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SUITE = "trixie"


def cosign_program(cache: Path = _CACHE) -> Path:
    """Return the path of a cosign that runs here.

    Args:
        cache: Where it is kept.
    """
    program = cache / "usr" / "bin" / "cosign"
    with atomic.locked(cache.with_name("cosign.lock")):
        if not program.exists():
            _fetch(cache)
    return program


def _mirror() -> str:
    """Return the mirror that the host's apt uses for Debian itself."""
    listing = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
    uris = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    return next((uri for uri in uris if uri.rstrip("/").endswith("/debian")), "http://deb.debian.org/debian")


def _fetch(cache: Path) -> None:
    apt = cache / "apt"
    for directory in (apt / "lists" / "partial", apt / "archives" / "partial"):
        directory.mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "APT::Update::Post-Invoke-Success": "",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    for words in (("update",), ("download", "cosign")):
        subprocess.run(["apt-get", "-q", *options, *words], check=True, cwd=apt, stdout=subprocess.DEVNULL)
    [package] = apt.glob("cosign_*.deb")
    unpacked = cache / "unpacked"
    subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    # Last and by rename, so that a program that is there is whole.
    (unpacked / "usr").rename(cache / "usr")
