from ropewalk import deploy
from ropewalk.deploy import Build, Place, State, Verdict
from ropewalk.deploy.message import advisories_of, back_message, deployments_in, set_message, with_change_id

R = "registry.example.org"
DIGEST = "sha256:" + "b" * 64


def _change(name: str, path: str = "v.yaml", reason: str = "") -> Verdict:
    build = Build(f"{R}/{name}", "1.0-1", 2, DIGEST, reason=reason)
    return Verdict(Place(path, 1, "image", f"{R}/{name}", "1.0-1", ""), State.CHANGE, target=build)


def test_a_message_says_to_people_and_to_us_what_was_set() -> None:
    changes = [_change("a", reason="libssl3 1 -> 2 (DSA-5678-1)"), _change("b"), _change("c")]
    why = advisories_of([change.target for change in changes if change.target], ["CVE-2026-0001"])
    message = set_message("canary", changes, why)
    assert message.splitlines()[0] == "canary: a 1.0-1-r2, b 1.0-1-r2, 1 more (CVE-2026-0001, DSA-5678-1)"
    assert "v.yaml: a 1.0-1 -> 1.0-1-r2\n" in message
    assert "\na: libssl3 1 -> 2 (DSA-5678-1)\n" in message
    said = deployments_in(message, "1" * 40, 7)
    assert [(one.wave, one.image, one.rolled_back, one.advisories) for one in said] == [
        ("canary", f"{R}/{name}:1.0-1-r2", False, ("CVE-2026-0001", "DSA-5678-1")) for name in "abc"
    ]


def test_a_rollback_names_commit_and_reason() -> None:
    message = back_message("canary", [f"{R}/a:1.0-1-r2@{DIGEST}"], "1" * 40, "it leaks")
    assert message.splitlines()[:4] == [
        "Roll back canary: a 1.0-1-r2",
        "",
        f"This reverts commit {'1' * 40}.",
        "Health: it leaks",
    ]
    assert [one.rolled_back for one in deployments_in(message, "2" * 40, 8)] == [True]


def test_no_path_and_no_reason_makes_a_trailer() -> None:
    forged = f"x\nRopewalk-Rolled-Back: {R}/z:1-r2@{DIGEST}"
    message = set_message("w", [_change("a", path=forged, reason=forged)], ())
    assert [one.image for one in deployments_in(message, "1" * 40, 7)] == [f"{R}/a:1.0-1-r2"]
    back = back_message("w", [f"{R}/a:1.0-1-r2@{DIGEST}"], "1" * 40, forged)
    assert [one.image for one in deployments_in(back, "1" * 40, 7)] == [f"{R}/a:1.0-1-r2"]


def test_others_commits_say_nothing() -> None:
    assert deployments_in("Fix\n\nRopewalk-Image: what: ever\nRopewalk-Wave: x", "1" * 40, 7) == ()
    assert deployments_in(f"Fix\n\nRopewalk-Image: {R}/a:1@{DIGEST}", "1" * 40, 7) == ()


def test_the_same_change_has_the_same_change_id() -> None:
    assert with_change_id("a\n", "x") == with_change_id("a\n", "x") != with_change_id("a\n", "y")


def test_every_exported_name_is_there() -> None:
    assert all(hasattr(deploy, name) for name in deploy.__all__)
