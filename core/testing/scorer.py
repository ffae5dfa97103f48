"""Checks for scorers."""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Embedder, Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.options import other_options
from ig4.core.testing.samples import (
    make_samples,
    sample_of,
    sample_with_unreadable_image,
    sample_without_image,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Scorer]
Results = list[Score | Failure]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

TOLERANCE = 1e-3
"""How far, relative to the largest score, batching may move a score (float32 models)."""


def scorer_checks(make: Make, samples: Sequence[Sample] | None = None) -> list[Check]:
    """Return the checks of a scorer.

    `samples` are at least three that it scores without failure; by default generated ones.
    Where the scorer names an embedder, their embeddings are computed with it.
    """
    chosen = tuple(make_samples() if samples is None else samples)
    return component_checks(make) + checks_from(
        check_gives_one_result_for_each_sample,
        check_scores_are_finite,
        check_details_are_json,
        check_order_is_kept,
        check_is_deterministic,
        check_does_not_depend_on_the_batch,
        check_scores_the_same_after_pickling,
        check_leaves_samples_alone,
        check_leaves_global_random_state_alone,
        check_survives_strange_text,
        check_survives_a_sample_without_image,
        check_bad_image_costs_the_others_nothing,
        check_missing_embedding_costs_the_others_nothing,
        check_percents_are_finite_and_pure,
        check_percents_follow_from_the_recorded_options,
        check_outputs_are_declared_alike,
        check_outputs_are_those_that_are_declared,
        check_percents_of_outputs_are_finite_and_pure,
        given=(make, chosen),
    )


def check_gives_one_result_for_each_sample(make: Make, samples: Sequence[Sample]) -> None:
    """`score` answers every sample with a Score or a Failure."""
    results = _score(make, samples)
    require(len(results) == len(samples), f"{len(results)} results for {len(samples)} samples")
    odd = [type(r).__name__ for r in results if not isinstance(r, (Score, Failure))]
    require(not odd, f"results are Score or Failure, not {', '.join(odd)}")


def check_scores_are_finite(make: Make, samples: Sequence[Sample]) -> None:
    """Good samples get finite values."""
    for sample, result in zip(samples, _score(make, samples), strict=True):
        require(isinstance(result, Score), f"{sample.id} failed: {result}")
        require(isinstance(result, Score) and math.isfinite(result.value), f"{sample.id}: {result}")


def check_details_are_json(make: Make, samples: Sequence[Sample]) -> None:
    """Details can be stored."""
    for result in _score(make, samples):
        if isinstance(result, Score) and result.details is not None:
            json.dumps(dict(result.details), allow_nan=False)


def check_order_is_kept(make: Make, samples: Sequence[Sample]) -> None:
    """Samples in reverse get their results in reverse."""
    forward = _score(make, samples)
    backward = _score(make, samples[::-1])
    _require_equal(forward, backward[::-1], "scores changed with the order of the samples")


def check_is_deterministic(make: Make, samples: Sequence[Sample]) -> None:
    """The same samples get the same scores, from one instance and from another."""
    with _opened_with_samples(make, samples) as (scorer, given):
        first, second = list(scorer.score(given)), list(scorer.score(given))
    _require_equal(first, second, "a second call gave other scores", tolerance=0)
    _require_equal(first, _score(make, samples), "a second instance gave other scores", tolerance=0)


def check_does_not_depend_on_the_batch(make: Make, samples: Sequence[Sample]) -> None:
    """A sample gets the same score alone, in pairs and among all."""
    with _opened_with_samples(make, samples) as (scorer, given):
        together = list(scorer.score(given))
        for size in (1, 2):
            parts = [given[i : i + size] for i in range(0, len(given), size)]
            apart = [result for part in parts for result in scorer.score(part)]
            _require_equal(together, apart, f"batches of {size} gave other scores")


def check_scores_the_same_after_pickling(make: Make, samples: Sequence[Sample]) -> None:
    """A scorer that was sent to another process before `open` gives equal scores."""
    pickled = pickle.dumps(make())
    _require_equal(
        _score(make, samples),
        _score(lambda: pickle.loads(pickled), samples),  # noqa: S301 - our own bytes
        "pickling changed the scores",
        tolerance=0,
    )


def check_leaves_samples_alone(make: Make, samples: Sequence[Sample]) -> None:
    """Pixels and embeddings are shared with other components and must not change."""
    with _opened_with_samples(make, samples) as (scorer, given):
        before = [_content(sample) for sample in given]
        scorer.score(given)
        after = [_content(sample) for sample in given]
    require(before == after, "score changed pixels or embeddings of its samples")


def check_leaves_global_random_state_alone(make: Make, samples: Sequence[Sample]) -> None:
    """Random numbers, if needed, come from the scorer's own generator."""
    with _opened_with_samples(make, samples) as (scorer, given), untouched_random_state():
        scorer.score(given)


def check_survives_strange_text(make: Make, samples: Sequence[Sample]) -> None:
    """Whatever the text, each sample gets a finite score or a Failure."""
    texts = (
        " ",
        "...",
        "\x00\x07",
        "日本語の説明。",
        "🦜" * 50,
        "word " * 5000,
        "a" * 20000,
        "<image>",
    )
    strange = [sample_of(text, seed=i) for i, text in enumerate(texts)]
    strange.append(replace(samples[0], instruction=""))
    for sample, result in zip(strange, _score(make, strange), strict=True):
        _require_answered(result, f"answer {sample.answer[:12]!r}")


def check_survives_a_sample_without_image(make: Make, samples: Sequence[Sample]) -> None:
    """A text-only sample gets a score or a Failure and costs the others nothing."""
    _require_unharmed(make, samples, sample_without_image())


def check_bad_image_costs_the_others_nothing(make: Make, samples: Sequence[Sample]) -> None:
    """An image that cannot be decoded is one Failure, if the scorer reads pixels."""
    result = _require_unharmed(make, samples, sample_with_unreadable_image())
    if make().reads_pixels:
        require(isinstance(result, Failure), f"an unreadable image got {result}")


def check_missing_embedding_costs_the_others_nothing(make: Make, samples: Sequence[Sample]) -> None:
    """Where embeddings are read, a sample without any is one Failure."""
    if make().embedder() is None:
        return
    with _opened_with_samples(make, samples) as (scorer, given):
        alone = list(scorer.score(given))
        among = list(scorer.score([given[0], replace(given[1], embeddings=None), *given[2:]]))
    require(isinstance(among[1], Failure), f"a sample without embedding got {among[1]}")
    _require_equal([alone[0], *alone[2:]], [among[0], *among[2:]], "the others' scores changed")


def check_percents_are_finite_and_pure(make: Make, samples: Sequence[Sample]) -> None:
    """`to_percent` keeps the shape, changes nothing it was given, and stays finite."""
    results = _score(make, samples)
    values = np.array([result.value for result in results if isinstance(result, Score)])
    for given in (values, values[:1], np.zeros(0)):
        before = given.copy()
        percent = make().to_percent(given)
        require(np.array_equal(before, given), "to_percent changed the values it was given")
        require(np.shape(percent) == given.shape, f"to_percent made {given.shape} {percent.shape}")
        require(bool(np.isfinite(percent).all()), f"to_percent gave {percent}")


def check_percents_follow_from_the_recorded_options(make: Make, samples: Sequence[Sample]) -> None:
    """`to_percent` depends on its values and the options alone, also where those are no defaults.

    Scores outlive the process that computed them: their percents come from a scorer that is made
    from the options in the database, and never opened.
    """
    with _opened_with_samples(make, samples) as (scorer, given):
        results = list(scorer.score(given))
        values = np.array([result.value for result in results if isinstance(result, Score)])
        _require_same_percents(scorer, values)
    for options in other_options(scorer.options):
        _require_same_percents(type(scorer)(options), values)


def check_outputs_are_declared_alike(make: Make, samples: Sequence[Sample]) -> None:
    """`outputs` depends on the options alone: different names that a column can have."""
    first, second = make().outputs, make().outputs
    require(isinstance(first, tuple), f"outputs is a {type(first).__name__}, not a tuple")
    require(first == second, "equal options declare different outputs")
    odd = [name for name in first if not isinstance(name, str) or not _NAME.fullmatch(name)]
    require(not odd, f"an output is called {odd[:1]}: use letters, digits, - and _")
    require(len(set(first)) == len(first), f"an output is declared twice: {', '.join(first)}")
    require(
        not first or "output" not in type(make().options).model_fields,
        "a scorer with outputs cannot have an option called output",
    )


def check_outputs_are_those_that_are_declared(make: Make, samples: Sequence[Sample]) -> None:
    """Good samples get a finite value for every output that is declared, and no other."""
    declared = set(make().outputs)
    for sample, result in zip(samples, _score(make, samples), strict=True):
        given = dict(result.outputs or {}) if isinstance(result, Score) else {}
        require(
            set(given) == declared,
            f"{sample.id} got the outputs {sorted(given)}, declared are {sorted(declared)}",
        )
        require(all(map(math.isfinite, given.values())), f"{sample.id}: {given}")


def check_percents_of_outputs_are_finite_and_pure(make: Make, samples: Sequence[Sample]) -> None:
    """`output_to_percent` keeps the shape, changes nothing it was given, and stays finite."""
    results = [result for result in _score(make, samples) if isinstance(result, Score)]
    for name in make().outputs:
        values = np.array([(result.outputs or {})[name] for result in results], dtype=np.float64)
        for given in (values, np.zeros(0)):
            before = given.copy()
            percent = make().output_to_percent(name, given)
            require(np.array_equal(before, given), "output_to_percent changed what it was given")
            require(np.shape(percent) == given.shape, f"output_to_percent made {np.shape(percent)}")
            require(bool(np.isfinite(percent).all()), f"output_to_percent gave {percent}")


def _require_same_percents(scorer: Scorer, values: NDArray[np.float64]) -> None:
    """Require that a scorer made from the record of its options has the same percents."""
    recorded = json.loads(json.dumps(scorer.options.model_dump(mode="json")))
    again = type(scorer)(type(scorer.options).model_validate(recorded))
    one, other = scorer.to_percent(values.copy()), again.to_percent(values.copy())
    require(
        np.array_equal(np.asarray(one), np.asarray(other)),
        f"to_percent gave {one}, and {other} when made again from the options {recorded}",
    )


@contextmanager
def _opened_with_samples(
    make: Make, samples: Sequence[Sample]
) -> Iterator[tuple[Scorer, list[Sample]]]:
    """Open a scorer, and give the samples the embeddings that it asks for."""
    with opened(make) as scorer:
        yield scorer, with_embeddings(scorer, samples)


def with_embeddings(scorer: Scorer, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with the embeddings of the scorer's embedder, if it names one."""
    choice = scorer.embedder()
    if choice is None:
        return list(samples)
    from ig4.core.host.host import Host

    embedder = Host.discover().build(choice)
    require(
        isinstance(embedder, Embedder), f"embedder() names {choice.use}, which is not an embedder"
    )
    with opened(lambda: embedder) as ready:
        assert isinstance(ready, Embedder)
        return [_embed(ready, sample) for sample in samples]


def _embed(embedder: Embedder, sample: Sample) -> Sample:
    if not sample.images or any(image.problem for image in sample.images):
        return sample
    prepared = [embedder.prepare(image.pixels()) for image in sample.images]
    return replace(sample, embeddings=embedder.embed(prepared))


def _score(make: Make, samples: Sequence[Sample]) -> Results:
    with _opened_with_samples(make, samples) as (scorer, given):
        return list(scorer.score(given))


def _require_answered(result: Score | Failure, what: str) -> None:
    if isinstance(result, Failure):
        require(bool(result.reason.strip()), f"{what}: a Failure without a reason")
    else:
        require(math.isfinite(result.value), f"{what}: the score is {result.value}")


def _require_unharmed(make: Make, samples: Sequence[Sample], bad: Sample) -> Score | Failure:
    """Score `bad` among the others, which must score as without it; return its result."""
    alone = _score(make, samples)
    among = _score(make, [samples[0], bad, *samples[1:]])
    require(len(among) == len(samples) + 1, f"{len(among)} results for {len(samples) + 1} samples")
    _require_equal(alone, [among[0], *among[2:]], f"{bad.id} changed the scores of the others")
    _require_answered(among[1], bad.id)
    return among[1]


def _require_equal(
    first: Results, second: Results, message: str, tolerance: float = TOLERANCE
) -> None:
    scale = max((abs(r.value) for r in first if isinstance(r, Score)), default=0.0)
    require(len(first) == len(second), f"{message}: {len(first)} and {len(second)} results")
    for one, other in zip(first, second, strict=True):
        if isinstance(one, Score) and isinstance(other, Score):
            near = abs(one.value - other.value) <= tolerance * scale
            require(near, f"{message}: {one.value} and {other.value}")
            _require_equal_outputs(one, other, message, tolerance)
        else:
            require(type(one) is type(other), f"{message}: {one} and {other}")


def _require_equal_outputs(one: Score, other: Score, message: str, tolerance: float) -> None:
    mine, theirs = dict(one.outputs or {}), dict(other.outputs or {})
    require(set(mine) == set(theirs), f"{message}: {sorted(mine)} and {sorted(theirs)}")
    for name, value in mine.items():
        near = abs(value - theirs[name]) <= tolerance * max(1.0, abs(value))
        require(near, f"{message}: the output {name} is {value} and {theirs[name]}")


def _content(sample: Sample) -> tuple[bytes, ...]:
    images = [image.pixels().tobytes() for image in sample.images if not image.problem]
    vectors = b"" if sample.embeddings is None else sample.embeddings.tobytes()
    return (*images, vectors)
