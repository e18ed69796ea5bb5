from pathlib import Path

import pytest

from kit.archive import NEW_YEAR, Archive, Key
from ropewalk.archive import BadSignature, parse_release, verify
from ropewalk.errors import InputError

SHA = "ab" * 32
TEXT = f"""Label: Debian-Security
Suite: oldstable-security
Codename: bookworm-security
Date: Thu, 01 Jan 2026 00:00:00 UTC
Valid-Until: Thu, 08 Jan 2026 00:00:00 UTC
Acquire-By-Hash: yes
Architectures: amd64 arm64
Components: updates/main updates/contrib
MD5Sum:
 {"0" * 32} 1 main/binary-amd64/Packages.xz
SHA256:
 {SHA}    10 main/binary-amd64/Packages.xz
 ../../etc/passwd 1 hostile
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = Archive(tmp_path_factory.mktemp("archive"))
    made.publish("bookworm", [])
    return made


def test_the_signed_text_is_returned(archive: Archive) -> None:
    text = verify(archive.inrelease("bookworm").read_bytes(), archive.keyring).decode()
    assert text.startswith("Origin: Debian\n")
    assert "PGP" not in text
    assert parse_release(text).date == NEW_YEAR


def test_text_around_the_signed_part_does_not_count(archive: Archive) -> None:
    data = b"Suite: evil\n\n" + archive.inrelease("bookworm").read_bytes() + b"\nSuite: evil\n"
    try:
        text = verify(data, archive.keyring)
    except BadSignature:
        return
    assert b"evil" not in text


def test_a_second_signature_by_an_unknown_key_does_not_matter(archive: Archive, tmp_path: Path) -> None:
    keyring = tmp_path / "two.gpg"
    keyring.write_bytes(Key().public + archive.key.public)
    assert verify(archive.inrelease("bookworm").read_bytes(), keyring)


def test_changed_text(archive: Archive) -> None:
    data = archive.inrelease("bookworm").read_bytes().replace(b"Debian", b"Xebian", 1)
    with pytest.raises(BadSignature, match="where: was changed after it was signed"):
        verify(data, archive.keyring, "where")


@pytest.mark.parametrize("data", [b"", b"Suite: bookworm\n", b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"])
def test_unsigned_text(archive: Archive, data: bytes) -> None:
    with pytest.raises(BadSignature, match="has no valid signature by a known key"):
        verify(data, archive.keyring)


def test_foreign_key(archive: Archive) -> None:
    with pytest.raises(BadSignature, match="has no valid signature by a known key") as caught:
        verify(Key().sign("Suite: bookworm\n"), archive.keyring)
    assert str(archive.keyring) in caught.value.hint


def test_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the keyring is not there"):
        verify(b"", tmp_path / "none.gpg")


@pytest.mark.parametrize("data", [b"", b"nothing", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n"])
def test_a_keyring_without_keys_is_named_and_not_the_mirror(archive: Archive, tmp_path: Path, data: bytes) -> None:
    keyring = tmp_path / "keys.asc"
    keyring.write_bytes(data)
    with pytest.raises(InputError, match="holds no public key") as caught:
        verify(archive.inrelease("bookworm").read_bytes(), keyring)
    assert caught.value.where == str(keyring)


def test_parse_release() -> None:
    release = parse_release(TEXT)
    assert (release.suite, release.codename, release.label) == (
        "oldstable-security",
        "bookworm-security",
        "Debian-Security",
    )
    assert (release.date, release.valid_until) == (NEW_YEAR, NEW_YEAR + 7 * 86400)
    assert (release.components, release.architectures) == (("main", "contrib"), ("amd64", "arm64"))
    assert release.by_hash
    assert release.files == {"main/binary-amd64/Packages.xz": (10, SHA)}


@pytest.mark.parametrize(
    ("fields", "apart"),
    [
        ("Architectures: amd64 arm64", False),  # Debian's -security
        ("Architectures: all amd64 arm64", True),
        ("No-Support-for-Architecture-all: Packages\nArchitectures: all amd64", False),  # Debian's own
    ],
)
def test_packages_for_all_architectures_stand_apart_where_apt_reads_them_there(fields: str, *, apart: bool) -> None:
    assert parse_release(TEXT.replace("Architectures: amd64 arm64", fields)).all_apart is apart


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SHA256:", "SHA1:", "lists no file by SHA256"),
        ("Thu, 01 Jan 2026", "Some day", "Date 'Some day 00:00:00 UTC' is no date"),
        ("Thu, 08 Jan 2026", "Thu, 99 Jan 2026", "Valid-Until 'Thu, 99 Jan 2026 00:00:00 UTC' is no date"),
    ],
)
def test_broken_release_files(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_release(TEXT.replace(old, new))
