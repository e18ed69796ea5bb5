import stat
from pathlib import Path

import pytest

from ropewalk.errors import Exit
from ropewalk.recipe.recipe import Generation
from ropewalk.trust import KeysExist, KeysMissing, KeysUnreadable, load, new_keys, public


def files(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): oct(stat.S_IMODE(p.stat().st_mode)) for p in directory.rglob("*")}


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", Generation.PRODUCTION)
    assert files(tmp_path) == {
        "keys": "0o700",
        "keys/.lock": "0o644",
        "keys/production": "0o700",
        "keys/production/cosign.key": "0o600",
        "keys/production/cosign.pub": "0o644",
        "keys/production/openpgp.asc": "0o644",
        "keys/production/openpgp.gpg": "0o644",
        "keys/production/openpgp.key": "0o600",
    }


def test_what_was_made_is_what_is_read(tmp_path: Path) -> None:
    made = new_keys(tmp_path, Generation.SERVICE)
    assert load(tmp_path, Generation.SERVICE).public == made
    assert public(tmp_path) == (made,)
    assert len(made.fingerprint) == 40
    assert made.ecdsa_pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert made.openpgp_armoured.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    assert (tmp_path / "service" / "openpgp.asc").read_bytes() == made.openpgp_armoured


def test_public_keys_come_in_the_order_of_generations(tmp_path: Path) -> None:
    for generation in (Generation.SERVICE, Generation.BASE):
        new_keys(tmp_path, generation)
    assert [keys.generation for keys in public(tmp_path)] == [Generation.BASE, Generation.SERVICE]


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    made = new_keys(tmp_path, Generation.BASE)
    with pytest.raises(KeysExist, match="there are base keys already") as caught:
        new_keys(tmp_path, Generation.BASE)
    assert caught.value.exit_code is Exit.INPUT
    assert public(tmp_path) == (made,)


def test_missing_keys_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(KeysMissing, match="no signing keys of generation base") as caught:
        load(tmp_path, Generation.BASE)
    assert caught.value.hint == "make them once: ropewalk keys new"
    assert public(tmp_path) == ()


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    new_keys(tmp_path, Generation.BASE)
    keys = load(tmp_path, Generation.BASE)
    assert "PRIVATE" not in repr(keys)
    assert repr(keys.openpgp) not in repr(keys)


def test_a_draft_that_a_dead_run_left_is_no_generation(tmp_path: Path) -> None:
    (tmp_path / ".new-abc" / "gpg").mkdir(parents=True)
    assert public(tmp_path) == ()
    made = new_keys(tmp_path, Generation.BASE)
    assert public(tmp_path) == (made,)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "base"]


def test_a_long_path_is_no_obstacle_to_gpg(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120) / "keys"
    assert public(deep) == ()
    made = new_keys(deep, Generation.BASE)
    assert public(deep) == (made,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cosign.key", b"", "is no PEM private key"),
        ("cosign.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is no PEM private key"),
        ("cosign.pub", b"rubbish", "is no PEM public key"),
        ("openpgp.gpg", b"rubbish", "is no OpenPGP certificate"),
        ("openpgp.key", b"rubbish", "is no OpenPGP secret key"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    new_keys(tmp_path, Generation.BASE)
    (tmp_path / "base" / name).write_bytes(content)
    with pytest.raises(KeysUnreadable, match=message) as caught:
        load(tmp_path, Generation.BASE)
    assert caught.value.where == str(tmp_path / "base" / name)


def test_another_generation_under_the_name_is_refused(tmp_path: Path) -> None:
    for generation in (Generation.BASE, Generation.SERVICE):
        new_keys(tmp_path, generation)
    (tmp_path / "base" / "cosign.key").write_bytes((tmp_path / "service" / "cosign.key").read_bytes())
    with pytest.raises(KeysUnreadable, match="does not belong to the public key"):
        load(tmp_path, Generation.BASE)
