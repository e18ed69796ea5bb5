"""Other circumstances for a command: another day, one processor with fewer abilities, other names, another umask.

What is shifted, and how far that reaches:

- The day: bench/otherday.c, preloaded, in our own process, in mmdebstrap with all that it starts, and in every process of a
  build's containers. Programs without a dynamic loader, and Go's, keep the true time (buildah and the container runtime
  too), and so do the times that the kernel gives to files.
- The processor: glibc, OpenSSL and Go are told that there is neither AVX nor AVX2 nor AVX512. Programs that ask the processor
  themselves (isal, which compresses layers) see it as it is.
- Processors: the command may use one only, so `nproc` says 1.
- Names and settings: host name, home directory, time zone, locale and umask of our process.

Into containers the library comes by a wrapper around the OCI runtime, which mounts it below /dev of each container and names
it in the environment of its first process; nothing of it is in any layer. The wrappers stand over mmdebstrap, crun and runc in a
mount namespace that ends with the command: the machine and its clock stay as they are.
"""

import os
import shutil
import subprocess
from pathlib import Path

DAYS = 40
_PLACE = Path("/mnt")
"""Where the library is for our process and for mmdebstrap, here and in its root."""
_INSIDE = "/dev/otherwise"
_LIBRARY = "otherday.so"
_LESS = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-BMI2",
    "OPENSSL_ia32cap": "~0x200000200000000:~0x20",
    "GODEBUG": "cpu.avx2=off,cpu.avx=off,cpu.avx512=off",
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
for name in {wrapped}; do mount --bind "{wrappers}/$(basename "$name")" "$name"; done
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


def command(argv: list[str], place: Path) -> tuple[list[str], dict[str, str]]:
    """Return a command that runs another one in other circumstances, and its environment. Root only.

    Args:
        argv: The command.
        place: An empty directory for the wrappers; it must stay while the command runs.
    """
    wrappers, programs = place / "wrappers", place / "programs"
    wrappers.mkdir(parents=True)
    programs.mkdir()
    wrapped = []
    for name in ("mmdebstrap", "crun", "runc"):
        found = shutil.which(name)
        if found is None:
            continue
        real = Path(found).resolve()
        shutil.copy2(real, programs / name)
        text = _wrapper(name, programs / name)
        (wrappers / real.name).write_text(text)
        (wrappers / real.name).chmod(0o755)
        wrapped.append(str(real))
    script = _ENTER.format(place=_PLACE, library=library(programs), wrapped=" ".join(wrapped), wrappers=wrappers)
    home = place / "home"
    home.mkdir()
    variables = {
        "HOME": str(home),
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "LD_PRELOAD": str(_PLACE / _LIBRARY),
        **_LESS,
    }
    kept = {name: os.environ[name] for name in ("PATH", "ROPEWALK_STATE") if name in os.environ}
    # The library is not there before the namespace is: the loader would complain of each program until then.
    given = ["env", *(f"{name}={value}" for name, value in variables.items())]
    frame = ["unshare", "--mount", "--uts", "--propagation", "private", "taskset", "--cpu-list", _first_processor()]
    return [*frame, "sh", "-c", script, "sh", *given, *argv], kept


def _first_processor() -> str:
    return str(min(os.sched_getaffinity(0)))


def _wrapper(name: str, real: Path) -> str:
    if name == "mmdebstrap":
        shift = {"LD_PRELOAD": str(_PLACE / _LIBRARY), **_LESS}
        exports = "\n".join(f"export {key}='{value}'" for key, value in shift.items())
        return _MMDEBSTRAP.format(exports=exports, real=real, place=_PLACE, library=_LIBRARY)
    env = [f"{key}={value}" for key, value in {"LD_PRELOAD": f"{_INSIDE}/{_LIBRARY}", **_LESS}.items()]
    return _RUNTIME.format(real=str(real), inside=_INSIDE, place=str(_PLACE), env=env)
