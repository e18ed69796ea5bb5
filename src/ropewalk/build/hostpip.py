"""The host's pip settings, lent to builds: the index and the certificates that this network asks for.

They are mounted read-only while a RUN runs, and nothing of them stays in the image. ``find-links``, ``constraint`` and
``extra-index-url`` are left out: what an image gets is the recipe's decision, not the host's.
"""

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ropewalk.build.normalise import MOUNT

_SECTIONS = ("global", "install")
_BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What pip needs on this network.

    Attributes:
        index_url: The package index; empty for PyPI.
        trusted_host: Hosts that pip may ask without a valid certificate; usually empty.
        proxy: An HTTP proxy; empty for none.
        certificates: The CA bundle to believe; None for pip's own.
    """

    index_url: str = ""
    trusted_host: str = ""
    proxy: str = ""
    certificates: Path | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to lend."""
        return self != PipSettings()

    def without_credentials(self) -> "PipSettings":
        """Return what may be lent to a recipe that nobody has read: no address that names a user."""
        index = "" if "@" in self.index_url else self.index_url
        return replace(self, index_url=index, proxy="" if "@" in self.proxy else self.proxy)


def from_host(environment: Mapping[str, str], files: Sequence[Path]) -> PipSettings:
    """Gather the host's settings; variables win over files, later files over earlier ones.

    Args:
        environment: The process's environment.
        files: pip.conf files, in pip's order; missing and unreadable ones count as empty.

    Returns:
        The settings; an index that is no http address is left out.
    """
    parser = configparser.RawConfigParser(strict=False)
    for path in files:
        try:
            parser.read(path)
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
    index = _setting(parser, environment, "index-url")
    bundle = _bundle(parser, environment)
    return PipSettings(
        index_url=index if index.startswith(("http://", "https://")) else "",
        trusted_host=_setting(parser, environment, "trusted-host"),
        proxy=_setting(parser, environment, "proxy"),
        certificates=Path(bundle) if bundle and Path(bundle).is_file() else None,
    )


def pip_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where pip looks for its configuration on this host, in its order.

    Args:
        environment: The process's environment.
    """
    home = Path(environment.get("HOME", "/root"))
    wide = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    named = environment.get("PIP_CONFIG_FILE")
    found = [*(Path(part) / "pip/pip.conf" for part in wide.split(":")), Path("/etc/pip.conf")]
    found += [home / ".pip/pip.conf", own / "pip/pip.conf", *([Path(named)] if named else [])]
    return tuple(found)


def _setting(parser: configparser.RawConfigParser, environment: Mapping[str, str], name: str) -> str:
    variable = environment.get("PIP_" + name.upper().replace("-", "_"))
    if variable:
        return variable
    values = [parser.get(section, name, fallback="") for section in _SECTIONS]
    return " ".join(next((value for value in reversed(values) if value), "").split())


def _bundle(parser: configparser.RawConfigParser, environment: Mapping[str, str]) -> str:
    pip, *others = _BUNDLE_VARIABLES
    found = environment.get(pip) or _setting(parser, environment, "cert")
    return found or next((environment[name] for name in others if environment.get(name)), "")


def write(settings: PipSettings, into: Path) -> None:
    """Write the directory that builds see as ``/run/ropewalk``: ``pip.conf`` and ``certificates.crt``.

    Args:
        settings: What to lend.
        into: An empty directory.
    """
    lines = ["[global]", "disable-pip-version-check = true"]
    if settings.index_url:
        lines.append(f"index-url = {settings.index_url}")
    if settings.trusted_host:
        lines.append(f"trusted-host = {settings.trusted_host}")
    if settings.proxy:
        lines.append(f"proxy = {settings.proxy}")
    if settings.certificates is not None:
        (into / "certificates.crt").write_bytes(settings.certificates.read_bytes())
        lines.append(f"cert = /{MOUNT}/certificates.crt")
    (into / "pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
