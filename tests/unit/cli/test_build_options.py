"""docker-pkg's options of ``ropewalk build``, as far as they decide without a build."""

import re
from pathlib import Path

import pytest
import typer

from kit.images import recipe, record
from kit.recipes import REGISTRY, production, write
from ropewalk.build import Outcome
from ropewalk.build.site import proxies
from ropewalk.cli.app import run
from ropewalk.cli.build import is_remembered
from ropewalk.cli.dockerpkg import Sent, print_sent, refuse_pull, sending, version_suffix
from ropewalk.cli.session import Session
from ropewalk.errors import Exit, InputError
from ropewalk.events import silent
from ropewalk.plan import Action, Plan, PlanEntry
from ropewalk.settings import Settings

NOW = 1_767_614_403  # Mon, 05 Jan 2026 12:00:03 UTC
LOGIN = "username: builder\npassword: rope-yarn\n"


def session(place: Path, config: str = "") -> Session:
    write(place, {"config.yaml": f"registry: {REGISTRY}\n{config}"})
    return Session(Settings(place / "state"), place / "config.yaml", silent)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROPEWALK_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize(("option", "version"), [("--nightly", r"1-\d{8}"), ("--snapshot", r"1-\d{8}-\d{6}")])
def test_a_plan_has_the_versions_of_a_nightly_build(
    option: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"config.yaml": f"registry: {REGISTRY}\n"})
    write(tmp_path / "images", production("a", "1", "FROM scratch\n"))
    monkeypatch.chdir(tmp_path)
    assert run(["plan", "--offline", option, "images"]) == Exit.OK
    assert re.search(rf"^{REGISTRY}/a:{version} +production +build ", capsys.readouterr().out, re.MULTILINE)
    assert run(["plan", "--offline", "--nightly", "--snapshot", "images"]) == Exit.USAGE


def test_nightly_and_snapshot_versions() -> None:
    assert version_suffix(NOW, nightly=False, snapshot=False) == ""
    assert version_suffix(NOW, nightly=True, snapshot=False) == "-20260105"
    assert version_suffix(NOW, nightly=False, snapshot=True) == "-20260105-120003"
    with pytest.raises(typer.BadParameter):
        version_suffix(NOW, nightly=True, snapshot=True)


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        ("", (None, False), (False, "the config has no username and password")),
        ("username: builder\n", (None, False), (False, "the config has no username and password")),
        ("username: builder\npassword: ''\n", (None, False), (False, "the config has no username and password")),
        (LOGIN, (None, False), (True, "the config has username and password")),
        (LOGIN, (False, False), (False, "--no-publish")),
        (LOGIN, (None, True), (False, "--offline")),
        ("", (True, False), (True, "--publish")),
    ],
)
def test_who_gives_credentials_wants_images_published(
    tmp_path: Path, config: str, options: tuple[bool | None, bool], expected: tuple[bool, str]
) -> None:
    publish, offline = options
    decided = sending(session(tmp_path, config), publish, offline=offline)
    assert (decided.wanted, decided.why[: len(expected[1])]) == expected
    assert "rope-yarn" not in decided.why


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("", (None, True), ""),
        ("", (None, False), ""),
        ("", (False, False), ""),
        (LOGIN, (None, True), "not published: --offline\n"),
        (LOGIN, (False, False), "not published: --no-publish\n"),
    ],
)
def test_that_nothing_was_published_is_said_where_publishing_was_asked_for(
    tmp_path: Path,
    config: str,
    options: tuple[bool | None, bool],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish, offline = options
    print_sent(Sent(sending(session(tmp_path, config), publish, offline=offline)))
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--publish", "--offline"), "--publish needs the registry"),
        (("--nightly", "--snapshot"), "exclude each other"),
    ],
)
def test_options_that_do_not_go_together(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", *options, "."]) == Exit.USAGE
    assert words in capsys.readouterr().err


def test_no_pull_names_what_is_not_here() -> None:
    base, app = recipe("bookworm"), recipe("app", "bookworm")
    refuse_pull([PlanEntry(app, Action.BUILD)])
    with pytest.raises(InputError, match=r"app:1: needs registry.example.org/bookworm:1, which is not here"):
        refuse_pull([PlanEntry(app, Action.BUILD, fetch=(record(base),))])


def test_credentials_reach_the_registry_of_that_name_and_no_text(tmp_path: Path) -> None:
    run_of = session(tmp_path, LOGIN)
    assert run_of.credentials() == ("builder", "rope-yarn")
    with run_of.client(offline=False, registry=None) as client:
        assert client is not None
        assert client.endpoint == f"https://{REGISTRY}"
    assert "rope-yarn" not in repr(run_of.config())
    assert session(tmp_path, "username: builder\n").credentials() is None
    assert Session(Settings(tmp_path / "state"), tmp_path / "absent.yaml", silent).credentials() is None


def test_a_template_cannot_print_the_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "images", production("a", "1", "FROM scratch\nLABEL who={{ username }} x={{ password }}\n"))
    session(tmp_path, LOGIN)
    config = ("-c", str(tmp_path / "config.yaml"))
    assert run([*config, "-q", "plan", "--offline", str(tmp_path / "images")]) == Exit.INPUT
    said = capsys.readouterr()
    assert "'password' is undefined" in said.err
    assert "rope-yarn" not in said.err + said.out


def test_apts_own_proxy_stands_behind_ours(tmp_path: Path) -> None:
    assert session(tmp_path, "apt_only_proxy: http://apt:3142\n").upstream().proxy == "http://apt:3142"
    assert session(tmp_path, "http_proxy: http://web:8080\n").upstream().proxy == "http://web:8080"


def test_run_instructions_get_the_proxy_in_both_cases() -> None:
    web = "http://web:8080"
    assert proxies(web) == {"http_proxy": web, "HTTP_PROXY": web, "https_proxy": web, "HTTPS_PROXY": web}
    assert proxies("") == {}


def test_a_build_that_made_nothing_does_not_become_the_last_one() -> None:
    one, error = recipe("one"), InputError("failed", where="one", hint="")
    made, failed = Outcome(one, record(one), None, 1.0), Outcome(one, None, error, 1.0)
    build, refused = Plan((PlanEntry(one, Action.BUILD),)), Plan((PlanEntry(one, Action.REFUSED),))
    nothing = Plan((PlanEntry(one, Action.NONE, current=record(one)),))
    assert is_remembered(build, (made,))
    assert is_remembered(build, (made, failed)), "its images stand in the store"
    assert is_remembered(nothing, ())
    assert not is_remembered(build, (failed,))
    assert not is_remembered(refused, ())
