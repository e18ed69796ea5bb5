"""``ropewalk deploy``: the deployment repository's versions follow what is published, in waves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ropewalk import atomic
from ropewalk.cli.output import Format, FormatOption, print_json, print_line, print_table, printable
from ropewalk.cli.session import OfflineOption, RegistryOption, Session, when
from ropewalk.errors import Exit, InputError

if TYPE_CHECKING:
    from ropewalk.deploy import Build, Deployment, RolloutReport, Survey, Surveyor, Verdict, WaveReport

_FILE = "deploy.yaml"
_DEFAULT = "run"


class _Group(TyperGroup):
    """`ropewalk deploy IMAGE...` is `ropewalk deploy run IMAGE...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where none is named."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [_DEFAULT, *args])


app = typer.Typer(
    cls=_Group,
    help="""Bring published images to where they run: the deployment repository changes in waves.

    [bold]ropewalk deploy[/] shows what would change; [bold]ropewalk deploy --all --apply[/] does it. Which repository, waves
    and health commands: deploy.yaml. Without a command, [bold]run[/] is meant.""",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The deploy.yaml; the one here or beside config.yaml by default."),
]


@app.command()
def run(
    context: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Images without registry, * and ? allowed: nginx, 'services/*'.",
            show_default=False,
        ),
    ] = None,
    *,
    config: ConfigOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every image that deploy.yaml deploys.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Change, push and check; without it nothing changes.")] = False,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", metavar="ID", help="What one refresh renewed; its advisory goes into the commits."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was put back by hand or rolled back; never what is pinned.")
    ] = False,
    advisory: Annotated[
        list[str] | None, typer.Option("--advisory", metavar="ID", help="Why, for the commits; may be given again.")
    ] = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show what would change in the deployment repository, as a diff a wave; change it with --apply.

    A version follows the newest published and verified build of its own line (1.0-1 to 1.0-1-r2, never to 1.1). Comments,
    order and quotes stay. Left alone, with the reason: what is pinned (# pinned: why), was put back by hand, or was rolled
    back before. Each wave is a commit; the next begins when its health command succeeds. A wave that is not well is rolled
    back by a further commit and nothing else begins: exit code 1. Interrupted, also by kill -9: run it again.
    """
    if sum((bool(images), every, campaign is not None)) > 1:
        raise typer.BadParameter("name images, a campaign, or say --all: one of them")
    if apply and not images and not every and campaign is None:
        raise typer.BadParameter("name images or a campaign, or say --all")
    session: Session = context.obj
    chosen, why = (images or [], list(advisory or ())) if campaign is None else _renewed(session, campaign, advisory)
    with _surveyor(session, config, chosen, again=again, offline=offline, registry=registry) as surveyor:
        report = _rollout(session, surveyor, tuple(why), apply=apply)
    if output is Format.JSON:
        print_json({"applied": apply, **_data(report)})
    else:
        _print(report, apply=apply)
    if report.bad:
        raise typer.Exit(Exit.FAILED)


def _renewed(session: Session, campaign: str, advisories: list[str] | None) -> tuple[list[str], list[str]]:
    """Return the images that a campaign renewed, and why.

    Raises:
        InputError: There is no such campaign, or it renewed nothing.
    """
    from ropewalk.deploy import advisories_in
    from ropewalk.refresh import CampaignBook

    found = CampaignBook(session.settings.campaigns).load(campaign)
    images = [row.name for row in found.rows if row.done and not row.error]
    if not images:
        raise InputError("renewed no image", where=f"campaign {campaign}", hint="name images, or say --all")
    return images, [*(advisories or ()), *advisories_in(found.asked)]


@app.command()
def status(
    context: typer.Context,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]...", help="As for run; all by default.", show_default=False)
    ] = None,
    *,
    config: ConfigOption = None,
    offline: OfflineOption = False,
    registry: RegistryOption = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """List what the deployment repository names: each version with its wave, what it should be, and who holds it.

    Then what our commits there did, the newest first.
    """
    from ropewalk.deploy import deployments

    session: Session = context.obj
    with _surveyor(session, config, images or [], again=False, offline=offline, registry=registry) as surveyor:
        survey = surveyor.look()
        done = [one for one in deployments(surveyor.clone, survey.head) if surveyor.chosen(_image(one, surveyor))]
    if output is Format.JSON:
        print_json({"commit": survey.head, **_standing(survey), "deployments": [_deployment(one) for one in done]})
        return
    _print_standing(survey)
    if not done:
        return
    print_line("")
    print_table(
        ("when", "wave", "what", "image", "commit", "advisories"),
        (
            (
                when(one.at),
                one.wave,
                "rolled back" if one.rolled_back else "set",
                one.image,
                one.commit[:10],
                ", ".join(one.advisories),
            )
            for one in done
        ),
    )


def _image(one: "Deployment", surveyor: "Surveyor") -> str:
    return one.image.rpartition(":")[0].removeprefix(f"{surveyor.published.registry}/")


@contextmanager
def _surveyor(
    session: Session, config: Path | None, images: list[str], *, again: bool, offline: bool, registry: str | None
) -> "Iterator[Surveyor]":
    """Open deploy.yaml, the clone and the registry; one process at a time."""
    from ropewalk.deploy import Clone, Published, Surveyor, load_deploy
    from ropewalk.plan import observe_lines
    from ropewalk.trust import Publics

    settings = load_deploy(_find(session, config))
    tree, book = session.config(), session.book()
    place = session.settings.state / "deploy"

    def chosen(image: str) -> bool:
        return not images or any(fnmatchcase(image, glob) for glob in images)

    with session.client(offline=offline, registry=registry) as client:

        def observe(lines: list[tuple[str, str]]) -> Any:
            publics = Publics(session.settings.keys)
            return observe_lines(lines, tree.registry, book=book, store=session.store(), client=client, publics=publics)

        published = Published(tree.registry, tree.aliases, book, observe, client)
        clone = Clone.of(place, settings, os.environ)
        with atomic.locked(place / f"{clone.directory.name}.lock"):
            yield Surveyor(clone, settings, published, chosen, again, session.listener)


def _find(session: Session, config: Path | None) -> Path:
    if config is not None:
        return config
    here = Path(_FILE)
    if here.exists() or session.config_path is None:
        return here
    return session.config_path.parent / _FILE


def _rollout(session: Session, surveyor: "Surveyor", advisories: tuple[str, ...], *, apply: bool) -> "RolloutReport":
    from ropewalk.deploy import Rollout
    from ropewalk.refresh.history import deployed

    def note(build: "Build", wave: str) -> None:
        deployed(session.settings, build.digest, session.now(), f"{surveyor.clone.address} {wave}")

    rollout = Rollout(
        surveyor, session.now, session.settings.logs / "deploy", advisories, deployed=note, listener=session.listener
    )
    return rollout.apply() if apply else rollout.plan()


def _print(report: "RolloutReport", *, apply: bool) -> None:
    for wave in report.waves:
        if wave.diff and not apply:
            print_line(f"wave {wave.name}:", "bold")
            for line in wave.diff.splitlines():
                print_line(line, "green" if line.startswith("+") else "red" if line.startswith("-") else "")
    print_table(
        ("wave", "outcome", "versions", "commit", "detail"),
        ((w.name, w.outcome, len(w.changes), w.commit[:10], printable(w.detail)) for w in report.waves),
        right=("versions",),
    )
    _print_held(report.survey)
    if not apply and any(wave.changes for wave in report.waves):
        print_line("nothing was changed; --apply does it")


def _print_held(survey: "Survey") -> None:
    """Tell what is left alone, or waits, and why."""
    for _, verdict in survey.verdicts:
        if verdict.reason:
            place = verdict.place
            print_line(f"left alone  {place.path}:{place.line} {place.name}: {printable(verdict.reason)}", "yellow")
    for path, trouble in survey.troubles:
        print_line(f"left alone  {path}: {trouble}", "yellow")


def _print_standing(survey: "Survey") -> None:
    print_table(
        ("file", "image", "version", "newest", "wave", "state", "reason"),
        (
            (
                f"{verdict.place.path}:{verdict.place.line}",
                verdict.place.name,
                verdict.place.tag or verdict.place.digest[:19],
                verdict.target.tag if verdict.target else "",
                wave,
                _word(verdict),
                printable(verdict.reason),
            )
            for wave, verdict in survey.verdicts
        ),
    )
    for path, trouble in survey.troubles:
        print_line(f"left alone  {path}: {trouble}", "yellow")


def _word(verdict: "Verdict") -> str:
    return "behind" if verdict.state == "change" else str(verdict.state)


def _data(report: "RolloutReport") -> dict[str, object]:
    return {"commit": report.survey.head, "waves": [_wave(wave) for wave in report.waves], **_standing(report.survey)}


def _wave(wave: "WaveReport") -> dict[str, object]:
    return {
        "name": wave.name,
        "outcome": wave.outcome,
        "detail": wave.detail,
        "commit": wave.commit or None,
        "changes": [_verdict(wave.name, change) for change in wave.changes],
        "diff": wave.diff,
    }


def _standing(survey: "Survey") -> dict[str, object]:
    return {
        "versions": [_verdict(wave, verdict) for wave, verdict in survey.verdicts],
        "unread": [{"file": path, "reason": trouble} for path, trouble in survey.troubles],
    }


def _verdict(wave: str, verdict: "Verdict") -> dict[str, object]:
    place, target = verdict.place, verdict.target
    return {
        "file": place.path,
        "line": place.line,
        "key": place.key,
        "image": place.name,
        "tag": place.tag or None,
        "digest": place.digest or None,
        "wave": wave,
        "state": _word(verdict),
        "reason": verdict.reason or None,
        "newest": target.tag if target else None,
        "newest_digest": target.digest if target else None,
    }


def _deployment(one: "Deployment") -> dict[str, object]:
    return {
        "at": one.at,
        "wave": one.wave,
        "image": one.image,
        "digest": one.digest,
        "rolled_back": one.rolled_back,
        "commit": one.commit,
        "advisories": list(one.advisories),
    }
