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
"""Strange answers that a model may give, and that every benchmark must be able to score."""


def benchmark_checks(make: Make) -> list[Check]:
    """Return the checks of a benchmark, whose files should hold a few questions, at least two."""
    return component_checks(make) + checks_from(
        check_items_have_distinct_ids,
        check_items_have_questions,
        check_items_are_the_same_twice,
        check_items_are_text,
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
    require(all(isinstance(one, str) and one for one in ids), "an id is empty, or not text")
    require(len(set(ids)) == len(ids), "two items have the same id")


def check_items_have_questions(make: Make) -> None:
    """Every item has a question, and an answer may have at least one token."""
    benchmark = make()
    for item in benchmark.items():
        require(bool(item.question.strip()), f"item {item.id!r} has no question")
        require(isinstance(item.truths, tuple), f"the truths of {item.id!r} are not a tuple")
    require(benchmark.max_new_tokens >= 1, f"max_new_tokens is {benchmark.max_new_tokens}")


def check_items_are_the_same_twice(make: Make) -> None:
    """Reading again gives the same items in the same order, without global random state."""
    with untouched_random_state():
        first, second = list(make().items()), list(make().items())
    require(first == second, "reading twice gives different items, or another order")


def check_items_are_text(make: Make) -> None:
    """All fields that identify a question are text, so that they can be hashed and stored."""
    for item in make().items():
        texts = [item.id, item.question, item.category, *item.truths]
        texts += [] if item.image is None else [item.image]
        require(
            all(isinstance(one, str) for one in texts), f"a field of item {item.id!r} is not text"
        )


def check_images_have_a_folder(make: Make) -> None:
    """A benchmark whose items have images says where to look for them."""
    benchmark = make()
    if any(item.image is not None for item in benchmark.items()):
        require(benchmark.image_root is not None, "items have images, but image_root is None")


def check_the_headline_is_among_the_metrics(make: Make) -> None:
    """The headline is one of the metrics, and all are finite numbers."""
    _, result = _score(make)
    require(
        result.headline in result.metrics,
        f"the headline {result.headline!r} is not among {sorted(result.metrics)}",
    )
    _require_finite(result)


def check_there_is_a_value_for_each_item(make: Make) -> None:
    """`values` has the headline's share of each item, or None."""
    items, result = _score(make)
    require(len(result.values) == len(items), f"{len(result.values)} values, {len(items)} items")


def check_values_belong_to_their_items(make: Make) -> None:
    """With the items reversed, the values are reversed."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        answers = _answers(items)
        forward = list(benchmark.score(items, answers).values)
        backward = list(benchmark.score(items[::-1], answers[::-1]).values)
    same = all(_close(a, b) for a, b in zip(forward, backward[::-1], strict=True))
    require(same, "an item's value depends on its position")


def check_scores_are_the_same_twice(make: Make) -> None:
    """Equal answers give equal metrics, without global random state."""
    with untouched_random_state():
        first, second = _score(make)[1], _score(make)[1]
    require(first == second, "scoring twice gives different metrics")


def check_no_answer_is_no_better_than_the_right_one(make: Make) -> None:
    """An item without an answer counts as wrong; it is never left out."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        none = benchmark.score(items, [None] * len(items))
        answers = [next(iter(item.truths), "yes") for item in items]
        right = benchmark.score(items, answers)
        half = benchmark.score(items, [None if at % 2 else one for at, one in enumerate(answers)])
    _require_finite(none)
    _require_finite(half)
    for what, result in (("no answers at all", none), ("half of the answers", half)):
        require(
            result.value < right.value,
            f"{what} give {result.headline} {result.value}, all the right ones {right.value}",
        )


def check_strange_answers_are_scored(make: Make) -> None:
    """Empty, very long or odd answers are scored like any other."""
    with opened(make) as benchmark:
        items = list(benchmark.items())
        for text in _STRANGE:
            _require_finite(benchmark.score(items, [text] * len(items)))


def check_scoring_changes_nothing(make: Make) -> None:
    """Scoring leaves items and answers unchanged."""
    with opened(make) as benchmark:
        items, again = list(benchmark.items()), list(benchmark.items())
        answers = _answers(items)
        before = list(answers)
        benchmark.score(items, answers)
    require(items == again, "scoring changed the items")
    require(answers == before, "scoring changed the answers")


def _score(make: Make) -> tuple[Sequence[Item], BenchmarkResult]:
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


def _require_finite(result: BenchmarkResult) -> None:
    numbers = [*result.metrics.values(), *(one for one in result.values if one is not None)]
    numbers += [number for part in result.categories.values() for number in part.values()]
    require(all(math.isfinite(number) for number in numbers), f"not finite: {result.metrics}")
