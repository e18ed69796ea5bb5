"""diffoscope's report on two files, where it is installed: short, without network, and ended when it takes too long."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from ropewalk.process import Command, CommandFailed, run

PROGRAM = "diffoscope"
_SECONDS = 60.0
_LINES = 40
_COLUMNS = 200
_DIFFER = 1


def report(path: str, old: bytes, new: bytes, place: Path) -> tuple[str, ...]:
    """Let diffoscope compare two contents.

    Args:
        path: Where they stand in the image; its name tells diffoscope their kind.
        old: One content.
        new: The other.
        place: Where temporary files may be.

    Returns:
        The lines of its report, at most 40; none where diffoscope is not installed.
    """
    if shutil.which(PROGRAM) is None:
        return ()
    with TemporaryDirectory(prefix="explain-", dir=place) as name:
        files = []
        for side, data in (("image", old), ("rebuilt", new)):
            file = Path(name) / side / Path(path).name
            file.parent.mkdir()
            file.write_bytes(data)
            files.append(str(file.relative_to(name)))
        return _shortened(_run(files, Path(name)))


def _run(files: list[str], place: Path) -> list[str]:
    # What it unpacks comes from an image: it gets neither network nor our mounts, and dies with us.
    argv = ("unshare", "--net", "--", PROGRAM, "--no-progress", "--text=-", "--text-color=never", *files)
    command = Command(argv, directory=place, environment=(("TMPDIR", str(place)),), timeout=_SECONDS, contained=True)
    try:
        done = run(command, check=False)
    except CommandFailed:
        return [f"diffoscope did not end within {_SECONDS:.0f} s"]
    if done.returncode > _DIFFER:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return [f"diffoscope ended with status {done.returncode}", *last]
    return done.stdout.decode(errors="replace").splitlines()


def _shortened(lines: list[str]) -> tuple[str, ...]:
    more = [f"... and {len(lines) - _LINES} lines more"] if len(lines) > _LINES else []
    return tuple(line[:_COLUMNS] for line in [*lines[:_LINES], *more])
