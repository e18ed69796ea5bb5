import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.recipes import REGISTRY, load, service
from ropewalk.errors import InputError
from ropewalk.recipe import Generation, ParentRole, Recipe, VariantTest, parse
from ropewalk.recipe.service.phases import command, copy, environment, installed
from ropewalk.recipe.service.render import render
from ropewalk.recipe.service.schema import Artifact, read_blubber

BASE = f"{REGISTRY}/base:1"
HEAD = f"version: v4\nbase: {BASE}\nvariants:\n"
OLD = "# syntax=docker-registry.wikimedia.org/repos/releng/blubber/buildkit:v0.21.1\n"
USERS = (
    "RUN (getent group 65533 || groupadd -o -g 65533 -r somebody) && "
    "(getent passwd 65533 || useradd -l -o -m -d /home/somebody -r -g 65533 -u 65533 somebody) && "
    "mkdir -p /srv/app && chown 65533:65533 /srv/app && mkdir -p /opt/lib && chown 65533:65533 /opt/lib\n"
    "RUN (getent group 900 || groupadd -o -g 900 -r runuser) && "
    "(getent passwd 900 || useradd -l -o -m -d /home/runuser -r -g 900 -u 900 runuser)\n"
)


def rendered(tmp_path: Path, text: str, name: str = "production") -> str:
    path = tmp_path / "blubber.yaml"
    path.write_text(text)
    return render(name, read_blubber(path))


def lines(tmp_path: Path, variant: str, keyword: str) -> list[str]:
    text = rendered(tmp_path, f"{HEAD}  production:\n    {variant}\n")
    return [line for line in text.splitlines() if line.startswith(keyword)]


def test_a_whole_service(tmp_path: Path) -> None:
    text = f"""\
version: v4
base: {BASE}
runs: {{environment: {{A: "1", PATH: "/x:$PATH"}}}}
variants:
  build:
    apt: {{packages: [bb, aa]}}
    builders:
      - python: {{version: python3, requirements: [requirements.txt, sub/more.txt]}}
      - custom: {{command: "make"}}
  production:
    includes: [build]
    apt: {{packages: {{bookworm-backports: [cc]}}}}
    copies: [local]
    runs: {{in: /run/app}}
    entrypoint: [python3, "a b.py"]
"""
    assert (
        rendered(tmp_path, text)
        == f"""\
FROM {BASE} AS production
USER 0
ENV HOME="/root"
ENV DEBIAN_FRONTEND="noninteractive"
RUN apt-get update && apt-get install -y -t bookworm-backports cc && apt-get install -y bb aa && rm -rf /var/lib/apt/lists/*
{USERS}USER 65533
ENV HOME="/home/somebody"
WORKDIR /srv/app
ENV A="1"
ENV PATH="/x:$PATH"
COPY --chown=65533:65533 requirements.txt ./
COPY --chown=65533:65533 sub/more.txt sub/
RUN python3 -m venv /opt/lib/venv
ENV VIRTUAL_ENV="/opt/lib/venv"
ENV PATH="/opt/lib/venv/bin:$PATH"
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt -r sub/more.txt
RUN ["/bin/sh", "-c", "make"]
COPY --chown=65533:65533 . .
USER 900
ENV HOME="/home/runuser"
RUN python3 -m pip check --disable-pip-version-check
WORKDIR /run/app
ENTRYPOINT ["python3", "a b.py"]
CMD []
LABEL blubber.variant="production" blubber.version="1.8.0"
"""
    )


def test_a_service_that_copies_from_a_variant(tmp_path: Path) -> None:
    text = f"""\
version: v4
base: {BASE}
lives: {{in: /srv/made, as: owner, uid: 10, gid: 11}}
variants:
  Build:
    copies: [local]
  production:
    lives: {{in: /srv/app}}
    runs: {{insecurely: true}}
    copies:
      - from: Build
      - {{from: Build, source: bin/tool, destination: /usr/bin/tool}}
      - {{from: {REGISTRY}/tools:2, source: etc/x}}
"""
    first, second = rendered(tmp_path, text).split("\n\n")
    assert first.startswith(f"FROM {BASE} AS build\n")
    assert second.startswith(f"FROM {BASE} AS production\n")
    assert [line for line in second.splitlines() if line.startswith(("COPY", "USER", "ENTRY", "LABEL"))] == [
        "USER 0",
        "USER 10",
        "COPY --from=build --chown=10:11 /srv/made /srv/app",
        "COPY --from=build --chown=10:11 /opt/lib /opt/lib",
        "COPY --from=build --chown=10:11 /srv/made/bin/tool /usr/bin/tool",
        f"COPY --from={REGISTRY}/tools:2 --chown=10:11 /etc/x etc/x",
        'LABEL blubber.variant="production" blubber.version="1.8.0"',
    ]
    assert "-d /home/owner -r -g 11 -u 10 owner" in second


def test_a_variant_without_base_copies_and_runs_as_its_user(tmp_path: Path) -> None:
    text = """\
version: v4
runs: {environment: {A: b}}
variants:
  build: {copies: [local]}
  production:
    copies: [{from: build, source: app, destination: /app}]
    entrypoint: [/app]
"""
    assert (
        rendered(tmp_path, text).split("\n\n")[1]
        == """\
FROM scratch AS production
WORKDIR /srv/app
ENV A="b"
COPY --from=build --chown=65533:65533 /srv/app/app /app
USER 900:900
ENTRYPOINT ["/app"]
CMD []
LABEL blubber.variant="production" blubber.version="1.8.0"
"""
    )


def test_stages_come_in_an_order_that_builds_each_once(tmp_path: Path) -> None:
    text = HEAD + "  one: {copies: [local]}\n  two: {copies: [one]}\n  production: {copies: [two, one]}\n  other: {}\n"
    assert [stage.alias for stage in parse(rendered(tmp_path, text)).stages] == ["one", "two", "production"]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("copies: [local]", [". ."]),
        ("copies: [{from: local}]", [". ."]),
        ("copies: [{from: local, source: a}]", ["a a"]),
        ("copies: [{from: local, source: a/, destination: b}]", ["a/ b"]),
        ("copies: [{from: local, source: 'a b', destination: c}]", ['["a b", "c"]']),
        ("copies: [{from: local, source: a$b}]", ['["a\\\\$b", "a\\\\$b"]']),
        ("copies: [{from: local, source: '*.py', destination: ./}]", ["*.py ./"]),
    ],
)
def test_local_copies(tmp_path: Path, variant: str, expected: list[str]) -> None:
    assert lines(tmp_path, variant, "COPY") == [f"COPY --chown=65533:65533 {line}" for line in expected]


@pytest.mark.parametrize(
    ("requirements", "copied", "used"),
    [
        ("[a.txt]", ["a.txt ./"], "-r a.txt"),
        ("[a.txt, b.txt]", ["a.txt b.txt ./"], "-r a.txt -r b.txt"),
        ("[./d/a.txt]", ["d/a.txt d/"], "-r d/a.txt"),
        ("[{from: local, source: d/a.txt, destination: e/}]", ["d/a.txt e/"], "-r e/a.txt"),
        ("[{from: local, source: d/a.txt, destination: b.txt}]", ["d/a.txt b.txt"], "-r b.txt"),
        ("['a b.txt']", ['["a b.txt", "./"]'], "-r 'a b.txt'"),
    ],
)
def test_requirements_keep_their_place(tmp_path: Path, requirements: str, copied: list[str], used: str) -> None:
    variant = f"python: {{version: python3, requirements: {requirements}}}"
    assert lines(tmp_path, variant, "COPY") == [f"COPY --chown=65533:65533 {line}" for line in copied]
    assert lines(tmp_path, variant, "RUN python3 -m pip install")[0].endswith(f" {used}")


def test_requirements_of_another_variant(tmp_path: Path) -> None:
    text = (
        HEAD
        + "  build: {lives: {in: /b}}\n  production:\n    python: {version: python3, requirements: [{from: build, source: r.txt}]}\n"
    )
    assert "COPY --from=build --chown=65533:65533 /b/r.txt ./\n" in rendered(tmp_path, text)


@pytest.mark.parametrize("python", ["{version: python3}", "{requirements: [a.txt]}", "{}"])
def test_python_is_active_only_with_version_and_requirements(tmp_path: Path, python: str) -> None:
    assert not lines(tmp_path, f"python: {python}", "RUN python")
    assert not lines(tmp_path, f"python: {python}", "COPY")


def test_no_requirements_make_an_empty_environment(tmp_path: Path) -> None:
    found = lines(tmp_path, "python: {version: python3, requirements: []}", "RUN python")
    assert found == ["RUN python3 -m venv /opt/lib/venv"]


def shell(run: str) -> str:
    """Run what a RUN says as the builder would: in exec form, nothing else reads it."""
    argv = json.loads(parse(f"FROM a\n{run}").stages[0].instructions[0].value)
    return subprocess.run(argv, capture_output=True, check=True, text=True, env={"V": "v"}).stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("for i in 1 2; do echo $i; done",), "1\n2\n"),
        (("false; echo $?",), "1\n"),
        (("test $$ -gt 0 && echo yes",), "yes\n"),
        (("echo ${X:-x} ${V:-x} ${V}",), "x v v\n"),
        (("printf '%s %d%%\\n' a 5",), "a 5%\n"),
        (("cat <<EOF\n$V\n  two\nEOF",), "v\n  two\n"),
        (("echo \"a b\" 'c' <<EOF\nEOF",), "a b c\n"),
        (("echo a \\\n  b\necho c # d",), "a b\nc\n"),
        (("printf '%s|'", "a b", "$V", 'q"q', "b\\b"), 'a b|v|q"q|b\\b|'),
        (("echo ä",), "ä\n"),
        (("/bin/sh", "-c", 'for i in 1 2; do echo $i $V "it\'s"; done; false; echo $?'), "1 v it's\n2 v it's\n1\n"),
        (("sh -ec", "for i in 1; do echo $i; done"), "1\n"),
    ],
)
def test_a_command_keeps_its_shell_meaning(words: tuple[str, ...], expected: str) -> None:
    assert shell(command(words)) == expected


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_command_reaches_the_shell_unchanged(text: str) -> None:
    (instruction,) = parse(f"FROM a\n{command((text,))}").stages[0].instructions
    assert json.loads(instruction.value) == ["/bin/sh", "-c", text]


@given(st.text("ab \"'\\$#%=", min_size=0, max_size=12))
def test_any_environment_is_one_instruction(value: str) -> None:
    (instruction,) = parse(f"FROM a\n{environment('A', value)}").stages[0].instructions
    assert instruction.keyword == "ENV"


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        (("a.txt", ""), "a.txt"),
        (("d/a.txt", ""), "d/a.txt"),
        (("d/", ""), "d/"),
        (("a", "/x/"), "/x/a"),
        (("a", "/x"), "/x"),
        (("a", "."), "a"),
    ],
)
def test_where_a_requirement_is_installed(artifact: tuple[str, str], expected: str) -> None:
    assert installed(Artifact("local", *artifact, "")) == expected


def test_copy_of_several_sources() -> None:
    assert copy(["a", "b"], "c/", "1:2", "build") == "COPY --from=build --chown=1:2 a b c/"


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        (
            HEAD + "  build: {}\n  production:\n    copies:\n      - buidl\n",
            "7: `from: buidl` is neither",
            "did you mean `build`?",
        ),
        (
            HEAD + "  production: {copies: [production]}\n",
            "4: variants copy in a circle: production -> production",
            "take one",
        ),
        (
            HEAD + "  aaa: {copies: [bbb]}\n  bbb: {copies: [aaa]}\n  production: {copies: [aaa]}\n",
            "5: variants copy in a circle: production -> aaa -> bbb -> aaa",
            "take",
        ),
        (
            "version: v4\nvariants:\n  production: {apt: {packages: [aa]}}\n",
            "3: the variant `production` has no base",
            "give it a `base`",
        ),
        (
            "version: v4\nvariants:\n  production: {builders: [{custom: {command: x}}]}\n",
            "3: the variant `production` has no base",
            "give",
        ),
    ],
)
def test_faults_name_file_line_and_remedy(tmp_path: Path, text: str, error: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        rendered(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/blubber.yaml:{error}")
    assert caught.value.hint.startswith(hint)


def one(tmp_path: Path, blubber: str, extra: dict[str, str] | None = None) -> Recipe:
    (recipe,) = load(tmp_path, service("web", blubber) | (extra or {}))
    return recipe


def test_a_recipe_publishes_production_and_is_tested_by_test(tmp_path: Path) -> None:
    text = HEAD + f"  production: {{copies: [local]}}\n  test:\n    base: {REGISTRY}/tools\n"
    recipe = one(tmp_path, text, {"web/.dockerignore": "*.md\n", "web/a.md": "", "web/b.py": ""})
    assert (recipe.generation, recipe.reference, recipe.epoch) == (
        Generation.SERVICE,
        f"{REGISTRY}/web:1.0-1",
        1767614400,
    )
    assert recipe.dockerfile.startswith(f"FROM {BASE} AS production\n")
    assert isinstance(recipe.test, VariantTest)
    assert recipe.test.dockerfile.startswith(f"FROM {REGISTRY}/tools AS test\n")
    assert [(p.reference, p.role) for p in recipe.parents] == [
        (BASE, ParentRole.FINAL),
        (f"{REGISTRY}/tools:latest", ParentRole.BUILD),
    ]
    assert [file.path for file in recipe.context] == [".dockerignore", "b.py", "blubber.yaml", "changelog"]


def test_a_recipe_without_a_test_variant(tmp_path: Path) -> None:
    assert one(tmp_path, HEAD + "  production: {}\n").test is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (HEAD + "  prod: {}\n", ": there is no variant `production`"),
        (
            OLD + HEAD + "  production: {python: {version: python3, requirements: [r]}}\n",
            ":1: is written for Blubber 0.21",
        ),
    ],
)
def test_a_recipe_that_is_refused(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(InputError) as caught:
        one(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/tree/web/blubber.yaml{error}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "version: v4\n\nbase: debian:12\nvariants: {production: {}}\n",
            ":3: `debian:12` is not from registry.example.org",
        ),
        (HEAD + "  production:\n    copies:\n    - {from: ghcr.io/x/y:1}\n", ":6: `ghcr.io/x/y:1` is not from"),
    ],
)
def test_a_foreign_image_is_forbidden_at_its_line(tmp_path: Path, text: str, reason: str) -> None:
    (said,) = [parent.forbidden for parent in one(tmp_path, text).parents if parent.forbidden is not None]
    assert said.reason.startswith(f"{tmp_path}/tree/web/blubber.yaml{reason}")


@pytest.mark.parametrize("frontend", ["v0.21.1", "v0.23.0", "1.8.0"])
def test_an_old_frontend_matters_to_python_only(tmp_path: Path, frontend: str) -> None:
    python = "{python: {version: python3, requirements: [r]}}" if frontend != "v0.21.1" else "{}"
    assert one(tmp_path, f"# syntax=r/blubber/buildkit:{frontend}\n{HEAD}  production: {python}\n").name == "web"


def test_the_digest_covers_the_test_variant_and_the_context(tmp_path: Path) -> None:
    first = one(tmp_path / "1", HEAD + "  production: {}\n").digest
    tested = one(tmp_path / "2", HEAD + "  production: {}\n  test: {}\n").digest
    more = one(tmp_path / "3", HEAD + "  production: {}\n", {"web/x": ""}).digest
    assert len({first, tested, more}) == 3


@pytest.mark.parametrize(
    ("copies", "gone"),
    [
        ("{from: local}", ""),
        ("{from: local, source: ./}", ""),
        ("{from: local, source: src, destination: x}", ""),
        ("{from: local, source: ./src/, destination: x}", ""),
        ("{from: local, source: src/*.py, destination: x/}", ""),
        ("{from: local, source: src/app.py, destination: x}", ""),
        ("{from: local, source: app.py, destination: x}", "app.py"),
        ("{from: local, source: src/*.js, destination: x/}", "src/*.js"),
        ("{from: local, source: left-out, destination: x}", "left-out"),
    ],
)
def test_a_local_source_that_is_not_there_is_told(tmp_path: Path, copies: str, gone: str) -> None:
    files = service("s", f"{HEAD}  production:\n    copies:\n      - {copies}\n")
    files |= {"s/src/app.py": "", "s/left-out": "", "s/.dockerignore": "left-out\n"}
    (recipe,) = load(tmp_path, files)
    where = f"{tmp_path}/tree/s/blubber.yaml:6"
    said = "" if recipe.lacks is None else recipe.lacks.reason
    assert said == (f"{where}: `{gone}` is not in the service's directory" if gone else "")


def test_a_requirement_that_is_not_there_is_told_also_of_the_test(tmp_path: Path) -> None:
    python = "{version: python3, requirements: [requirements.txt]}"
    files = service("s", f"{HEAD}  production: {{}}\n  test:\n    python: {python}\n")
    (recipe,) = load(tmp_path, files)
    assert recipe.lacks is not None
    assert recipe.lacks.reason.endswith("blubber.yaml:6: `requirements.txt` is not in the service's directory")
