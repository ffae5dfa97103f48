"""Checks for executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ig4.core.contracts import Executor, Work
from ig4.core.testing.check import Check, checks_from, fail, opened, require
from ig4.core.testing.component import component_checks

Make = Callable[[], Executor]

AHEAD = 64
"""How many tasks an executor may take before their results are asked for."""


def executor_checks(make: Make) -> list[Check]:
    """Return the checks of an executor."""
    return component_checks(make) + checks_from(
        check_results_come_in_the_order_of_the_tasks,
        check_no_task_gives_no_result,
        check_tasks_are_taken_a_few_ahead,
        check_work_is_opened_first_and_closed_last,
        check_work_is_closed_when_the_caller_stops,
        check_an_error_reaches_the_caller,
        check_runs_a_second_time_without_opening_again,
        check_starts_a_second_work,
        given=(make,),
    )


class Square(Work[int, int]):
    """Squares numbers, and logs every call to a file, in whichever process it runs."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._open = False

    def open(self) -> None:
        """Log it."""
        self._open = True
        self._write_log("open")

    def __call__(self, task: int) -> int:
        """Square a number; negative ones are an error."""
        if not self._open:
            raise RuntimeError("called before open")
        if task < 0:
            raise ValueError("no negative numbers")
        self._write_log("call")
        return task * task

    def close(self) -> None:
        """Log it."""
        self._write_log("close")

    def _write_log(self, word: str) -> None:
        with self.log.open("a", encoding="utf-8") as lines:
            lines.write(f"{word}\n")


def check_results_come_in_the_order_of_the_tasks(make: Make) -> None:
    """Results come in the order of the tasks, whichever is done first."""
    results, _ = _run(make, list(range(50)))
    require(results == [n * n for n in range(50)], f"the results are {results}")


def check_no_task_gives_no_result(make: Make) -> None:
    """Without tasks there are no results."""
    results, _ = _run(make, [])
    require(results == [], f"no task gave {results}")


def check_tasks_are_taken_a_few_ahead(make: Make) -> None:
    """Memory must not grow with the number of tasks."""
    taken = 0

    def count() -> Iterator[int]:
        nonlocal taken
        for task in range(10_000):
            taken += 1
            yield task

    with (
        TemporaryDirectory() as folder,
        opened(make) as executor,
        executor.start(Square(Path(folder) / "log")) as run,
    ):
        next(iter(run(count())))
        require(taken <= AHEAD, f"{taken} tasks were taken for the first result")


def check_work_is_opened_first_and_closed_last(make: Make) -> None:
    """Every process opens its work before the first task and closes it after the last."""
    _, log = _run(make, list(range(5)))
    require(log.count("call") == 5, f"five tasks were called {log.count('call')} times")
    require(log[0] == "open", f"the work began with {log[0]}")
    require(log[-1] == "close", f"the work ended with {log[-1]}")
    require(log.count("open") == log.count("close"), f"unbalanced: {log}")


def check_work_is_closed_when_the_caller_stops(make: Make) -> None:
    """A caller that stops half-way leaves nothing open."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        log = Path(folder) / "log"
        with executor.start(Square(log)) as run:
            next(iter(run(iter(range(100)))))
        lines = log.read_text(encoding="utf-8").split()
    require(lines.count("open") == lines.count("close"), f"unbalanced: {lines}")


def check_an_error_reaches_the_caller(make: Make) -> None:
    """An exception in the work is not swallowed, and its message is kept."""
    try:
        _run(make, [1, -1, 2])
    except Exception as error:  # noqa: BLE001 - an executor may wrap it
        require("no negative numbers" in str(error), f"the message became {error}")
    else:
        fail("the work raised an error, and the caller did not see it")


def check_runs_a_second_time_without_opening_again(make: Make) -> None:
    """The work stays open between two runs, so that models are loaded once."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        log = Path(folder) / "log"
        with executor.start(Square(log)) as run:
            first, opens = list(run(iter([2, 3]))), _count(log, "open")
            second = list(run(iter([4])))
            require((first, second) == ([4, 9], [16]), f"the results are {first}, {second}")
            require(_count(log, "open") == opens, "the second run opened the work again")


def check_starts_a_second_work(make: Make) -> None:
    """One open executor serves several pieces of work, one after the other."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        for number in range(2):
            with executor.start(Square(Path(folder) / f"log-{number}")) as run:
                require(list(run(iter([2, 3]))) == [4, 9], "the second work gave other results")


def _run(make: Make, tasks: list[int]) -> tuple[list[int], list[str]]:
    """Return the results, and the lines of the work's log."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        log = Path(folder) / "log"
        with executor.start(Square(log)) as run:
            results = list(run(iter(tasks)))
        return results, log.read_text(encoding="utf-8").split() if log.exists() else []


def _count(log: Path, word: str) -> int:
    return log.read_text(encoding="utf-8").split().count(word)
