from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.errors import InputError
from ropewalk.oci import reference
from ropewalk.oci.reference import Reference, is_digest, is_tag

HEX = "ab" * 32
CASES = (
    ("nginx", Reference("", "nginx", "", "")),
    ("nginx:1.22.1-3", Reference("", "nginx", "1.22.1-3", "")),
    ("wikimedia/nginx:latest", Reference("", "wikimedia/nginx", "latest", "")),
    ("registry.example.org/nginx:1", Reference("registry.example.org", "nginx", "1", "")),
    ("registry.example.org:5000/a/b_c/d-e", Reference("registry.example.org:5000", "a/b_c/d-e", "", "")),
    ("localhost/x:1", Reference("localhost", "x", "1", "")),
    ("127.0.0.1:5000/x", Reference("127.0.0.1:5000", "x", "", "")),
    ("[::1]:5000/x", Reference("[::1]:5000", "x", "", "")),
    (f"a.b/x@sha256:{HEX}", Reference("a.b", "x", "", f"sha256:{HEX}")),
    (f"a.b/x:1@sha256:{HEX}", Reference("a.b", "x", "1", f"sha256:{HEX}")),
    ("x__y/z---1", Reference("", "x__y/z---1", "", "")),
)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_reads_and_writes_back(text: str, expected: Reference) -> None:
    assert reference.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "repository"),
        ("Nginx", "repository"),
        ("a//b", "repository"),
        ("/a", "repository"),
        ("a/", "repository"),
        ("a..b", "repository"),
        ("../x", "registry"),
        ("-a.b/x", "registry"),
        ("user@host.org/x", "digest"),
        ("a.b:port/x", "registry"),
        ("x:", "tag"),
        ("x:a b", "tag"),
        ("x:" + "a" * 129, "tag"),
        ("x:1~2", "tag"),
        ("x@", "digest"),
        ("x@sha256:12", "digest"),
        (f"x@sha256:{HEX.upper()}", "digest"),
        (f"x@md5:{HEX}", "digest"),
        ("a" * 256, "repository"),
        ("x\n", "repository"),
        ("x:1\n", "tag"),
    ],
)
def test_names_the_wrong_part(text: str, part: str) -> None:
    with pytest.raises(InputError, match=f"is no {part}"):
        reference.parse(text)


def test_name_is_without_tag_and_digest() -> None:
    assert reference.parse(f"a.b/c/d:1@sha256:{HEX}").name == "a.b/c/d"
    assert reference.parse("d:1").name == "d"


def test_tags_and_digests() -> None:
    assert is_tag("1.22.1-3-r2")
    assert not is_tag("1:2")
    assert is_digest(f"sha256:{HEX}")
    assert not is_digest(f"sha256:{HEX}/..")


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_an_input_error(text: str) -> None:
    try:
        found = reference.parse(text)
    except InputError:
        return
    assert str(found) == text


@given(
    st.sampled_from(["", "a.b", "a.b:5000", "localhost"]),
    st.lists(st.from_regex(r"[a-z0-9]{1,5}([._-][a-z0-9]{1,3})?", fullmatch=True), min_size=1, max_size=3),
    st.from_regex(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,9})?", fullmatch=True),
    st.sampled_from(["", f"sha256:{HEX}"]),
)
def test_what_is_written_is_read_back(registry: str, parts: list[str], tag: str, digest: str) -> None:
    # Without a registry, a first component with a dot would be taken for one: that is the grammar.
    repository = "/".join(parts) if registry else parts[0]
    made: Any = Reference(registry, repository, tag, digest)
    assert reference.parse(str(made)) == made
