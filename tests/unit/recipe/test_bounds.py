import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from kit.recipes import production, write
from ropewalk.errors import InputError
from ropewalk.recipe import TreeConfig, load_tree
from ropewalk.recipe.bounds import Rendering, bounded
from ropewalk.recipe.template import Templates

ENDLESS = {
    "a C function": '{{ 1|round(10**9, "floor") }}',
    "loops": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
}
LARGE = {
    "a repetition": '{{ "x" * 10**11 }}',
    "doubling": "{% set all = ['x'] %}{% for i in range(60) %}{% do all.append(all[-1] ~ all[-1]) %}{% endfor %}",
    "many lines": "{% for i in range(1000) %}{{ 'x' * 100000 }}{% endfor %}",
}


def _render(tmp_path: Path, text: str, seconds: int = 1) -> str:
    config = TreeConfig()
    write(tmp_path, {"r/Dockerfile.template": text})
    places = [(tmp_path / "r", tmp_path)]
    with bounded(config, {}, places, lambda: Templates(config, {}), seconds) as rendering:
        return rendering.render(*places[0])


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_a_template_that_never_ends_is_ended(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="rendering it did not end within 1 s of processor time") as caught:
        _render(tmp_path, text)
    assert caught.value.where == f"{tmp_path}/r/Dockerfile.template"
    assert caught.value.hint


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_template_that_takes_all_memory_is_ended(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"needs more than 2 GiB of memory|larger than 16 MiB"):
        _render(tmp_path, text, 30)


def test_another_thread_is_held_to_the_bounds_too(tmp_path: Path) -> None:
    found: list[InputError] = []

    def work() -> None:
        try:
            _render(tmp_path, ENDLESS["loops"])
        except InputError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [error.message for error in found] == ["rendering it did not end within 1 s of processor time"]


def test_every_command_that_reads_a_tree_has_the_bounds(tmp_path: Path) -> None:
    write(tmp_path, production("r", "1", LARGE["a repetition"]))
    with pytest.raises(InputError, match="needs more than 2 GiB of memory"):
        load_tree([tmp_path], TreeConfig())


def _children() -> set[str]:
    """Return our children, dead ones that nobody waited for among them; other tests may have some that live on."""
    found = {path.parent.name: path for path in Path("/proc").glob("[0-9]*/stat")}
    parents = {}
    for number, path in found.items():
        with suppress(FileNotFoundError, ProcessLookupError):
            parents[number] = path.read_text(errors="replace").rpartition(")")[2].split()[1]
    return {number for number, parent in parents.items() if parent == str(os.getpid())}


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    before = _children()
    write(tmp_path, production("r", "1", "FROM scratch\n") | {"r/control": "Package: r\nRebase: sometimes\n"})
    with pytest.raises(InputError, match="Rebase"):
        load_tree([tmp_path], TreeConfig())
    assert _children() <= before


def test_errors_and_warnings_of_the_other_process_are_told_here(tmp_path: Path) -> None:
    write(tmp_path, production("r", "1", 'FROM scratch\nUSER {{ "who" | uid }}\n'))
    assert [warning.partition(": ")[2] for warning in load_tree([tmp_path], TreeConfig()).warnings] == [
        "no uid is known for the user `who`; add it to `known_uid_mappings`"
    ]
    write(tmp_path, {"r/Dockerfile.template": "FROM scratch\n{{ nothing }}\n"})
    with pytest.raises(InputError, match="'nothing' is undefined") as caught:
        load_tree([tmp_path], TreeConfig())
    assert caught.value.where == f"{tmp_path}/r/Dockerfile.template:2"


def test_a_full_disk_and_a_bug_are_what_they_are(tmp_path: Path) -> None:
    def full() -> Rendering:
        raise OSError(28, "No space left on device", "cache")

    def wrong() -> Rendering:
        raise AssertionError

    with bounded(TreeConfig(), {}, [(tmp_path, tmp_path)], full) as rendering, pytest.raises(OSError, match="No space"):
        rendering.render(tmp_path, tmp_path)
    with (
        bounded(TreeConfig(), {}, [(tmp_path, tmp_path)], wrong) as rendering,
        pytest.raises(RuntimeError, match="AssertionError"),
    ):
        rendering.render(tmp_path, tmp_path)


def test_compiled_templates_that_cannot_be_kept_stop_nothing(tmp_path: Path) -> None:
    write(tmp_path, {**production("r", "1", "FROM scratch\n"), "cache": "a file where a directory would be"})
    assert [one.name for one in load_tree([tmp_path], TreeConfig(), cache=tmp_path / "cache").recipes] == ["r"]
