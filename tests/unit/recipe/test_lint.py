"""Lint: case tables of the rules, and hostile trees named by their defect."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.recipes import BASE, TODAY, changelog, config, load, production, write
from ropewalk.recipe import load_config, parse
from ropewalk.recipe.lint import RULES, Rule, changed, check_recipes, nowhere, unversioned
from ropewalk.recipe.lint.instructions import lint_dockerfile
from ropewalk.recipe.lint.places import split_where, template_lines
from ropewalk.recipe.lint.secrets import secret_line, secret_name, secrets_in
from ropewalk.recipe.lint.shell import commands, pipes_to_shell, unpinned_npm, unpinned_pip

TREES = Path(__file__).parents[2] / "assets" / "trees"

DOCKERFILES = [
    ("RUN apt-get update && apt-get install -y --no-install-recommends x && rm -rf /var/lib/apt/lists/*", []),
    ("RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*", ["2 apt-recommends"]),
    ("RUN apt-get update && apt-get install --install-recommends x && rm -rf /var/lib/apt/lists/*", []),
    ("RUN apt-get install -y -o APT::Install-Recommends=false x", []),
    ("RUN echo a && \\\n    apt-get -q install x", ["3 apt-recommends"]),
    ("RUN apt-get update && apt-get install --no-install-recommends x", ["2 apt-lists"]),
    ("RUN --mount=type=cache,target=/var/lib/apt apt-get update", []),
    ("RUN echo 'apt-get install x'", []),
    ("RUN <<END\napt-get install x\nEND", ["3 apt-recommends"]),
    ("ADD https://example.org/a /a", ["2 add-url"]),
    ("ADD --checksum=sha256:0 https://example.org/a /a", []),
    ("ADD a.tar /a", []),
    ("RUN curl -s https://example.org | bash", ["2 pipe-to-shell"]),
    ("RUN curl -s https://example.org | gpg --import", []),
    ("RUN curl -o x https://example.org && sha256sum -c x.sum", []),
    ("RUN curl x | \\\n  sudo -E bash -", ["2 pipe-to-shell"]),
    ("ENV API_KEY=abcdef", ["2 secret"]),
    ("ENV API_KEY=$OTHER TOKEN_FILE=/run/x DB_PASSWORD=", []),
    ("ENV DB_PASSWORD hunter2", ["2 secret"]),
    ("ARG TOKEN", []),
    ("ARG NPM_TOKEN=abcdef", ["2 secret"]),
    ("ENV A=https://user:hunter2@example.org/", ["2 secret"]),
    ("RUN git clone https://oauth2:glpat-abcdefghij0123456789@example.org/x", ["2 secret", "2 secret"]),
    ("RUN pip install a==1 b \\\n && npm i c", ["2 unpinned-pip", "3 unpinned-npm"]),
]


@pytest.mark.parametrize(("lines", "expected"), DOCKERFILES)
def test_rules_of_a_dockerfile(lines: str, expected: list[str]) -> None:
    text = f"FROM scratch\n{lines}\n"
    assert [f"{remark.line} {remark.rule.value}" for remark in lint_dockerfile(parse(text), text)] == expected


def test_a_build_stage_may_carry_what_the_image_does_not() -> None:
    text = "FROM scratch AS build\nRUN apt-get update && apt-get install x\nFROM scratch\nCOPY --from=build /x /x\n"
    assert lint_dockerfile(parse(text), text) == ()
    below = "FROM scratch AS build\nRUN apt-get update\nFROM build\nRUN true\n"
    assert [remark.rule for remark in lint_dockerfile(parse(below), below)] == [Rule.LISTS]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pip install a", ["a"]),
        ("pip3 install -U a b==1 c~=2", ["a"]),
        ("/venv/bin/pip install a[x]", ["a[x]"]),
        ("python3 -m pip install a", ["a"]),
        ("pip install -r requirements.txt", []),
        ("pip install --require-hashes -r x a", []),
        ("pip install -c c.txt a", []),
        ("pip install . ./x /dist/x.whl dist/*.whl", []),
        ("pip install git+https://example.org/x@v1 x@https://example.org/x", []),
        ("pip install $PACKAGES", []),
        ("pip install --target /x --extra-index-url https://example.org a==1", []),
        ("pip install a > /dev/null", ["a"]),
        ("pip list", []),
        ("apt-get install pip", []),
    ],
)
def test_what_pip_takes_in_any_version(words: str, expected: list[str]) -> None:
    assert list(unpinned_pip(tuple(words.split()))) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("npm install -g mjml", ["mjml"]),
        ("npm i a@1.2.3 @scope/b@1 @scope/c", ["@scope/c"]),
        ("npm install", []),
        ("npm ci", []),
        ("npm --prefix /x run build", []),
        ("npm install ./x.tgz", []),
        ("npm install --registry https://example.org a@latest", ["a@latest"]),
    ],
)
def test_what_npm_takes_in_any_version(words: str, expected: list[str]) -> None:
    assert list(unpinned_npm(tuple(words.split()))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b && c d; e | f", [["a", "b"], ["c", "d"], ["e"], ["f"]]),
        ("A=1 B='x y' c", [["c"]]),
        ("a 'b && c'", [["a", "b && c"]]),
        ("if a; then b; fi", [["a"], ["b"], ["fi"]]),
        ("a 'open", [["a", "'open"]]),
        ("(a&&b)", [["a"], ["b"]]),
        ("a\nb", [["a"], ["b"]]),
    ],
)
def test_commands_of_a_shell_text(text: str, expected: list[list[str]]) -> None:
    assert [list(command) for command in commands(text)] == expected


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    for command in commands(text):
        assert command
        unpinned_pip(command)
        unpinned_npm(command)
    pipes_to_shell(text)
    assert bool(secrets_in(text)) == bool(secret_line(text))


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("PASSWORD", "hunter2", True),
        ("MYSQL_ROOT_PASSWORD", "hunter2", True),
        ("github_token", "abc", True),
        ("PASSWORD", "", False),
        ("PASSWORD_FILE", "hunter2", False),
        ("PASSWORD", "/run/secrets/x", False),
        ("PASSWORD", "${X}", False),
        ("USE_TOKEN", "true", False),
        ("TOKENIZER", "bert", False),
        ("KEYRING", "debian", False),
    ],
)
def test_variables_that_look_like_secrets(name: str, value: str, *, secret: bool) -> None:
    assert secret_name(name, value) is secret


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("grep -q 'BEGIN PRIVATE KEY' x", ()),
        ("-----BEGIN CERTIFICATE-----\nMIIabcdefghijklmnopqrstuvwxyz\n", ()),
        ("-----BEGIN EC PRIVATE KEY-----\nMIIabcdefghijklmnopqrstuvwxyz\n", ("a private key",)),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nMIIabcdefghijklmnopqrstuvwxyz\n", ("a private key",)),
        ("-----BEGIN PRIVATE KEY-----\n{{ key }}\n", ()),
        ("http://proxy.example.org:8080", ()),
        ("postgres://user:hunter2@db", ("a URL with a password",)),
        ("postgres://user:$PASSWORD@db", ()),
    ],
)
def test_secrets_in_a_text(text: str, kinds: tuple[str, ...]) -> None:
    assert secrets_in(text) == kinds


@pytest.mark.parametrize(
    ("template", "rendered", "expected"),
    [
        ("a\nb\nc", "a\nb\nc", (1, 2, 3)),
        ("a\n{{ x }}\nc", "a\n1\n2\n3\nc", (1, 2, 2, 2, 3)),
        ("{% for %}\na\n{% end %}\nz", "x\nz", (1, 4)),
        ("", "a", (1,)),
    ],
)
def test_lines_of_a_template(template: str, rendered: str, expected: tuple[int, ...]) -> None:
    assert template_lines(template, rendered) == expected


@given(st.text("ab\n"), st.text("ab\n"))
def test_every_rendered_line_has_a_line_of_the_template(template: str, rendered: str) -> None:
    lines = template_lines(template, rendered)
    assert len(lines) == rendered.count("\n") + 1
    assert all(1 <= line <= template.count("\n") + 1 for line in lines)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("a/b", ("a/b", 0, False)),
        ("a/b:12", ("a/b", 12, False)),
        ("a/b (rendered):12", ("a/b", 12, True)),
        ("a:b:1", ("a:b", 1, False)),
    ],
)
def test_places_of_errors(where: str, expected: tuple[str, int, bool]) -> None:
    assert split_where(where) == expected


HOSTILE = {
    "control-of-nobody": ["a/control:3 control-unknown"],
    "downloads": [
        "a/Dockerfile.template:2 add-url",
        "a/Dockerfile.template:4 pipe-to-shell",
        "a/Dockerfile.template:5 apt-lists",
        "a/Dockerfile.template:6 apt-recommends",
        "a/Dockerfile.template:8 unpinned-pip",
        "a/Dockerfile.template:9 unpinned-npm",
    ],
    "escape-by-class": [f"{name}/Dockerfile.template:2 template" for name in "abcde"],
    "foreign-parents": [
        "a/Dockerfile.template:1 parent",
        "b/Dockerfile.template:1 parent",
        "c/Dockerfile.template:1 foreign-latest",
    ],
    "include-of-the-host": [
        "a/Dockerfile.template:2 template",
        "b/Dockerfile.template:2 template",
        "c/Dockerfile.template:1 template",
    ],
    "link-in-a-circle": ["a/round file"],
    "link-out-of-the-tree": ["a/passwd file"],
    "loop": ["a/Dockerfile.template:1 loop"],
    "name-twice": ["b name-twice"],
    "names-as-users": [
        "a/Dockerfile.template:2 numeric-user",
        "b/Dockerfile.template:2 numeric-user",
        "b/Dockerfile.template:2 unknown-uid",
    ],
    "secrets": ["a/Dockerfile.template:3 secret", "a/id:1 secret", "a/notes:2 secret"],
    "template-that-includes-itself": ["a/Dockerfile.template:1 template"],
    "two-kinds-in-one-directory": ["a recipe"],
    "undefined-variable": [
        "a/Dockerfile.template:3 template",
        "b/Dockerfile.template:2 template",
        "c/Dockerfile.template:1 template",
    ],
    "version-that-is-no-tag": ["a/changelog:1 changelog", "b/changelog:1 changelog"],
}
"""Trees of tests/assets to what is said of them; those that pass a bound are in tests/system/test_tree.py."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tree(name: str) -> None:
    tree = TREES / name
    checked = check_recipes([tree], load_config(tree / "config.yaml", None), date(2026, 9, 1))
    found = [finding for finding in checked.findings if finding.rule is not Rule.NO_TEST]
    assert [f"{finding.where.removeprefix(f'{tree}/')} {finding.rule.value}" for finding in found] == HOSTILE[name]
    assert all(finding.hint for finding in found)


def test_one_error_hides_no_other(tmp_path: Path) -> None:
    files = production(
        "a", "1-1", "FROM scratch\nADD https://example.org/x /x\nUSER {{ 'x' | uid }}\n", control="Rebase: no\n"
    )
    files |= production("b", "1", "{{ x }}\n") | {"c/Dockerfile.template": "FROM scratch\n"}
    write(tmp_path / "tree", files)
    checked = check_recipes([tmp_path / "tree"], config(tmp_path), TODAY)
    rules = [finding.rule.value for finding in checked.findings]
    assert rules == ["add-url", "unknown-uid", "recipe", "template", "half-recipe"]
    assert checked.recipes == ()
    assert checked.directories == 2


def test_secrets_of_a_base_image(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIabcdefghijklmnopqrstuvwxyz" + "\n"
    text = BASE + "env:\n  API_TOKEN: abcdef\nfiles:\n  - {path: /a, source: key}\n  - path: /b\n    content: |\n      "
    write(tmp_path, {"b/base.yaml": text + key.replace("\n", "\n      ") + "\n", "b/key": key})
    found = check_recipes([tmp_path], config(tmp_path), TODAY).findings
    told = [f"{Path(one.path).name}:{one.line}" for one in found if one.rule is Rule.SECRET]
    assert told == ["base.yaml:5", "base.yaml:10", "key:1"]


def test_a_renamed_image_is_noted(tmp_path: Path) -> None:
    files = production("a", "1", "FROM scratch\n", test_sh="true\n")
    files["a/changelog"] += "\n" + changelog("b", "0")
    write(tmp_path / "tree", files)
    (finding,) = check_recipes([tmp_path / "tree"], config(tmp_path), TODAY).findings
    assert (finding.rule, finding.line) == (Rule.RENAMED, 1)


def test_a_change_needs_a_version(tmp_path: Path) -> None:
    files = {"base/base.yaml": BASE}
    files |= production("a", "1", 'FROM {{ "bookworm" | image_tag }}\nCOPY x /\n', x="1")
    files |= production("b", "1", 'FROM {{ "a" | image_tag }}\n') | production("c", "1", "FROM scratch\n")
    old = load(tmp_path / "old", files)
    assert unversioned(load(tmp_path / "same", files), old, "then") == ()
    new = load(tmp_path / "new", {**files, "a/x": "2"})
    (finding,) = unversioned(new, old, "then")
    assert finding.where == f"{tmp_path}/new/tree/a/changelog:1"
    assert finding.message == "x changed since then, the version is still 1"
    where = tmp_path / "new"
    assert finding.hint == f"run: ropewalk -c {where}/config.yaml update a --reason WHY {where}/tree"
    assert [recipe.name for recipe in changed(new, old)] == ["a", "b"]
    raised = load(tmp_path / "raised", {**files, "a/x": "2", "a/changelog": changelog("a", "2")})
    (finding,) = unversioned(raised, old, "then")
    assert (finding.level.value, finding.path) == ("warning", f"{tmp_path}/raised/tree/b/changelog")
    base = load(tmp_path / "base", {**files, "base/base.yaml": BASE + "packages: [vim]\n"})
    (finding,) = unversioned(base, old, "then")
    assert finding.where == f"{tmp_path}/base/tree/base/base.yaml:2"
    assert finding.hint == f"raise `version` in {tmp_path}/base/tree/base/base.yaml"


@pytest.mark.parametrize(("answer", "levels"), [(None, ["note"]), (False, ["error"]), (True, [])])
def test_a_parent_that_is_nowhere(tmp_path: Path, *, answer: bool | None, levels: list[str]) -> None:
    template = "FROM {{ registry }}/ghost AS build\nFROM {{ registry }}/there\nCOPY --from=build / /\n"
    files = production("a", "1", template)
    recipes = load(tmp_path, files, "base_images: ['registry.example.org/there:1']\n")
    found = nowhere(recipes, load_config(tmp_path / "config.yaml", None), lambda _: answer)
    assert [finding.level.value for finding in found] == levels
    assert all(finding.line == 1 for finding in found)


def test_every_rule_has_a_reason() -> None:
    assert set(RULES) == set(Rule)
    assert all(rule.why.endswith(".") for rule in Rule)


def test_a_misspelt_key_of_the_config_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "tree", production("a", "1", "FROM scratch\n", test_sh="true\n"))
    checked = check_recipes([tmp_path / "tree"], config(tmp_path, "seed_image: x:1\nbase_image: [b:1]\n"), TODAY)
    (finding,) = checked.findings
    assert (finding.where, finding.level.value, finding.rule) == (f"{tmp_path}/config.yaml:3", "warning", Rule.CONFIG)
    assert finding.hint == "did you mean `base_images`?"
    (recipe,) = checked.recipes
    assert (recipe.config, recipe.roots) == (tmp_path / "config.yaml", (tmp_path / "tree",))
