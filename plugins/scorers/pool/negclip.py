"""negCLIPLoss: how well image and text fit each other, less how well each fits everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.core.contracts.pool import normalised
from ig4.plugins.scorers.pool.pairs import distinct_pairs, paired_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_BLOCK = 1 << 24  # similarities at a time: 64 MB


class NegClipLossOptions(contracts.Options):
    """Options of the scorer `negclip-loss`."""

    image_space: str = Field("clip", description="The space of the images.")
    text_space: str = Field(
        "clip-answer", description="The space of the answers, by the same CLIP model."
    )
    temperature: float = Field(
        0.01, gt=0, le=10, description="What similarities are divided by, as CLIP was trained."
    )
    batch: int = Field(
        32_768, ge=2, description="How many samples are held against each other; a smaller pool "
        "is one batch.",
    )  # fmt: skip
    shuffles: int = Field(
        10, ge=1, le=1000, description="How many ways to deal a larger pool into batches, of "
        "which the mean is taken.",
    )  # fmt: skip
    seed: int = Field(0, ge=0, lt=2**32, description="Where the ways of dealing come from.")


class NegClipLoss(PoolScorer):
    """Wang and others 2024, "CLIPLoss and Norm-Based Data Selection Methods"; arXiv 2405.19547.

    cos_ii - T/2 (log sum_j exp(cos_ij / T) + log sum_j exp(cos_ji / T)), never above 0.
    """

    version = "1"
    Options = NegClipLossOptions
    options: NegClipLossOptions

    def needs(self) -> Needs:
        """Return the two spaces."""
        return Needs(spaces=(self.options.image_space, self.options.text_space))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the negative CLIP loss (n,) of each pair, in units of cosine, 0 at best.

        Raises:
            UsageError: the two spaces are not of one model.
        """
        images, texts = paired_vectors(
            pool, self.options.image_space, self.options.text_space, "negclip-loss"
        )
        first, place, counts = distinct_pairs(images, texts)
        total = np.zeros(len(first))
        for batch in self._batches(len(first)):
            own = first[batch]
            total[batch] += batch_values(
                normalised(images[own]), normalised(texts[own]), counts[batch],
                self.options.temperature,
            )  # fmt: skip
        return (total / self._shuffles(len(first)))[place]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 + 100 x value, at least 0: a pair that nothing else fits has 100."""
        return np.clip(100.0 + 100.0 * values, 0.0, 100.0)

    def _shuffles(self, pairs: int) -> int:
        return 1 if pairs <= self.options.batch else self.options.shuffles

    def _batches(self, pairs: int) -> Iterator[NDArray[np.int64]]:
        """Yield the pairs of each batch of each shuffle; batches are of equal size, within one."""
        parts = -(-pairs // self.options.batch)
        for shuffle in range(self._shuffles(pairs)):
            order = np.arange(pairs)
            if parts > 1:
                order = np.random.default_rng([self.options.seed, shuffle]).permutation(pairs)
            yield from np.array_split(order, parts)


def batch_values(
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    counts: NDArray[np.int64],
    temperature: float,
) -> NDArray[np.float64]:
    """Return the value (m,) of each of m pairs of unit vectors in a batch; `counts` weigh them."""
    m = len(images)
    often = np.log(counts).astype(np.float32)
    of_images = np.empty(m)
    most = np.full(m, -np.inf, dtype=np.float32)  # of each text, so far
    of_texts = np.zeros(m)
    own = np.empty(m)
    step = max(1, _BLOCK // m)
    for start in range(0, m, step):
        rows = slice(start, min(start + step, m))
        block = images[rows] @ texts.T
        own[rows] = np.diagonal(block[:, rows])
        block /= temperature
        of_images[rows] = _log_sums(block + often, axis=1)
        block += often[rows, None]
        now = np.maximum(most, block.max(axis=0))
        of_texts *= np.exp(most - now, dtype=np.float64)
        block -= now
        of_texts += np.exp(block, out=block).sum(axis=0, dtype=np.float64)
        most = now
    of_texts = np.log(of_texts) + most
    return np.minimum(own - temperature / 2 * (of_images + of_texts), 0.0)


def _log_sums(block: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    most = block.max(axis=axis, keepdims=True)
    sums = np.exp(block - most).sum(axis=axis, dtype=np.float64)
    found: NDArray[np.float64] = np.log(sums) + most.squeeze(axis)
    return found
