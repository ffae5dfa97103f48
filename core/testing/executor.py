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
        check_work_is_closed_when_nobody_listens_any_more,
        check_an_error_reaches_the_caller,
        check_runs_a_second_time_without_opening_again,
        check_starts_a_second_work,
        given=(make,),
    )


class Square(Work[int, int]):
    """Squares numbers, and writes down its life in a file, whichever process it is in."""

    def __init__(self, diary: Path) -> None:
        self.diary = diary
        self._open = False

    def open(self) -> None:
        """Note it."""
        self._open = True
        self._note("open")

    def __call__(self, task: int) -> int:
        """Square a number; negative ones are an error."""
        if not self._open:
            raise RuntimeError("called before open")
        if task < 0:
            raise ValueError("no negative numbers")
        self._note("call")
        return task * task

    def close(self) -> None:
        """Note it."""
        self._note("close")

    def _note(self, word: str) -> None:
        with self.diary.open("a", encoding="utf-8") as lines:
            lines.write(f"{word}\n")


def check_results_come_in_the_order_of_the_tasks(make: Make) -> None:
    """Whoever is done first, results come as the tasks did."""
    results, _ = _run(make, list(range(50)))
    require(results == [n * n for n in range(50)], f"the results are {results}")


def check_no_task_gives_no_result(make: Make) -> None:
    """Nothing to do is done at once."""
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
        executor.start(Square(Path(folder) / "diary")) as run,
    ):
        next(iter(run(count())))
        require(taken <= AHEAD, f"{taken} tasks were taken for the first result")


def check_work_is_opened_first_and_closed_last(make: Make) -> None:
    """Every process opens its work before the first task and closes it after the last."""
    _, diary = _run(make, list(range(5)))
    require(diary.count("call") == 5, f"five tasks were called {diary.count('call')} times")
    require(diary[0] == "open", f"the work's life began with {diary[0]}")
    require(diary[-1] == "close", f"the work's life ended with {diary[-1]}")
    require(diary.count("open") == diary.count("close"), f"unbalanced: {diary}")


def check_work_is_closed_when_nobody_listens_any_more(make: Make) -> None:
    """A caller that stops half-way leaves nothing open."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        diary = Path(folder) / "diary"
        with executor.start(Square(diary)) as run:
            next(iter(run(iter(range(100)))))
        lines = diary.read_text(encoding="utf-8").split()
    require(lines.count("open") == lines.count("close"), f"unbalanced: {lines}")


def check_an_error_reaches_the_caller(make: Make) -> None:
    """An exception in the work is not swallowed, and its message is kept."""
    try:
        _run(make, [1, -1, 2])
    except Exception as error:  # noqa: BLE001 - an executor may wrap it
        require("no negative numbers" in str(error), f"the message became {error}")
    else:
        fail("the work raised, and nobody heard of it")


def check_runs_a_second_time_without_opening_again(make: Make) -> None:
    """The work stays open between two runs, so that models are loaded once."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        diary = Path(folder) / "diary"
        with executor.start(Square(diary)) as run:
            first, opens = list(run(iter([2, 3]))), _count(diary, "open")
            second = list(run(iter([4])))
            require((first, second) == ([4, 9], [16]), f"the results are {first}, {second}")
            require(_count(diary, "open") == opens, "the second run opened the work again")


def check_starts_a_second_work(make: Make) -> None:
    """One open executor serves several pieces of work, one after the other."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        for number in range(2):
            with executor.start(Square(Path(folder) / f"diary-{number}")) as run:
                require(list(run(iter([2, 3]))) == [4, 9], "the second work gave other results")


def _run(make: Make, tasks: list[int]) -> tuple[list[int], list[str]]:
    """Return the results, and the diary of the work."""
    with TemporaryDirectory() as folder, opened(make) as executor:
        diary = Path(folder) / "diary"
        with executor.start(Square(diary)) as run:
            results = list(run(iter(tasks)))
        return results, diary.read_text(encoding="utf-8").split() if diary.exists() else []


def _count(diary: Path, word: str) -> int:
    return diary.read_text(encoding="utf-8").split().count(word)
