"""Captioning benchmarks, which compare captions with those that people wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ig4.core import contracts
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.plugins.benchmarks.files import FileBenchmark, FileOptions
from ig4.plugins.metrics import captions as measures
from ig4.plugins.metrics import ptb

PROMPT = "what is described in the image?"
"""LVLM-eHub's prompt for a caption."""

_EACH: Mapping[str, Callable[[Sequence[str], Sequence[Sequence[str]]], list[float]]] = {
    "cider": measures.cider_d,
    "rouge-l": measures.rouge_l,
}


class CaptioningOptions(FileOptions):
    """Options of captioning benchmarks."""

    metrics: tuple[Literal["cider", "rouge-l", "bleu-4"], ...] = Field(
        ("cider",),
        description="Metrics, the headline first: cider, rouge-l, bleu-4 (needs ig4[eval]).",
    )
    words: Literal["whitespace", "ptb"] = Field(
        "whitespace",
        description="How words are separated: by spaces, as in LVLM-eHub, or by COCO's tokenizer, "
        "in lower case and without punctuation (needs ig4[ptb] and Java).",
    )
    prompt: str = Field(PROMPT, description="Prompt for the model.")

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        if not metrics or len(set(metrics)) < len(metrics):
            raise ValueError("name each metric once, and at least one")
        return metrics


class CaptioningBenchmark(FileBenchmark):
    """Scores captions; CIDEr-D is reported raw (0-10) and x 100, as papers print it."""

    Options: ClassVar[type[contracts.Options]] = CaptioningOptions
    options: Any
    max_new_tokens: ClassVar[int] = 16

    def open(self) -> None:
        """Check what the options need, before a model answers for hours.

        Raises:
            MissingExtraError, PrerequisiteError: sacrebleu, the tokenizer or Java is not there.
        """
        if self.options.words == "ptb":
            ptb.find_tokenizer()
        if "bleu-4" in self.options.metrics:
            measures.bleu_4(["a"], [["a"]])

    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Return the metrics; a missing caption counts as an empty one."""
        captions = [answer or "" for answer in answers]
        references: list[Sequence[str]] = [item.truths for item in items]
        if self.options.words == "ptb":
            captions, references = _tokenise_all(captions, references)
        headline = self.options.metrics[0]
        found: dict[str, float] = {}
        values: Sequence[float | None] = [None] * len(items)
        for name in self.options.metrics:
            if name == "bleu-4":
                found[name] = measures.bleu_4(captions, references)
                continue
            each = _EACH[name](captions, references)
            found[name] = sum(each) / len(each)
            if name == headline:
                values = each
        if "cider" in found:
            found["cider_x100"] = 100 * found["cider"]
        return BenchmarkResult(found, headline, values, _by_category(items, values, headline))


def _by_category(
    items: Sequence[Item], values: Sequence[float | None], headline: str
) -> dict[str, dict[str, float]]:
    parts: dict[str, list[float]] = {}
    for item, value in zip(items, values, strict=True):
        if item.category and value is not None:
            parts.setdefault(item.category, []).append(value)
    return {
        name: {headline: sum(each) / len(each), "n": float(len(each))}
        for name, each in parts.items()
    }


def _tokenise_all(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[str], list[Sequence[str]]]:
    """Tokenise all texts in one call, because Java takes a second to start."""
    flat = [*captions, *(one for each in references for one in each)]
    tokenised = iter(ptb.tokenise(flat))
    return [next(tokenised) for _ in captions], [
        [next(tokenised) for _ in each] for each in references
    ]
