"""Shares of scorers that read vectors: a shard scores what it has the vectors of.

A shard embeds the images of its own share alone, so that no image is embedded twice. As values may
depend on what else is in a batch, batches stay whole: one whose images are all of one share belongs
to that shard. One with images of several shares waits until all of their vectors are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ig4.core.engine.scoring.inputs import contained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.scoring.pending import PendingImages, PendingWork
    from ig4.core.engine.scoring.sharing.shards import Shard


class ShownImages(NamedTuple):
    """Which images samples show: pairs (p,) of ordinals, int64, of samples and of images."""

    samples: NDArray[np.int64]
    images: NDArray[np.int64]


class VectorShare(NamedTuple):
    """Which of a scorer's pending samples (m,) a shard scores, and which wait for other shards."""

    scored: NDArray[np.bool_]
    waiting: NDArray[np.bool_]


def vector_share(
    shard: Shard, scorer: PendingWork, embedder: PendingImages, shown: ShownImages
) -> VectorShare:
    """Return a shard's part of what a scorer has to do; `embedder` has all that is to be embedded.

    Whose a batch is does not depend on what is done already.
    """
    size = scorer.batch_size
    count = max(1, -(-scorer.units // size))
    batch = shown.samples // size
    part = shard.parts(shown.images, embedder.batch_size, embedder.units)
    lowest, highest = np.full(count, shard.of), np.full(count, -1)
    np.minimum.at(lowest, batch, part)
    np.maximum.at(highest, batch, part)
    by_place = shard.parts(np.arange(count) * size, size, scorer.units)
    owner = np.where(lowest == highest, lowest, by_place)
    absent = contained(shown.images, embedder.ordinals) & (part != shard.number - 1)
    waits = np.zeros(count, dtype=bool)
    waits[batch[absent]] = True
    batch = scorer.ordinals // size
    own = owner[batch] == shard.number - 1
    return VectorShare(own & ~waits[batch], own & waits[batch])
