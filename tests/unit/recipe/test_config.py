from datetime import date
from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.recipe import Consent, Foreign, Renewal, TreeConfig, Versions, load_config


def read(tmp_path: Path, text: str, user: str | None = None) -> TreeConfig:
    path, below = tmp_path / "config.yaml", tmp_path / "user.yaml"
    path.write_text(text)
    if user is not None:
        below.write_text(user)
    return load_config(path, below)


def test_defaults_are_docker_pkgs() -> None:
    config = load_config(None, None)
    assert config.known_uid_mappings == (("nobody", 65534), ("root", 0), ("www-data", 33))
    assert (config.verify_command, config.verify_args) == ("/bin/bash", ("-c", "{path}/test.sh {image}"))
    assert (config.scan_workers, config.distribution, config.update_id) == (8, "wikimedia", "s")
    assert config.context()["http_proxy"] is None


def test_the_trees_keys_go_over_the_users(tmp_path: Path) -> None:
    config = read(tmp_path, "registry: r\nseed_image: x:1\n", "registry: u\nnamespace: n\nextra: 1\n")
    assert (config.registry, config.namespace) == ("r", "n")
    assert config.variables == {"seed_image": "x:1", "extra": 1}


def test_every_other_key_is_a_template_variable(tmp_path: Path) -> None:
    config = read(tmp_path, "registry: r\nversions: {a: '1', b: [2]}\n")
    context = config.context()
    assert context["versions"] == {"a": "1", "b": [2]}
    assert context["registry"] == "r"
    assert "ropewalk" not in context


def test_apts_proxy_defaults_to_the_proxy(tmp_path: Path) -> None:
    assert read(tmp_path, "http_proxy: http://p:1\n").apt_only_proxy == "http://p:1"
    assert read(tmp_path, "http_proxy: http://p:1\napt_only_proxy: http://a:2\n").apt_only_proxy == "http://a:2"


def test_null_is_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, "namespace:\nregistry: r\n").namespace == ""


def test_uid_mappings_are_replaced_whole(tmp_path: Path) -> None:
    assert read(tmp_path, "known_uid_mappings: {b: 2, a: 1}\n").known_uid_mappings == (("a", 1), ("b", 2))


def test_ours(tmp_path: Path) -> None:
    text = """\
registry: r.example.org
ropewalk:
  endpoint: http://127.0.0.1:5000
  aliases: [old.example.org]
  keys: keys
  foreign:
    - image: docker.io/library/alpine
      reason: tests of musl
      contact: a@example.org
      expires: 2026-06-30
"""
    config = read(tmp_path, text)
    assert (config.endpoint, config.aliases, config.keys) == ("http://127.0.0.1:5000", ("old.example.org",), "keys")
    where = f"{tmp_path}/config.yaml:7"
    entry = Foreign("docker.io/library/alpine", "tests of musl", "a@example.org", date(2026, 6, 30), where)
    assert config.foreign == (entry,)


def test_how_images_are_renewed(tmp_path: Path) -> None:
    assert read(tmp_path, "registry: r\n").refresh == Renewal()
    text = "ropewalk: {refresh: {version: changelog, advisories: https://tracker.example.org/data/json}}\n"
    assert read(tmp_path, text).refresh == Renewal(Versions.CHANGELOG, "https://tracker.example.org/data/json")
    beside = read(tmp_path, "ropewalk: {refresh: {advisories: tracker.json}}\n").refresh
    assert beside == Renewal(Versions.REBUILD, str(tmp_path / "tracker.json"))
    with pytest.raises(InputError, match="`changlog` is no way to number renewed images") as caught:
        read(tmp_path, "ropewalk: {refresh: {version: changlog}}\n")
    assert caught.value.hint == "did you mean `changelog`?"


def test_how_images_follow_the_archive(tmp_path: Path) -> None:
    usual = read(tmp_path, "").refresh
    assert (usual.security, usual.updates, usual.every) == (Consent.AUTOMATIC, Consent.APPROVAL, 300)
    text = "ropewalk:\n  refresh: {security: approval, updates: automatic, every: 2h}\n"
    expected = Renewal(security=Consent.APPROVAL, updates=Consent.AUTOMATIC, every=7200)
    assert read(tmp_path, text).refresh == expected


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(TreeConfig(password="secret"))


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("ropewalk:\n  endpont: x\n", 2, "unknown key `ropewalk.endpont`", "did you mean `endpoint`?"),
        ("ropewalk:\n  compressor: x\n", 2, "Ropewalk does not read the key `ropewalk.compressor` yet", "leave it out"),
        (
            "ropewalk:\n  refresh:\n    updates: manual\n",
            3,
            "`ropewalk.refresh.updates` cannot be `manual`",
            "known: approval, automatic",
        ),
        (
            "ropewalk:\n  refresh: {every: 5}\n",
            2,
            "`ropewalk.refresh.every` is no span of time",
            "write a number with s, m, h or d: 5m",
        ),
        ("ropewalk: x\n", 1, "`ropewalk` must be a mapping", "write a mapping"),
        ("registry: [r]\n", 1, "`registry` must be text", "write text"),
        ("\nscan_workers: many\n", 2, "`scan_workers` must be a whole number", "write a whole number"),
        ("known_uid_mappings:\n  a: x\n", 2, "`known_uid_mappings.a` must be a whole number", "write a whole number"),
        ("base_images: x\n", 1, "`base_images` must be a list", "write a list"),
        (
            "ropewalk:\n  foreign:\n    - image: x\n      reason: y\n      contact: z\n",
            3,
            "`expires` is missing",
            "add `expires:`",
        ),
        (
            "ropewalk:\n  foreign:\n    - image: x\n      reson: y\n",
            4,
            "unknown key `ropewalk.foreign[0].reson`",
            "did you mean `reason`?",
        ),
    ],
)
def test_faults_name_file_line_and_remedy(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/config.yaml:{line}: {message}"
    assert caught.value.hint == hint


def test_an_address_is_no_registry_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"`https://r\.example\.org` is an address") as caught:
        read(tmp_path, "registry: https://r.example.org\n")
    assert "ropewalk.endpoint" in caught.value.hint


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml", None)


def test_a_distribution_is_allowed_until_its_entry_expires(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    entry = "{image: alpine, distribution: alpine, reason: r, contact: c, expires: 2026-06-30}"
    path.write_text(f"ropewalk: {{foreign: [{entry}, {{image: x, reason: r, contact: c, expires: 2026-06-30}}]}}\n")
    config = load_config(path, None)
    assert config.distributions(date(2026, 6, 30)) == {"alpine"}
    assert config.distributions(date(2026, 7, 1)) == frozenset()


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("registry: r\nseed_image: x:1\nversions: {a: '1'}\n", []),
        ("registy: r\n", ["1: `registy`", "`registry`"]),
        ("registry: r\n\nforeign: []\n", ["3: `foreign`", "`ropewalk: foreign`"]),
        ("", ["1: is empty", "begin with `registry: NAME`"]),
        ("# nothing\n", ["1: is empty", "begin with `registry: NAME`"]),
    ],
)
def test_what_was_hardly_meant(tmp_path: Path, text: str, doubts: list[str]) -> None:
    found = read(tmp_path, text).doubts
    assert len(found) == bool(doubts)
    for doubt in found:
        assert str(doubt).startswith(f"{tmp_path}/config.yaml:{doubts[0]}")
        assert doubts[1] in doubt.hint


def test_keys_of_both_files_may_be_in_doubt(tmp_path: Path) -> None:
    found = read(tmp_path, "registy: r\n", "pasword: p\n").doubts
    assert [doubt.path.name for doubt in found] == ["user.yaml", "config.yaml"]
