from dataclasses import replace

import pytest

from kit.rebase import DIRECTORY, GONE, OPAQUE, Said, file, inputs, link, stanza, status
from ropewalk.refresh.decide import Decision, decide, refuse_early
from ropewalk.refresh.inputs import INFO, STATUS, MovedParent, RebaseInputs
from ropewalk.refresh.refusal import Refusal

_BASE: dict[str, Said] = {
    STATUS: status(stanza("libc6", "1")),
    f"{INFO}libc6.list": "/.\n/lib\n/lib/libc.so.6\n",
    "usr/lib/libc.so.6": "libc 1",
    "etc/ld.so.cache": "cache 1",
    "usr/bin/su": file("su 1", 0o4755),
}
_NEWER: dict[str, Said] = {STATUS: status(stanza("libc6", "2")), "usr/lib/libc.so.6": "libc 2"}
_NGINX: dict[str, Said] = {
    STATUS: status(stanza("libc6", "1"), stanza("nginx", "1", "Depends: libc6 (>= 1)")),
    f"{INFO}nginx.list": "/.\n/usr\n/usr/sbin\n/usr/sbin/nginx\n",
    "usr/sbin/nginx": "nginx",
}


def _allowed(given: RebaseInputs) -> Decision:
    decision = decide(given)
    assert isinstance(decision, Decision), decision
    return decision


def _refused(given: RebaseInputs) -> Refusal:
    decision = decide(given)
    assert isinstance(decision, Refusal), decision
    return decision


def test_a_child_without_packages_needs_no_reconcile_layer() -> None:
    decision = _allowed(inputs(_BASE, _NEWER, {"srv/index.html": "hello"}, "COPY index.html /srv/"))
    assert (decision.reconcile, decision.merged, decision.ldconfig, decision.proof) == ((), (), False, ())


def test_a_child_with_packages_gets_a_merged_status() -> None:
    decision = _allowed(inputs(_BASE, _NEWER, _NGINX))
    assert decision.reconcile == (STATUS,)
    merged = status(stanza("libc6", "2"), stanza("nginx", "1", "Depends: libc6 (>= 1)")).encode()
    assert decision.merged == ((STATUS, merged),)


def test_libraries_on_both_sides_ask_for_ldconfig() -> None:
    decision = _allowed(
        inputs(_BASE, {**_NEWER, "etc/ld.so.cache": "cache 2"}, {**_NGINX, "etc/ld.so.cache": "cache 3"})
    )
    assert decision.ldconfig
    assert decision.reconcile == ("etc/ld.so.cache", STATUS)


def test_a_changed_mode_goes_over_to_the_new_binary() -> None:
    own = {"usr/bin/su": file("su 1", 0o755)}
    decision = _allowed(inputs(_BASE, {"usr/bin/su": file("su 2", 0o4755)}, own, "RUN chmod a-s /usr/bin/su"))
    assert decision.reconcile == ("usr/bin/su",)
    assert decision.target["usr/bin/su"].mode == 0o755
    assert decision.target["usr/bin/su"].sha256 == file("su 2").sha256


def test_a_copied_up_file_takes_the_new_content() -> None:
    own = {"usr/bin/su": file("su 1", 0o4755)}
    assert _allowed(inputs(_BASE, {"usr/bin/su": file("su 2", 0o4755)}, own)).reconcile == ("usr/bin/su",)


def test_a_converged_package_needs_nothing() -> None:
    own = {**_NEWER, f"{INFO}libc6.list": _BASE[f"{INFO}libc6.list"]}
    assert _allowed(inputs(_BASE, _NEWER, own)).reconcile == ()


def test_accounts_of_both_sides_are_merged_by_name() -> None:
    old = {**_BASE, "etc/passwd": "root:x:0:0::/root:\n", "etc/shadow": "root:*:100::\n"}
    new = {**_NEWER, "etc/shadow": "root:*:200::\n"}
    own = {"etc/passwd": f"{old['etc/passwd']}web:x:900:900::/:\n", "etc/shadow": "root:*:100::\nweb:!:100::\n"}
    decision = _allowed(inputs(old, new, own, "RUN useradd -u 900 web"))
    assert decision.merged == (("etc/shadow", b"root:*:200::\nweb:!:100::\n"),)
    assert decision.reconcile == ("etc/shadow",)
    assert decision.proof == ()


def test_an_account_that_the_parent_gained_asks_for_a_proof() -> None:
    old = {**_BASE, "etc/passwd": "root:x:0:0::/root:\n"}
    new = {**_NEWER, "etc/passwd": f"{old['etc/passwd']}mail:x:8:8::/:\n"}
    own = {"etc/passwd": f"{old['etc/passwd']}web:x:900:900::/:\n"}
    decision = _allowed(inputs(old, new, own, "RUN useradd -u 900 web"))
    assert decision.merged == (("etc/passwd", b"root:x:0:0::/root:\nmail:x:8:8::/:\nweb:x:900:900::/:\n"),)
    assert "accounts" in decision.proof[0]


def test_a_number_that_two_accounts_would_share_is_refused() -> None:
    old = {**_BASE, "etc/group": "root:x:0:\n"}
    new = {**_NEWER, "etc/group": "root:x:0:\nssh:x:101:\n"}
    own = {"etc/group": "root:x:0:\nredis:x:101:\n"}
    refusal = _refused(inputs(old, new, own, "RUN apt-get install -y redis"))
    assert (refusal.rule, refusal.path) == ("merge 5", "etc/group")
    assert "ssh and redis would share number 101" in refusal.reason


# Rule 1


@pytest.mark.parametrize(
    ("new", "own", "path", "rule"),
    [
        ({"usr/lib/libc.so.6": "libc 2"}, {"usr/lib/libc.so.6": "mine"}, "usr/lib/libc.so.6", 1),
        ({"usr/lib/libc.so.6": "libc 2"}, {"usr/lib/libc.so.6": GONE}, "usr/lib/libc.so.6", 1),
        ({"etc/x": "a"}, {"etc/x": "b"}, "etc/x", 1),
        ({"etc/passwd": "a:x:1:1::/a:\n"}, {"etc/passwd": "a:x:2:1::/a:\n"}, "etc/passwd", "merge 5"),
        ({"etc/shadow": "root:*:2::\n"}, {"etc/shadow": "root:!:1::\n"}, "etc/shadow", "merge 5"),
        (
            {"var/cache/debconf/config.dat": "Name: a\nValue: 1\n\n"},
            {"var/cache/debconf/config.dat": "Name: a\nValue: 2\n\n"},
            "var/cache/debconf/config.dat",
            "merge 3",
        ),
        (
            {"var/lib/apt/extended_states": "Package: a\nAuto-Installed: 1\n\n"},
            {"var/lib/apt/extended_states": "Package: a\nAuto-Installed: 0\n\n"},
            "var/lib/apt/extended_states",
            "merge 6",
        ),
        (
            {"var/lib/dpkg/alternatives/vi": "a"},
            {"var/lib/dpkg/alternatives/vi": "b"},
            "var/lib/dpkg/alternatives/vi",
            1,
        ),
        ({"usr/lib": GONE, "usr/lib/libc.so.6": GONE}, {"usr/lib/y": "y"}, "usr/lib/y", 1),
    ],
)
def test_conflicts_are_refused(new: dict[str, Said], own: dict[str, Said], path: str, rule: int | str) -> None:
    base = {**_BASE, "usr/lib": DIRECTORY} if "usr/lib" in new else _BASE
    refusal = _refused(inputs(base, new, own))
    assert (refusal.rule, refusal.path) == (rule, path)


def test_a_package_that_both_changed_is_refused() -> None:
    own = {**_NGINX, STATUS: status(stanza("libc6", "1.5"), stanza("nginx", "1"))}
    assert _refused(inputs(_BASE, _NEWER, own)).reason == "parent and child both changed package libc6"


def _mark(*packages: str) -> str:
    return "".join(f"Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n" for name in packages)


def test_a_package_that_is_new_on_both_sides_is_automatic_where_both_say_so() -> None:
    marks = "var/lib/apt/extended_states"
    new: dict[str, Said] = {STATUS: status(stanza("libc6", "2"), stanza("zlib", "1"))}
    own: dict[str, Said] = {STATUS: status(stanza("libc6", "1"), stanza("zlib", "1"))}
    manual, automatic = {**_BASE, marks: _mark("x")}, {**own, marks: _mark("x", "zlib")}
    here = _allowed(inputs(manual, new, automatic))
    assert dict(here.merged)[marks] == _mark("x").encode()
    there = _allowed(inputs(manual, {**new, marks: _mark("x", "zlib")}, own))
    assert dict(there.merged)[marks] == _mark("x").encode()
    assert marks in there.reconcile
    both = _allowed(inputs(manual, {**new, marks: _mark("x", "zlib")}, automatic))
    assert marks not in dict(both.merged)
    lost = _refused(inputs(_BASE, new, {**own, marks: _mark("zlib")}))
    assert (lost.rule, lost.path) == ("merge 6", marks)


def test_marks_of_both_sides_are_kept() -> None:
    marks = "var/lib/apt/extended_states"
    decision = _allowed(
        inputs({**_BASE, marks: _mark("x")}, {**_NEWER, marks: _mark("x", "y")}, {**_NGINX, marks: _mark("x", "z")})
    )
    assert dict(decision.merged)[marks] == _mark("x", "y", "z").encode()


def test_a_convergence_takes_the_new_parents_debconf_texts_and_is_told() -> None:
    templates = "var/cache/debconf/templates.dat"

    def item(text: str) -> str:
        return f"Name: restart\nDescription: {text}\nOwners: restart\n\n"

    own: dict[str, Said] = {**_NEWER, templates: item("libc6's"), f"{INFO}libc6.list": _BASE[f"{INFO}libc6.list"]}
    decision = _allowed(inputs({**_BASE, templates: item("pam's")}, _NEWER, own))
    assert decision.converged == ("libc6",)
    assert decision.merged == ((templates, item("pam's").encode()),)
    alone: dict[str, Said] = {**_NGINX, templates: item("nginx's")}
    assert _allowed(inputs({**_BASE, templates: item("pam's")}, _NEWER, alone)).reconcile == (STATUS,)


def test_what_the_child_diverts_is_refused_where_the_parent_changes_it() -> None:
    own: dict[str, Said] = {"var/lib/dpkg/diversions": "/bin/x\n/bin/x.distrib\n:\n"}
    run = "RUN dpkg-divert --local --rename --add /bin/x"
    refusal = _refused(inputs(_BASE, {"usr/bin/x": "new"}, own, run))
    assert (refusal.rule, refusal.path) == (1, "usr/bin/x")
    assert _allowed(inputs(_BASE, {"usr/bin/y": "new"}, own, run)).proof == ()


def test_a_mode_that_the_child_overrides_is_refused_where_the_parent_adds_the_path() -> None:
    own: dict[str, Said] = {"var/lib/dpkg/statoverride": "root root 4755 /usr/bin/x\nroot mail 2755 /usr/bin/su\n"}
    refusal = _refused(inputs(_BASE, {"usr/bin/x": "new"}, own))
    assert (refusal.rule, refusal.path) == (1, "usr/bin/x")
    assert _allowed(inputs(_BASE, {"usr/bin/su": file("su 2", 0o4755)}, own)).proof == ()


# Rule 2


def test_an_unmet_relation_is_refused() -> None:
    own = {**_NGINX, STATUS: status(stanza("libc6", "1"), stanza("libc6-dev", "1", "Depends: libc6 (= 1)"))}
    refusal = _refused(inputs(_BASE, _NEWER, own))
    assert (refusal.rule, refusal.path) == (2, STATUS)
    assert "libc6-dev" in refusal.reason


# Rule 3


def _triggered(interest: str) -> dict[str, Said]:
    return {**_NGINX, f"{INFO}nginx.triggers": f"# made by hand\ninterest-noawait {interest}\n"}


def test_a_trigger_on_what_changed_is_refused() -> None:
    new = {**_NEWER, "usr/share/fonts/x.ttf": "font"}
    base = {**_BASE, "usr/share/fonts": DIRECTORY}
    refusal = _refused(inputs(base, new, _triggered("/usr/share/fonts")))
    assert (refusal.rule, refusal.path) == (3, "usr/share/fonts/x.ttf")
    assert _allowed(inputs(_BASE, _NEWER, _triggered("/usr/share/fonts"))).proof == ()


def test_a_trigger_that_leaves_nothing_is_allowed() -> None:
    new = {**_NEWER, "usr/share/man/man1/x.1.gz": "page"}
    assert _allowed(inputs(_BASE, new, _triggered("/usr/share/man"))).proof == ()


def test_a_trigger_whose_output_was_equal_is_proven() -> None:
    new = {**_NEWER, "usr/share/mime/packages/x.xml": "types"}
    assert len(_allowed(inputs(_BASE, new, _triggered("/usr/share/mime/packages"))).proof) == 1


def test_a_named_trigger_that_the_parent_activates_is_refused() -> None:
    new = {**_NEWER, f"{INFO}libc6.triggers": "activate-noawait update-things\n"}
    assert _refused(inputs(_BASE, new, _triggered("update-things"))).rule == 3
    assert _allowed(inputs(_BASE, new, _triggered("update-other-things"))).proof == ()
    assert _allowed(inputs(_BASE, {**new, f"{INFO}libc6.triggers": "activate ldconfig\n"}, _triggered("ldconfig")))


def test_a_certificate_hook_on_new_certificates_is_refused() -> None:
    new = {"etc/ssl/certs/ca-certificates.crt": "new"}
    own = {"etc/ca-certificates/update.d/jks-keystore": "#!/bin/sh", "etc/ssl/certs/java/cacerts": "store"}
    refusal = _refused(inputs({**_BASE, "etc/ssl/certs/ca-certificates.crt": "old"}, new, own))
    assert (refusal.rule, refusal.path) == (3, "etc/ssl/certs/ca-certificates.crt")


def test_bytecode_of_a_changed_source_is_refused() -> None:
    source = "usr/lib/python3/dist-packages/x.py"
    own = {"usr/lib/python3/dist-packages/__pycache__/x.cpython-311.pyc": "old"}
    assert _refused(inputs({**_BASE, source: "1"}, {source: "2"}, own)).path == source


def test_packages_that_the_parent_gained_or_lost_ask_for_a_proof() -> None:
    systemd: dict[str, Said] = {STATUS: status(stanza("libc6", "1"), stanza("systemd", "1"))}
    assert "systemd" in _allowed(inputs(_BASE, systemd, _NGINX)).proof[0]
    assert "systemd" in _allowed(inputs({**_BASE, **systemd}, {STATUS: _BASE[STATUS]}, {**_NGINX})).proof[0]
    assert _allowed(inputs(_BASE, systemd, {"srv/x": "x"}, "COPY x /srv/")).proof == ()


# Rule 4 and 5


def test_a_build_parent_that_moved_is_refused() -> None:
    moved = MovedParent("registry.example.org/gcc:latest", "sha256:1", "sha256:2")
    refusal = _refused(replace(inputs(_BASE, _NEWER, {"hello": "x"}), moved=(moved,)))
    assert (refusal.rule, refusal.path) == (4, "registry.example.org/gcc:latest")


def test_a_recipe_may_say_never() -> None:
    assert _refused(replace(inputs(_BASE, _NEWER, _NGINX), allowed=False)).rule == 5
    assert refuse_early(allowed=True, moved=()) is None


def test_a_package_linked_statically_from_a_changed_source_is_refused() -> None:
    child = stanza("tool", "1", "Static-Built-Using: libc6 (= 1)")
    refusal = _refused(inputs(_BASE, _NEWER, {**_NGINX, STATUS: status(stanza("libc6", "1"), child)}))
    assert (refusal.rule, refusal.path) == (4, "tool")


# Rule 6


def test_a_copy_from_before_an_upgrade_is_refused() -> None:
    own = {**_NEWER, f"{INFO}libc6.list": _BASE[f"{INFO}libc6.list"], "opt/libc": "libc 1"}
    assert _refused(inputs(_BASE, _NEWER, own, "RUN cp /lib/libc.so.6 /opt/libc && apt-get upgrade")).rule == 6


def test_a_copy_of_a_changed_file_is_refused() -> None:
    given = inputs(_BASE, _NEWER, {"opt/venv/libc": "libc 1"}, "RUN cp /usr/lib/libc.so.6 /opt/venv/libc")
    refusal = _refused(given)
    assert (refusal.rule, refusal.path) == (6, "opt/venv/libc")
    context = frozenset({file("libc 1").sha256})
    assert _allowed(replace(given, context=context)).proof == ()


# Rule 7

_DOCS: dict[str, Said] = {**_BASE, "usr/share/doc/bash": "x", f"{INFO}bash.list": "/usr/share/doc/bash\n"}


@pytest.mark.parametrize(
    "own",
    [{"usr/share/doc/bash": GONE}, {"usr/share/doc": OPAQUE}, {"usr/share/doc": GONE}],
    ids=["the files", "opaque", "the directory"],
)
def test_what_appears_where_the_child_deleted_is_refused(own: dict[str, Said]) -> None:
    refusal = _refused(inputs(_DOCS, {"usr/share/doc/zlib": "y"}, own, "RUN rm -rf /usr/share/doc/*"))
    assert (refusal.rule, refusal.path) == (7, "usr/share/doc/zlib")


def test_what_is_deleted_by_its_name_leaves_the_neighbours_alone() -> None:
    own, new = {"usr/share/doc/bash": GONE}, {"usr/share/doc/zlib": "y"}
    assert _allowed(inputs(_DOCS, new, own, "RUN rm -f /usr/share/doc/bash")).proof == ()
    assert _refused(inputs(_DOCS, new, own, "RUN clean-up && rm -f /usr/share/doc/bash")).rule == 7


def test_what_dpkg_deleted_is_no_deletion_by_hand() -> None:
    own = {"usr/share/doc/bash": GONE, f"{INFO}bash.list": "/usr/share/doc\n"}
    assert _allowed(inputs(_DOCS, {"usr/share/doc/zlib": "y"}, own)).reconcile == ()


def test_a_deletion_elsewhere_is_no_obstacle() -> None:
    assert _allowed(inputs(_DOCS, {"usr/lib/new": "y"}, {"usr/share/doc/bash": GONE})).proof == ()


# Rule 8


@pytest.mark.parametrize("path", ["etc/apt/apt.conf.d/x", "etc/dpkg/dpkg.cfg.d/x", "etc/login.defs"])
def test_build_configuration_is_refused_for_a_child_with_packages(path: str) -> None:
    refusal = _refused(inputs({**_BASE, path: "old"}, {path: "new"}, _NGINX))
    assert (refusal.rule, refusal.path) == (8, path)
    assert _allowed(inputs(_BASE, {path: "new"}, {"srv/x": "x"}, "COPY x /srv/")).reconcile == ()


# Rule 9


def test_what_an_unknown_command_left_must_be_proven() -> None:
    given = inputs(_BASE, _NEWER, {"packages.txt": "libc6"}, "RUN dpkg -l > /packages.txt")
    assert "packages.txt" in _allowed(given).proof[0]


def test_an_unknown_command_that_left_nothing_needs_no_proof() -> None:
    assert _allowed(inputs(_BASE, _NEWER, _NGINX, "RUN apt-get install -y nginx\nRUN nginx -t")).proof == ()


def test_an_environment_is_refused_when_the_interpreter_changes() -> None:
    python: dict[str, Said] = {**_BASE, "usr/bin/python3": link("python3.11")}
    own: dict[str, Said] = {"opt/lib/venv/pyvenv.cfg": "x"}
    run = "RUN python3 -m venv /opt/lib/venv"
    refusal = _refused(inputs(python, {"usr/bin/python3": link("python3.12")}, own, run))
    assert (refusal.rule, refusal.path) == (9, "usr/bin/python3")
    assert _allowed(inputs(python, _NEWER, own, run)).proof == ()


def test_an_environment_is_refused_when_python_gets_a_new_upstream_version() -> None:
    def python(version: str) -> dict[str, Said]:
        return {STATUS: status(stanza("libc6", "1"), stanza("python3.11-minimal", version))}

    own: dict[str, Said] = {"opt/lib/venv/pyvenv.cfg": "x"}
    run = "RUN python3 -m venv /opt/lib/venv"
    old = {**_BASE, **python("3.11.2-6")}
    assert _refused(inputs(old, python("3.11.4-1"), own, run)).path == "python3.11-minimal"
    assert _allowed(inputs(old, python("3.11.2-6+deb12u1"), own, run)).proof == ()


def test_what_was_compiled_is_refused_when_headers_change() -> None:
    old: dict[str, Said] = {**_BASE, "usr/bin/gcc": "gcc", "usr/include/x.h": "1"}
    refusal = _refused(inputs(old, {"usr/include/x.h": "2"}, {"opt/venv/x.so": "x"}, "RUN pip install numpy"))
    assert (refusal.rule, refusal.path) == (9, "usr/include/x.h")


def test_a_glob_that_reaches_the_parent_must_be_proven() -> None:
    given = inputs(_BASE, _NEWER, {"usr/bin/su": file("su 1", 0o755)}, "RUN chmod -R a-s /usr")
    assert "usr/lib/libc.so.6" in _allowed(given).proof[0]


def test_a_reconcile_layer_has_a_bound() -> None:
    big = replace(file("2", 0o755), size=5 << 20)
    own = {"usr/lib/libc.so.6": file("libc 1", 0o755)}
    refusal = _refused(inputs(_BASE, {"usr/lib/libc.so.6": replace(big, mode=0o644)}, own))
    assert refusal.rule == "size"
    assert str(refusal) == "the reconcile layer would hold 5 MiB; a rebuild is cheaper to ship (rule size)"


@pytest.mark.parametrize(
    ("own", "run", "path"),
    [
        ({"usr/share/doc/su/copyright": GONE}, "RUN find /usr/share/doc -type f -delete", "usr/share/doc/su/copyright"),
        ({"usr/bin/su": file("su 1", 0o755)}, "RUN find / -perm -4000 -exec chmod a-s {} +", "usr/bin/su"),
        ({"usr/bin/su": link("busybox")}, "RUN busybox --install -s", "usr/bin/su"),
    ],
)
def test_what_an_unknown_command_changed_of_the_parent_must_be_proven(
    own: dict[str, Said], run: str, path: str
) -> None:
    base: dict[str, Said] = {**_BASE, "usr/share/doc/su/copyright": "x"}
    decision = _allowed(inputs(base, {"usr/share/doc/zlib/copyright": "new"}, own, run))
    assert path in decision.proof[0]


def test_what_an_upgrade_in_the_child_changed_needs_no_proof() -> None:
    own = {**_NEWER, f"{INFO}libc6.list": "/.\n/lib\n/lib/libc.so.6\n"}
    assert _allowed(inputs(_BASE, {"usr/bin/new": "x"}, own, "RUN apt-get -y upgrade\nRUN nginx -t")).proof == ()
