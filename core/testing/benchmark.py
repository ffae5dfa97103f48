"""Checks for benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ig4.core.contracts import Benchmark
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks

Make = Callable[[], Benchmark]

_STRANGE = (
    "", " ", "\n\t", "\0", "[red]not markup[/red]", "<b>&amp;</b>", "(((", "\\b", ". " * 200,
    "word " * 2000, "\N{PILE OF POO} \N{ARABIC LETTER ALEF}", "\u2028\x85", "0" * 500, "NaN",
)  # fmt: skip
"""What a model may answer, and what no benchmark may stumble over."""


def benchmark_checks(make: Make) -> list[Check]:
    """Return the checks of a benchmark, whose files should hold a few questions, at least two."""
    return component_checks(make) + checks_from(
        check_items_have_distinct_ids,
        check_items_ask_something,
        check_items_are_the_same_twice,
        check_items_can_be_told_in_json,
        check_images_have_a_folder,
        check_the_headline_is_among_the_metrics,
        check_there_is_a_value_for_each_item,
        check_values_belong_to_their_items,
        check_scores_are_the_same_twice,
        check_no_answer_is_no_better_than_the_right_one,
        check_strange_answers_are_scored,
        check_scoring_changes_nothing,
        given=(make,),
    )


def check_items_have_distinct_ids(make: Make) -> None:
    """There are questions, and each has an id of its own."""
    items = make().items()
    require(len(items) >= 2, f"{len(items)} items: the checks need at least two")
    ids = [item.id for item in items]
    require(all(isinstance(one, str) and one for one in ids), "an id is empty, or no text")
    require(len(set(ids)) == len(ids), "two items have one id")


def check_items_ask_something(make: Make) -> None:
    """Every item has a question, and an answer may have at least one token."""
    benchmark = make()
    for item in benchmark.items():
        require(bool(item.question.strip()), f"item {item.id!r} asks nothing")
        require(isinstance(item.truths, tuple), f"the truths of {item.id!r} are no tuple")
    require(benchmark.max_new_tokens >= 1, f"max_new_tokens is {benchmark.max_new_tokens}")


def check_items_are_the_same_twice(make: Make) -> None:
    """Reading again gives the same items in the same order, and draws from no global chance."""
    with untouched_random_state():
        first, second = list(make().items()), list(make().items())
    require(first == second, "reading twice gives other items, or another order")


def check_items_can_be_told_in_json(make: Make) -> None:
    """What identifies a question is text, so that it can be digested and stored."""
    for item in make().items():
        texts = [item.id, item.question, item.category, *item.truths]
        texts += [] if item.image is None else [item.image]
        require(all(isinstance(one, str) for one in texts), f"item {item.id!r} has no text")


def check_images_have_a_folder(make: Make) -> None:
    """A benchmark whose items have images says where to look for them."""
    benchmark = make()
    if any(item.image is not None for item in benchmark.items()):
        require(benchmark.image_root is not None, "items have images, but image_root is None")


def check_the_headline_is_among_the_metrics(make: Make) -> None:
    """The headline is one of the metrics, and all are finite numbers."""
    _, measured = _scored(make)
    require(
        measured.headline in measured.metrics,
        f"the headline {measured.headline!r} is not among {sorted(measured.metrics)}",
    )
    _require_finite(measured)


def check_there_is_a_value_for_each_item(make: Make) -> None:
    """`values` has the headline's share of each item, or None."""
    items, measured = _scored(make)
    require(
        len(measured.values) == len(items), f"{len(measured.values)} values, {len(items)} items"
    )


def check_values_belong_to_their_items(make: Make) -> None:
    """With items the other way round, the values are the other way round."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        answers = _answers(items)
        there = list(benchmark.score(items, answers).values)
        back = list(benchmark.score(items[::-1], answers[::-1]).values)
    same = all(_close(a, b) for a, b in zip(there, back[::-1], strict=True))
    require(same, "an item's value depends on where it stands")


def check_scores_are_the_same_twice(make: Make) -> None:
    """Equal answers, equal metrics, without global chance."""
    with untouched_random_state():
        first, second = _scored(make)[1], _scored(make)[1]
    require(first == second, "scoring twice gives other metrics")


def check_no_answer_is_no_better_than_the_right_one(make: Make) -> None:
    """An item without an answer counts as wrong, never as left out."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        none = benchmark.score(items, [None] * len(items))
        said = [next(iter(item.truths), "yes") for item in items]
        right = benchmark.score(items, said)
        half = benchmark.score(items, [None if at % 2 else one for at, one in enumerate(said)])
    _require_finite(none)
    _require_finite(half)
    for what, measured in (("no answers at all", none), ("half of the answers", half)):
        require(
            measured.value < right.value,
            f"{what} give {measured.headline} {measured.value}, all the right ones {right.value}",
        )


def check_strange_answers_are_scored(make: Make) -> None:
    """Empty, endless, or odd answers are scored as any other."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        for text in _STRANGE:
            _require_finite(benchmark.score(items, [text] * len(items)))


def check_scoring_changes_nothing(make: Make) -> None:
    """Items and answers are as they were."""
    with opened(make) as benchmark:
        items, again = list(benchmark.items()), list(benchmark.items())
        answers = _answers(items)
        before = list(answers)
        benchmark.score(items, answers)
    require(items == again, "scoring changed the items")
    require(answers == before, "scoring changed the answers")


def _scored(make: Make) -> tuple[Sequence[Item], BenchmarkResult]:
    with opened(make) as benchmark:
        items = list(benchmark.items())
        return items, benchmark.score(items, _answers(items))


def _answers(items: Sequence[Item]) -> list[str | None]:
    """Return the right answer to every second item, and a wrong one to the others."""
    return [
        next(iter(item.truths), "yes") if at % 2 == 0 else "nothing of the kind"
        for at, item in enumerate(items)
    ]


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)


def _require_finite(measured: BenchmarkResult) -> None:
    numbers = [*measured.metrics.values(), *(one for one in measured.values if one is not None)]
    numbers += [number for part in measured.categories.values() for number in part.values()]
    require(all(math.isfinite(number) for number in numbers), f"not finite: {measured.metrics}")
