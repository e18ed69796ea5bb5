"""Where versions stand, in every shape; and that nothing else of a file changes."""

from collections.abc import Sequence

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.deploy import Place, read, rewritten

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
R = "registry.example.org"


def _places(
    text: str, path: str = "values.yaml", keys: dict[str, str] | None = None
) -> list[tuple[str, str, str, str]]:
    return [(p.key, p.name, p.tag, p.digest) for p in read(text, path, keys).places]


@pytest.mark.parametrize(
    ("text", "path", "places"),
    [
        (f"image: {R}/a:1.0-1\n", "v.yaml", [("image", f"{R}/a", "1.0-1", "")]),
        (f"image: {R}/a:1.0-1@{OLD}\n", "v.yaml", [("image", f"{R}/a", "1.0-1", OLD)]),
        (f"image: {R}/a@{OLD}\n", "v.yaml", [("image", f"{R}/a", "", OLD)]),
        (f"image:\n  repository: {R}/a\n  tag: 1.0-1\n", "v.yaml", [("image", f"{R}/a", "1.0-1", "")]),
        (
            f"image: {{registry: {R}, repository: a/b, tag: '1', digest: {OLD}}}\n",
            "v.yaml",
            [("image", f"{R}/a/b", "1", OLD)],
        ),
        (f"image: {{name: {R}/a, tag: 1.0-1}}\n", "v.yaml", [("image", f"{R}/a", "1.0-1", "")]),
        (f"image: {{repository: {R}/a, tag: '', digest: {OLD}}}\n", "v.yaml", [("image", f"{R}/a", "", OLD)]),
        ("main_app:\n  image: services/zotero\n  version: 1\n", "v.yaml", [("main_app", "services/zotero", "1", "")]),
        (f"sub:\n  worker:\n    repository: {R}/a\n    tag: 2\n", "v.yaml", [("sub.worker", f"{R}/a", "2", "")]),
        (
            f"images:\n  - {R}/a:1\n  - {R}/b:2\n",
            "v.yaml",
            [("images[0]", f"{R}/a", "1", ""), ("images[1]", f"{R}/b", "2", "")],
        ),
        (f"sidecarImage: {R}/a:1\n", "v.yaml", [("sidecarImage", f"{R}/a", "1", "")]),
        (f"base: &b {{repository: {R}/a}}\nimage: {{<<: *b, tag: '3'}}\n", "v.yaml", [("image", f"{R}/a", "3", "")]),
        (
            f"images:\n- name: app\n  newName: {R}/a\n  newTag: 1.0-1\n- name: {R}/b\n  digest: {OLD}\n- name: c\n",
            "overlays/canary/kustomization.yaml",
            [("images[app]", f"{R}/a", "1.0-1", ""), (f"images[{R}/b]", f"{R}/b", "", OLD)],
        ),
        ("image: {repository: x, tag: null}\n", "v.yaml", []),
        ("dependencies: [{name: x, version: 1.0, repository: 'https://charts.example.org'}]\n", "Chart.yaml", []),
        ("image:\n  pullPolicy: Always\n", "v.yaml", []),
        ("{}\n", "v.yaml", []),
        ("", "v.yaml", []),
    ],
)
def test_shapes_of_values_and_kustomizations(text: str, path: str, places: list[tuple[str, str, str, str]]) -> None:
    assert _places(text, path) == places


def test_manifests_of_several_documents_name_kind_container_and_namespace() -> None:
    text = f"""\
kind: CronJob
metadata: {{name: nightly, namespace: jobs}}
spec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: c, image: {R}/a:1}}]}}}}}}}}}}
---
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      initContainers: [{{name: init, image: {R}/a:1}}]
      containers: [{{name: web, image: {R}/a:1}}, {{image: {R}/b:1}}]
      ephemeralContainers: [{{name: debug, image: {R}/c:1}}]
---
kind: List
metadata: {{}}
items:
  - {{kind: Pod, metadata: {{name: p, namespace: q}}, spec: {{containers: [{{name: x, image: {R}/a:1}}]}}}}
"""
    below = "Deployment/web: spec.template.spec."
    assert [(p.key, p.namespace) for p in read(text, "all.yaml").places] == [
        ("CronJob/nightly: spec.jobTemplate.spec.template.spec.containers[c].image", "jobs"),
        (f"{below}initContainers[init].image", ""),
        (f"{below}containers[web].image", ""),
        (f"{below}containers[1].image", ""),
        (f"{below}ephemeralContainers[debug].image", ""),
        ("Pod/p: items[0].spec.containers[x].image", "q"),
    ]


def test_of_many_documents_none_is_passed_over() -> None:
    text = "".join(
        f"---\nkind: Pod\nmetadata: {{name: p{n}}}\nspec: {{containers: [{{name: c, image: {R}/a:{n}}}]}}\n"
        for n in range(200)
    )
    assert [place.tag for place in read(text, "v.yaml").places] == [str(n) for n in range(200)]


def test_a_key_that_holds_a_version_alone_is_named_in_the_settings() -> None:
    text = "mesh:\n  image_version: 1.0-1\n"
    assert _places(text) == []
    keys = {"mesh.image_version": f"{R}/envoy"}
    assert _places(text, keys=keys) == [("mesh.image_version", f"{R}/envoy", "1.0-1", "")]


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        (f"image: {R}/a:1 # pinned: T1\n", "pinned: T1"),
        (f"image: {R}/a:1 # ropewalk: pin\n", "ropewalk: pin"),
        (f"# Pinned until May\nimage: {R}/a:1\n", "Pinned until May"),
        (f"image: # pinned\n  repository: {R}/a\n  tag: 1\n", "pinned"),
        (f"image:\n  # pinned, see T2\n  repository: {R}/a\n  tag: 1\n", "pinned, see T2"),
        (f"image: {{repository: {R}/a, tag: '1'}} # ropewalk: pin\n", "ropewalk: pin"),
        (f"image: {R}/a:1 # unpinnedness is fine\n", ""),
        (f"other: 1 # pinned\nimage: {R}/a:1\n", ""),
        (f"# pinned\n\nimage: {R}/a:1\n", ""),
    ],
)
def test_comments_pin(text: str, pin: str) -> None:
    assert [p.pin for p in read(text, "v.yaml").places] == [pin]


@pytest.mark.parametrize(
    ("text", "obstacle"),
    [
        (f"image: >-\n  {R}/a:1\n", "is a block of text (| or >)"),
        (f'image: "{R}/a:{{{{ .Values.tag }}}}"\n', "is a template"),
        (f"image: {{repository: {R}/a, tag: '{{{{ .x }}}}'}}\n", "is a template"),
        (f"image: {{repository: {R}/a, digest: latest}}\n", "`latest` is no digest"),
        (f"note: {R}/a:1\n", "stands under `note`, which is no image's key"),
        ("image: a:1\n", "names no registry, so it is docker.io's"),
    ],
)
def test_what_cannot_be_changed_says_why(text: str, obstacle: str) -> None:
    assert [p.obstacle for p in read(text, "v.yaml").places] == [obstacle]


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("{{- if .Values.x }}\na: 1\n{{- end }}\n", "is a template (line 1)"),
        ("a: b: c\n", "is no YAML: mapping values are not allowed in this context (line 1)"),
        ("a: \x01\n", "is no YAML: control characters are not allowed"),
        ("[" * 20000, "is no YAML: "),
    ],
)
def test_what_cannot_be_read_says_why(text: str, trouble: str) -> None:
    reading = read(text, "v.yaml")
    assert reading.places == ()
    assert reading.trouble.startswith(trouble)


def test_endless_aliases_end() -> None:
    assert read("a: &a [*a]\nb: &b {image: {<<: *b}}\n", "v.yaml").places == ()


def test_what_an_anchor_shares_cannot_be_two_versions() -> None:
    text = f"x: {{repository: {R}/a, tag: &v '1'}}\ny: {{repository: {R}/b, tag: *v}}\n"
    one, other = read(text, "v.yaml").places
    assert rewritten(text, [(one, "2", ""), (other, "2", "")]) == text.replace("'1'", "'2'")
    with pytest.raises(ValueError, match="shares its value"):
        rewritten(text, [(one, "2", ""), (other, "3", "")])


def test_a_plain_version_that_yaml_would_take_for_a_number_gets_quotes() -> None:
    text = f"image: {{repository: {R}/a, tag: 1.0-1}}\n"
    (place,) = read(text, "v.yaml").places
    assert rewritten(text, [(place, "12", "")]) == text.replace("1.0-1", '"12"')


_WORDS = st.text("abcdefghij äö€😀-_.", min_size=1, max_size=8).map(lambda text: text.strip(" -.") or "w")
_TAGS = st.from_regex(r"[0-9a-z][0-9a-z.-]{0,8}(-r[2-9])?", fullmatch=True).filter(lambda tag: tag[0] != "-")
_QUOTES = st.sampled_from(["", "'", '"'])
_ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def _lines(draw: st.DrawFn) -> tuple[str, ...]:
    """Some lines of a values file with one image; other lines, comments and blanks between."""
    quote, name = draw(_QUOTES), f"{R}/{draw(st.sampled_from(['a', 'b/c', 'd']))}"
    tag, space = draw(_TAGS), " " * draw(st.integers(1, 4))
    comment = draw(st.sampled_from(["", "  # " + draw(_WORDS), " #x"]))
    key, anchor = f"k{draw(st.integers(0, 10**9))}", draw(st.sampled_from(["", "!!str "]))
    digest = draw(st.booleans())
    shape = draw(st.sampled_from(["reference", "block", "flow"]))
    if shape == "reference":
        said = f"{name}:{tag}" + (f"@{OLD}" if digest else "")
        body: tuple[str, ...] = (f"{key}:", f"  image:{space}{quote}{said}{quote}{comment}")
    elif shape == "block":
        more = (f"  digest: {OLD}{comment}",) if digest else ()
        body = (f"{key}:", f"  tag:{space}{anchor}'{tag}'{comment}", f"  repository: {name}", *more)
    else:
        body = (
            f'{key}: {{repository: {name},{space}tag: {anchor}"{tag}"{f", digest: {OLD}" if digest else ""} }}{comment}',
        )
    around = draw(st.lists(st.sampled_from(["", "# " + draw(_WORDS), f"x{key}: [1,  2]"]), max_size=2, unique=True))
    return (*around, *body)


def _key(block: tuple[str, ...]) -> str:
    """Return the top-level key of a block's image: of a key that stands twice, YAML takes the last."""
    return next(line.partition(":")[0] for line in block if line.startswith("k"))


@given(
    st.lists(_lines(), min_size=1, max_size=4, unique_by=_key),
    _ENDS,
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
    _TAGS,
)
def test_every_other_byte_stays(
    blocks: Sequence[tuple[str, ...]],
    end: str,
    bom: str,
    last: bool,  # noqa: FBT001  # hypothesis passes it so
    tag: str,
) -> None:
    text = bom + end.join(line for block in blocks for line in block) + (end if last else "")
    places = read(text, "v.yaml").places
    assert len(places) == len(blocks)
    new = rewritten(text, [(place, tag, NEW) for place in places])
    again = read(new, "v.yaml").places
    assert [(p.key, p.name, p.line, p.pin) for p in again] == [(p.key, p.name, p.line, p.pin) for p in places]
    assert all(p.tag == tag and p.digest == (NEW if old.digest else "") for p, old in zip(again, places, strict=True))
    assert _outside(text, places) == _outside(new, again)
    back = rewritten(new, [(p, old.tag, old.digest) for p, old in zip(again, places, strict=True)])
    assert back.encode() == text.encode()


def _outside(text: str, places: Sequence[Place]) -> list[str]:
    """Return what lies between the scalars that hold versions."""
    spots = sorted((spot.start, spot.end) for place in places for spot in place.spots)
    return [
        text[start:stop]
        for start, stop in zip([0, *(e for _, e in spots)], [*(s for s, _ in spots), len(text)], strict=True)
    ]


@given(st.text(max_size=200))
def test_any_text_is_read_or_said_to_be_unreadable(text: str) -> None:
    reading = read(text, "v.yaml")
    assert reading.trouble or all(text[s.start : s.end] for p in reading.places for s in p.spots)


@given(
    st.recursive(
        st.none() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["image", "tag", "kind", "metadata", "images", "name", "repository", "<<"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_yaml_is_read(value: object) -> None:
    assert read(yaml.safe_dump(value, allow_unicode=True), "kustomization.yaml").trouble == ""
