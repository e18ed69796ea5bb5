from pathlib import Path

from ropewalk.debian import parse_status, stanzas, unmet

STATUS = b"""Package: a
Status: install ok installed
Architecture: amd64
Version: 1-1
Description: caf\xe9
 more

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 2

Package: waiting
Status: install ok triggers-awaited
Architecture: all
Version: 3
Source: src (2.9)

Package: wanted
Status: purge ok not-installed
Architecture: amd64

"""


def test_installed_are_those_whose_files_are_there() -> None:
    found = parse_status(STATUS)
    assert [(one.name, one.version, one.architecture, one.source, one.source_version) for one in found] == [
        ("a", "1-1", "amd64", "a", "1-1"),
        ("waiting", "3", "all", "src", "2.9"),
    ]
    assert found[0].stanza.endswith("\n more\n")


def test_a_file_of_status_d_has_no_status() -> None:
    assert [one.name for one in parse_status(b"Package: a\nVersion: 1\nArchitecture: all\n")] == ["a"]


def test_stanzas_give_the_file_back_byte_by_byte() -> None:
    found = stanzas(STATUS)
    assert list(found) == [("a", "amd64"), ("gone", "amd64"), ("waiting", "all"), ("wanted", "amd64")]
    assert "".join(f"{text}\n" for text in found.values()).encode(errors="surrogateescape") == STATUS


def test_this_hosts_own_status_is_consistent() -> None:
    data = Path("/var/lib/dpkg/status").read_bytes()
    found = parse_status(data)
    assert {"dpkg", "libc6"} <= {one.name for one in found}
    assert unmet(found) == ()
    assert "".join(f"{text}\n" for text in stanzas(data).values()).encode(errors="surrogateescape") == data
