"""A benchmark has questions, and scores the answers to them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.contracts.root import Configurable


class Benchmark(Configurable):
    """Questions from files, and how answers to them are scored."""

    max_new_tokens: ClassVar[int] = 256
    """How long an answer may be."""

    judged: ClassVar[bool] = False
    """Whether what the answers are worth is for a judge to say; `score` then only counts them."""

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """Read the questions, in the files' order, with ids that differ.

        Raises:
            DatasetError: a file cannot be read; names it and where.
        """

    @property
    def image_root(self) -> Path | None:
        """The folder that the items' images are in."""
        return None

    @abstractmethod
    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Score answers (None: there is none, which counts as wrong), one for each item."""
