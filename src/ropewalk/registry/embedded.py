"""The embedded registry: Debian's docker-registry and a static server for OpenPGP signatures, both kept by us.

They outlive the command that started them. ``running.json`` names them by process id, start time and boot, so that no
foreign process is ever ended; ``listen.json`` keeps the ports, so that a restart answers where it answered before.
"""

import ipaddress
import json
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ropewalk import atomic
from ropewalk.errors import HostError, InputError
from ropewalk.process import Command, detach, tail_of
from ropewalk.registry.owned import Owned, alive, end, identify
from ropewalk.settings import Settings

_DEFAULT_HOST = "127.0.0.1"
_TRIES = 3
_START_SECONDS = 15.0
_POLL_SECONDS = 0.05
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where the embedded registry answers.

    Attributes:
        registry: ``http://HOST:PORT`` of the registry.
        lookaside: ``http://HOST:PORT`` of the OpenPGP signatures.
        pids: Process ids of the registry and of the lookaside's server.
    """

    registry: str
    lookaside: str
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where both servers listen.

    Attributes:
        host: An IP address without brackets.
        registry: The registry's port; 0 means any free one.
        lookaside: The port of the OpenPGP signatures; 0 means any free one.
    """

    host: str
    registry: int = 0
    lookaside: int = 0

    def url(self, port: int) -> str:
        """Return ``http://HOST:PORT``."""
        return f"http://{_bracketed(self.host)}:{port}"


class RegistryElsewhere(HostError):
    """The embedded registry runs at another address than the one that was asked for."""


class RegistryNotStarted(HostError):
    """The embedded registry did not begin to answer."""


def lookaside_of(settings: Settings) -> Path:
    """Return the directory of OpenPGP signatures that the embedded registry serves."""
    return settings.registry / "lookaside"


def up(settings: Settings, listen: str | None = None) -> Address:
    """Start the embedded registry and wait until it answers; where it runs, return its address.

    Args:
        settings: Whose registry.
        listen: ``ADDRESS[:PORT]``; an IPv6 address stands in brackets before a port. None: where it was before,
            else loopback and a free port.

    Raises:
        InputError: ``listen`` is no address.
        RegistryElsewhere: It runs at another address.
        RegistryNotStarted: It did not start, or its port is taken.
        ProgramMissing: docker-registry is not installed.
    """
    wanted = parse_listen(listen) if listen else None
    with atomic.locked(settings.registry / ".lock"):
        running = status(settings)
        if running is not None:
            _check_same(settings, running, wanted)
            return running
        _end_all(settings)
        kept = _kept_listen(settings)
        return _start(settings, choose(wanted, kept), given=bool(wanted and wanted.registry))


def down(settings: Settings) -> bool:
    """End the embedded registry; its data and ports are kept.

    Args:
        settings: Whose registry.

    Returns:
        False where nothing was running.

    Raises:
        HostError: A process did not end.
    """
    if not settings.registry.is_dir():
        return False
    with atomic.locked(settings.registry / ".lock"):
        return _end_all(settings)


def status(settings: Settings) -> Address | None:
    """Return where the embedded registry answers; None where not both servers run."""
    processes = _recorded(settings)
    kept = _kept_listen(settings)
    if not processes or kept is None or not all(alive(process) for process in processes):
        return None
    pids = tuple(process.pid for process in processes)
    return Address(kept.url(kept.registry), kept.url(kept.lookaside), pids)


def parse_listen(text: str) -> Listen:
    """Read ``ADDRESS[:PORT]``.

    Args:
        text: What stands behind ``--listen``.

    Returns:
        The address, with port 0 for the registry where none is given.

    Raises:
        InputError: It is no IP address, or the port is no number from 1 to 65535.
    """
    hint = "write --listen 127.0.0.1, --listen 192.0.2.7:5000 or --listen [2001:db8::7]:5000"
    host, colon, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise InputError(f"{host!r} is no IP address", where="--listen", hint=hint) from None
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if colon and not 0 < number <= _LARGEST_PORT:
        raise InputError(f"{port!r} is no port", where="--listen", hint=hint)
    return Listen(str(address), number)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def choose(wanted: Listen | None, kept: Listen | None) -> Listen:
    """Return where to listen: what was asked for, with the ports of last time where they fit.

    Args:
        wanted: What was asked for; None means where it was before.
        kept: Where it was before; None means never.
    """
    if wanted is None:
        # The address of last time may be gone: a node's link, another network.
        return kept if kept is not None and _free_port(kept.host, 0) else Listen(_DEFAULT_HOST)
    if kept is None or kept.host != wanted.host:
        return wanted
    return Listen(wanted.host, wanted.registry or kept.registry, kept.lookaside)


def _check_same(settings: Settings, running: Address, wanted: Listen | None) -> None:
    kept = _kept_listen(settings)
    if wanted is None or kept is None:
        return
    if wanted.host != kept.host or wanted.registry not in (0, kept.registry):
        hint = "end it first: ropewalk registry down"
        raise RegistryElsewhere(f"the registry runs at {running.registry}", where="--listen", hint=hint)


def _free_port(host: str, port: int) -> int | None:
    """Return ``port`` if it is free, a free one for 0, None if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])


def free_ports(asked: Listen, *, given: bool) -> Listen:
    """Turn an address into one whose ports were free a moment ago.

    Args:
        asked: The address; ports that are taken are replaced by free ones.
        given: The registry's port was asked for and must not be replaced.

    Raises:
        RegistryNotStarted: The address or the given port cannot be listened on.
    """
    registry = _free_port(asked.host, asked.registry)
    if registry is None and not given:
        registry = _free_port(asked.host, 0)
    if registry is None:
        where = f"{_bracketed(asked.host)}:{asked.registry}"
        raise RegistryNotStarted("the address cannot be listened on", where=where, hint="see: ss -ltnp; ip address")
    lookaside = _free_port(asked.host, asked.lookaside)
    while lookaside in (None, registry):
        lookaside = _free_port(asked.host, 0)
    return Listen(asked.host, registry, lookaside or 0)


def _start(settings: Settings, asked: Listen, *, given: bool) -> Address:
    """Start both servers; with other ports again where another process was quicker to take one."""
    for attempt in range(_TRIES):
        listen = free_ports(asked, given=given)
        lookaside_of(settings).mkdir(parents=True, exist_ok=True)
        write_config(settings, listen)
        _write_json(settings, "listen.json", asdict(listen))
        try:
            return _start_once(settings, listen)
        except RegistryNotStarted:
            _end_all(settings)
            if given or attempt == _TRIES - 1:
                raise
            asked = Listen(asked.host)
    raise AssertionError("the loop returns or raises")


def _start_once(settings: Settings, listen: Listen) -> Address:
    logs = (settings.registry / "registry.log", settings.registry / "lookaside.log")
    processes: list[Owned] = []
    for command, log in zip(_commands(settings, listen), logs, strict=True):
        log.unlink(missing_ok=True)
        processes.append(identify(detach(command, log)))
        _write_json(settings, "running.json", [asdict(process) for process in processes])
    urls = (listen.url(listen.registry), listen.url(listen.lookaside))
    for process, url, log in zip(processes, (f"{urls[0]}/v2/", f"{urls[1]}/"), logs, strict=True):
        _wait(process, url, log)
    return Address(*urls, tuple(process.pid for process in processes))


def _commands(settings: Settings, listen: Listen) -> tuple[Command, Command]:
    directory = str(lookaside_of(settings))
    server = ("-I", "-m", "http.server", "--bind", listen.host, "--directory", directory, str(listen.lookaside))
    return (
        Command(("docker-registry", "serve", str(settings.registry / "config.json")), directory=settings.registry),
        Command((sys.executable, *server), directory=settings.registry),
    )


def write_config(settings: Settings, listen: Listen) -> None:
    """Write docker-registry's configuration; JSON is YAML. Its secret lets an upload go on after a restart.

    Args:
        settings: Whose registry.
        listen: Where it shall listen.
    """
    secret_file = settings.registry / "secret"
    if not secret_file.exists():
        atomic.write_text(secret_file, secrets.token_hex(32), 0o600)
    config = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(settings.registry / "data")},
            "cache": {"blobdescriptor": "inmemory"},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"{_bracketed(listen.host)}:{listen.registry}", "secret": secret_file.read_text()},
    }
    atomic.write_text(settings.registry / "config.json", json.dumps(config, indent=1), 0o600)


def _write_json(settings: Settings, name: str, value: object) -> None:
    atomic.write_text(settings.registry / name, json.dumps(value))


def _read_json(settings: Settings, name: str) -> object:
    try:
        return json.loads((settings.registry / name).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _kept_listen(settings: Settings) -> Listen | None:
    data = _read_json(settings, "listen.json")
    try:
        return Listen(**data) if isinstance(data, dict) else None
    except TypeError:
        return None


def _recorded(settings: Settings) -> tuple[Owned, ...]:
    data = _read_json(settings, "running.json")
    try:
        return tuple(Owned(**item) for item in data) if isinstance(data, list) else ()
    except TypeError:
        return ()


def _end_all(settings: Settings) -> bool:
    ended = [end(process) for process in _recorded(settings)]
    (settings.registry / "running.json").unlink(missing_ok=True)
    return any(ended)


def _answers(url: str) -> bool:
    # No proxy of the environment stands between us and our own servers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1.0) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's "OK"
    except (urllib.error.URLError, OSError):
        return False


def _wait(process: Owned, url: str, log: Path, clock: Callable[[], float] = time.monotonic) -> None:
    latest = clock() + _START_SECONDS
    while alive(process) and clock() < latest:
        if _answers(url):
            return
        time.sleep(_POLL_SECONDS)
    lines = tail_of(log).decode(errors="replace").strip().splitlines()
    what = "does not answer" if alive(process) else "ended at once"
    last = lines[-1] if lines else "it wrote nothing"
    raise RegistryNotStarted(f"{what}: {last}", where=url, hint=f"read {log}")
