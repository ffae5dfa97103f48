"""Benchmarks of questions with right answers, scored by accuracy under a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.errors import DatasetError
from ig4.plugins.benchmarks.files import FileBenchmark, FileOptions
from ig4.plugins.metrics.matching import MIN_VQA_ANSWERS, RULES, Rule


class AccuracyOptions(FileOptions):
    """Options of benchmarks that are scored by accuracy."""

    rule: Rule = Field(
        "lvlm-ehub",
        description="When an answer is right: lvlm-ehub (it contains the truth, with the "
        "original's quirks), strict (without them), exact (it is the truth), vqa (soft accuracy).",
    )


class AccuracyBenchmark(FileBenchmark):
    """Scores answers by a rule; the metric is `accuracy`, 0-1, over all questions."""

    Options: ClassVar[type[contracts.Options]] = AccuracyOptions
    options: Any

    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Return the accuracy, in total and by category; a missing answer is wrong.

        Raises:
            DatasetError: the rule `vqa`, and questions with less than four answers by people.
        """
        rule: Rule = self.options.rule
        if rule == "vqa":
            _require_people_answers(items)
        right = RULES[rule]
        values = [
            0.0 if answer is None else right(answer, item.truths)
            for item, answer in zip(items, answers, strict=True)
        ]
        return accuracy(items, values)


def accuracy(items: Sequence[Item], values: Sequence[float]) -> BenchmarkResult:
    """Return the mean of values from 0 to 1, in total and by category."""
    parts: dict[str, list[float]] = {}
    for item, value in zip(items, values, strict=True):
        if item.category:
            parts.setdefault(item.category, []).append(value)
    categories = {
        name: {"accuracy": sum(each) / len(each), "n": float(len(each))}
        for name, each in parts.items()
    }
    return BenchmarkResult({"accuracy": sum(values) / len(values)}, "accuracy", values, categories)


def _require_people_answers(items: Sequence[Item]) -> None:
    for item in items:
        if len(item.truths) < MIN_VQA_ANSWERS:
            raise DatasetError(
                f"rule=vqa compares with what at least {MIN_VQA_ANSWERS} people answered; question "
                f"{item.id[:80]!r} has {len(item.truths)}: take rule=lvlm-ehub, strict or exact"
            )
