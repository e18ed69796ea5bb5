"""Which of the host's pip settings a build is lent."""

from pathlib import Path

import pytest

from ropewalk.build.hostpip import PipSettings, from_host, pip_files, write


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_bytes(b"certificate\n")
    return path


def test_a_host_without_settings_lends_nothing(tmp_path: Path) -> None:
    found = from_host({}, [tmp_path / "missing.conf"])
    assert found == PipSettings()
    assert not found


def test_files_are_read_in_order_and_variables_win(tmp_path: Path, bundle: Path) -> None:
    low, high = tmp_path / "low.conf", tmp_path / "high.conf"
    low.write_text(f"[global]\nindex-url = https://low.example.org/simple\ncert = {bundle}\nproxy = http://p:1\n")
    high.write_text("[global]\nindex-url = https://high.example.org/simple\ntrusted-host =\n  a\n  b\n")
    assert from_host({}, [low, high]) == PipSettings("https://high.example.org/simple", "a b", "http://p:1", bundle)
    named = from_host({"PIP_INDEX_URL": "https://env.example.org/simple"}, [low, high])
    assert named.index_url == "https://env.example.org/simple"


def test_what_decides_what_an_image_gets_is_not_lent(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text(
        "[global]\nfind-links = /opt/wheels\nextra-index-url = http://x\nconstraint = /c.txt\nindex-url = file:///x\n"
    )
    assert not from_host({"PIP_FIND_LINKS": "/opt/wheels"}, [conf])


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_are_found_by_variable(variable: str, bundle: Path) -> None:
    assert from_host({variable: str(bundle)}, ()).certificates == bundle
    assert from_host({variable: str(bundle.parent / "missing")}, ()).certificates is None


def test_a_broken_file_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes(b"index-url\n\xff")
    assert not from_host({}, [tmp_path / "pip.conf"])


def test_pip_looks_in_these_places() -> None:
    found = pip_files({"HOME": "/home/x", "PIP_CONFIG_FILE": "/named"})
    expected = [
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        "/home/x/.pip/pip.conf",
        "/home/x/.config/pip/pip.conf",
        "/named",
    ]
    assert [str(path) for path in found] == expected


def test_what_is_lent_names_paths_inside_the_build(tmp_path: Path, bundle: Path) -> None:
    into = tmp_path / "lent"
    into.mkdir()
    write(PipSettings("https://i.example.org/simple", "h", "http://p:1", bundle), into)
    assert (into / "certificates.crt").read_bytes() == b"certificate\n"
    assert (into / "pip.conf").read_text().splitlines() == [
        "[global]",
        "disable-pip-version-check = true",
        "index-url = https://i.example.org/simple",
        "trusted-host = h",
        "proxy = http://p:1",
        "cert = /run/ropewalk/certificates.crt",
    ]
