"""Deployment in waves: a real registry, real git repositories, and people who work in them meanwhile."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.command import ROOT, Command
from kit.deployment import Deployment, Works, git
from kit.registry import live_registry
from kit.signing import NAME
from ropewalk.recipe.record import How, Proof, RecordBook
from ropewalk.refresh import Campaign, CampaignBook, CampaignRow, Way
from ropewalk.refresh.history import Deployed, History

pytestmark = pytest.mark.system

VALUES = f"""\
# who: sre@example.org\r
image:   # the main container\r
  repository: {NAME}/app\r
  tag: "1.0-1"   # set by ropewalk\r
replicas:  2\r
"""
MANIFEST = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: prod}}
spec:
  template:
    spec:
      containers:
        - {{name: web, image: '{NAME}/app:1.0-1'}}
        - name: proxy
          image: docker.example.org/proxy:1.0-1@DIGEST
"""
WAVES = """\
waves:
  - name: canary
    paths: [canary]
    health: [sh, -c, 'HEALTH']
    seconds: 20
  - name: rest
    health: [sh, -c, 'HEALTH']
"""


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    directory = tmp_path_factory.mktemp("works")
    with live_registry(directory / "state") as live:
        made = Works(live, directory / "tree")
        made.set_up()
        made.publish("app", 1)
        made.publish("app", 2, reason="openssl 3.0.15 -> 3.0.16 (DSA-5678-1, CVE-2026-0001)")
        made.publish("proxy", 1)
        made.publish("proxy", 2, how=How.REBASED)
        yield made


def _digest(works: Works, name: str, build: int) -> str:
    (record,) = [r for r in RecordBook(works.settings.records) if (r.name, r.build) == (name, build)]
    return record.digest


@pytest.fixture
def charts(tmp_path: Path, works: Works) -> Deployment:
    manifest = MANIFEST.replace("DIGEST", _digest(works, "proxy", 1))
    return Deployment.made(tmp_path, {"canary/values.yaml": VALUES, "prod/web.yaml": manifest})


def _waves(tmp_path: Path, health: str = "echo $ROPEWALK_WAVE $ROPEWALK_IMAGES >> LOG") -> str:
    return WAVES.replace("HEALTH", health.replace("LOG", str(tmp_path / "health.log")))


def _outcomes(done: Any) -> dict[str, str]:
    return {wave["name"]: wave["outcome"] for wave in done["waves"]}


def _reasons(done: Any) -> dict[str, str]:
    return {f"{one['file']} {one['image']}": one["reason"] for one in done["versions"] if one["reason"]}


def test_waves_change_the_versions_and_nothing_else(works: Works, charts: Deployment, tmp_path: Path) -> None:
    ropewalk = works.settle(charts, _waves(tmp_path))
    before = charts.read("prod/web.yaml")
    shown = ropewalk.run("deploy").stdout
    assert '-  tag: "1.0-1"   # set by ropewalk' in shown
    assert f"+        - {{name: web, image: '{NAME}/app:1.0-1-r2'}}" in shown
    assert charts.subjects() == ["First"]

    done = ropewalk.ask("deploy", "--all", "--apply", "--advisory", "DSA-1-1")
    assert _outcomes(done) == {"canary": "deployed", "rest": "deployed"}
    assert charts.read("canary/values.yaml") == VALUES.replace('"1.0-1"', '"1.0-1-r2"')
    assert charts.read("prod/web.yaml") == before.replace("app:1.0-1'", "app:1.0-1-r2'")
    assert charts.subjects() == [f"{wave}: app 1.0-1-r2 (DSA-1-1, DSA-5678-1, ...)" for wave in ("rest", "canary")] + [
        "First"
    ]
    pinned = f"{NAME}/app:1.0-1-r2@{_digest(works, 'app', 2)}"
    message = charts.message()
    assert (
        f"Ropewalk-Wave: rest\nRopewalk-Image: {pinned}\nAdvisory: DSA-1-1\nAdvisory: DSA-5678-1\nAdvisory: CVE-2026-0001"
        in message
    )
    assert (tmp_path / "health.log").read_text().splitlines() == [f"canary {pinned}", f"rest {pinned}"]
    noted = [one for one in History(works.settings) if isinstance(one, Deployed)]
    assert [(one.digest, one.where) for one in noted] == [(_digest(works, "app", 2), f"{charts.bare} rest")]

    again = ropewalk.ask("deploy", "--all", "--apply")
    assert _outcomes(again) == {"canary": "unchanged", "rest": "waits"}
    assert len(charts.subjects()) == 3
    assert len((tmp_path / "health.log").read_text().splitlines()) == 2


def test_behind_the_canary_a_rebased_image_waits_for_its_proof(works: Works, tmp_path: Path) -> None:
    old, new = (_digest(works, "proxy", build) for build in (1, 2))
    text = f"proxy: {{image: {NAME}/proxy, digest: '{old}'}}\n"
    charts = Deployment.made(tmp_path, {"canary/a.yaml": text, "prod/a.yaml": text})
    ropewalk = works.settle(charts, _waves(tmp_path, "true"))
    done = ropewalk.ask("deploy", "proxy", "--apply")
    assert _outcomes(done) == {"canary": "deployed", "rest": "waits"}
    assert charts.read("canary/a.yaml") == text.replace(old, new)
    assert _reasons(done) == {
        f"prod/a.yaml {NAME}/proxy": f"1.0-1-r2 waits for its proof: ropewalk prove {NAME}/proxy:1.0-1-r2"
    }
    book = RecordBook(works.settings.records)
    proof = works.settings.records / new.removeprefix("sha256:") / "proof.json"
    book.mark_proven(new, Proof(True, (), 1.0, 1))
    try:
        assert _outcomes(ropewalk.ask("deploy", "proxy", "--apply")) == {"canary": "unchanged", "rest": "deployed"}
    finally:
        proof.unlink()
    assert charts.read("prod/a.yaml") == text.replace(old, new)


def test_a_campaign_deploys_what_it_renewed(works: Works, charts: Deployment, tmp_path: Path) -> None:
    campaign = Campaign("CVE-2026-0002-20260101-0123456789", "CVE-2026-0002", "20260101-0123456789", 1)
    row = CampaignRow("app", f"{NAME}/app:1.0-1", f"{NAME}/app:1.0-1-r2", "", Way.REBASED, "", 1.0, 1)
    book = CampaignBook(works.settings.campaigns)
    book.save(campaign)
    book.add(campaign, row)
    ropewalk = works.settle(charts, _waves(tmp_path, "true"))
    done = ropewalk.ask("deploy", "--campaign", campaign.id, "--apply")
    assert {one["image"] for one in done["versions"]} == {f"{NAME}/app"}
    assert charts.subjects()[0] == "rest: app 1.0-1-r2 (CVE-2026-0002, DSA-5678-1, ...)"
    unknown = ropewalk.run("deploy", "--campaign", "CVE-2026-0003")
    assert (unknown.returncode, "no such campaign" in unknown.stderr) == (3, True)


def test_what_others_push_meanwhile_stays(works: Works, charts: Deployment, tmp_path: Path) -> None:
    hook = charts.bare / "hooks" / "pre-receive"
    other = "git -c user.name=O -c user.email=o@example.org"
    # The first push of ours meets a branch that somebody moves at that very moment.
    hook.write_text(
        f"""#!/bin/sh
[ -e {tmp_path}/moved ] && exit 0
touch {tmp_path}/moved
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
tree=$(git rev-parse main^{{tree}})
git update-ref refs/heads/main $({other} commit-tree -p main -m Other $tree)
"""
    )
    hook.chmod(0o755)
    done = works.settle(charts, _waves(tmp_path, "true")).ask("deploy", "app", "--apply")
    assert _outcomes(done) == {"canary": "deployed", "rest": "deployed"}
    subjects = charts.subjects()
    assert [subject.partition(":")[0] for subject in subjects] == ["rest", "canary", "Other", "First"]
    assert (tmp_path / "moved").exists()


def test_a_wave_that_is_not_well_is_rolled_back(works: Works, charts: Deployment, tmp_path: Path) -> None:
    ropewalk = works.settle(charts, _waves(tmp_path, "echo not ready; exit 3"))
    done = ropewalk.ask("deploy", "app", "--apply", code=1)
    assert _outcomes(done) == {"canary": "rolled back", "rest": "not begun"}
    assert "ended with status 3: not ready" in done["waves"][0]["detail"]
    assert charts.read("canary/values.yaml") == VALUES
    assert charts.subjects()[0] == "Roll back canary: app 1.0-1-r2"
    assert "Ropewalk-Rolled-Back: registry.example.org/app:1.0-1-r2@sha256:" in charts.message()

    later = works.settle(charts, _waves(tmp_path, "true")).ask("deploy", "app", "--apply")
    held = "1.0-1-r2 was rolled back here; --again sets it once more"
    assert _reasons(later) == {f"canary/values.yaml {NAME}/app": held, f"prod/web.yaml {NAME}/app": held}
    assert _outcomes(ropewalk.ask("deploy", "app", "--apply")) == {"canary": "unchanged", "rest": "unchanged"}
    once_more = works.settle(charts, _waves(tmp_path, "true")).ask("deploy", "app", "--apply", "--again")
    assert _outcomes(once_more) == {"canary": "deployed", "rest": "deployed"}


def test_a_health_command_that_does_not_end_is_not_well(works: Works, charts: Deployment, tmp_path: Path) -> None:
    text = _waves(tmp_path, "sleep 60").replace("seconds: 20", "seconds: 1")
    done = works.settle(charts, text).ask("deploy", "app", "--apply", code=1)
    assert _outcomes(done)["canary"] == "rolled back"
    assert "not ended after 1 s" in done["waves"][0]["detail"]


def test_what_somebody_holds_is_left_alone(works: Works, tmp_path: Path) -> None:
    place = f"image: {NAME}/app:1.0-1-r2\n"
    files = {
        "a.yaml": f"image: {NAME}/app:1.0-1  # pinned: T123, until the new client is out\n",
        "b.yaml": place,
        "chart/templates/c.yaml": f"{{{{- if .x }}}}\nimage: {NAME}/app:1.0-1\n{{{{- end }}}}\n",
        "d.yaml": f"image: {NAME}/app:1.1-1\n",
        "e.yaml": f"args: ['{NAME}/app:1.0-1']\n",
        "f.yaml": "image: docker.io/library/app:1.0-1\n",
        "g.yaml": f"image: {NAME}/app:latest\n",
    }
    charts = Deployment.made(tmp_path, files)
    back = charts.push({"b.yaml": place.replace("-r2", "")}, "Back: it leaks")
    ropewalk = works.settle(charts, "waves: [{name: all}]\n")
    done = ropewalk.ask("deploy", "--all", "--apply")
    assert _outcomes(done) == {"all": "unchanged"}
    day = git(charts.bare, "log", "-1", "--format=%cs")
    assert _reasons(done) == {
        f"a.yaml {NAME}/app": "pinned: T123, until the new client is out",
        f"b.yaml {NAME}/app": f"put back from 1.0-1-r2 by Ada Person on {day} ({back[:10]}); --again moves it on",
        f"d.yaml {NAME}/app": "nothing of app:1.1-1 is published and verified",
        f"e.yaml {NAME}/app": "stands under `args`, which is no image's key",
        f"g.yaml {NAME}/app": "names `latest`, which says no version",
    }
    assert done["unread"] == [{"file": "chart/templates/c.yaml", "reason": "is a template (line 1)"}]
    status = ropewalk.ask("deploy", "status")
    assert [one["state"] for one in status["versions"]] == ["left"] * 5
    assert _outcomes(ropewalk.ask("deploy", "--all", "--apply", "--again")) == {"all": "deployed"}
    assert charts.read("b.yaml") == place
    assert charts.read("a.yaml") == files["a.yaml"]


@pytest.mark.parametrize("well", [True, False])
def test_killed_between_waves_it_asks_for_health_first(
    works: Works, charts: Deployment, tmp_path: Path, *, well: bool
) -> None:
    asked = tmp_path / "asked"
    ropewalk = works.settle(charts, _waves(tmp_path, f"touch {asked}; while [ -e {asked} ]; do sleep 0.1; done"))
    argv = [ROOT / ".venv/bin/ropewalk", "-q", "-c", ropewalk.config, "deploy", "app", "--apply"]
    with subprocess.Popen(argv, env={**os.environ, "ROPEWALK_STATE": str(ropewalk.state)}) as process:
        while not asked.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    asked.unlink()
    assert charts.read("canary/values.yaml") != VALUES
    assert "app:1.0-1'" in charts.read("prod/web.yaml")

    health = "echo $ROPEWALK_WAVE >> LOG" if well else "exit 1"
    done = works.settle(charts, _waves(tmp_path, health)).ask("deploy", "app", "--apply", code=0 if well else 1)
    if well:
        assert _outcomes(done) == {"canary": "unchanged", "rest": "deployed"}
        assert (tmp_path / "health.log").read_text().splitlines() == ["canary", "rest"]
        assert len(charts.subjects()) == 3
    else:
        assert _outcomes(done) == {"canary": "rolled back", "rest": "not begun"}
        assert charts.read("canary/values.yaml") == VALUES


def test_as_merge_requests_each_wave_waits_for_the_merge(works: Works, charts: Deployment, tmp_path: Path) -> None:
    git(charts.bare, "config", "receive.advertisePushOptions", "true")
    hook = charts.bare / "hooks" / "post-receive"
    hook.write_text(f'#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_[0-9] | sort > "{tmp_path}/options"\n')
    hook.chmod(0o755)
    ropewalk = works.settle(charts, "merge-request: true\n" + _waves(tmp_path))
    done = ropewalk.ask("deploy", "app", "--apply")
    assert _outcomes(done) == {"canary": "proposed", "rest": "not begun"}
    assert (tmp_path / "options").read_text().splitlines()[:2] == [
        "GIT_PUSH_OPTION_0=merge_request.create",
        "GIT_PUSH_OPTION_1=merge_request.target=main",
    ]
    (branch,) = git(charts.bare, "branch", "--list", "--format=%(refname:short)", "ropewalk/*").splitlines()
    assert charts.read("canary/values.yaml") == VALUES
    assert charts.read("canary/values.yaml", branch) == VALUES.replace('"1.0-1"', '"1.0-1-r2"')
    assert _outcomes(ropewalk.ask("deploy", "app", "--apply")) == {"canary": "proposed", "rest": "not begun"}
    assert len(git(charts.bare, "branch", "--list", "ropewalk/*").splitlines()) == 1

    git(charts.person, "pull", "-q", "--rebase", "origin", "main")
    git(charts.person, "fetch", "-q", "origin", branch)
    git(charts.person, "merge", "-q", "--squash", "FETCH_HEAD")
    git(charts.person, "commit", "-q", "-m", "Merge the canary")
    git(charts.person, "push", "-q", "origin", "HEAD:main")
    assert _outcomes(ropewalk.ask("deploy", "app", "--apply")) == {"canary": "unchanged", "rest": "proposed"}
    assert [line.split()[0] for line in (tmp_path / "health.log").read_text().splitlines()] == ["canary"]


def test_a_server_without_push_options_gets_a_branch(works: Works, charts: Deployment, tmp_path: Path) -> None:
    done = works.settle(charts, "merge-request: true\n" + _waves(tmp_path)).ask("deploy", "app", "--apply")
    assert _outcomes(done)["canary"] == "proposed"
    assert len(git(charts.bare, "branch", "--list", "ropewalk/canary-*").splitlines()) == 1


def test_for_review_a_change_id_tells_the_change(works: Works, charts: Deployment, tmp_path: Path) -> None:
    done = works.settle(charts, "merge-request: refs-for\n" + _waves(tmp_path)).ask("deploy", "app", "--apply")
    assert _outcomes(done)["canary"] == "proposed"
    assert "\nChange-Id: I" in charts.message("refs/for/main")


def test_another_machine_believes_what_is_attested(works: Works, charts: Deployment, tmp_path: Path) -> None:
    works.settle(charts, _waves(tmp_path, "true"))
    elsewhere = Command(tmp_path / "state", works.directory / "config.yaml")
    untrusting = elsewhere.ask("deploy", "app")
    assert set(_reasons(untrusting).values()) == {"nothing of app:1.0-1 is published and verified"}
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "keys").symlink_to(works.settings.keys)
    assert _outcomes(elsewhere.ask("deploy", "app", "--apply")) == {"canary": "deployed", "rest": "deployed"}


def test_what_git_refuses_is_told_in_a_line(works: Works, charts: Deployment, tmp_path: Path) -> None:
    hook = charts.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected branch >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = works.settle(charts, _waves(tmp_path)).run("deploy", "app", "--apply")
    assert refused.returncode == 5
    assert "takes no push to refs/heads/main: remote: protected branch" in refused.stderr
    missing = works.settle(charts, "branch: production\n" + _waves(tmp_path)).run("deploy")
    assert (missing.returncode, "has no branch `production`" in missing.stderr) == (3, True)
    works.directory.joinpath("deploy.yaml").write_text("repository: /nowhere\nwaves: [{name: a, helth: [true]}]\n")
    wrong = Command(works.settings.state, works.directory / "config.yaml").run("deploy")
    assert (wrong.returncode, "did you mean `health`?" in wrong.stderr) == (3, True)
    assert json.dumps(charts.subjects()) == '["First"]'
