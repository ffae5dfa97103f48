"""Checks for judges."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace

from ig4.core.contracts import Judge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.records import Failure
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.samples import make_samples, sample_with_unreadable_image

Make = Callable[[], Judge]
Verdicts = list[Verdict | Failure]

LOW, HIGH = 1.0, 10.0
"""The scale of a verdict's scores."""

TOLERANCE = 1e-3
"""How far batching may move a score (float32 models)."""


def judge_checks(make: Make, pairs: Sequence[Pair] | None = None) -> list[Check]:
    """Return the checks of a judge.

    `pairs` are at least three that it judges without failure; by default generated ones, each with
    a context and an image.
    """
    chosen = tuple(make_pairs() if pairs is None else pairs)
    return component_checks(make) + checks_from(
        check_gives_one_result_for_each_pair,
        check_scores_are_from_1_to_10,
        check_explanations_are_text,
        check_order_of_pairs_is_kept,
        check_is_deterministic,
        check_does_not_depend_on_the_batch,
        check_judges_the_same_after_pickling,
        check_judges_pairs_in_the_other_order,
        check_leaves_images_alone,
        check_leaves_global_random_state_alone,
        check_survives_strange_text,
        check_survives_a_bare_pair,
        check_bad_image_costs_the_others_nothing,
        given=(make, chosen),
    )


def make_pairs(n: int = 6, seed: int = 0) -> list[Pair]:
    """Return `n` pairs of different answers, each with a context, an image and a category."""
    samples = make_samples(2 * n, seed)
    return [
        Pair(
            id=f"pair-{i}",
            question=samples[i].instruction,
            first=samples[i].answer,
            second=samples[n + i].answer,
            context=samples[i].answer,
            images=samples[i].images,
            category=("conv", "detail", "complex")[i % 3],
        )
        for i in range(n)
    ]


def check_gives_one_result_for_each_pair(make: Make, pairs: Sequence[Pair]) -> None:
    """`compare` answers every pair with a Verdict or a Failure."""
    results = _judge(make, pairs)
    require(len(results) == len(pairs), f"{len(results)} results for {len(pairs)} pairs")
    odd = [type(r).__name__ for r in results if not isinstance(r, (Verdict, Failure))]
    require(not odd, f"results are Verdict or Failure, not {', '.join(odd)}")


def check_scores_are_from_1_to_10(make: Make, pairs: Sequence[Pair]) -> None:
    """Good pairs get two scores on the scale."""
    for pair, result in zip(pairs, _judge(make, pairs), strict=True):
        require(isinstance(result, Verdict), f"{pair.id} failed: {result}")
        _require_answered(result, pair.id)


def check_explanations_are_text(make: Make, pairs: Sequence[Pair]) -> None:
    """Explanations can be stored."""
    for result in _judge(make, pairs):
        if isinstance(result, Verdict):
            require(isinstance(result.explanation, str), f"explanation {result.explanation!r}")


def check_order_of_pairs_is_kept(make: Make, pairs: Sequence[Pair]) -> None:
    """Pairs in reverse get their results in reverse."""
    backward = _judge(make, pairs[::-1])
    _require_equal(_judge(make, pairs), backward[::-1], "verdicts changed with the pairs' order")


def check_is_deterministic(make: Make, pairs: Sequence[Pair]) -> None:
    """The same pairs get the same verdicts, from one instance and from another."""
    with opened(make) as judge:
        first, second = list(judge.compare(pairs)), list(judge.compare(pairs))
    _require_equal(first, second, "a second call gave other verdicts", tolerance=0)
    _require_equal(first, _judge(make, pairs), "a second instance gave others", tolerance=0)


def check_does_not_depend_on_the_batch(make: Make, pairs: Sequence[Pair]) -> None:
    """A pair gets the same verdict alone, in twos and among all."""
    with opened(make) as judge:
        together = list(judge.compare(pairs))
        for size in (1, 2):
            parts = [pairs[i : i + size] for i in range(0, len(pairs), size)]
            apart = [result for part in parts for result in judge.compare(part)]
            _require_equal(together, apart, f"batches of {size} gave other verdicts")


def check_judges_the_same_after_pickling(make: Make, pairs: Sequence[Pair]) -> None:
    """A judge that was sent to another process before `open` gives equal verdicts."""
    pickled = pickle.dumps(make())
    _require_equal(
        _judge(make, pairs),
        _judge(lambda: pickle.loads(pickled), pairs),  # noqa: S301 - our own bytes
        "pickling changed the verdicts",
        tolerance=0,
    )


def check_judges_pairs_in_the_other_order(make: Make, pairs: Sequence[Pair]) -> None:
    """The engine asks in both orders: a swapped pair must be judged like any other."""
    swapped = [replace(pair, first=pair.second, second=pair.first) for pair in pairs]
    for pair, result in zip(swapped, _judge(make, swapped), strict=True):
        require(isinstance(result, Verdict), f"{pair.id}, swapped, failed: {result}")
        _require_answered(result, f"{pair.id}, swapped")


def check_leaves_images_alone(make: Make, pairs: Sequence[Pair]) -> None:
    """Pixels are shared and must not change."""
    before = [_pixels(pair) for pair in pairs]
    _judge(make, pairs)
    require(before == [_pixels(pair) for pair in pairs], "compare changed pixels of its pairs")


def check_leaves_global_random_state_alone(make: Make, pairs: Sequence[Pair]) -> None:
    """Random numbers, if needed, come from the judge's own generator."""
    with opened(make) as judge, untouched_random_state():
        judge.compare(pairs)


def check_survives_strange_text(make: Make, pairs: Sequence[Pair]) -> None:
    """Whatever the answers and the category, each pair gets a verdict or a Failure."""
    texts = ("", " ", "\x00\x07", "日本語の説明。", "🦜" * 50, "word " * 5000, "8 9", "\ud800")
    strange = [
        replace(pairs[0], id=f"strange-{i}", first=text, category=text[:9])
        for i, text in enumerate(texts)
    ]
    for pair, result in zip(strange, _judge(make, strange), strict=True):
        _require_answered(result, f"answer {pair.first[:12]!r}")


def check_survives_a_bare_pair(make: Make, pairs: Sequence[Pair]) -> None:
    """A pair without context and image gets a verdict or a Failure; the others are unharmed."""
    _require_unharmed(make, pairs, Pair("bare", "What is it?", "A red bus.", "An old boat."))


def check_bad_image_costs_the_others_nothing(make: Make, pairs: Sequence[Pair]) -> None:
    """An image that cannot be decoded is one Failure, if the judge looks at images."""
    images = sample_with_unreadable_image().images
    result = _require_unharmed(make, pairs, replace(pairs[0], id="unreadable", images=images))
    if make().sees_images:
        require(isinstance(result, Failure), f"an unreadable image got {result}")


def _judge(make: Make, pairs: Sequence[Pair]) -> Verdicts:
    with opened(make) as judge:
        return list(judge.compare(pairs))


def _require_unharmed(make: Make, pairs: Sequence[Pair], bad: Pair) -> Verdict | Failure:
    """Judge `bad` among the others, which must be judged as without it; return its result."""
    alone = _judge(make, pairs)
    among = _judge(make, [pairs[0], bad, *pairs[1:]])
    require(len(among) == len(pairs) + 1, f"{len(among)} results for {len(pairs) + 1} pairs")
    _require_equal(alone, [among[0], *among[2:]], f"{bad.id} changed the verdicts of the others")
    _require_answered(among[1], bad.id)
    return among[1]


def _require_answered(result: Verdict | Failure, what: str) -> None:
    if isinstance(result, Failure):
        require(bool(result.reason.strip()), f"{what}: a Failure without a reason")
        return
    for score in (result.first, result.second):
        valid = math.isfinite(score) and LOW <= score <= HIGH
        require(valid, f"{what}: the score {score} is not from {LOW:g} to {HIGH:g}")


def _require_equal(
    one: Verdicts, other: Verdicts, message: str, tolerance: float = TOLERANCE
) -> None:
    require(len(one) == len(other), f"{message}: {len(one)} and {len(other)} results")
    for a, b in zip(one, other, strict=True):
        if isinstance(a, Verdict) and isinstance(b, Verdict):
            gap = max(abs(a.first - b.first), abs(a.second - b.second))
            require(gap <= tolerance, f"{message}: {a} and {b}")
        else:
            require(type(a) is type(b), f"{message}: {a} and {b}")


def _pixels(pair: Pair) -> list[bytes]:
    return [image.pixels().tobytes() for image in pair.images if not image.problem]
