"""Benchmarks of questions with right answers, scored by accuracy under a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Digest
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.counts import counted, verb
from ig4.core.errors import DatasetError
from ig4.core.records import JSON
from ig4.plugins.benchmarks.files import FileBenchmark, FileOptions
from ig4.plugins.benchmarks.forms import (
    Form,
    choices_of,
    label_value,
    letter_value,
    require_choices,
    truth_label,
    unexpected_form,
)
from ig4.plugins.metrics.matching import MIN_VQA_ANSWERS, RULES, Rule


class AccuracyOptions(FileOptions):
    """Options of benchmarks that are scored by accuracy."""

    rule: Rule = Field(
        "lvlm-ehub",
        description="When an answer is right: lvlm-ehub (it contains the truth, with the "
        "original's quirks), strict (without them), exact (it is the truth), vqa (soft accuracy).",
    )


class LabelOptions(AccuracyOptions):
    """Options of benchmarks whose right answers are "Yes" or "No"."""

    answers: Literal["texts", "labels"] = Field(
        "texts",
        description="What models answer: the texts Yes and No, or labels (true, false, yes, no, 1, "
        "0).",
    )


class AccuracyBenchmark(FileBenchmark):
    """Scores answers by a rule; the metric is `accuracy`, 0-1, over all questions.

    Letters of choices and labels (true, false) are read only where an option says so: then the
    choice or the label that an answer names is compared, and the rule is for the other answers.
    """

    Options: ClassVar[type[contracts.Options]] = AccuracyOptions
    options: Any

    forms: ClassVar[Mapping[Form, str]] = {}
    """The setting with which each form of answers is read: "scienceqa.answers=letters"."""

    later_options: ClassVar[tuple[str, ...]] = ()
    """Options that count in the identity only where they differ from their default."""

    @property
    def form(self) -> Form:
        """The form in which answers are read."""
        return "texts"

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """See `FileBenchmark.identity`; without the later options where they have their default."""
        identity = dict(super().identity(digest))
        for name in self.later_options:
            if identity[name] == type(self.options).model_fields[name].default:
                del identity[name]
        return identity

    def choices(self, item: Item) -> tuple[str, ...]:
        """Return the texts of an item's choices, in the order of their letters."""
        return choices_of(item)

    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Return the accuracy, in total and by category; a missing answer is wrong.

        Raises:
            DatasetError: the rule `vqa`, and questions with less than four answers by people; or
                letters are to be read, and no question has choices.
        """
        rule: Rule = self.options.rule
        if rule == "vqa":
            _require_people_answers(items)
        if self.form == "letters":
            require_choices(items, self.choices)
        unread = 0
        values = []
        for item, answer in zip(items, answers, strict=True):
            value = 0.0 if answer is None else self._value(item, answer)
            unread += value is None
            values.append(value or 0.0)
        result = accuracy(items, values)
        return replace(result, notes=tuple(self._notes(items, answers, unread)))

    def _value(self, item: Item, answer: str) -> float | None:
        """Return the value of an answer, 0-1; None if it is not in the form that is read."""
        choices = self.choices(item) if self.form == "letters" else ()
        if choices:
            return letter_value(answer, item.truths, choices)
        truth = truth_label(item) if self.form == "labels" else None
        if truth is not None:
            return label_value(answer, truth)
        return RULES[self.options.rule](answer, item.truths)

    def _notes(
        self, items: Sequence[Item], answers: Sequence[str | None], unread: int
    ) -> Sequence[str]:
        if self.form != "texts":
            named = "choice, by its letter or its text" if self.form == "letters" else "label"
            told = (
                f"{unread:,} of {counted(len(answers), 'answer')} "
                f"{verb(unread, f'names no {named}: it counts', f'name no {named}: they count')} "
                "as wrong"
            )
            return [told] if unread else []
        whole = self.options.rule in ("exact", "vqa")
        unexpected = unexpected_form(items, answers, whole=whole)
        if unexpected is None:
            return []
        form, count, given = unexpected
        looks = "letters of choices" if form == "letters" else "true or false"
        truth = next((truth for item in items for truth in item.truths), "")[:40]
        remedy = f"-o {self.forms[form]} reads them" if form in self.forms else "few can be right"
        told = (
            f"{count:,} of {counted(given, 'answer')} {verb(count, 'looks', 'look')} like {looks}, "
            f"but the benchmark expects texts, such as {truth!r}: {remedy}"
        )
        return [told]


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
