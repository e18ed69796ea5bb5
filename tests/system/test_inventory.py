"""The table of what apt chooses, held against apt itself (no network: three small files stand for the archive)."""

import subprocess
from pathlib import Path

import pytest

from kit.aptcases import APT_CASES, BACKPORTS, EXPERIMENTAL, SUITES
from kit.images import stanza

pytestmark = pytest.mark.system

_FLAGS = {BACKPORTS: "NotAutomatic: yes\nButAutomaticUpgrades: yes\n", EXPERIMENTAL: "NotAutomatic: yes\n"}


def write_suite(archive: Path, suite: str) -> str:
    """Write a suite that offers what the cases say, package ``pN`` for case N; return its line for sources.list."""
    stanzas = [
        f"Package: p{number}\nVersion: {version}\nArchitecture: {architecture}\nDescription: p\n"
        f"Filename: p{number}_{version.replace(':', '.')}_{architecture}_{suite}.deb\nSize: {number + 1}\n"
        f"SHA256: {number:032x}{len(version):032x}\n"
        for number, case in enumerate(APT_CASES)
        for version, architecture, offering in case.offered()
        if offering == suite
    ]
    packages = archive / suite / "dists" / suite / "main" / "binary-amd64" / "Packages"
    packages.parent.mkdir(parents=True)
    packages.write_text("\n".join(stanzas))
    release = f"Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64\n{_FLAGS.get(suite, '')}"
    (archive / suite / "dists" / suite / "Release").write_text(release)
    return f"deb [trusted=yes] copy:{archive / suite} {suite} main\n"


def test_apt_chooses_what_the_table_says(tmp_path: Path) -> None:
    for needed in ("etc/apt", "state/lists/partial", "cache/archives/partial"):
        (tmp_path / needed).mkdir(parents=True)
    lines = [write_suite(tmp_path / "archive", suite) for suite in SUITES]
    (tmp_path / "etc/apt/sources.list").write_text("".join(lines))
    held = [stanza(f"p{n}:{case.architecture}={case.installed}") for n, case in enumerate(APT_CASES)]
    (tmp_path / "status").write_text("".join(held).replace("Version:", "Description: p\nVersion:"))
    options = {
        "Dir::Etc": tmp_path / "etc/apt",
        "Dir::State": tmp_path / "state",
        "Dir::State::status": tmp_path / "status",
        "Dir::Cache": tmp_path / "cache",
        "APT::Architecture": "amd64",
        "APT::Architectures::": "armhf",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", *apt, "update"], check=True, capture_output=True)
    listed = subprocess.run(["apt", *apt, "list", "--upgradable"], check=True, capture_output=True, text=True).stdout
    chosen = {}
    for line in listed.splitlines():
        if "upgradable from" in line:
            name, version = line.split()[:2]
            chosen[name.partition("/")[0].partition(":")[0]] = version
    assert chosen == {f"p{n}": case.expected for n, case in enumerate(APT_CASES) if case.expected}
