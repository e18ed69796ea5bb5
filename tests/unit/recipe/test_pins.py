import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.recipes import load, production, service
from ropewalk.recipe.packagelock import without_integrity
from ropewalk.recipe.pins import Outside, outside
from ropewalk.recipe.requirements import Unhashed, unhashed

SHA = "--hash=sha256:" + "a" * 64
COMMIT = "0123456789" * 4
FROM = "FROM {{ 'bookworm' | image_tag }}\n"
BASE = {"bookworm/base.yaml": "name: bookworm\nversion: 12-1\nsuites: [bookworm]\n"}


@pytest.mark.parametrize(
    ("text", "open_ends"),
    [
        (f"bottle==0.13 {SHA}\n", ()),
        (f"bottle==0.13 \\\n    {SHA} \\\n    {SHA}\n", ()),
        (f"# no names\n\nbottle==0.13 {SHA}  # said twice\n", ()),
        ("bottle==0.13\nrequests>=2 ; python_version > '3'\n", ("bottle", "requests")),
        (f"bottle==0.13\nrequests==2 {SHA}\n", ("bottle",)),
        ("--index-url https://pypi.example.org\n--no-binary :all:\n", ()),
        ("./local\n-e ./other\nfile:///srv/x\n", ()),
        (f"git+https://git.example.org/x@{COMMIT}\n-e git+https://git.example.org/x@{COMMIT}#egg=x\n", ()),
        ("git+https://git.example.org/x@main\n", ("git+https://git.example.org/x@main",)),
        ("x @ https://example.org/x.whl#sha256=" + "b" * 64, ()),
        ("https://example.org/x.whl", ("https://example.org/x.whl",)),
        ("-c limits.txt\nbottle==0.13 --hash=md5:00\n", ("bottle",)),
    ],
)
def test_requirements_without_a_hash(text: str, open_ends: tuple[str, ...]) -> None:
    expected = (Unhashed("r.txt", open_ends),) if open_ends else ()
    assert unhashed("r.txt", {"r.txt": text}.get) == expected


def test_included_requirements_are_read_once() -> None:
    files = {"a/r.txt": "-r more.txt\n--requirement=../b.txt\n", "a/more.txt": "-r r.txt\nflask\n"}
    assert unhashed("a/r.txt", files.get) == (Unhashed("a/more.txt", ("flask",)), Unhashed("b.txt", missing=True))


@given(st.text())
def test_any_text_is_read_as_requirements(text: str) -> None:
    assert all(found.names for found in unhashed("r.txt", {"r.txt": text}.get) if found.path == "r.txt")


PLACES = {
    "": {"name": "site"},
    "parts/own": {"version": "1"},
    "node_modules/own": {"resolved": "parts/own", "link": True},
    "node_modules/good": {"resolved": "https://registry.example.org/good.tgz", "integrity": "sha512-x"},
    "node_modules/good/node_modules/@a/bad": {"resolved": "https://registry.example.org/bad.tgz"},
    "node_modules/inner": {"inBundle": True},
    "node_modules/file": {"resolved": "file:../x.tgz"},
    "node_modules/commit": {"resolved": f"git+ssh://git@git.example.org/x.git#{COMMIT}"},
    "node_modules/branch": {"resolved": "git+ssh://git@git.example.org/x.git#main"},
}
OLD = {
    "good": {"version": "1", "integrity": "sha1-x", "dependencies": {"deep": {"version": "2"}}},
    "commit": {"version": f"github:a/b#{COMMIT}"},
    "odd": 3,
}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"lockfileVersion": 3, "packages": PLACES}, ("@a/bad", "branch")),
        ({"lockfileVersion": 1, "dependencies": OLD}, ("deep", "odd")),
        ({"lockfileVersion": 3}, ()),
        ({"name": "site"}, None),
        ([], None),
        ({"packages": {"node_modules/x": 1}}, ("x",)),
    ],
)
def test_packages_without_integrity(data: object, names: tuple[str, ...] | None) -> None:
    assert without_integrity(json.dumps(data)) == names


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null"])
def test_what_is_no_package_lock(text: str) -> None:
    assert without_integrity(text) is None


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("RUN apt-get update && apt-get install -y curl git wget npm\n", {}, Outside()),
        ("COPY r.txt /\nRUN pip3 install -r /r.txt\n", {"r_txt": f"a==1 {SHA}\n"}, Outside(("r.txt",))),
        ("RUN python3 -m pip install --require-hashes -rr.txt\n", {"r_txt": f"a==1 {SHA}\n"}, Outside(("r.txt",))),
        (
            "RUN /venv/bin/pip install --requirement=/srv/r.txt\n",
            {"r_txt": "a==1\nb==1\nc\nd\ne\n"},
            Outside((), ("r.txt: no hash for a, b, c and 2 more",)),
        ),
        (
            "RUN pip install -r gone.txt\n",
            {},
            Outside((), ("gone.txt: is not in the build context, so its hashes cannot be read",)),
        ),
        (
            "RUN X=1 pip install --no-cache-dir --target /x 'requests==2.31'\n",
            {},
            Outside(
                (),
                (
                    (
                        "`pip install --no-cache-dir --target /x requests==2.31`: names no hash; list it with --hash in a "
                        "requirements file"
                    ),
                ),
            ),
        ),
        ("RUN pip install --no-index --find-links=/wheels requests\n", {}, Outside()),
        ("RUN pip install --no-deps .\nRUN pip check\n", {}, Outside()),
        (
            "RUN pip install .\n",
            {},
            Outside((), ("`pip install .`: what it depends on has no hash; install that from a requirements file",)),
        ),
        (
            'RUN ["/bin/sh", "-c", "npm ci --omit=dev"]\n',
            {"package-lock_json": '{"lockfileVersion": 3, "packages": {}}'},
            Outside(("package-lock.json",)),
        ),
        (
            "RUN npm ci\n",
            {"package-lock_json": '{"packages": {"node_modules/x": {}}}'},
            Outside((), ("package-lock.json: no integrity for x",)),
        ),
        (
            "RUN npm ci\n",
            {},
            Outside((), ("package-lock.json: is not in the build context, or is no lock file of npm",)),
        ),
        (
            "RUN npm install && npm run build\n",
            {},
            Outside(
                (), ("`npm install`: takes what package.json allows; `npm ci` takes what package-lock.json names",)
            ),
        ),
        (
            "RUN git clone --branch v1 https://git.example.org/x && make\n",
            {},
            Outside(
                (),
                ("`git clone --branch v1 https://git.example.org/x`: nothing checks by hash what it fetches",),
            ),
        ),
        ("RUN curl -O https://example.org/x && echo 0 x | sha256sum -c\n", {}, Outside()),
        ("RUN curl -f http://localhost:80/ && curl --version\n", {}, Outside()),
        ("RUN git init && go build\n", {}, Outside()),
        (
            "FROM {{ 'bookworm' | image_tag }} AS early\nRUN wget https://example.org/x\n" + FROM,
            {},
            Outside((), ("`wget https://example.org/x`: nothing checks by hash what it fetches",)),
        ),
    ],
)
def test_what_a_recipe_takes_from_elsewhere(
    tmp_path: Path, lines: str, files: dict[str, str], expected: Outside
) -> None:
    text = lines if lines.startswith("FROM") else FROM + lines
    recipes = load(tmp_path, {**BASE, **production("image", "1-1", text, **files)})
    assert outside(next(recipe for recipe in recipes if recipe.name == "image")) == expected
    assert outside(next(recipe for recipe in recipes if recipe.name == "bookworm")) == Outside()


BLUBBER = """\
version: v4
base: registry.example.org/bookworm:latest
variants:
  production:
    builders:
      - python: {version: python3, requirements: [requirements.txt]}
      - custom: {command: npm ci, requirements: [package.json, package-lock.json]}
"""


def test_a_service(tmp_path: Path) -> None:
    files = {
        "site/requirements.txt": f"bottle==0.13.4 {SHA}\n",
        "site/package.json": "{}",
        "site/package-lock.json": '{"packages": {"node_modules/x": {"integrity": ""}}}',
    }
    recipes = load(tmp_path, {**BASE, **service("site", BLUBBER), **files})
    site = next(recipe for recipe in recipes if recipe.name == "site")
    assert outside(site) == Outside(("requirements.txt",), ("package-lock.json: no integrity for x",))
