import pytest

from ropewalk.recipe.dockerfile import parse
from ropewalk.refresh.instructions import COMPOSER, NODE, PYTHON_INPUTS, Generator, Kind, classify, touched


def _kinds(instructions: str) -> list[Kind]:
    return [step.kind for step in classify(parse(f"FROM registry.example.org/parent:1\n{instructions}\n"))]


@pytest.mark.parametrize(
    "instruction",
    [
        "RUN apt-get update && apt-get install --yes nginx --no-install-recommends && apt-get clean && rm -rf /var/lib/apt/lists/*",
        "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y 'nginx' > /dev/null 2>&1; true",
        "RUN groupadd -o -g 65533 -r somebody && useradd -l -o -m -d /home/somebody -g somebody -u 65533 somebody",
        'RUN (getent group "900" || groupadd -o -g "900" -r "runuser")',
        "RUN set -e; mkdir -p /srv/app \\\n  && chown 33:33 /srv/app",
        'RUN ln -s "/usr/bin/nginx" /x',
        "RUN install -d -m 0755 /opt/lib",
        "RUN <<EOF\nset -e\nmkdir /a\nEOF",
    ],
)
def test_commands_that_compute_nothing(instruction: str) -> None:
    assert set(_kinds(instruction)) == {Kind.SIMPLE}


@pytest.mark.parametrize(
    "instruction",
    [
        "RUN dpkg -l > /packages",
        "RUN sha1sum /bin/ls >/sum",
        "RUN java -Xshare:dump",
        "RUN rm -rf $(find / -name '*.pyc')",
        "RUN chown `id -u` /x",
        "RUN apt-get install -y x | tee /log",
        "RUN make -C /srv/app install &",
        'RUN ["python3", "-c", "print()"]',
        "RUN --mount=type=cache,target=/root/.cache apt-get install -y x",
        "RUN sh -c 'mkdir /x'",
        "RUN echo 'never closed",
        "RUN cat <<EOF > /x\na\nEOF",
        'SHELL ["/bin/bash", "-c"]',
    ],
)
def test_commands_that_may_compute(instruction: str) -> None:
    assert Kind.UNKNOWN in _kinds(instruction)


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv /opt/lib/venv",
        "/opt/lib/venv/bin/pip3 install --no-deps -r requirements.txt",
        "pip install 'bottle>=0.13'",
        "PIP_NO_CACHE_DIR=1 python3.11 -m pip check",
    ],
)
def test_pip_and_venv_are_known_generators(command: str) -> None:
    (step,) = classify(parse(f"FROM x\nRUN {command}\n"))
    assert (step.kind, step.inputs) == (Kind.GENERATOR, PYTHON_INPUTS)


@pytest.mark.parametrize(
    ("command", "generator", "path"),
    [
        ("npm ci --omit=dev", NODE, "usr/share/nodejs/npm/lib/cli.js"),
        ("npm --no-audit install", NODE, "usr/bin/node"),
        ("composer install --no-dev", COMPOSER, "etc/alternatives/php"),
    ],
)
def test_npm_and_composer_are_known_generators(command: str, generator: Generator, path: str) -> None:
    (step,) = classify(parse(f"FROM x\nRUN {command}\n"))
    assert (step.kind, step.inputs) == (Kind.GENERATOR, generator.inputs)
    assert touched(step.inputs, ["usr/bin/nodejs-x", path]) == path


def test_what_npm_and_composer_run_for_a_recipe_is_unknown() -> None:
    assert (
        _kinds("RUN npm run build\nRUN npm --prefix /srv ci\nRUN composer run-script x\nRUN npm") == [Kind.UNKNOWN] * 4
    )


def test_another_python_is_no_known_generator() -> None:
    assert _kinds("RUN python3 setup.py install\nRUN python3 -m\nRUN python3 -m compileall /srv") == [Kind.UNKNOWN] * 3


def test_copy_and_metadata_compute_nothing() -> None:
    assert _kinds('COPY --chown=1:1 . /srv\nADD x /y\nENV A=1\nUSER 1\nCMD ["x"]\nLABEL a=b') == []


def test_only_the_final_stage_and_those_below_it_count() -> None:
    text = "FROM a AS build\nRUN make\nFROM b AS under\nRUN make\nFROM under\nCOPY --from=build /x /x\nRUN mkdir /y\n"
    assert [(step.line, step.kind) for step in classify(parse(text))] == [(4, Kind.UNKNOWN), (7, Kind.SIMPLE)]


@pytest.mark.parametrize(
    ("instructions", "path", "reached"),
    [
        ("RUN rm -rf /usr/share/doc/*", "usr/share/doc/bash/copyright", True),
        ("RUN rm -rf /usr/share/doc/*", "usr/share/doctor", False),
        ("RUN rm -f /etc/motd", "etc/motd", False),
        ("RUN chmod -R g-s /usr/bin", "usr/bin/wall", True),
        ("RUN chmod -R g-s /usr/bin", "usr/binary", False),
        ("RUN chmod a-s /usr/bin/su", "usr/bin/su", False),
        ("RUN chown -R 65533:65533 /srv/app", "usr/bin/su", False),
        ("WORKDIR /usr\nRUN chmod -R a-w lib", "usr/lib/x", True),
        ("WORKDIR /srv\nWORKDIR app\nRUN chmod -R a-w .", "usr/lib/x", False),
        ("WORKDIR $HOME\nRUN chmod -R a-w lib", "usr/lib/x", True),
        ('RUN chown -R 1:1 "$APP"', "usr/lib/x", True),
        ("RUN cd /srv && chmod -R a-w app", "usr/lib/x", False),
        ("RUN cd /usr && chmod -R a-w lib", "usr/lib/x", True),
        ("RUN (cd /srv); chmod -R a-w lib", "usr/lib/x", True),
        ("RUN cd && chmod -R a-w lib", "usr/lib/x", True),
        ("RUN getent passwd www-data || useradd www-data", "etc/passwd", True),
    ],
)
def test_what_a_glob_or_a_recursive_command_reaches(instructions: str, path: str, *, reached: bool) -> None:
    steps = classify(parse(f"FROM x\n{instructions}\n"))
    assert any(touched(step.inputs, [path]) for step in steps) == reached
    assert {step.kind for step in steps} == {Kind.SIMPLE}


def test_python_inputs_are_what_an_environment_copies() -> None:
    assert touched(PYTHON_INPUTS, ["usr/bin/python3.11", "usr/bin/python3"]) == "usr/bin/python3"
    assert touched(PYTHON_INPUTS, ["usr/bin/python3.11", "usr/lib/python3.11/json/__init__.py"]) == ""
    assert touched(PYTHON_INPUTS, ["usr/lib/python3.11/venv/__init__.py"]) != ""
