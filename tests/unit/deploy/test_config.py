from pathlib import Path

import pytest

from ropewalk.deploy import DeployConfig, Way, load_deploy
from ropewalk.errors import InputError

WAVES = "waves: [{name: all}]\n"


def _load(tmp_path: Path, text: str) -> DeployConfig:
    path = tmp_path / "deploy.yaml"
    path.write_text(text)
    return load_deploy(path)


def test_what_a_file_says(tmp_path: Path) -> None:
    text = """\
repository: ../charts.git
branch: production
images: [services/*]
keys: {mesh.image_version: registry.example.org/envoy}
wait-for-proof: false
merge-request: refs-for
author: Release Bot <bot@example.org>
waves:
  - {name: canary, paths: ["**/values-canary.yaml", "canary"], health: [check, --all], seconds: 30}
  - {name: eu, namespaces: ["eu-*"]}
  - name: rest
"""
    config = _load(tmp_path, text)
    assert (config.repository, config.branch, config.way) == (
        str(tmp_path.parent / "charts.git"),
        "production",
        Way.REFS_FOR,
    )
    assert (config.wait_for_proof, config.author) == (False, "Release Bot <bot@example.org>")
    assert config.waves[0].health == ("check", "--all")
    assert (config.wants("services/a"), config.wants("nginx")) == (True, False)


@pytest.mark.parametrize(
    ("path", "namespace", "wave"),
    [
        ("values-canary.yaml", "", "canary"),
        ("a/b/values-canary.yaml", "eu-1", "canary"),
        ("canary/x/y.yaml", "", "canary"),
        ("a/canary/y.yaml", "", "all"),
        ("a.yaml", "eu-1", "eu"),
        ("a.yaml", "us-1", "all"),
    ],
)
def test_waves_take_by_path_and_namespace(tmp_path: Path, path: str, namespace: str, wave: str) -> None:
    text = "waves:\n- {name: canary, paths: ['**/values-canary.yaml', canary]}\n- {name: eu, namespaces: ['eu-*']}\n- name: all\n"
    found = _load(tmp_path, text).wave_of(path, namespace)
    assert found is not None
    assert found.name == wave


def test_what_no_wave_takes_is_left(tmp_path: Path) -> None:
    assert _load(tmp_path, "waves: [{name: a, paths: ['a/*.yaml']}]").wave_of("a/b/c.yaml", "") is None


@pytest.mark.parametrize(
    ("repository", "read"),
    [
        ("https://git.example.org/charts.git", "https://git.example.org/charts.git"),
        ("ssh://git@git.example.org/charts", "ssh://git@git.example.org/charts"),
        ("git@git.example.org:charts.git", "git@git.example.org:charts.git"),
        ("/srv/charts", "/srv/charts"),
    ],
)
def test_addresses_stay_as_they_are(tmp_path: Path, repository: str, read: str) -> None:
    assert _load(tmp_path, f"repository: {repository}\n{WAVES}").repository == read


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("waves: []\n", ":1: names no wave", "write one at least: - {name: all}"),
        ("branch: main\n", ":1: `waves` is missing", "add `waves:`"),
        (f"brunch: main\n{WAVES}", ":1: unknown key `brunch`", "did you mean `branch`?"),
        ("waves:\n- name: a\n  helth: [x]\n", ":3: unknown key `waves[0].helth`", "did you mean `health`?"),
        ("waves: [{name: a}, {name: a}]\n", ":1: the wave `a` stands twice", "give each its own name"),
        ("waves: [{name: ../a}]\n", ":1: `../a` is no name of a wave", "write small letters, digits and single dashes"),
        ("waves: [{name: a, health: []}]\n", ":1: names no program", "write [PROGRAM, ARGUMENT...] or leave it out"),
        ("waves: [{name: a, seconds: 0}]\n", ":1: 0 seconds are no time", "write how long the health command may take"),
        (
            f"repository: ext::sh\n{WAVES}",
            ":1: `ext::sh` is no repository",
            "write a path, or a URL: https://HOST/PATH, ssh://HOST/PATH",
        ),
        (
            f"repository: --upload-pack=x\n{WAVES}",
            ":1: `--upload-pack=x` is no repository",
            "write a path, or a URL: https://HOST/PATH, ssh://HOST/PATH",
        ),
        (f"branch: a..b\n{WAVES}", ":1: `a..b` is no name of a branch", "write it without refs/heads/"),
        (f"branch: -f\n{WAVES}", ":1: `-f` is no name of a branch", "write it without refs/heads/"),
        (
            f"merge-request: github\n{WAVES}",
            ":1: `github` is no way to ask for a merge",
            "write true, false or refs-for",
        ),
        (f"author: me\n{WAVES}", ":1: `me` is no author", "write Name <address@example.org>"),
    ],
)
def test_faults_name_line_and_remedy(tmp_path: Path, text: str, error: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        _load(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/deploy.yaml{error}"
    assert caught.value.hint == hint
