"""``ropewalk restrict``: files that make a node run our images only."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ropewalk import atomic
from ropewalk.cli.output import Format, FormatOption, print_json, print_line
from ropewalk.cli.session import Session
from ropewalk.errors import InputError
from ropewalk.events import Event, EventKind

app = typer.Typer(no_args_is_help=True, help="Realms: what may run where, and the files that enforce it.")
render = typer.Typer(no_args_is_help=True, help="Write the files that enforce a realm.")
app.add_typer(render, name="render")


@render.command()
def node(
    context: typer.Context,
    realm: Annotated[str, typer.Option("--realm", help="A realm of restrict.yaml.")],
    out: Annotated[Path, typer.Option("--out", help="Directory that the files are written to.")],
    *,
    policy: Annotated[Path, typer.Option("--policy", help="The restrict.yaml.")] = Path("restrict.yaml"),
    client: Annotated[
        str,
        typer.Option("--client", help="What runs containers there: podman-4.3 (Debian 12), podman-5.4 (Debian 13)."),
    ] = "podman-4.3",
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry", metavar="URL", help="Where nodes reach the registry; the config's endpoint by default."
        ),
    ] = None,
    lookaside: Annotated[
        str | None, typer.Option("--lookaside", metavar="URL", help="Where nodes read OpenPGP signatures.")
    ] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Write policy.json, registries.conf, registries.d and nftables rules for a node of a realm.

    Put them below / of the node (Puppet, Ansible). Run again, unchanged input gives unchanged files.
    """
    from ropewalk.registry import status
    from ropewalk.restrict import ClientVersion, load_policy, render_node, write_node
    from ropewalk.trust import public

    session: Session = context.obj
    config = session.config()
    running = status(session.settings)
    endpoint = registry or config.endpoint or (running.registry if running else None)
    signatures = lookaside or (running.lookaside if running else None)
    if endpoint is None:
        hint = "give --registry URL, or start one with `ropewalk registry up`"
        raise InputError("no registry is known", where="restrict render node", hint=hint)
    if registry is None:
        _warn_of_loopback(session, endpoint)
    chosen = load_policy(policy).realm(realm)
    files = render_node(
        chosen,
        ClientVersion.parse(client),
        name=config.registry,
        endpoint=endpoint,
        lookaside=signatures or "",
        keys=public(chosen.keys or session.settings.keys),
        today=session.today(),
    )
    with atomic.named(out):
        written = [str(path) for path in write_node(files, out)]
    if output is Format.JSON:
        print_json({"files": [str(out / file.path) for file in files], "written": written})
    else:
        print_line("\n".join(str(out / file.path) for file in files))


def _warn_of_loopback(session: Session, endpoint: str) -> None:
    if (urlsplit(endpoint).hostname or "").startswith(("127.", "localhost", "::1")):
        warning = f"{endpoint} is this machine's loopback: another node cannot reach it; give --registry URL"
        session.listener(Event(EventKind.WARNING, "restrict", warning))
