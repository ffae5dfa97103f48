"""MIG: maximise the information in semantic space, label by label."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Digest, Needs, Selector
from ig4.core.contracts.pool import normalised
from ig4.core.counts import counted
from ig4.core.errors import UsageError
from ig4.plugins.selectors.ranking import FINAL, FINAL_TOLD, members_of, needs_score, score_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON

_NEAR_ZERO = 1e-6  # added to x in phi(x), as in the authors' code


class MigOptions(contracts.Options):
    """Options of the selector `mig`."""

    groups: str = Field(
        "form", min_length=1, description="The grouper whose groups are the labels; a sample "
        "may have several.",
    )  # fmt: skip
    score: str = Field(FINAL, description=f"The quality, at least 0; {FINAL_TOLD}.")
    power: float = Field(
        0.8,
        gt=0,
        le=1,
        description="The exponent of phi: the lower, the sooner a label has enough.",
    )
    label_vectors: str | None = Field(
        None, description="A .npz or .safetensors file with a vector for each label by its name, "
        "for the graph of labels; by default labels are unrelated.",
    )  # fmt: skip
    threshold: float = Field(
        0.9, ge=-1, le=1, description="The cosine above which two labels are related."
    )
    spread: float = Field(
        1.0, ge=0, le=100, description="The weight of related labels beside a label itself."
    )
    norm: bool = Field(
        default=False,
        description="Whether a sample's quality is divided among its labels.",
    )


@dataclass(frozen=True, slots=True)
class LabelWeights:
    """What each row gives to each label: a sparse matrix (n, g), rows by `starts`, all >= 0."""

    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def row(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the labels of a row and what it gives them."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.labels[part], self.weights[part]


class Mig(Selector):
    """Chen and others, Findings of ACL 2025 (arXiv 2504.13835).

    Row i gives u_i = (quality x labels) P to the labels, where P spreads to related ones. The
    greedy choice takes the row with the most u_i . phi'(x), and adds u_i to x. phi is concave and
    u not negative, so that gains only fall: a row is valued anew only when it is next in line.
    """

    version = "1"
    Options = MigOptions
    options: MigOptions

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return the options, with the content of the file of label vectors for its path."""
        values = self.options.model_dump(mode="json")
        if self.options.label_vectors is not None:
            values["label_vectors"] = digest(Path(self.options.label_vectors))
        return values

    def needs(self) -> Needs:
        """Return the labels and the quality."""
        return Needs(groups=(self.options.groups,)) | needs_score(self.options.score)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return rows in the order in which they add most; see Selector.choose.

        Raises:
            UsageError, PrerequisiteError: label vectors are missing.
        """
        self._tell_lowest(pool)
        given, g = self._weights(pool), len(pool.groups(self.options.groups).names)
        picks = lazy_greedy(given, g, self.options.power, pool.size)
        return np.fromiter((row for row, _ in picks), dtype=np.int64, count=pool.size)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the labels of a row and what it gives them."""
        names = pool.groups(self.options.groups).names
        labels, weights = self._weights(pool).row(row)
        return {
            names[label]: weight for label, weight in zip(labels, weights.tolist(), strict=True)
        }

    def _tell_lowest(self, pool: Pool) -> None:
        """Say how many rows cannot add anything, as their quality is not above 0.

        Raises:
            UsageError: all of them.
        """
        empty = int((score_of(pool, self.options.score) <= 0).sum())
        if empty == pool.n:
            raise UsageError(
                "mig: no sample has a quality above 0, and so none adds information: it needs "
                "scores of which more is better, from 0 up (--scale percentile, or positive "
                "weights, or -o mig.score=NAME)"
            )
        if empty:
            pool.tell(
                f"mig: {counted(empty, 'sample has', 'samples have')} a quality of 0 or less and "
                "cannot add information; below 0 counts as 0"
            )

    def _weights(self, pool: Pool) -> LabelWeights:
        groups = pool.groups(self.options.groups)
        starts, labels = members_of(groups)
        counts = np.diff(starts)
        quality = np.maximum(score_of(pool, self.options.score), 0.0)
        if self.options.norm:
            quality = quality / np.maximum(counts, 1)
        given = LabelWeights(starts, labels, np.repeat(quality, counts))
        if self.options.label_vectors is None:
            return given
        graph = self._graph(groups.names, Path(self.options.label_vectors).expanduser())
        return spread(given, propagation(graph, self.options.threshold, self.options.spread))

    def _graph(self, names: tuple[str, ...], file: Path) -> NDArray[np.float32]:
        """Return the cosines (g, g) of the labels."""
        from ig4.plugins.models.tensorfiles import read_tensors

        vectors = read_tensors(file)
        missing = [name for name in names if name not in vectors]
        if missing:
            raise UsageError(
                f"mig: {file} has no vector for {len(missing)} of {len(names)} labels, such as "
                f"{missing[0][:60]!r}: it needs one for each, under its name"
            )
        rows = [np.ravel(vectors[name]).astype(np.float32) for name in names]
        if len({len(row) for row in rows}) > 1:
            raise UsageError(f"mig: the vectors in {file} are of different lengths")
        unit = normalised(np.stack(rows))
        return unit @ unit.T


def propagation(
    cosines: NDArray[np.float32], threshold: float, related: float
) -> NDArray[np.float64]:
    """Return P (g, g): of each label itself, and of those above; its columns sum to 1."""
    p = np.where(cosines > threshold, cosines * related, 0.0).clip(min=0.0).astype(np.float64)
    np.fill_diagonal(p, 1.0)
    scaled: NDArray[np.float64] = p / p.sum(axis=0)
    return scaled


def spread(given: LabelWeights, p: NDArray[np.float64]) -> LabelWeights:
    """Return what rows give to labels and those related to them: the rows times P."""
    related = [np.flatnonzero(row) for row in p]
    starts, labels, weights = [0], [], []
    for row in range(len(given.starts) - 1):
        own, amounts = given.row(row)
        reached = np.unique(np.concatenate([related[label] for label in own.tolist()] or [own]))
        labels.append(reached)
        weights.append(amounts @ p[np.ix_(own, reached)])
        starts.append(starts[-1] + len(reached))
    return LabelWeights(np.array(starts), np.concatenate(labels), np.concatenate(weights))


def lazy_greedy(
    given: LabelWeights, labels: int, power: float, size: int
) -> Iterator[tuple[int, float]]:
    """Yield `size` rows and their gains, those that gain most first; ties to the lower row."""
    x = np.zeros(labels)
    line = [(-_gain(given, row, x, power), row) for row in range(len(given.starts) - 1)]
    heapq.heapify(line)
    for _ in range(size):
        while True:
            row = line[0][1]
            now = (-_gain(given, row, x, power), row)
            heapq.heapreplace(line, now)
            if line[0] == now:
                break
        gain, row = heapq.heappop(line)
        own, amounts = given.row(row)
        x[own] += amounts
        yield row, -gain


def _gain(given: LabelWeights, row: int, x: NDArray[np.float64], power: float) -> float:
    own, amounts = given.row(row)
    return float((amounts * power * (x[own] + _NEAR_ZERO) ** (power - 1.0)).sum())
