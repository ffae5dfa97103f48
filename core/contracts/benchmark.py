"""The contract of benchmarks: questions, and how answers to them are scored."""

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
    """The most tokens that an answer may have."""

    judged: ClassVar[bool] = False
    """Whether a judge rates the answers; `score` then only counts them."""

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """Read the questions, in the files' order, with ids that differ.

        Raises:
            DatasetError: a file cannot be read; names the file and the place in it.
        """

    @property
    def image_root(self) -> Path | None:
        """The folder that the items' images are in."""
        return None

    @abstractmethod
    def score(self, items: Sequence[Item], answers: Sequence[str | None]) -> BenchmarkResult:
        """Score answers, one for each item; None means no answer, which counts as wrong."""
