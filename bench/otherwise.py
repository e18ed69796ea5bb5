"""Other circumstances for a command: another user, another day, one processor with fewer abilities, other names and paths.

What is shifted, and how far that reaches:

- The day: bench/otherday.c, preloaded, in our own process, in mmdebstrap with all that it starts, and in every process of a
  build's containers. Programs without a dynamic loader, and Go's, keep the true time (buildah and the container runtime
  too), and so do the times that the kernel gives to files.
- The processor: glibc, OpenSSL and Go are told that there is neither AVX nor AVX2 nor AVX512. Programs that ask the processor
  themselves (isal, which compresses layers) see it as it is.
- The user: an ordinary one with subordinate ids, who builds as root of a user namespace of his own. He is in copies of
  /etc/passwd, /etc/subuid and the like, which he alone sees; of the state directory he has a copy that shares its files.
- Processors: the command may use one only, so `nproc` says 1.
- Names and settings: host name, home directory, time zone, locale and umask of our process.

Into containers the library comes by a wrapper around the OCI runtime, which mounts it below /dev of each container and names
it in the environment of its first process; nothing of it is in any layer. The wrappers stand over mmdebstrap, crun and runc in a
mount namespace that ends with the command: the machine and its clock stay as they are.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DAYS = 40
_PLACE = Path("/mnt")
"""Where the library is for our process and for mmdebstrap, here and in its root."""
_INSIDE = "/dev/otherwise"
_LIBRARY = "otherday.so"
_NAME = "elsewhere"
_USER = 61234
_SUBORDINATES = "900000000:65536"
_LESS = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-BMI2",
    "OPENSSL_ia32cap": "~0x200000200000000:~0x20",
    "GODEBUG": "cpu.avx2=off,cpu.avx=off",
}
_RUNTIME = """\
#!/usr/bin/python3 -I
import json, os, sys
real, words = {real!r}, sys.argv[1:]
if "create" in words or "run" in words:
    joined = [word.split("=", 1)[1] for word in words if word.startswith("--bundle=")]
    apart = [value for name, value in zip(words, words[1:]) if name in ("--bundle", "-b")]
    path = os.path.join((joined + apart + ["."])[0], "config.json")
    with open(path) as file:
        config = json.load(file)
    mount = {{"destination": {inside!r}, "type": "bind", "source": {place!r}, "options": ["bind", "ro"]}}
    config["mounts"].append(mount)
    config["process"]["env"] += {env!r}
    with open(path, "w") as file:
        json.dump(config, file)
os.execv(real, [real, *words])
"""
_MMDEBSTRAP = """\
#!/bin/sh
{exports}
exec {real} --setup-hook='install -d -m 755 "$1"{place} && install -m 755 {place}/{library} "$1"{place}/' \\
  --customize-hook='rm "$1"{place}/{library}' "$@"
"""
_ENTER = """\
set -eu
mount -t tmpfs -o mode=755 tmpfs {place}
cp {library} {place}/
install -d -m 700 -o {user} -g {user} {place}/run
for name in {wrapped}; do mount --bind "{wrappers}/$(basename "$name")" "$name"; done
for name in {accounts}; do mount --bind "{etc}/$name" "/etc/$name"; done
hostname elsewhere
umask 077
exec "$@"
"""


def library(into: Path) -> Path:
    """Compile the library that shifts the day; the compiler is installed where it is missing."""
    if shutil.which("gcc") is None or not Path("/usr/include/time.h").exists():
        variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (("update", "-qq"), ("install", "-qq", "--yes", "--no-install-recommends", "gcc", "libc6-dev")):
            subprocess.run(["apt-get", *words], check=True, env=variables, stdout=subprocess.DEVNULL)
    source = Path(__file__).with_name("otherday.c")
    made = into / _LIBRARY
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", f"-DDAYS={DAYS}", "-o", str(made), str(source)], check=True)
    return made


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and as whom the command runs.

    Attributes:
        place: Holds wrappers and accounts while it runs; everybody may look into it.
        home: A directory of the user's own; what he makes goes there.
        state: His state directory.
        ordinary: As an ordinary user, otherwise as root.
    """

    place: Path
    home: Path
    state: Path
    ordinary: bool

    def command(self, argv: list[str]) -> list[str]:
        """Return a command that runs another one in these circumstances; root only."""
        wrapped = [str(program) for program in _wrap(self.place)]
        script = _ENTER.format(
            place=_PLACE,
            library=self.place / "programs" / _LIBRARY,
            user=_USER if self.ordinary else 0,
            wrapped=" ".join(wrapped),
            wrappers=self.place / "wrappers",
            accounts=" ".join(_accounts(self.place / "etc")) if self.ordinary else "",
            etc=self.place / "etc",
        )
        variables = {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(_PLACE / "run"),  # short: podman takes no long one
            "ROPEWALK_STATE": str(self.state),
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "C",
            "LD_PRELOAD": str(_PLACE / _LIBRARY),
            **_LESS,
        }
        # The library is not there before the namespace is: the loader would complain of each program until then.
        given = ["env", *(f"{name}={value}" for name, value in variables.items())]
        user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--"] if self.ordinary else []
        frame = ["unshare", "--mount", "--uts", "--propagation", "private", "taskset", "--cpu-list", _first_processor()]
        return [*frame, "sh", "-c", script, "sh", *user, *given, *argv]


def circumstances(state: Path, place: Path, *, ordinary: bool) -> Circumstances:
    """Prepare other circumstances.

    Args:
        state: The state directory that the command is about.
        place: An empty directory.
        ordinary: Run as an ordinary user, otherwise as root.
    """
    place.chmod(0o755)
    for name in ("wrappers", "programs", "etc", "home"):
        (place / name).mkdir()
    library(place / "programs")
    copy = place / "home" / "state"
    copy.mkdir()
    for name in ("store", "records", "views", "pool", "tree.json"):
        subprocess.run(["cp", "-al", str(state / name), str(copy / name)], check=True)
    for root, _, names in os.walk(place / "home"):
        for name in names:
            if "lock" in name:  # a lock is opened for writing: he makes his own
                (Path(root) / name).unlink()
        if ordinary:
            os.chown(root, _USER, _USER)
    (place / "home").chmod(0o700)
    return Circumstances(place, place / "home", copy, ordinary)


def _wrap(place: Path) -> list[Path]:
    """Write the wrappers; return the programs over which they stand."""
    wrapped = []
    for name in ("mmdebstrap", "crun", "runc"):
        found = shutil.which(name)
        if found is None:
            continue
        real = Path(found).resolve()
        shutil.copy2(real, place / "programs" / name)
        wrapper = place / "wrappers" / real.name
        wrapper.write_text(_wrapper(name, place / "programs" / name))
        wrapper.chmod(0o755)
        wrapped.append(real)
    return wrapped


def _accounts(place: Path) -> list[str]:
    """Write this machine's accounts with one more; return the files' names."""
    lines = {
        "passwd": f"{_NAME}:x:{_USER}:{_USER}::/nonexistent:/bin/sh",
        "group": f"{_NAME}:x:{_USER}:",
        "subuid": f"{_NAME}:{_SUBORDINATES}",
        "subgid": f"{_NAME}:{_SUBORDINATES}",
    }
    for name, line in lines.items():
        (place / name).write_text(f"{(Path('/etc') / name).read_text().rstrip()}\n{line}\n")
        (place / name).chmod(0o644)
    return list(lines)


def _first_processor() -> str:
    return str(min(os.sched_getaffinity(0)))


def _wrapper(name: str, real: Path) -> str:
    if name == "mmdebstrap":
        shift = {"LD_PRELOAD": str(_PLACE / _LIBRARY), **_LESS}
        exports = "\n".join(f"export {key}='{value}'" for key, value in shift.items())
        return _MMDEBSTRAP.format(exports=exports, real=real, place=_PLACE, library=_LIBRARY)
    env = [f"{key}={value}" for key, value in {"LD_PRELOAD": f"{_INSIDE}/{_LIBRARY}", **_LESS}.items()]
    return _RUNTIME.format(real=str(real), inside=_INSIDE, place=str(_PLACE), env=env)
