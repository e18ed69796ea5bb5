from pathlib import Path

import pytest

from ropewalk.errors import InputError
from ropewalk.recipe.service.schema import (
    Account,
    Artifact,
    Blubber,
    Custom,
    Python,
    Runs,
    read_blubber,
)

HEAD = "version: v4\nbase: r/a\nvariants:\n"


def read(tmp_path: Path, text: str) -> Blubber:
    path = tmp_path / "blubber.yaml"
    path.write_text(text)
    return read_blubber(path)


def test_everything_that_is_read(tmp_path: Path) -> None:
    text = """\
version: v4
base: r/a:1
apt: {packages: [aa, bb=1.0-1, cc/bookworm-backports]}
lives: {in: /srv/x/, as: me, uid: 1, gid: 2}
runs: {as: you, uid: 3, gid: 4, in: /run/x, insecurely: true, environment: {A: "1", B: $A}}
python: {version: python3.11, requirements: [requirements.txt]}
entrypoint: [a, b]
variants:
  build:
    builders:
      - custom: {command: make}
      - custom:
          command: [make -C, dir]
          requirements: [{from: local, source: Makefile, destination: m/}]
      - python: {version: python3, requirements: []}
  production:
    base: null
    includes: [build]
    copies: [local, build]
    apt: {packages: {default: [dd], bookworm-backports: [ee]}}
  empty:
"""
    blubber = read(tmp_path, text)
    where = f"{tmp_path}/blubber.yaml"
    common = blubber.common
    assert (common.base, common.base_where) == ("r/a:1", f"{where}:2")
    assert common.packages == (("default", ("aa", "bb=1.0-1", "cc/bookworm-backports")),)
    assert common.lives == Account("me", 1, 2, "/srv/x")
    assert common.runs == Runs(Account("you", 3, 4, "/run/x"), insecurely=True, environment=(("A", "1"), ("B", "$A")))
    assert common.python == Python("python3.11", (Artifact("local", "requirements.txt", "", ""),))
    assert common.entrypoint == ("a", "b")
    assert list(blubber.variants) == ["build", "production", "empty"]
    needed = (Artifact("local", "Makefile", "m/", ""),)
    assert blubber.variants["build"].builders == (
        Custom(("make",)),
        Custom(("make -C", "dir"), needed),
        Python("python3", ()),
    )
    made = blubber.variants["production"]
    assert (made.base, made.includes) == ("", ("build",))
    assert [(item.origin, item.where) for item in made.copies] == [("local", f"{where}:19"), ("build", f"{where}:19")]
    assert made.packages == (("default", ("dd",)), ("bookworm-backports", ("ee",)))


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("base: x\nvariants: {}\n", 1, "`version` is missing", "add `version:`"),
        ("version: v3\nvariants: {}\n", 1, "is Blubber v3; Ropewalk reads v4", "move the file to `version: v4`"),
        ("version: v4\n", 1, "`variants` is missing", "add `variants:`"),
        (
            HEAD + "  production:\n    node: {env: production}\n",
            5,
            "Ropewalk does not read the key `variants.production.node` yet",
            "leave it out",
        ),
        ("version: v4\nphp: {}\nvariants: {}\n", 2, "Ropewalk does not read the key `php` yet", "leave it out"),
        (
            "version: v4\ncopies: [local]\nvariants: {}\n",
            2,
            "unknown key `copies`",
            "known: apt, base, builders, entrypoint, lives, python, runs, variants, version",
        ),
        (
            HEAD + "  production:\n    entrypiont: [x]\n",
            5,
            "unknown key `variants.production.entrypiont`",
            "did you mean `entrypoint`?",
        ),
        (
            HEAD + "  production:\n    apt:\n      sources: []\n",
            6,
            "Ropewalk does not read the key `variants.production.apt.sources` yet",
            "leave it out",
        ),
        (
            HEAD + "  production:\n    apt:\n      packages:\n        - ok\n        - Up\n",
            8,
            "`Up` is no Debian package",
            "see `variants.production.apt.packages[1]` in Blubber's reference",
        ),
        (
            HEAD + "  production:\n    apt: {packages: ['a; rm -rf /']}\n",
            5,
            "`a; rm -rf /` is no Debian package",
            "see `variants.production.apt.packages[0]` in Blubber's reference",
        ),
        (
            HEAD + "  production:\n    apt: {packages: {'x y': [a]}}\n",
            5,
            "`x y` is no release",
            "write such as bookworm-backports",
        ),
        (
            HEAD + "  production:\n    lives: {in: srv}\n",
            5,
            "`variants.production.lives.in` must be an absolute path",
            "write `/srv`",
        ),
        (
            HEAD + "  production:\n    lives: {as: 'a b'}\n",
            5,
            "`a b` is no user name",
            "see `variants.production.lives.as` in Blubber's reference",
        ),
        (
            HEAD + "  production:\n    lives: {uid: me}\n",
            5,
            "`variants.production.lives.uid` must be a whole number",
            "write a whole number",
        ),
        (
            HEAD + "  production:\n    runs: {environment: {A: 1}}\n",
            5,
            "`variants.production.runs.environment.A` must be text",
            "put it in quotes",
        ),
        (
            HEAD + "  production:\n    runs: {environment: {A B: x}}\n",
            5,
            "`A B` is no variable's name",
            "use letters, digits and _",
        ),
        (
            HEAD + '  production:\n    runs: {environment: {A: "x\\ny"}}\n',
            5,
            "`variants.production.runs.environment.A` has a line break",
            "a Dockerfile's ENV cannot hold one; use a file",
        ),
        (
            HEAD + "  production:\n    copies:\n      - from: local\n        source: ../x\n",
            7,
            "`../x` leaves the service's directory",
            "write a path below it, without ..",
        ),
        (
            HEAD + "  production:\n    copies: [{from: local, source: /x}]\n",
            5,
            "`/x` leaves the service's directory",
            "write a path below it, without ..",
        ),
        (
            HEAD + "  production:\n    copies: [{from: local, destination: /x}]\n",
            5,
            "`destination` stands without `source`",
            "add `source:`",
        ),
        (HEAD + "  production:\n    copies: [{source: x}]\n", 5, "`from` is missing", "add `from:`"),
        (
            HEAD + "  production:\n    copies:\n    - local\n    - {from: x}\n",
            5,
            "`variants.production.copies` mixes names and mappings",
            "write all of them one way",
        ),
        (
            HEAD + "  production:\n    copies: [{from: local, exclude: [x]}]\n",
            5,
            "Ropewalk does not read the key `variants.production.copies[0].exclude` yet",
            "leave it out",
        ),
        (
            HEAD + "  production:\n    python: {poetry: {version: '1'}}\n",
            5,
            "Ropewalk does not read the key `variants.production.python.poetry` yet",
            "leave it out",
        ),
        (
            HEAD + "  production:\n    python: {requirements: [{from: local}]}\n",
            5,
            "a requirement needs `source`",
            "add `source:`",
        ),
        (
            HEAD + "  production:\n    builders:\n      - custom: {command: x}\n        python: {}\n",
            6,
            "a builder is one of `python` and `custom`",
            "write each as a list item of its own",
        ),
        (
            HEAD + "  production:\n    builders: [{custom: {script: x}}]\n",
            5,
            "Ropewalk does not read the key `variants.production.builders[0].custom.script` yet",
            "leave it out",
        ),
        (
            HEAD + "  production:\n    builders: [{custom: {requirements: []}}]\n",
            5,
            "`command` is missing",
            "add `command:`",
        ),
        (
            HEAD + "  production:\n    builders: [{custom: {command: []}}]\n",
            5,
            "`variants.production.builders[0].custom.command` is empty",
            "write the command",
        ),
        (
            HEAD + "  production:\n    builder: {command: x}\n",
            5,
            "Ropewalk does not read the key `variants.production.builder` yet",
            "leave it out",
        ),
        (
            HEAD + "  production:\n    builders: [{python: {}}, {python: {}}]\n",
            5,
            "`python` stands twice in `builders`",
            "keep one of them",
        ),
        (
            HEAD + "  production:\n    builders: []\n    python: {}\n",
            6,
            "`python` stands beside `builders`",
            "write it as a list item of `builders`",
        ),
        (HEAD + "  a:\n    base: x\n", 4, "`a` is no variant's name", "use letters, digits, - and ., at least three"),
        (
            HEAD + "  local:\n    base: x\n",
            4,
            "`local` is no variant's name",
            "use letters, digits, - and ., at least three",
        ),
    ],
)
def test_faults_name_file_line_and_remedy(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert (str(caught.value), caught.value.hint) == (f"{tmp_path}/blubber.yaml:{line}: {message}", hint)
