"""``container_limits``: what one build may use of this machine, as docker-pkg writes it."""

import re
from dataclasses import dataclass

from ropewalk.errors import InputError

_BYTES = re.compile(r"(?P<number>[0-9]+)(?P<unit>[bkmgt]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_CPUS = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")
_KEYS = ("memory", "memswap", "cpushares", "cpusetcpus")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build may use.

    Attributes:
        memory: Bytes of memory; None for no limit.
        memory_swap: Bytes of memory and swap together, -1 for as much swap as there is; None for the runtime's own.
        cpu_shares: Weight among other builds (1024 is the usual one); None for that.
        cpus: The processors it may run on, such as ``0-2``; empty for all.
    """

    memory: int | None = None
    memory_swap: int | None = None
    cpu_shares: int | None = None
    cpus: str = ""


NO_LIMITS = Limits()


def parse_limits(text: str, where: str) -> Limits:
    """Read ``memory=2g,memswap=3g,cpushares=512,cpusetcpus=0-1``; every part may be left out.

    Args:
        text: What the config says; empty for no limits. A list of processors (``0,2``) is written with its commas.
        where: File and line, for errors.

    Raises:
        InputError: A key is unknown or a value makes no sense.
    """
    given: dict[str, str] = {}
    last = ""
    for part in text.split(",") if text.strip() else ():
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals and last == "cpusetcpus":
            given[last] += f",{key}"
            continue
        if key not in _KEYS or not value:
            hint = f"write key=value, separated by commas; keys: {', '.join(_KEYS)}"
            raise InputError(f"`container_limits` has `{part.strip()}`", where=where, hint=hint)
        given[key] = value
        last = key
    return Limits(
        memory=_bytes(given, "memory", where),
        memory_swap=-1 if given.get("memswap") == "-1" else _bytes(given, "memswap", where),
        cpu_shares=_shares(given, where),
        cpus=_cpus(given, where),
    )


def _bytes(given: dict[str, str], key: str, where: str) -> int | None:
    if key not in given:
        return None
    match = _BYTES.fullmatch(given[key])
    if match is None:
        raise _wrong(key, given[key], where, "write bytes, or a number with k, m, g or t: memory=2g")
    return int(match["number"]) * _UNITS[match["unit"].lower()]


def _shares(given: dict[str, str], where: str) -> int | None:
    value = given.get("cpushares")
    if value is not None and not (value.isascii() and value.isdecimal()):
        raise _wrong("cpushares", value, where, "write a weight: cpushares=512")
    return None if value is None else int(value)


def _cpus(given: dict[str, str], where: str) -> str:
    value = given.get("cpusetcpus", "")
    if value and not _CPUS.fullmatch(value):
        raise _wrong("cpusetcpus", value, where, "write processors: cpusetcpus=0-2")
    return value


def _wrong(key: str, value: str, where: str, hint: str) -> InputError:
    return InputError(f"`container_limits` has `{key}={value}`", where=where, hint=hint)
