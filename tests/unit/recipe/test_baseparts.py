"""Files, accounts and certificates of a base recipe."""

from pathlib import Path

import pytest

from kit.certificates import certificate
from kit.recipes import BASE, load, write
from ropewalk.debian import Repository
from ropewalk.errors import InputError
from ropewalk.recipe import Recipe, TreeConfig, load_base
from ropewalk.recipe.recipe import BaseFile, BaseUser

CERTIFIED = BASE + "packages: [ca-certificates]\ncertificates: [corp.pem]\n"


def base(place: Path, text: str, files: dict[str, bytes] | None = None) -> Recipe:
    """Write a base recipe with files beside it, and read it."""
    write(place, {"base.yaml": text})
    for name, content in (files or {}).items():
        (place / name).write_bytes(content)
    return load_base(place, TreeConfig())


def test_files_have_their_content_mode_and_owner(tmp_path: Path) -> None:
    text = """\
files:
  - {path: /srv/b, source: note, mode: "0640", owner: app:www-data}
  - {path: /etc/a, content: "1\\n"}
  - {path: /etc/c, content: "", owner: "7"}
"""
    recipe = base(tmp_path, BASE + text, {"note": b"\x00\xff"})
    assert recipe.base
    assert recipe.base.files == (
        BaseFile("etc/a", b"1\n", 0o644, "root", "root"),
        BaseFile("etc/c", b"", 0o644, "7", "7"),
        BaseFile("srv/b", b"\x00\xff", 0o640, "app", "www-data"),
    )
    assert [(file.path, file.source) for file in recipe.context] == [("note", tmp_path / "note")]


def test_users_get_a_group_and_no_login_unless_they_say_otherwise(tmp_path: Path) -> None:
    text = "users:\n  - {name: a, uid: 900}\n  - {name: b, uid: 901, gid: 100, home: /srv/b, shell: /bin/sh}\n"
    recipe = base(tmp_path, BASE + text)
    assert recipe.base
    assert recipe.base.users == (
        BaseUser("a", 900, 900, "/nonexistent", "/usr/sbin/nologin"),
        BaseUser("b", 901, 100, "/srv/b", "/bin/sh"),
    )


@pytest.mark.parametrize("authority", [True, None])
def test_a_certificate_is_kept_alone_under_the_name_that_the_store_reads(
    *, tmp_path: Path, authority: bool | None
) -> None:
    made, _ = certificate(ca=authority)
    recipe = base(tmp_path, CERTIFIED, {"corp.pem": b"a note\n" + made})
    assert recipe.base
    assert [(one.name, one.content) for one in recipe.base.certificates] == [("corp.crt", made)]


@pytest.mark.parametrize("what", ["none", "leaf", "key", "two", "broken"])
def test_what_is_no_authoritys_certificate_is_refused(tmp_path: Path, what: str) -> None:
    made, key = certificate()
    contents = {
        "none": b"nothing",
        "leaf": certificate(ca=False)[0],
        "key": made + key,
        "two": made * 2,
        "broken": made.replace(b"-----\nMI", b"-----\nMA"),
    }
    words = {
        "none": "holds 0 certificates",
        "leaf": "is no authority's certificate",
        "key": "holds a private key",
        "two": "holds 2 certificates",
        "broken": "is no certificate",
    }
    with pytest.raises(InputError, match=words[what]) as caught:
        base(tmp_path, CERTIFIED, {"corp.pem": contents[what]})
    assert caught.value.where == f"{tmp_path}/base.yaml:5"


def test_certificates_need_the_package_that_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="need the package ca-certificates"):
        base(
            tmp_path,
            CERTIFIED.replace("packages", "env").replace("[ca-certificates]", "{}"),
            {"corp.pem": certificate()[0]},
        )


def test_the_digest_covers_what_stands_beside(tmp_path: Path) -> None:
    text = BASE + "files: [{path: /etc/a, source: a}]\n"
    first, same, other = (
        load(tmp_path / name, {"b/base.yaml": text, "b/a": content})[0].digest
        for name, content in (("1", "x"), ("2", "x"), ("3", "y"))
    )
    assert first == same != other


def test_a_link_may_not_lead_out_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a").symlink_to("../secret")
    with pytest.raises(InputError, match="leads out of the tree"):
        base(tmp_path / "r", BASE + "files: [{path: /etc/a, source: a}]\n")


ARCHIVE = "archives:\n  - {uri: http://example.org/apt/, suites: [stable], components: [main], signed-by: team.gpg}\n"


def test_an_archive_is_covered_with_its_keys(tmp_path: Path) -> None:
    digests = []
    for name, keys in (("1", b"a"), ("2", b"a"), ("3", b"b")):
        (tmp_path / name).mkdir()
        recipe = base(tmp_path / name, BASE + ARCHIVE, {"team.gpg": keys})
        assert recipe.base
        assert recipe.base.archives == (
            Repository("http://example.org/apt", ("stable",), ("main",), tmp_path / name / "team.gpg"),
        )
        assert [file.path for file in recipe.context] == ["team.gpg"]
        digests.append(recipe.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("name", "keys"), [("team.asc", b"\x99"), ("team.gpg", b"-----BEGIN PGP"), ("team.key", b"a")])
def test_apt_tells_a_keyrings_form_by_its_name(tmp_path: Path, name: str, keys: bytes) -> None:
    with pytest.raises(InputError, match=f"`{name}` is no name for such a keyring"):
        base(tmp_path, BASE + ARCHIVE.replace("team.gpg", name), {name: keys})


FILE = "files:\n  - path: /etc/a\n    content: x\n"
USER = "users:\n  - name: a\n    uid: 900\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (FILE + "    modus: '0644'\n", 7, "unknown key `files[0].modus`"),
        (FILE + "    mode: 0644\n", 7, "`files[0].mode` must be text"),
        (FILE + "    mode: '0888'\n", 7, "`0888` is no mode"),
        (FILE + "    owner: 'A B'\n", 7, "`A B` is no owner"),
        (FILE + "    source: a\n", 5, "a file needs either `content` or `source`"),
        (FILE.replace("content: x", "source: gone"), 6, "there is no file `gone` beside the recipe"),
        (FILE.replace("content: x", "source: /etc/passwd"), 6, "there is no file `/etc/passwd` beside the recipe"),
        (FILE.replace("/etc/a", "/etc/../a"), 5, "`/etc/../a` is no path of a file"),
        (FILE.replace("/etc/a", "etc/a"), 5, "`etc/a` is no path of a file"),
        (FILE.replace("/etc/a", "/proc/a"), 5, "`/proc/a` is not kept in an image, or others write it"),
        (FILE.replace("/etc/a", "/etc/passwd"), 5, "`/etc/passwd` is not kept in an image, or others write it"),
        (
            FILE.replace("/etc/a", "/usr/local/share/ca-certificates/a.crt"),
            5,
            "certificates have a key of their own",
        ),
        (FILE + "  - {path: /etc/a, content: y}\n", 7, "`/etc/a` stands twice in `files`"),
        (USER + "    group: 7\n", 7, "unknown key `users[0].group`"),
        (USER.replace("900", "0"), 6, "`0` cannot be given out"),
        (USER.replace("name: a", "name: A"), 5, "`A` is no name of an account"),
        (USER + "    home: /a:b\n", 7, "`/a:b` is no path"),
        (USER + "  - {name: b, uid: 900}\n", 7, "`900` stands twice in `users`"),
        (USER + "  - {name: a, uid: 901}\n", 7, "`a` stands twice in `users`"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        base(tmp_path, BASE + text)
    assert str(caught.value) == f"{tmp_path}/base.yaml:{line}: {message}"
