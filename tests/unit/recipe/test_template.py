from dataclasses import replace
from pathlib import Path

import pytest

from kit.recipes import REGISTRY, write
from ropewalk.errors import InputError
from ropewalk.recipe import TreeConfig
from ropewalk.recipe.template import Templates

CONFIG = TreeConfig(registry=REGISTRY, variables={"seed_image": "x:1", "words": ["a"]})
KNOWN = {f"{REGISTRY}/base": f"{REGISTRY}/base:1.2-3-20260101"}


def render(tmp_path: Path, text: str, config: TreeConfig = CONFIG, known: dict[str, str] | None = None) -> str:
    write(tmp_path, {"r/Dockerfile.template": text})
    return Templates(config, KNOWN if known is None else known).render(tmp_path / "r", tmp_path)


def fault(tmp_path: Path, text: str, config: TreeConfig = CONFIG) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        render(tmp_path, text, config)
    return str(caught.value).removeprefix(f"{tmp_path}/r/"), caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ "base" | image_tag }}', f"{REGISTRY}/base:1.2-3-20260101"),
        ('{{ "base" | image_tag | upstream_version }}', "1.2"),
        ('{{ "a:1.2" | upstream_version }}', "1.2"),
        ('{{ "localhost:5000/a:1.2-3" | upstream_version }}', "1.2"),
        ('{{ "www-data" | uid }}', "33"),
        (
            '{{ "nobody" | add_user }}',
            "groupadd -o -g 65534 -r nobody && useradd -l -o -r -m -d /var/lib/nobody -g nobody -u 65534 nobody",
        ),
        ("{{ registry }}/{{ seed_image }}", f"{REGISTRY}/x:1"),
        ("{% do words.append('b') %}{{ words | join(',') }}", "a,b"),
        ("{% set x = 2 %}{{ x * 21 }}\n", "42"),
        ("{{ http_proxy }}", "None"),
    ],
)
def test_filters_and_variables(tmp_path: Path, text: str, expected: str) -> None:
    assert render(tmp_path, text) == expected


def test_apt_install_gives_docker_pkgs_bytes(tmp_path: Path) -> None:
    config = replace(CONFIG, apt_options="-q")
    assert render(tmp_path, 'RUN {{ "a\nb" | apt_install }}', config) == (
        "RUN apt-get update -q \\\n"
        "    && DEBIAN_FRONTEND=noninteractive \\\n"
        "    apt-get install -q --yes a b --no-install-recommends \\\n"
        "    && apt-get clean && rm -rf /var/lib/apt/lists/* "
    )


def test_apt_install_with_a_proxy(tmp_path: Path) -> None:
    config = replace(CONFIG, apt_only_proxy="http://p:8080")
    assert render(tmp_path, '{{ "a" | apt_install }}', config) == (
        "echo 'Acquire::http::Proxy \"http://p:8080\";' > /etc/apt/apt.conf.d/80_proxy \\\n"
        "    && apt-get update  \\\n"
        "    && DEBIAN_FRONTEND=noninteractive \\\n"
        "    apt-get install  --yes a --no-install-recommends \\\n"
        "    && rm -f /etc/apt/apt.conf.d/80_proxy \\\n"
        "    && apt-get clean && rm -rf /var/lib/apt/lists/* "
    )


def test_apt_remove_with_and_without_a_proxy(tmp_path: Path) -> None:
    text = '{{ "a" | apt_remove }}'
    assert render(tmp_path, text) == (
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get remove --yes --purge a \\\n"
        "    && apt-get clean && rm -rf /var/lib/apt/lists/* "
    )
    assert render(tmp_path, text, replace(CONFIG, apt_only_proxy="http://p:8080")) == (
        "echo 'Acquire::http::Proxy \"http://p:8080\";' > /etc/apt/apt.conf.d/80_proxy  && \\"
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get remove --yes --purge a \\\n"
        "    && rm -f /etc/apt/apt.conf.d/80_proxy \\\n"
        "    && apt-get clean && rm -rf /var/lib/apt/lists/* "
    )


def test_the_namespace_is_part_of_a_name(tmp_path: Path) -> None:
    known = {f"{REGISTRY}/ns/x": f"{REGISTRY}/ns/x:1"}
    assert render(tmp_path, '{{ "x" | image_tag }}', replace(CONFIG, namespace="ns"), known) == f"{REGISTRY}/ns/x:1"


def test_an_unknown_user_keeps_its_name_and_warns(tmp_path: Path) -> None:
    write(tmp_path, {"r/Dockerfile.template": '{{ "flink" | uid }}'})
    templates = Templates(CONFIG, {})
    assert templates.render(tmp_path / "r", tmp_path) == "flink"
    assert templates.warnings == [
        f"{tmp_path}/r/Dockerfile.template: no uid is known for the user `flink`; add it to `known_uid_mappings`"
    ]


def test_one_template_does_not_change_anothers_variables(tmp_path: Path) -> None:
    text = "{% do words.append('b') %}{{ words | length }}"
    write(tmp_path, {"r/Dockerfile.template": text})
    templates = Templates(CONFIG, {})
    assert [templates.render(tmp_path / "r", tmp_path) for _ in range(2)] == ["2", "2"]


def test_includes_are_loaded_from_the_recipes_directory(tmp_path: Path) -> None:
    write(tmp_path, {"r/parts/a.j2": "RUN {{ registry }}"})
    assert render(tmp_path, "{% include 'parts/a.j2' %}") == f"RUN {REGISTRY}"


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        (
            'FROM x\nRUN {{ "bass" | image_tag }}\n',
            "Dockerfile.template:2: image_tag: no recipe and no base image is called `bass`",
            "did you mean `base`?",
        ),
        (
            '\n\n{{ "x" | upstream_version }}',
            "Dockerfile.template:3: upstream_version: `x` has no tag",
            'write `"name" | image_tag | upstream_version`',
        ),
        (
            '{{ "flink" | add_user }}',
            "Dockerfile.template:1: add_user: no uid is known for `flink`",
            "add it to `known_uid_mappings` in the config",
        ),
        (
            "FROM x\n\nRUN {{ nothing }}\n",
            "Dockerfile.template:3: 'nothing' is undefined",
            "set it in the config or in the template",
        ),
        (
            "FROM x\n{% if %}\n",
            "Dockerfile.template:2: is no template: Expected an expression, got 'end of statement block'",
            "mend the line",
        ),
        (
            "a\n{{ 'x' | aptinstall }}",
            "Dockerfile.template:2: is no template: No filter named 'aptinstall'.",
            "mend the line",
        ),
        (
            "{% include 'none.j2' %}",
            "Dockerfile.template:1: there is no template `none.j2`",
            "templates are loaded from the recipe's directory",
        ),
        (
            "{% include '../secret' %}",
            "Dockerfile.template:1: there is no template `../secret`",
            "templates are loaded from the recipe's directory",
        ),
        (
            "a\n{{ 1 // 0 }}",
            "Dockerfile.template:2: ZeroDivisionError: integer division or modulo by zero",
            "mend the template",
        ),
        (
            "{{ ''.__class__.__mro__ }}",
            "Dockerfile.template:1: access to attribute '__class__' of 'str' object is unsafe.",
            "mend the template",
        ),
    ],
)
def test_faults_name_the_templates_line(tmp_path: Path, text: str, error: str, hint: str) -> None:
    (tmp_path / "secret").write_text("x")
    message, remedy = fault(tmp_path, text)
    assert (message.replace("SecurityError: ", ""), remedy) == (error, hint)


def test_a_fault_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    write(tmp_path, {"r/a.j2": "x\n{{ nothing }}"})
    assert fault(tmp_path, "FROM x\n{% include 'a.j2' %}")[0] == "a.j2:2: 'nothing' is undefined"


def test_an_included_link_may_not_leave_the_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write(tmp_path, {"secret": "x", "tree/r/Dockerfile.template": "{% include 'a' %}"})
    (tree / "r/a").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="the link leads out of the tree"):
        Templates(CONFIG, KNOWN).render(tree / "r", tree)


def test_a_kept_template_asks_the_filters_anew(tmp_path: Path) -> None:
    text = "FROM {{ 'nginx' | image_tag }}\nRUN {{ 'curl' | apt_install }}\n"
    tree = write(tmp_path / "tree", {"Dockerfile.template": text})
    kept = tmp_path / "kept"
    kept.mkdir()
    for version in ("1", "2"):
        known = {f"{REGISTRY}/nginx": f"{REGISTRY}/nginx:{version}"}
        templates = Templates(replace(CONFIG, apt_options=f"-o A={version}"), known, [], kept)
        first, second, _ = templates.render(tree, tree).split("\n", 2)
        assert first == f"FROM {REGISTRY}/nginx:{version}"
        assert f"-o A={version} " in second
    assert list(kept.iterdir())
