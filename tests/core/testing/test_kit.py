"""The conformance kit finds components that break their contract, and says how."""

# ruff: noqa: N803, N806 - X as in the contract

from __future__ import annotations

import random
from contextlib import contextmanager
from itertools import islice
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, Field

from ig4.core.contracts import Benchmark, Clusterer, Embedder, Executor, Options, Scorer, Selector
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Component, Failure, Score
from ig4.core.testing import (
    Check,
    ConformanceError,
    benchmark_checks,
    clusterer_checks,
    declaration_checks,
    embedder_checks,
    executor_checks,
    scorer_checks,
    selector_checks,
)


def failing(checks: list[Check]) -> dict[str, str]:
    """Run all checks; return the names of those that do not hold, and what they say."""
    said = {}
    for check in checks:
        try:
            check()
        except ConformanceError as error:
            said[check.name] = str(error)
        except Exception as error:  # noqa: BLE001 - a bad component may crash as well
            said[check.name] = repr(error)
    return said


class GoodScorer(Scorer):
    """Scores by the number of words."""

    def score(self, batch):
        return [Score(float(len(sample.answer.split()))) for sample in batch]


class Sorted(GoodScorer):
    def score(self, batch):
        return sorted(super().score(batch), key=lambda score: score.value)


class Relative(GoodScorer):
    def score(self, batch):
        scores = super().score(batch)
        top = max(score.value for score in scores)
        return [Score(score.value / top) for score in scores]


class Dicey(GoodScorer):
    def score(self, batch):
        return [Score(random.random()) for _ in batch]


class NotANumber(GoodScorer):
    def score(self, batch):
        return [Score(float("nan")) for _ in batch]


class Short(GoodScorer):
    def score(self, batch):
        return super().score(batch)[1:]


class Painter(GoodScorer):
    def score(self, batch):
        for sample in batch:
            for image in sample.images:
                if not image.problem:
                    image.pixels().putpixel((0, 0), (random.randrange(256), 0, 0))
        return super().score(batch)


class Brittle(GoodScorer):
    reads_pixels: ClassVar[bool] = True

    def score(self, batch):
        return [Score(float(sample.images[0].pixels().width)) for sample in batch]


class Stoic(Brittle):
    def score(self, batch):
        return [self._score(sample) for sample in batch]

    def _score(self, sample):
        try:
            return Score(float(sample.images[0].pixels().width))
        except (ImageError, IndexError) as error:
            return Failure(str(error))


class Unpicklable(GoodScorer):
    def __init__(self, options):
        super().__init__(options)
        self.measure = lambda text: len(text)


class CloseOnce(GoodScorer):
    def open(self):
        self.model = object()

    def close(self):
        del self.model


class LaxOptions(Options):
    model_config = ConfigDict(frozen=False, extra="ignore")
    size: int = 3


class Lax(GoodScorer):
    Options = LaxOptions


class Overwriter(GoodScorer):
    def to_percent(self, values):
        values *= 100
        return values


class RatioOptions(Options):
    maximum: float = Field(100.0, gt=0, description="What 100 percent are.")
    hidden: int = Field(1, exclude=True, description="Left out of every record.")


class Ratio(GoodScorer):
    Options = RatioOptions

    def to_percent(self, values):
        return values * (100.0 / self.options.maximum)


class Remembering(GoodScorer):
    longest = 1.0

    def score(self, batch):
        scores = super().score(batch)
        self.longest = max(self.longest, *(score.value for score in scores))
        return scores

    def to_percent(self, values):
        return values / self.longest


class Forgetful(Ratio):
    def to_percent(self, values):
        return values * self.options.hidden


class Several(GoodScorer):
    outputs = ("letters", "half")

    def score(self, batch):
        return [
            Score(one.value, outputs={"letters": float(len(sample.answer)), "half": one.value / 2})
            for one, sample in zip(super().score(batch), batch, strict=True)
        ]


class Undeclared(Several):
    outputs = ("half",)


class Withheld(Several):
    outputs = ("letters", "half", "more")


class TwiceTold(Several):
    outputs = ("letters", "half", "half")


class Dotted(Several):
    outputs = ("a.b",)


class Infinite(Several):
    outputs = ("half",)

    def score(self, batch):
        return [Score(1.0, outputs={"half": float("inf")}) for _ in batch]


class OutputsByBatch(Several):
    outputs = ("half",)

    def score(self, batch):
        return [Score(1.0, outputs={"half": float(len(batch))}) for _ in batch]


class OutputOverwriter(Several):
    def output_to_percent(self, output, values):
        values *= 100
        return values


@pytest.mark.parametrize("scorer", [GoodScorer, Stoic, Several])
def test_a_good_scorer_passes_all_checks(scorer):
    assert failing(scorer_checks(lambda: scorer(Options()))) == {}


@pytest.mark.parametrize(
    ("scorer", "check"),
    [
        (Sorted, "order_is_kept"),
        (Relative, "does_not_depend_on_the_batch"),
        (Dicey, "is_deterministic"),
        (Dicey, "leaves_global_random_state_alone"),
        (NotANumber, "scores_are_finite"),
        (Short, "gives_one_result_for_each_sample"),
        (Painter, "leaves_samples_alone"),
        (Brittle, "bad_image_costs_the_others_nothing"),
        (Brittle, "survives_a_sample_without_image"),
        (Unpicklable, "pickles_before_open"),
        (CloseOnce, "closing_twice_is_harmless"),
        (Overwriter, "percents_are_finite_and_pure"),
        (Remembering, "percents_follow_from_the_recorded_options"),
        (Forgetful, "percents_follow_from_the_recorded_options"),
        (Undeclared, "outputs_are_those_that_are_declared"),
        (Withheld, "outputs_are_those_that_are_declared"),
        (Infinite, "outputs_are_those_that_are_declared"),
        (TwiceTold, "outputs_are_declared_alike"),
        (Dotted, "outputs_are_declared_alike"),
        (OutputsByBatch, "does_not_depend_on_the_batch"),
        (OutputOverwriter, "percents_of_outputs_are_finite_and_pure"),
    ],
)
def test_a_bad_scorer_is_found_out(scorer, check):
    assert check in failing(scorer_checks(lambda: scorer(scorer.Options())))


def test_percents_may_depend_on_options():
    made = scorer_checks(lambda: Ratio(RatioOptions(maximum=1000.0)))
    check = next(one for one in made if one.name == "percents_follow_from_the_recorded_options")
    check()


@pytest.mark.parametrize(
    "check",
    ["options_are_frozen", "unknown_options_are_refused", "every_option_is_described"],
)
def test_lax_options_are_found_out(check):
    assert check in failing(scorer_checks(lambda: Lax(LaxOptions())))


class Mean(Embedder):
    def prepare(self, image):
        return np.asarray(image, dtype=np.float32)

    def embed(self, batch):
        return np.stack([pixels.mean(axis=(0, 1)) for pixels in batch])


class Double(Mean):
    def embed(self, batch):
        return super().embed(batch).astype(np.float64)


class Centred(Mean):
    def embed(self, batch):
        vectors = super().embed(batch)
        return vectors - vectors.mean(axis=0)


class Constant(Mean):
    def embed(self, batch):
        return np.ones((len(batch), 3), dtype=np.float32)


def test_a_good_embedder_passes_all_checks():
    assert failing(embedder_checks(lambda: Mean(Options()))) == {}


@pytest.mark.parametrize(
    ("embedder", "check"),
    [
        (Double, "gives_float32_rows"),
        (Centred, "does_not_depend_on_the_batch"),
        (Constant, "different_inputs_differ"),
    ],
)
def test_a_bad_embedder_is_found_out(embedder, check):
    assert check in failing(embedder_checks(lambda: embedder(Options())))


class Modulo(Clusterer):
    def fit_predict(self, X, k, seed):
        return np.arange(len(X)) % k


class Global(Clusterer):
    def fit_predict(self, X, k, seed):
        return np.random.randint(0, k, len(X))


class FromOne(Modulo):
    def fit_predict(self, X, k, seed):
        return super().fit_predict(X, k, seed) + 1


class InPlace(Modulo):
    def fit_predict(self, X, k, seed):
        X -= X.mean(axis=0)
        return super().fit_predict(X, k, seed)


def test_a_good_clusterer_passes_all_checks():
    assert failing(clusterer_checks(lambda: Modulo(Options()))) == {}


@pytest.mark.parametrize(
    ("clusterer", "check"),
    [
        (Global, "is_deterministic"),
        (Global, "leaves_global_random_state_alone"),
        (FromOne, "labels_are_below_k"),
        (InPlace, "leaves_vectors_alone"),
    ],
)
def test_a_bad_clusterer_is_found_out(clusterer, check):
    assert check in failing(clusterer_checks(lambda: clusterer(Options())))


class Best(Selector):
    def select(self, percent, labels, size, weights, seed):
        return np.argsort(-(percent @ weights), kind="stable")[:size]


class Worst(Selector):
    def select(self, percent, labels, size, weights, seed):
        return np.argsort(percent @ weights, kind="stable")[:size]


class LastOfEqual(Selector):
    def select(self, percent, labels, size, weights, seed):
        return np.argsort((percent @ weights), kind="stable")[::-1][:size]


class Twice(Selector):
    def select(self, percent, labels, size, weights, seed):
        return np.zeros(size, dtype=np.int64)


class PointsOutside(Best):
    def reasons(self, pool, row):
        return {"nearest_row": pool.n}


class DealsTooFew(Best):
    def quotas(self, pool):
        return np.full(pool.size, 3)


def test_a_good_selector_passes_all_checks():
    assert failing(selector_checks(lambda: Best(Options()))) == {}


@pytest.mark.parametrize(
    ("selector", "check"),
    [
        (Worst, "better_samples_come_first"),
        (LastOfEqual, "ties_go_to_the_lower_row"),
        (Twice, "gives_as_many_distinct_rows_as_asked"),
        (DealsTooFew, "quotas_are_of_all_rows"),
        (PointsOutside, "explains_without_choosing_otherwise"),
    ],
)
def test_a_bad_selector_is_found_out(selector, check):
    assert check in failing(selector_checks(lambda: selector(Options())))


class Greedy(Executor):
    """Takes all tasks at once, and never closes the work."""

    @contextmanager
    def start(self, work):
        work.open()
        yield lambda tasks: iter([work(task) for task in list(tasks)[:1000]])


class Backwards(Executor):
    """Gives results as they please, opens late and closes only when all is done."""

    @contextmanager
    def start(self, work):
        def run(tasks):
            work.open()
            for task in sorted(islice(tasks, 50), reverse=True):
                yield work(task)
            work.close()

        yield run


@pytest.mark.parametrize(
    ("executor", "check"),
    [
        (Greedy, "tasks_are_taken_a_few_ahead"),
        (Greedy, "work_is_opened_first_and_closed_last"),
        (Backwards, "results_come_in_the_order_of_the_tasks"),
        (Backwards, "runs_a_second_time_without_opening_again"),
        (Backwards, "work_is_closed_when_the_caller_stops"),
    ],
)
def test_a_bad_executor_is_found_out(executor, check):
    assert check in failing(executor_checks(lambda: executor(Options())))


class Quiz(Benchmark):
    """Right is who says the truth."""

    def items(self):
        return [Item("1", "Red?", truths=("yes",)), Item("2", "Blue?", truths=("no",))]

    def score(self, items, answers):
        values = [float(answer in item.truths) for item, answer in zip(items, answers, strict=True)]
        return BenchmarkResult({"share": sum(values) / len(values)}, "share", values)


class OneId(Quiz):
    def items(self):
        return [Item("1", "Red?", truths=("yes",)), Item("1", "Blue?", truths=("no",))]


class Mute(Quiz):
    def items(self):
        return [Item("1", " ", truths=("yes",)), Item("2", "Blue?", truths=("no",))]


class Shuffled(Quiz):
    def items(self):
        return random.sample(super().items(), 2)


class Numbered(Quiz):
    def items(self):
        return [Item("1", "How many?", truths=(3,)), Item("2", "And here?", truths=(4,))]


class Homeless(Quiz):
    def items(self):
        return [Item("1", "Red?", "a.jpg", ("yes",)), Item("2", "Blue?", truths=("no",))]


class Headless(Quiz):
    def score(self, items, answers):
        return BenchmarkResult({"share": 1.0}, "accuracy", [1.0] * len(items))


class LeftOut(Quiz):
    """Leaves questions without an answer out, and so is not hurt by them."""

    def score(self, items, answers):
        there = [pair for pair in zip(items, answers, strict=True) if pair[1] is not None]
        right = sum(answer in item.truths for item, answer in there)
        return BenchmarkResult({"share": right / max(1, len(there))}, "share", [None] * len(there))


class Torn(Quiz):
    def score(self, items, answers):
        return BenchmarkResult({"share": 1.0}, "share", [1.0])


class Lenient(Quiz):
    def score(self, items, answers):
        return BenchmarkResult({"share": 1.0}, "share", [1.0] * len(items))


class ByPlace(Quiz):
    def score(self, items, answers):
        values = [float(at) for at in range(len(items))]
        return BenchmarkResult({"share": sum(values)}, "share", values)


class Moody(Quiz):
    def score(self, items, answers):
        return BenchmarkResult({"share": random.random()}, "share", [0.0] * len(items))


class Fussy(Quiz):
    def score(self, items, answers):
        if any(answer is not None and not answer.isprintable() for answer in answers):
            raise ValueError("what is that?")
        return super().score(items, answers)


class NoNumber(Quiz):
    def score(self, items, answers):
        return BenchmarkResult({"share": float("nan")}, "share", [0.0] * len(items))


class Greedy(Quiz):
    def score(self, items, answers):
        measured = super().score(items, answers)
        answers.clear()
        return measured


def test_a_good_benchmark_passes_all_checks():
    assert failing(benchmark_checks(lambda: Quiz(Options()))) == {}


@pytest.mark.parametrize(
    ("benchmark", "check"),
    [
        (OneId, "items_have_distinct_ids"),
        (Mute, "items_have_questions"),
        (Shuffled, "items_are_the_same_twice"),
        (Numbered, "items_are_text"),
        (Homeless, "images_have_a_folder"),
        (Headless, "the_headline_is_among_the_metrics"),
        (NoNumber, "the_headline_is_among_the_metrics"),
        (Torn, "there_is_a_value_for_each_item"),
        (LeftOut, "no_answer_is_no_better_than_the_right_one"),
        (Lenient, "no_answer_is_no_better_than_the_right_one"),
        (ByPlace, "values_belong_to_their_items"),
        (Moody, "scores_are_the_same_twice"),
        (Fussy, "strange_answers_are_scored"),
        (Greedy, "scoring_changes_nothing"),
    ],
)
def test_a_bad_benchmark_is_found_out(benchmark, check):
    assert check in failing(benchmark_checks(lambda: benchmark(Options())))


def test_a_target_that_imports_a_heavy_library_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "weighty.py").write_text(
        "import sqlalchemy\nfrom ig4.core.contracts import Scorer\nclass W(Scorer): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    declared = Component("scorer", "w", "weighty:W", "Heavy.", requires=("sqlalchemy",))
    said = failing(declaration_checks([declared]))
    assert list(said) == ["scorer-w-target_imports_lightly"]
    assert "import them in open()" in said["scorer-w-target_imports_lightly"]


def test_checks_have_names_that_pytest_can_show():
    names = [check.name for check in scorer_checks(lambda: GoodScorer(Options()))]
    assert len(set(names)) == len(names)
    assert all(check.__name__ == check.name for check in scorer_checks(lambda: None))


class Described(Options):
    """Options as they should be."""

    size: int = Field(3, description="How many.")


class WithOptions(GoodScorer):
    Options = Described


def test_options_with_descriptions_pass():
    assert failing(scorer_checks(lambda: WithOptions(Described(size=5)))) == {}
