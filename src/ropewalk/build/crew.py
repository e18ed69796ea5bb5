"""Carry a plan out: several images at once, each as soon as its parents are there.

What is done is kept: a run that was stopped goes on with what is left.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ropewalk.archive import View
from ropewalk.build.executor import build_recipe, log_of, pin_parents
from ropewalk.build.failure import full_disk, last_lines
from ropewalk.build.locked import Locked, locked_parents
from ropewalk.build.workshop import Workshop
from ropewalk.errors import RopewalkError
from ropewalk.plan import Action, Plan, PlanEntry, ancestors, edges
from ropewalk.process import Stop
from ropewalk.recipe.recipe import Recipe
from ropewalk.recipe.record import BuildRecord, How

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipe of a plan.

    Attributes:
        recipe: The recipe.
        record: Its build record; None where it failed or was passed over.
        error: Why there is none.
        seconds: How long it took.
        log: Its log; None where nothing was tried.
        tail: The log's last lines, where it failed.
    """

    recipe: Recipe
    record: BuildRecord | None
    error: RopewalkError | None
    seconds: float
    log: Path | None = None
    tail: tuple[str, ...] = ()


class ParentFailed(RopewalkError):
    """An image was not tried because one that it needs failed."""


def run_plan(
    shop: Workshop,
    plan: Plan,
    wanted: Collection[Action],
    given: View | Mapping[str, Locked],
    *,
    jobs: int = 1,
    keep_going: bool = False,
    finished: Callable[[BuildRecord], object] | None = None,
) -> tuple[Outcome, ...]:
    """Build what a plan says, each image after those it needs.

    Args:
        shop: The workshop.
        plan: The plan.
        wanted: The actions to carry out: build, or build and refresh.
        given: The archive view that apt sees, or the lock of each line that is built; then nothing is fetched.
        jobs: How many images at once.
        keep_going: After a failure go on with what does not need the failed image; otherwise what runs is finished and
            nothing new is started.
        finished: Is told of each image as soon as it is in the store, in the caller's thread.

    Returns:
        An outcome for each recipe that was tried, or passed over because one that it needs failed, in the plan's order.
    """
    recipes = tuple(entry.recipe for entry in plan.entries)
    links = edges(recipes)
    entries = {entry.recipe.reference: entry for entry in plan.entries if entry.action in wanted}
    outcomes: dict[str, Outcome] = {}

    def broken(line: str) -> set[str]:
        return {other for other in ancestors(line, links) if other in outcomes and outcomes[other].error is not None}

    def work(line: str) -> Outcome:
        failed = broken(line)
        return _passed_over(entries[line], min(failed)) if failed else _carry_out(shop, entries[line], recipes, given)

    def done(line: str, outcome: Outcome) -> None:
        outcomes[line] = outcome
        if outcome.record is not None and finished is not None:
            finished(outcome.record)

    def go_on() -> bool:
        return keep_going or all(outcome.error is None for outcome in outcomes.values())

    in_order(tuple(entries), links, jobs=jobs, work=work, done=done, go_on=go_on)
    for line in links:
        if line in entries and line not in outcomes and (failed := broken(line)):
            outcomes[line] = _passed_over(entries[line], min(failed))
    return tuple(outcomes[line] for line in links if line in outcomes)


def in_order(
    lines: Sequence[str],
    links: Mapping[str, tuple[str, ...]],
    *,
    jobs: int,
    work: Callable[[str], T],
    done: Callable[[str, T], None],
    go_on: Callable[[], bool] = lambda: True,
    places: Mapping[str, tuple[int, ...]] | None = None,
) -> None:
    """Do some work for each line, several at once, each after those that it needs.

    Args:
        lines: The lines, parents before those that need them.
        links: Line -> the lines it needs.
        jobs: How many at once.
        work: Runs in a thread of its own; what it raises ends everything.
        done: Is told of each result, in the caller's thread, before what needs the line is started.
        go_on: Says whether more may be started; what runs is finished in any case.
        places: Line -> what comes first of that which can be started; by default that for which most waits.
    """
    waiting = dict.fromkeys(lines)
    running: dict[Future[T], str] = {}
    with _threads(jobs) as start:
        while waiting or running:
            if go_on():
                busy = {*waiting, *running.values()}
                for line in ready(tuple(waiting), busy, links, places)[: jobs - len(running)]:
                    del waiting[line]
                    running[start(partial(work, line))] = line
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                done(running.pop(future), future.result())


def ready(
    waiting: Collection[str],
    busy: Collection[str],
    links: Mapping[str, tuple[str, ...]],
    places: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[str, ...]:
    """Say what can be started now, what most waits for first.

    Args:
        waiting: Lines to build that have not been started, in the plan's order.
        busy: The same and those that are being built.
        links: Line -> the lines it needs.
        places: Line -> what comes first; None leaves it to the chains.

    Returns:
        Those that need nothing of ``busy``: those with the longest chain of others behind them first.
    """
    needs = {line: ancestors(line, links) & set(busy) for line in waiting}
    if places is not None:
        return tuple(sorted((line for line in waiting if not needs[line]), key=lambda line: places[line]))
    behind = dict.fromkeys(busy, 0)
    for line in reversed(waiting if isinstance(waiting, tuple) else tuple(waiting)):
        for needed in links.get(line, ()):
            if needed in behind:
                behind[needed] = max(behind[needed], behind[line] + 1)
    return tuple(sorted((line for line in waiting if not needs[line]), key=lambda line: -behind[line]))


@contextmanager
def _threads(jobs: int) -> Iterator[Callable[[Callable[[], Any]], "Future[Any]"]]:
    """Run work in threads; when the body is left by an exception (Ctrl-C), their programs are ended."""
    stop = Stop()

    def covered(work: Callable[[], Any]) -> Any:
        with stop.covering():
            return work()

    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="build") as pool:
        try:
            yield lambda work: pool.submit(covered, work)
        except BaseException:
            stop.now()
            raise


def _passed_over(entry: PlanEntry, needed: str) -> Outcome:
    error = ParentFailed(f"needs {needed}, which failed", where=entry.recipe.reference, hint=f"mend {needed} first")
    return Outcome(entry.recipe, None, error, 0.0)


def _carry_out(
    shop: Workshop, entry: PlanEntry, recipes: tuple[Recipe, ...], given: View | Mapping[str, Locked]
) -> Outcome:
    start = shop.clock()
    log = log_of(shop, entry.recipe)
    try:
        with full_disk(entry.recipe.reference):
            parents = pin_parents(shop, entry.recipe, recipes)
            how = How.REBUILT if entry.action is Action.REFRESH else How.BUILT
            if isinstance(given, View):
                view, lock = given, None
            else:
                held = given[entry.recipe.reference]
                view, lock = held.view, held.file.lock
                parents = locked_parents(shop.store, entry.recipe, held.file, parents)
            number, why = entry.build, entry.reasons
            record = build_recipe(shop, entry.recipe, parents, view, build=number, how=how, reasons=why, lock=lock)
    except RopewalkError as error:
        return Outcome(entry.recipe, None, error, shop.clock() - start, log, last_lines(log))
    return Outcome(entry.recipe, record, None, shop.clock() - start, log)
