"""The values that benchmarks and judges work with: items, results, pairs and verdicts.

Only the standard library is imported here, so that listing judges and benchmarks is fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ig4.core.records import JSON, Image


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark, as the model gets it.

    `image` is a path as the benchmark's files write it; `truths` are the right answers, or the
    references of a caption; `record` holds the other fields of the benchmark's file.
    """

    id: str
    question: str
    image: str | None = None
    truths: tuple[str, ...] = ()
    category: str = ""
    record: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """The result of a benchmark, computed from the answers to it.

    `metrics` are by name, each in the unit of its benchmark (an accuracy is 0-1, CIDEr-D its raw
    value); `headline` names the main one. `values` has each item's share of the headline, in order,
    None where an item has none. `categories` are the metrics of parts; `notes` tell the user what
    the answers look like, if that is not what the benchmark expects.
    """

    metrics: Mapping[str, float]
    headline: str
    values: Sequence[float | None]
    categories: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def value(self) -> float:
        """The headline metric."""
        return self.metrics[self.headline]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question, for a judge that sees them in this order.

    `context` describes the image to judges that do not see it; `images` are for those that do.
    """

    id: str
    question: str
    first: str
    second: str
    context: str = ""
    images: tuple[Image, ...] = ()
    category: str = ""


Side: TypeAlias = Literal["first", "second", "tie"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's verdict on the two answers of a pair: a score each (1-10), and an explanation."""

    first: float
    second: float
    explanation: str = ""

    @property
    def winner(self) -> Side:
        """The answer with the higher score."""
        if self.first == self.second:
            return "tie"
        return "first" if self.first > self.second else "second"
