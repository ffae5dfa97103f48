"""Own picture: does an answer fit its own picture better than it fits the others of the pool?"""

from __future__ import annotations

from hashlib import blake2b
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

_STEP = 1e-6
"""Similarities that differ by less are equal: float32 vectors tell no more."""


class OwnPictureOptions(contracts.Options):
    """Options of the scorer `own-picture`."""

    image_space: str = Field("clip", description="The space of the images.")
    text_space: str = Field(
        "clip-answer", description="The space of the answers, by the same CLIP model."
    )
    pictures: int = Field(
        2_000, ge=2, description="How many of the pool's pictures an answer is held against at "
        "most; a larger pool has a sample drawn of them.",
    )  # fmt: skip


class OwnPicture(PoolScorer):
    """The share of the pool's other pictures that fit the answer worse than its own does.

    0 to 1; pictures that fit equally well count half. An answer of another picture has 0.5 on
    average, whatever kind of answer it is: unlike a cosine the value can be compared between kinds.
    NaN where the pool has no other picture.
    """

    version = "1"
    Options = OwnPictureOptions
    options: OwnPictureOptions

    def needs(self) -> Needs:
        """Return the two spaces."""
        return Needs(spaces=(self.options.image_space, self.options.text_space))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the share (n,) for each row.

        Raises:
            UsageError: the two spaces are not of one model.
        """
        images, texts = paired_vectors(
            pool, self.options.image_space, self.options.text_space, "own-picture"
        )
        first, place, _ = distinct_pairs(images, texts)
        pictures, own = _pictures(images[first], self.options.pictures)
        shares = _shares(normalised(images[first]), normalised(texts[first]), pictures, own)
        return shares[place]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x value."""
        return 100.0 * values


def _pictures(
    images: NDArray[np.float32], most: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return unit vectors (p, d) of distinct pictures, and which of them is each row's own (m,).

    It is -1 where the row's picture is not among them. Of more than `most` pictures those with the
    lowest hashes are taken, which is a draw that does not depend on the order of the rows.
    """
    digests = np.array([blake2b(one.tobytes(), digest_size=16).hexdigest() for one in images])
    names, firsts, own = np.unique(digests, return_index=True, return_inverse=True)
    own = own.reshape(-1).astype(np.int64)
    taken = firsts[:most]
    return normalised(images[taken]), np.where(own < min(most, len(names)), own, -1)


def _shares(
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    pictures: NDArray[np.float32],
    own: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the share (m,) of other pictures that fit each of m unit texts worse than its own."""
    shares = np.full(len(texts), np.nan)
    step = max(1, _BLOCK // max(1, len(pictures)))
    for start in range(0, len(texts), step):
        rows = slice(start, start + step)
        fits = texts[rows] @ pictures.T
        mine = np.einsum("ij,ij->i", texts[rows], images[rows])[:, None]
        among = np.flatnonzero(own[rows] >= 0)
        fits[among, own[rows][among]] = np.inf  # the own picture is none of the others
        worse = (fits < mine - _STEP).sum(axis=1) + 0.5 * (np.abs(fits - mine) <= _STEP).sum(axis=1)
        others = len(pictures) - (own[rows] >= 0)
        np.divide(worse, others, out=shares[rows], where=others > 0)
    return shares
